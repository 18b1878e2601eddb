"""Encoded corpora in the cache: one file each, found by what was read and how.

A file is a .safetensors file whose header has a fixed room, so that the tokens can be written and shortened before it is
known: `tokens` (N,) int32, `counts` (V,), `words` and `word_ends`. It is written under a name of its own, which a lock marks
as in use, and gets its final name when it is whole; so several processes may write and read at once.

When all of them are larger than `$SEQWISE_CACHE_GB` (20 unless set; 0 keeps none), those go first that were not used for
the longest time.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import struct
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from seqwise import __version__
from seqwise.embeddings.mapped_memory import let_go
from seqwise.embeddings.tensor_format import header_of, join_words, map_arrays, split_words
from seqwise.errors import ConfigurationError, FileError
from seqwise.kernels.cpu.compiler import cache_folder

HEADER = 4096
"""Bytes before the tokens."""
KIND, VERSION = "seqwise.corpus", "1"
_GIGABYTES = 20.0
_SETTLED = 2_000_000_000  # nanoseconds: a file that changed later may change again without another time stamp
_ABANDONED = 60.0  # seconds after which a file without a lock is nobody's
_TABLE = 1 << 22  # tokens that are looked at at once


def corpora_folder() -> Path:
    """Where encoded corpora are: `$SEQWISE_CACHE/corpora`, or in the user's cache folder."""
    return cache_folder().parent / "corpora"


def cache_limit() -> float:
    """Bytes that all of them may have.

    Raises:
        ConfigurationError: `SEQWISE_CACHE_GB` is no number, or negative.
    """
    given = os.environ.get("SEQWISE_CACHE_GB", "")
    try:
        gigabytes = float(given) if given else _GIGABYTES
    except ValueError:
        gigabytes = -1.0
    if not gigabytes >= 0:
        raise ConfigurationError(f"SEQWISE_CACHE_GB is {given!r}, and a number of gigabytes is expected")
    return gigabytes * 1e9


def key_of(paths: Sequence[str | Path], options: Mapping[str, Any]) -> str | None:
    """What names the corpus that is made of these files in this way; None if they must not be kept.

    Files are told apart by their path, size and time of change, so what was just changed is not kept: it might change once
    more within the same tick of the clock.
    """
    files = []
    for path in paths:
        if str(path) == "-":
            return None
        try:
            status = Path(path).stat()
        except OSError:
            return None  # who reads it says what is wrong
        if status.st_mtime_ns > time.time_ns() - _SETTLED or not Path(path).is_file():
            return None
        files.append([str(Path(path).resolve()), status.st_size, status.st_mtime_ns])
    made = json.dumps([VERSION, __version__, files, dict(options)], sort_keys=True)
    return hashlib.sha256(made.encode()).hexdigest()[:40]


def find(key: str) -> tuple[Path, dict[str, NDArray[Any]], list[str], int] | None:
    """A kept corpus: its file, arrays, words, and how many words were read; None if there is none that is whole."""
    path = _place(key)
    try:
        status = path.stat()
        if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
            return None  # somebody else may have written it
        arrays, metadata = map_arrays(path)
        if (metadata.get("format"), metadata.get("key")) != (KIND, key):
            return None
        words = split_words(np.asarray(arrays["words"]), np.asarray(arrays["word_ends"]), path)
        counts = np.array(arrays["counts"])
        counted = _counted(arrays["tokens"], len(words))
        if counted is None or not np.array_equal(counted, counts):
            return None
        total = int(metadata["total"])
        os.utime(path)
    except (OSError, FileError, KeyError, ValueError):
        return None
    return path, arrays | {"counts": counts}, words, total


def finish(file: BinaryIO, words: list[str], counts: NDArray[np.int64], total: int, key: str) -> None:
    """Write what belongs behind and before the tokens, which end at the end of the file."""
    size = file.seek(0, io.SEEK_END) - HEADER
    tokens: NDArray[np.int32] = np.broadcast_to(np.int32(0), size // 4)  # only its shape is looked at
    arrays: dict[str, NDArray[Any]] = {"tokens": tokens, "counts": counts, **join_words(words)}
    for array in list(arrays.values())[1:]:
        file.write(array.tobytes())
    metadata = {"format": KIND, "key": key, "total": str(total)}
    text = header_of(arrays, metadata).ljust(HEADER - 8)
    file.seek(0)
    file.write(struct.pack("<Q", len(text)) + text)


def keep(path: Path, key: str) -> bool:
    """Give a finished file its final name, and make room for it; whether it is kept."""
    size = path.stat().st_size
    if size > cache_limit():
        return False
    evict(cache_limit() - size)
    try:
        path.replace(_place(key))
    except OSError:  # on Windows, where a file that is open keeps its name
        return False
    return True


def evict(allowed: float) -> bool:
    """Delete the corpora that were not used for the longest time, until the others fit; whether there were any."""
    found = []
    for path in corpora_folder().glob("*.corpus"):
        with suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime_ns, status.st_size, path))
    size, gone = sum(size for _, size, _ in found), False
    for _, bytes_, path in sorted(found):
        if size <= allowed:
            break
        with suppress(OSError):
            path.unlink()
            gone = True
        size -= bytes_
    return gone


@contextmanager
def unfinished() -> Iterator[tuple[Path, BinaryIO]]:
    """A new file, locked while it is open; deleted if something goes wrong.

    Raises:
        FileError: the cache cannot be written, or the disk is full.
    """
    folder = corpora_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _clear(folder)
        handle, name = tempfile.mkstemp(".tokens", dir=folder)
    except OSError as error:
        raise _unwritable(error) from None
    path = Path(name)
    try:
        with os.fdopen(handle, "r+b", buffering=0) as file:
            _lock(file.fileno())
            yield path, cast(BinaryIO, _Patient(file))
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _unwritable(error: OSError) -> FileError:
    return FileError(
        f"the corpus cannot be encoded in the cache folder {corpora_folder()}: {error.strerror or error}; "
        "SEQWISE_CACHE names another folder"
    )


class _Patient:
    """A file whose writes are whole; where the disk is full, the corpora that are kept give way."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, content: bytes) -> int:
        left = memoryview(content)
        while left:
            try:
                left = left[self._file.write(left) :]
            except OSError as error:
                if error.errno != errno.ENOSPC or not evict(0):
                    raise _unwritable(error) from None
        return len(content)


def _place(key: str) -> Path:
    return corpora_folder() / f"{key}.corpus"


def _counted(tokens: NDArray[np.int32], words: int) -> NDArray[np.int64] | None:
    """How often each word stands in the tokens; None if there is a number that is none."""
    counts = np.zeros(words + 1, np.int64)
    for start in range(0, len(tokens), _TABLE):
        part = np.asarray(tokens[start : start + _TABLE]) + 1
        if len(part) and (part.min() < 0 or part.max() > words):
            return None
        counts += np.bincount(part, minlength=words + 1)
        let_go(tokens, start, start + len(part))
    return counts[1:]


def _clear(folder: Path) -> None:
    """Delete what processes left behind that were killed."""
    for path in folder.glob("*.tokens"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime < _ABANDONED:
                continue
            with path.open("r+b") as file:
                if _lock(file.fileno()):
                    path.unlink()


def _lock(handle: int) -> bool:
    """Lock an open file, if nobody else has; without locks (Windows) an open file cannot be deleted anyway."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
