"""What `seqwise predict` calls for taggers: sentences or recordings of a file, answered in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqwise.data import DataSettings, open_table, read_frames, resolve
from seqwise.data.tables import Chunk, Table
from seqwise.errors import DataError
from seqwise.experiments.prediction import CHUNK, progress, write_complete
from seqwise.prediction.tagged import TaggedFrames, TaggedText
from seqwise.prediction.tagger import TaggerPredictor

Answered = Iterator[tuple[Chunk, list[TaggedText] | list[TaggedFrames]]]


def answer_file(predictor: TaggerPredictor, path: Path, column: str | None = None) -> Answered:
    """Yield the rows of a file piece by piece, with the answers to them.

    Args:
        predictor: a tagger.
        path: of a table.
        column: of the texts, token lists or frames; None takes that of training.

    Raises:
        FileError: the file cannot be read.
        DataError: there is no such column, or a row holds something else.
    """
    return _answer_frames(predictor, path, column) if predictor.framed else _answer_texts(predictor, path, column)


def write_answers(answered: Answered, output: Path, *, overwrite: bool = False) -> int:
    """Write every row with its answers; return the number of rows.

    New columns are `tags`, one a token or step, and their `probabilities`, as lists; and `entities`, of frames `segments`, a
    list of objects. One of a name that the input has already is called `predicted_...`.

    Raises:
        FileError: there is such a file and `overwrite` is false, or it cannot be written.
        DataError: the input has a column of a name that is needed.
    """
    rows = 0

    def chunks() -> Iterator[Chunk]:
        nonlocal rows
        for chunk, answers in answered:
            rows += len(answers)
            yield _with_answers(chunk, answers)

    write_complete(output, chunks(), overwrite=overwrite)
    return rows


def _with_answers(chunk: Chunk, answers: list[TaggedText] | list[TaggedFrames]) -> Chunk:
    framed = any(isinstance(of, TaggedFrames) for of in answers)
    found: Chunk = {
        "tags": [of.tags for of in answers],
        "probabilities": [of.probabilities for of in answers],
        "segments" if framed else "entities": [of.entities for of in answers],
    }
    named = {f"predicted_{name}" if name in chunk else name: values for name, values in found.items()}
    if taken := [name for name in named if name in chunk]:
        raise DataError(f"the input has a column {taken[0]!r} already; rename it there")
    return {**chunk, **named}


def _answer_texts(predictor: TaggerPredictor, path: Path, column: str | None) -> Answered:
    table = open_table(path)
    chosen = column or predictor.settings.get("data", {}).get("text") or "text"
    if column is None and chosen not in table.columns and "text" in table.columns:
        chosen = "text"
    table.require(chosen, "column of the texts")
    row = 0
    with progress(table.rows) as advance:
        for chunk in table.iter_chunks(CHUNK):
            texts = chunk[chosen]
            for text in texts:
                _check_text(table, row, text, chosen)
                row += 1
            yield chunk, predictor.tag(texts)
            advance(len(texts))


def _check_text(table: Table, row: int, text: Any, column: str) -> None:
    if not isinstance(text, str | list) or (isinstance(text, list) and not all(text)):
        raise DataError(f"{table.name}, {table.place(row)}: a text or a list of tokens is expected in {column!r}")


def _answer_frames(predictor: TaggerPredictor, path: Path, column: str | None) -> Answered:
    saved = DataSettings.model_validate(predictor.settings.get("data", {}))
    source = resolve(path, saved)
    table = source.table("test")
    columns = list(saved.frames or ()) if column is None else [column]
    if column is None and len(columns) < 2 and columns[0:1] != table.columns[0:1] and len(table.columns) == 1:
        columns = table.columns  # a file of one array or sound knows no names
    if not columns:
        raise DataError("the model does not know from which columns its frames came: name one with --text")
    frames, row = read_frames(source, table, columns), 0
    with progress(len(frames)) as advance:
        for chunk in table.iter_chunks(CHUNK):
            count = len(chunk[columns[0]])
            yield chunk, predictor.tag(frames[row : row + count])
            row += count
            advance(count)
