"""Sounds: .wav files as samples, and tables of them.

The format is RIFF/WAVE (IBM and Microsoft 1991, with the extensible header of 2001): whole numbers of 8, 16, 24 or 32 bits,
or floating-point numbers of 32 or 64.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqwise.data.rates import resampled
from seqwise.data.tables import Chunk, Table
from seqwise.errors import FileError

SOUND, LABEL = "sound", "label"  # columns of a table of sounds
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)  # of samples that were written to a pipe


@dataclass(frozen=True)
class Sound:
    """One sound.

    Attributes:
        samples: (S,) float32, full scale from -1 to 1; the mean of all channels.
        rate: samples a second.
        channels: of the file.
    """

    samples: NDArray[np.float32]
    rate: int
    channels: int


def read_wav(path: Path) -> Sound:
    """Read a .wav file.

    Raises:
        FileError: it cannot be read, is none, is truncated, or has a coding that is not read here.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileError(f"there is no file {path}") from None
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}") from None
    return parse_wav(content, path)


def parse_wav(content: bytes, path: Path | str) -> Sound:
    """Read the content of a .wav file.

    Args:
        content: all of it.
        path: what errors call it.

    Raises:
        FileError: it is none, is truncated, or has a coding that is not read here.
    """
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise FileError(f"{path} is no .wav file: it does not begin with RIFF and WAVE")
    layout: bytes | None = None
    for name, body, said in _chunks(content):
        if name == b"fmt ":
            layout = body
        elif name == b"data":
            if layout is None or len(layout) < 16:
                raise FileError(f"{path} is damaged: the layout of its samples is missing")
            if len(body) < said:
                raise FileError(f"{path} is truncated: it should have {said:,} bytes of samples, and has {len(body):,}")
            return _decoded(path, layout, body)
    raise FileError(f"{path} is truncated: it ends before its samples")


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Name, bytes, and how many bytes there should be, of every part of a RIFF file."""
    place = 12
    while place + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        if name == b"data" and size in _UNKNOWN_SIZES:
            size = len(content) - place - 8
        yield name, content[place + 8 : place + 8 + size], size
        place += 8 + size + size % 2


def _decoded(path: Path | str, layout: bytes, body: bytes) -> Sound:
    coding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", layout)
    if coding == _EXTENSIBLE and len(layout) >= 26:
        coding = struct.unpack_from("<H", layout, 24)[0]
    if not channels or not rate:
        raise FileError(f"{path} is damaged: it has {channels} channels and {rate} samples a second")
    body = body[: len(body) // (channels * bits // 8 or 1) * (channels * bits // 8 or 1)]
    if not body:
        raise FileError(f"{path} has no samples")
    match coding, bits:
        case (1, 8):
            samples = (np.frombuffer(body, np.uint8).astype(np.float32) - 128) / 128
        case (1, 16) | (1, 32):
            whole = np.frombuffer(body, f"<i{bits // 8}")
            samples = (whole / 2.0 ** (bits - 1)).astype(np.float32)
        case (1, 24):
            bytes_of = np.zeros((len(body) // 3, 4), np.uint8)  # the three bytes are the upper ones of 32 bits
            bytes_of[:, 1:] = np.frombuffer(body, np.uint8).reshape(-1, 3)
            samples = (bytes_of.view("<i4")[:, 0] / 2.0**31).astype(np.float32)
        case (3, 32) | (3, 64):
            samples = np.frombuffer(body, f"<f{bits // 8}").astype(np.float32)
        case _:
            raise FileError(
                f"{path} has the coding {coding} with {bits} bits; whole numbers of 8, 16, 24 or 32 bits and floating-point "
                "numbers are read"
            )
    if not np.isfinite(samples).all():
        raise FileError(f"{path} holds a sample that is not finite")
    return Sound(samples.reshape(-1, channels).mean(axis=1), rate, channels)


def read_sounds(
    paths: Sequence[Path], rate: float | None = None
) -> tuple[list[NDArray[np.float32]], float, tuple[str, ...]]:
    """Read several sounds with one rate.

    Args:
        paths: of the files.
        rate: samples a second to which the others are resampled; None is the most frequent one.

    Returns:
        The samples of each, the rate, and sentences on what was done to them.

    Raises:
        FileError: a file is not as needed.
    """
    sounds = [read_wav(path) for path in paths]
    wanted = rate or float(Counter(sound.rate for sound in sounds).most_common(1)[0][0])
    other = [sound.rate for sound in sounds if sound.rate != wanted]
    several = sum(sound.channels > 1 for sound in sounds)
    notes = []
    if other:
        rates = ", ".join(f"{one:,}" for one in sorted(set(other)))
        verb = "was" if len(sounds) == 1 else "were"
        notes.append(f"{_of_them(len(other), len(sounds))} {rates} Hz and {verb} resampled to {wanted:,.0f} Hz.")
    if several:
        notes.append(f"{_of_them(several, len(sounds))} several channels, which were averaged.")
    return [resampled(sound.samples, sound.rate, wanted) for sound in sounds], wanted, tuple(notes)


def _of_them(some: int, of: int) -> str:
    return "The sound has" if of == 1 else f"{some:,} of {of:,} sounds have"


class SoundTable(Table):
    """Sound files as rows: the column "sound" has their paths, the column "label" the names of their folders.

    Args:
        path: one sound file, or a folder of them.
        files: paths of all.
        labels: of each; None leaves the column out.
    """

    def __init__(self, path: Path, files: Sequence[Path] | None = None, labels: Sequence[str] | None = None) -> None:
        super().__init__(path)
        self._columns: dict[str, list[str]] = {SOUND: [str(file.resolve()) for file in files or [path]]}
        if labels is not None:
            self._columns[LABEL] = list(labels)
        self.columns, self.rows = list(self._columns), len(self._columns[SOUND])

    def iter_chunks(self, size: int = 8192, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
        """See `Table.iter_chunks`."""
        for column in columns or ():
            self.require(column)
        for start in range(0, self.rows or 0, size):
            yield {name: self._columns[name][start : start + size] for name in columns or self.columns}

    def place(self, row: int) -> str:
        """See `Table.place`."""
        return f"row {row + 1} ({Path(self._columns[SOUND][row]).name})"

    def types(self) -> dict[str, str]:
        """See `Table.types`."""
        return dict.fromkeys(self.columns, "str")


def sounds_of(folder: Path) -> SoundTable | None:
    """The sounds of a folder: those in its folders, whose names are their labels, or those in itself; None without any."""
    inner = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    labelled = [(file, path.name) for path in inner for file in _wav_files(path)]
    if labelled:
        return SoundTable(folder, [file for file, _ in labelled], [label for _, label in labelled])
    files = _wav_files(folder)
    return SoundTable(folder, files) if files else None


def _wav_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".wav")
