"""What `seqwise predict` calls: texts from the command line, from standard input or from a file, answered in order.

Nothing is held longer than one chunk, so that files larger than the memory and endless pipes work alike.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from seqwise.data import DataSettings, Frames, open_table, read_frames, resolve, write_table
from seqwise.data.arrays import load_array
from seqwise.data.sources import arranged
from seqwise.data.wav import SOUND, read_sounds
from seqwise.errors import ConfigurationError, DataError, FileError
from seqwise.experiments.evaluation import remembered_columns
from seqwise.metrics import check_label_priors, check_priors
from seqwise.prediction import Predictor
from seqwise.prediction.classified import Prediction

CHUNK = 2048  # rows of a file answered at a time
FRAMES = "\0frames"  # where a chunk holds them: no column has this name
FEW = 100  # texts; class shares estimated from fewer say little
Chunk = dict[str, list[Any]]


@dataclass(frozen=True)
class Source:
    """Where texts come from.

    Attributes:
        chunks: rows as columns of values.
        column: of the texts, lists of them; or of frames, each a `Frames`.
        rows: how many there are, if that is known.
        notes: sentences on what had to be done to read them.
    """

    chunks: Iterable[dict[str, Any]]
    column: str
    rows: int | None
    notes: tuple[str, ...] = ()


class PredictionRun:
    """A trained model that answers.

    Args:
        folder: of the model.
        device: where to compute.
        priors: share of each class where the answers are used; None for the shares of training.
        abstain_below: probability of the answer under which none is given.

    Raises:
        ModelFolderError: the folder does not hold a sound model.
        ConfigurationError: the priors are not those of the model's classes, or do not sum to one.
    """

    def __init__(
        self,
        folder: Path,
        device: str = "auto",
        *,
        priors: Mapping[str, float] | None = None,
        abstain_below: float | None = None,
    ) -> None:
        self._predictor = Predictor.load(folder, device=device)
        shares = None if priors is None else self._shares(priors)
        self._predictor.decisions = self._predictor.decisions.used(priors=shares, abstain_below=abstain_below)

    @property
    def reads_frames(self) -> bool:
        """Whether it answers numbers and sounds, not texts."""
        return self._predictor.reads_frames

    def _shares(self, priors: Mapping[str, float]) -> np.ndarray:
        if not self._predictor.multilabel:
            return check_priors(priors, self.classes)
        return check_label_priors(priors, self.classes, self._predictor.decisions.source)

    def estimate_priors(self, source: Source, method: str) -> tuple[Source, dict[str, float]]:
        """Read all texts, estimate the class shares among them, and correct every later answer for these.

        Args:
            source: the unlabelled texts, which are kept in memory until they are answered.
            method: "em" or "bbse".

        Returns:
            The same texts, to be answered; and the share of each class.

        Raises:
            ConfigurationError: there is no such method.
            DataError: there are no texts, or the model holds no confusion matrix for "bbse".
        """
        chunks, parts = list(source.chunks), []
        for chunk in chunks:
            parts.append(self._predictor.calibrated(_without_gaps(chunk[source.column])))
        probabilities = np.concatenate(parts) if parts else np.empty((0, len(self.classes)))
        decisions = self._predictor.decisions
        shares = decisions.estimate_priors(probabilities, method)
        self._predictor.decisions = decisions.used(priors=shares, abstain_below=decisions.abstain_below)
        kept = Source(chunks, source.column, len(probabilities), source.notes)
        return kept, dict(zip(self.classes, shares.tolist(), strict=True))

    @property
    def classes(self) -> list[str]:
        """The C names."""
        return [str(name) for name in self._predictor.classes]

    def from_file(self, path: Path, column: str | None = None, frames: Sequence[str] | None = None) -> Source:
        """Read texts or frames from columns of a file: those that are given, or those of training.

        Args:
            path: of the file; of frames also of a folder of sounds.
            column: of the texts.
            frames: columns of frames, which are not written to the output: it has the others.

        Raises:
            FileError: the file cannot be read.
            DataError: there is no such column.
            ConfigurationError: no column is given, and the model does not know one (it was trained on a list of texts); or
                it reads the other kind.
        """
        settings = remembered_columns(self._predictor, text=column, frames=frames)
        if self._predictor.reads_frames:
            return self._from_frames(path, settings, named=frames is not None)
        table, wanted = arranged(open_table(path), settings), str(settings.text)
        if column is None and wanted not in table.columns:
            there = ", ".join(map(repr, table.columns))
            raise DataError(
                f"{path} has no column {wanted!r}, from which the model learned; name one of {there} with --text"
            )
        table.require(wanted, "text column")
        return Source(table.iter_chunks(CHUNK), wanted, table.rows)

    def _from_frames(self, path: Path, settings: DataSettings, *, named: bool) -> Source:
        data = resolve(path, settings)
        table, wanted = data.table("test", "train"), settings.frames or ()
        if not named and not set(wanted) <= set(table.columns):
            usual = next((name for name in (data.metadata.get("sequence"), SOUND) if name in table.columns), None)
            wanted = wanted if usual is None else (usual,)
        rate = self._predictor.rate
        frames = read_frames(data, table, wanted, rate=rate, vectors=settings.vectors)
        kept = [name for name in table.columns if name not in wanted or frames.sources is not None]

        def chunks() -> Iterator[dict[str, Any]]:
            start, others = 0, table.iter_chunks(CHUNK, kept) if kept else None
            while start < len(frames):
                chunk = {} if others is None else next(others)
                size = len(next(iter(chunk.values()))) if chunk else CHUNK
                yield {**chunk, FRAMES: frames[start : start + size]}
                start += size

        return Source(chunks(), FRAMES, len(frames), self._notes(frames))

    def from_texts(self, texts: list[str]) -> Source:
        """Take texts as they are; of a model of frames they are the paths of .wav files, or of .npy files of one sequence.

        Raises:
            FileError: a file cannot be read.
            ConfigurationError: it is of another kind.
        """
        if not self._predictor.reads_frames:
            return Source([{"text": texts}], "text", len(texts))
        frames = self._sequences([Path(text) for text in texts])
        return Source([{"file": texts, FRAMES: frames}], FRAMES, len(texts), self._notes(frames))

    def _sequences(self, paths: Sequence[Path]) -> Frames:
        """A sequence for each file."""
        rate = self._predictor.rate
        parts = []
        for path in paths:
            kind = path.suffix.lower()
            if kind not in (".wav", ".npy"):
                raise ConfigurationError(
                    f"the model reads frames of numbers: give .wav or .npy files, not {str(path)!r}; --input reads tables"
                )
            if kind == ".wav":
                samples, found, notes = read_sounds([path], rate)
                part = replace(Frames.from_rows(samples, found), notes=tuple(f"{path}: {note}" for note in notes))
            else:
                part = Frames.from_rows([load_array(path)], rate)
            parts.append(replace(part, sources=(str(path),)))
        return Frames.concatenate(parts)

    def _notes(self, frames: Frames) -> tuple[str, ...]:
        note = self._predictor.note(frames)
        return frames.notes if note is None else (*frames.notes, note)

    def from_lines(self, stream: BinaryIO) -> Source:
        """Take every line of a stream as a text, as it arrives; of a model of frames it is the path of a file."""
        if self._predictor.reads_frames:
            chunks = (
                {"file": lines, FRAMES: self._sequences([Path(line) for line in lines])} for lines in lines_of(stream)
            )
            return Source(chunks, FRAMES, None)
        return Source(({"text": lines} for lines in lines_of(stream)), "text", None)

    def answers(self, source: Source) -> Iterator[Prediction]:
        """Answer text by text, in order."""
        with progress(source.rows) as advance:
            for chunk in source.chunks:
                texts = chunk[source.column]
                labels, probabilities = self._answer(texts)
                for shown, label, row in zip(_shown(texts), labels, probabilities, strict=True):
                    yield Prediction(shown, label, dict(zip(self.classes, map(float, row), strict=True)))
                advance(len(texts))

    def write(self, source: Source, output: Path, *, overwrite: bool = False) -> int:
        """Write every row of the input with its label and the probability of each class; return the number of rows.

        The label stands in the column `label`, or `predicted_label` where the input has a `label` already; probabilities
        in `probability_CLASS`. The file appears under its name when it is complete.

        Raises:
            FileError: there is such a file and `overwrite` is false, or it cannot be written.
            DataError: the input has a column of a name that is needed.
        """
        rows = 0

        def answered() -> Iterator[Chunk]:
            nonlocal rows
            with progress(source.rows) as advance:
                for chunk in source.chunks:
                    labels, probabilities = self._answer(chunk[source.column])
                    rows += len(labels)
                    chunk = {name: values for name, values in chunk.items() if name != FRAMES}
                    yield with_answers(chunk, self._written(labels), probabilities, self.classes)
                    advance(len(labels))

        write_complete(output, answered(), overwrite=overwrite)
        return rows

    def _written(self, labels: list[Any]) -> list[Any]:
        """Labels as the label column of training holds them: a list, or a text with separators."""
        if not self._predictor.multilabel:
            return labels
        separator = self._predictor.settings.get("data", {}).get("separator")
        return [list(names) if separator is None else separator.join(names) for names in labels]

    def _answer(self, texts: Sequence[Any]) -> tuple[list[Any], np.ndarray]:
        """Labels, None where the model abstains, and probabilities (n, C); a missing text is an empty one."""
        probabilities = self._predictor.predict_proba(_without_gaps(texts))
        names = self._predictor.names(self._predictor.decide(probabilities))
        if self._predictor.multilabel:
            return [tuple(map(str, several)) for several in names], probabilities
        return [None if name is None else str(name) for name in names], probabilities


def write_complete(output: Path, chunks: Iterable[Chunk], *, overwrite: bool = False) -> None:
    """Write a table that appears under its name when it is complete.

    Raises:
        FileError: there is such a file and `overwrite` is false, or it cannot be written.
    """
    if output.exists() and not overwrite:
        raise FileError(f"{output} exists; --overwrite replaces it")
    if not output.parent.is_dir():
        raise FileError(f"there is no folder {output.parent} to write {output.name} to")
    # The suffix decides the format, so the unfinished file keeps it.
    unfinished = output.with_name(f".unfinished-{os.getpid()}-{output.name}")
    try:
        write_table(unfinished, chunks)
        os.replace(unfinished, output)
    finally:
        unfinished.unlink(missing_ok=True)


def _without_gaps(texts: Sequence[Any]) -> Sequence[Any]:
    """Frames, or texts of which a missing one is empty."""
    return texts if isinstance(texts, Frames) else ["" if text is None else text for text in texts]


def _shown(texts: Sequence[Any]) -> Iterator[str]:
    """What a person sees of each text, or of each sequence of frames."""
    if isinstance(texts, Frames):
        yield from (texts.describe(index) for index in range(len(texts)))
        return
    for text in texts:
        yield text if isinstance(text, str) else " ".join(map(str, text or ()))


def with_answers(chunk: Chunk, labels: Sequence[Any], probabilities: np.ndarray, classes: list[str]) -> Chunk:
    """Return the rows with the columns of the prediction behind their own.

    Raises:
        DataError: a column of that name is there already.
    """
    columns: Chunk = {"predicted_label" if "label" in chunk else "label": list(labels)}
    columns |= {f"probability_{name}": probabilities[:, index].tolist() for index, name in enumerate(classes)}
    taken = [name for name in columns if name in chunk]
    if taken:
        raise DataError(f"the input has a column {taken[0]!r} already; rename it there")
    return {**chunk, **columns}


def lines_of(stream: BinaryIO) -> Iterator[list[str]]:
    """Yield the lines that have arrived, without waiting for more: a pipe that stays open is answered at once.

    A line ends with a line feed (a carriage return before it belongs to the end); an empty line is a text too.

    Raises:
        FileError: a line is not UTF-8.
    """
    read = getattr(stream, "read1", stream.read)
    unfinished: list[bytes] = []  # pieces of a line whose end has not come; joined once, for a line may be long
    number = 0
    while piece := read(1 << 16):
        *ended, rest = piece.split(b"\n")
        if ended:
            ended[0] = b"".join([*unfinished, ended[0]])
            unfinished = []
            yield _decoded(ended, number)
            number += len(ended)
        if rest:
            unfinished.append(rest)
    if unfinished:
        yield _decoded([b"".join(unfinished)], number)


def _decoded(lines: list[bytes], before: int) -> list[str]:
    texts = []
    for position, line in enumerate(lines, before + 1):
        try:
            texts.append(line.removesuffix(b"\r").decode())
        except UnicodeDecodeError as error:
            raise FileError(
                f"line {position} of standard input is not UTF-8: its byte {error.start + 1} is 0x{line[error.start]:02x}"
            ) from None
    return texts


@contextmanager
def progress(rows: int | None) -> Iterator[Any]:
    """A bar on standard error while rows are answered; where that is no terminal, nothing."""
    if not sys.stderr.isatty() or (rows is not None and rows <= CHUNK):
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("predicting", total=rows)
        yield lambda count: bar.advance(task, count)
