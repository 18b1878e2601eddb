"""Utterances with what was said in them, from a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from seqwise.data.frames import Frames, read_frames
from seqwise.data.sources import DataSource
from seqwise.data.tables import Table
from seqwise.errors import DataError

FRAME_COLUMNS = ("frames", "sound", "audio", "path")
TEXT_COLUMNS = ("text", "transcript", "transcription", "sentence", "label")


@dataclass(frozen=True)
class TranscribedUtterances:
    """Utterances and what was said in them.

    Attributes:
        frames: of each.
        texts: of each; "" where nothing was said.
        rows: number of each in its table, from 0.
        groups: of each, a speaker, say; None if no column tells.
    """

    frames: Frames
    texts: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    groups: list[str] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, numbers: Sequence[int]) -> TranscribedUtterances:
        """These utterances."""
        texts, rows = [self.texts[i] for i in numbers], [self.rows[i] for i in numbers]
        groups = None if self.groups is None else [self.groups[i] for i in numbers]
        return TranscribedUtterances(self.frames.take(np.asarray(numbers, np.int64)), texts, rows, groups)


def find_transcript_columns(
    table: Table, frames: Sequence[str] | None, target: str | None
) -> tuple[tuple[str, ...], str]:
    """The columns of the frames and of the transcripts: those named, or those with a usual name.

    Raises:
        DataError: there is none; names the columns that there are.
    """
    read = tuple(frames or (_usual(table, FRAME_COLUMNS),))
    for column in read:
        table.require(column, "column of frames")
    chosen = target or _usual(table, TEXT_COLUMNS)
    table.require(chosen, "column of the transcripts")
    return read, chosen


def read_transcribed(
    source: DataSource,
    table: Table,
    frames: Sequence[str],
    target: str,
    group: str | None = None,
    *,
    rate: float | None = None,
) -> TranscribedUtterances:
    """Read the utterances of a table.

    Args:
        source: where the table is from.
        table: a row an utterance.
        frames: columns of frames.
        target: column of the transcripts; a missing one means that nothing was said.
        group: column of what rows have in common, or None.
        rate: steps a second, see `read_frames`.

    Raises:
        DataError: a row is not as needed; names it.
        FileError: a file cannot be read.
    """
    if group is not None:
        table.require(group, "column of the groups")
    spoken = read_frames(source, table, frames, rate=rate)
    texts: list[str] = []
    groups: list[str] = []
    for chunk in table.iter_chunks(columns=[target, *([] if group in (None, target) else [group])]):
        for text in chunk[target]:
            if text is not None and not isinstance(text, str):
                raise DataError(f"{table.name}, {table.place(len(texts))}: a text is expected in {target!r}")
            texts.append(text or "")
        if group is not None:
            groups += [str(value) for value in chunk[group]]
    return TranscribedUtterances(spoken, texts, list(range(len(texts))), groups if group is not None else None)


def _usual(table: Table, names: Sequence[str]) -> str:
    return next((name for name in names if name in table.columns), names[0])
