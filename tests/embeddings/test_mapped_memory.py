import re
import sys
from pathlib import Path

import numpy as np
import pytest

from seqwise.embeddings.mapped_memory import let_go


def resident():
    """Bytes of mapped files that are in memory."""
    return 1024 * int(re.search(r"RssFile:\s+(\d+)", Path("/proc/self/status").read_text())[1])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_was_read_is_let_go_and_can_be_read_again(tmp_path):
    numbers = np.arange(4_000_000, dtype=np.int32)
    numbers.tofile(tmp_path / "numbers")
    mapped = np.memmap(tmp_path / "numbers", np.int32, "r")
    before = resident()
    total = int(mapped.sum(dtype=np.int64))
    read = resident()
    assert read - before > 12e6
    let_go(mapped, 1_000_000, len(mapped))
    assert read - resident() > 8e6
    part = mapped[1_000_000:]
    assert int(part.sum(dtype=np.int64)) + int(mapped[:1_000_000].sum(dtype=np.int64)) == total
    read = resident()
    let_go(part, 0, len(part))  # a view knows where in the file it is
    assert read - resident() > 8e6


def test_arrays_in_memory_stay():
    let_go(np.ones(10_000), 0, 10_000)
