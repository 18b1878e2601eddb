"""Files as streams of bytes and of UTF-8 lines, compressed or not."""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from seqwise.errors import FileError

COMPRESSIONS = (".gz", ".xz", ".zst")


def compression_of(path: Path) -> str | None:
    """The suffix of the compression, or None."""
    return path.suffix.lower() if path.suffix.lower() in COMPRESSIONS else None


def format_of(path: Path) -> str:
    """The suffix of the format, without that of a compression: ".csv" for both reviews.csv and reviews.csv.gz."""
    return (path.with_suffix("") if compression_of(path) else path).suffix.lower()


class _ZstdReader(io.RawIOBase):
    """The uncompressed bytes of a Zstandard stream. (The package's own reader takes a truncated file for a short one.)"""

    def __init__(self, raw: BinaryIO) -> None:
        import zstandard

        self._raw = raw
        self._decompressor = zstandard.ZstdDecompressor()
        self._frame: Any = None
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while not self._ready:
            compressed = self._frame.unused_data if self._frame is not None and self._frame.eof else b""
            compressed = compressed or self._raw.read(1 << 17)
            if not compressed:
                if self._frame is not None and not self._frame.eof:
                    raise EOFError("it ends too early")
                return 0
            if self._frame is None or self._frame.eof:
                self._frame = self._decompressor.decompressobj()
            self._ready = self._frame.decompress(compressed)
        count = min(len(target), len(self._ready))
        target[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


def _decompressed(raw: BinaryIO, path: Path) -> BinaryIO:
    match compression_of(path):
        case ".gz":
            stream: Any = gzip.GzipFile(fileobj=raw)
        case ".xz":
            stream = lzma.LZMAFile(raw)  # noqa: SIM115
        case ".zst":
            stream = io.BufferedReader(_ZstdReader(raw), 1 << 20)
        case _:
            stream = raw
    return cast(BinaryIO, stream)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The uncompressed bytes of a file.

    Raises:
        FileError: if it cannot be read, is empty, or its compression is damaged (also while the caller reads).
    """
    import zstandard

    try:
        with path.open("rb") as raw, _decompressed(raw, path) as stream:
            yield stream
    except (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        raise FileError(f"{path} is damaged, or not compressed as its name says: {error}") from None
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}") from None


def utf8_lines(path: Path) -> Iterator[str]:
    """The lines with their ends, as text; a byte order mark is dropped.

    Raises:
        FileError: if a line is not UTF-8 (names line and byte), or as for `opened`.
    """
    offset = 0
    number = 0
    with opened(path) as stream:
        for number, raw in enumerate(stream, 1):
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                hint = "; it looks like UTF-16" if number == 1 and raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
                raise FileError(
                    f"{path} is not UTF-8: line {number}, byte {offset + error.start} of the file is "
                    f"0x{raw[error.start]:02x}{hint}; save it as UTF-8"
                ) from None
            offset += len(raw)
            yield line.removeprefix("\ufeff") if number == 1 else line
    if number == 0:
        raise FileError(f"{path} is empty")


def uncompressed(path: Path, owner: object) -> Path:
    """The path of an uncompressed copy, deleted when `owner` is; the path itself if it is not compressed."""
    if compression_of(path) is None:
        return path
    folder = tempfile.mkdtemp(prefix="seqwise-")
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    copy = Path(folder) / path.with_suffix("").name
    with opened(path) as source, copy.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    return copy
