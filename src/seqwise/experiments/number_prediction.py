"""What `seqwise predict` reads and writes for regressors. No torch: an exported regressor is asked through it too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from seqwise.data import DataSettings, read_frames, resolve
from seqwise.data.tables import Chunk
from seqwise.errors import DataError
from seqwise.prediction.regressor import RegressorPredictor


def read_inputs(path: Path, column: str | None, predictor: RegressorPredictor) -> tuple[Any, Iterator[Chunk]]:
    """Return the inputs of a file, and its rows, to write them with the answers.

    Args:
        path: of a table.
        column: of the texts or frames, if not as in training.
        predictor: of the model.

    Raises:
        FileError: the file cannot be read.
        DataError: there is no such column, or a row holds something else.
    """
    settings = DataSettings.model_validate(predictor.settings.get("data", {}))
    if predictor.reads_frames:
        settings = settings.model_copy(update={"frames": (column,)} if column else {})
        source = resolve(path, settings)
        table = source.table("test")
        return read_frames(source, table, settings.frames or ("frames",)), table.iter_chunks()
    if column is not None:
        settings = settings.model_copy(update={"text": column})
    table = resolve(path, settings).table("test")
    chosen = settings.text or "text"
    if column is None and chosen not in table.columns and "text" in table.columns:
        chosen = "text"
    table.require(chosen, "column of the texts")
    texts = [text for chunk in table.iter_chunks(columns=[chosen]) for text in chunk[chosen]]
    missing = next((row for row, text in enumerate(texts) if text is None), None)
    if missing is not None:
        raise DataError(f"{table.name}, {table.place(missing)}: {chosen!r} is missing, and a text is expected")
    return texts, table.iter_chunks()


def with_numbers(rows: Iterator[Chunk], answers: np.ndarray, names: tuple[str, ...]) -> Iterator[Chunk]:
    """Yield rows with the answers behind their own columns: `predicted_NAME`.

    Raises:
        DataError: a column of that name is there already.
    """
    done = 0
    for chunk in rows:
        size = len(next(iter(chunk.values())))
        added = {f"predicted_{name}": answers[done : done + size, i].tolist() for i, name in enumerate(names)}
        if taken := next((name for name in added if name in chunk), None):
            raise DataError(f"the input has a column {taken!r} already; rename it there")
        yield {**chunk, **added}
        done += size
