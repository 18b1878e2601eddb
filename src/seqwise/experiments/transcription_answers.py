"""What `seqwise predict` calls for a transcriber: sounds, or the frames of a table, in; transcripts out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seqwise.data import Table, resolve, write_table
from seqwise.data.frames import Frames, read_frames
from seqwise.data.sources import DataSource
from seqwise.data.transcribed import FRAME_COLUMNS
from seqwise.errors import ConfigurationError, DataError, FileError, InputError
from seqwise.prediction.transcriber import TranscriberPredictor, Transcript

Heard = tuple[str, Transcript]
"""Name of an utterance (a file, or "row 3"), and what was heard."""


def listen(
    predictor: TranscriberPredictor, paths: Sequence[str], table: Path | None, column: str | None
) -> list[Heard]:
    """Transcribe sounds, or the frames of a table.

    Args:
        predictor: what answers.
        paths: sounds, if there is no table.
        table: a file with utterances, or a folder of sounds.
        column: of its frames, if not as in training.

    Raises:
        FileError: a file cannot be read.
        DataError: frames are not as the model needs them; names the file.
    """
    found: list[Heard] = []
    for name, frames in _utterances(predictor, paths, table, column):
        try:
            heard = predictor.transcribe(frames)
        except InputError as error:
            raise DataError(f"{name or table}: {error}") from None
        names = [name] if name else [f"row {row + 1}" for row in range(len(frames))]
        found += zip(names, heard, strict=True)
    return found


def write_heard(found: Sequence[Heard], output: Path, *, overwrite: bool = False) -> None:
    """Write a table of transcripts: `utterance`, `text`, `log_probability`.

    Raises:
        FileError: there is such a file and `overwrite` is false, or it cannot be written.
    """
    if output.exists() and not overwrite:
        raise FileError(f"{output} exists; --overwrite replaces it")
    if not output.parent.is_dir():
        raise FileError(f"there is no folder {output.parent} to write {output.name} to")
    chunk: dict[str, list[Any]] = {
        "utterance": [name for name, _ in found],
        "text": [of.text for _, of in found],
        "log_probability": [of.log_probability for _, of in found],
    }
    # The suffix decides the format, so the unfinished file keeps it.
    unfinished = output.with_name(f".unfinished-{os.getpid()}-{output.name}")
    try:
        write_table(unfinished, [chunk])
        os.replace(unfinished, output)
    finally:
        unfinished.unlink(missing_ok=True)


def _utterances(
    predictor: TranscriberPredictor, paths: Sequence[str], table: Path | None, column: str | None
) -> Iterator[tuple[str, Frames]]:
    """Names and frames; without a name they are those of all rows of the table."""
    if table is not None:
        source = resolve(str(table))
        yield "", _read(predictor, source, source.table("test"), column)
        return
    for path in paths:
        if not path.lower().endswith(".wav"):
            raise ConfigurationError(
                f"a transcriber listens to .wav files, and {path!r:.60} is none; tables go with --input"
            )
        source = resolve(path)
        yield path, _read(predictor, source, source.table("test"), None)


def _read(predictor: TranscriberPredictor, source: DataSource, table: Table, column: str | None) -> Frames:
    trained = predictor.settings.get("data", {}).get("frames") or ()
    columns = [column] if column else [name for name in trained if name in table.columns]
    usual = [name for name in FRAME_COLUMNS if name in table.columns][:1]
    return read_frames(source, table, columns or usual or [trained[0] if trained else FRAME_COLUMNS[0]])
