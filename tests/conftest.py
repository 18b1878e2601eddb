"""What all tests share."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

# Before torch or numpy are imported: test tensors are small, and threads cost them more than they give.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Nor does any package tell anybody that it runs.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Compiled kernels go to a folder of this run, never to the user's cache. Child processes and the workers of pytest-xdist
# inherit the variable, so that they share what one of them has compiled. Whoever sets it keeps the code for the next run:
# it is kept under a hash of the sources, and is never out of date.
if "SEQWISE_CACHE" not in os.environ:
    os.environ["SEQWISE_CACHE"] = tempfile.mkdtemp(prefix="seqwise-tests-")
    atexit.register(shutil.rmtree, os.environ["SEQWISE_CACHE"], ignore_errors=True)

import pytest
from hypothesis import settings

# A shell that starts the tests in the background has them ignore Ctrl-C, and their child processes too; the tests of Ctrl-C
# need what a person at a terminal has.
signal.signal(signal.SIGINT, signal.default_int_handler)


settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def seqwise_data() -> Path:
    """The folder of named data sets; tests that need it are skipped where it is not."""
    folder = os.environ.get("SEQWISE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("SEQWISE_DATA does not name a folder of data sets")
    return Path(folder)
