"""What all tests share."""

from __future__ import annotations

import os
import signal
from pathlib import Path

# Before torch or numpy are imported: test tensors are small, and threads cost them more than they give.
os.environ.setdefault("OMP_NUM_THREADS", "1")

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
