"""Texts that a generator draws for classes, judged by a classifier; and what a generator is given by files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seqwise.data import DataSource, open_table, resolve
from seqwise.data.chords import COLUMN, Chord, read_chords
from seqwise.data.frames import read_frames
from seqwise.errors import ConfigurationError, DataError
from seqwise.experiments.generation import plain, read_classes, read_sequences
from seqwise.metrics.generation import sample_metrics
from seqwise.prediction import Predictor, task_of
from seqwise.prediction.generator import GeneratorPredictor
from seqwise.prediction.sampling import Sampling


@dataclass(frozen=True)
class Judgement:
    """What is drawn to be judged.

    Attributes:
        samples: how many texts.
        by: "even" for every class alike, the first classes once more where it does not divide; "prior" by the shares of
            the classes in training.
        guidance: see `GeneratorPredictor.sample`.
        sampling: how to draw.
        condition: the only class to draw for; None: all.
    """

    samples: int = 1000
    by: str = "even"
    guidance: float = 0.0
    sampling: Sampling = field(default_factory=Sampling)
    condition: str | None = None


def judge_samples(
    predictor: GeneratorPredictor, judge: Path, request: Judgement, known: str | None = None, *, device: str = "auto"
) -> dict[str, Any]:
    """Draw texts for classes, and let a classifier say what they are.

    Args:
        predictor: that draws.
        judge: folder of a classifier with the same classes.
        request: what is drawn.
        known: data of which copies are counted: their training part, in the column that the generator has learned from.
        device: where the classifier runs.

    Returns:
        See `seqwise.metrics.generation.sample_metrics`.

    Raises:
        ConfigurationError: the generator has no classes, or the folder holds no classifier of these.
        DataError: the known data have no such column.
    """
    if predictor.condition != "class":
        raise ConfigurationError("a judge says what class a text is of, and this model draws for no class")
    if task_of(judge) != "classify":
        raise ConfigurationError(f"{judge} holds a model of the task {task_of(judge)!r}, and a classifier judges")
    classifier = Predictor.load(judge, device)
    asked = asked_classes(predictor, request)
    if missing := sorted(set(asked) - set(map(str, classifier.classes))):
        raise ConfigurationError(f"the classifier in {judge} does not know the class {missing[0]!r}")
    copies = None if known is None else known_texts(predictor, known)
    texts = predictor.sample(asked, request.sampling, guidance=request.guidance)
    found = sample_metrics(asked, judge_texts(classifier, texts), texts, copies, seed=request.sampling.seed)
    return {"by": request.by, **found}


def judge_texts(classifier: Predictor, texts: Sequence[str]) -> list[str]:
    """The class of each text; nothing where the classifier abstains."""
    return ["" if name is None else str(name) for name in classifier.predict(texts)]


def asked_classes(predictor: GeneratorPredictor, request: Judgement) -> list[str]:
    """The class that each text is drawn for."""
    if request.condition is not None:
        return [request.condition] * request.samples
    classes = list(map(str, predictor.classes))
    if request.by == "even":
        return [classes[i % len(classes)] for i in range(request.samples)]
    random = np.random.default_rng(request.sampling.seed)
    return [classes[i] for i in random.choice(len(classes), request.samples, p=predictor.shares)]


def known_texts(predictor: GeneratorPredictor, data: str) -> frozenset[str]:
    """The training texts of some data."""
    column = predictor.settings.get("data", {}).get("target") or "text"
    return frozenset(map(plain, read_sequences(resolve(data).table("train"), str(column))))


def read_conditions(predictor: GeneratorPredictor, path: Path, column: str | None = None) -> Any:
    """Classes or vectors from the columns of a table that the model was trained on.

    Args:
        predictor: whose conditions they are.
        path: of the table.
        column: of the conditions, if not as in training.

    Raises:
        FileError: the file cannot be read.
        DataError: there is no such column, or the model has no conditions.
    """
    table, data = open_table(path), predictor.settings.get("data", {})
    if predictor.condition == "vector":
        columns = (column,) if column else tuple(data.get("frames") or ())
        if not columns:
            raise DataError("this model was trained on arrays, and does not know the columns of its vectors")
        source = DataSource(str(path), {"train": table}, is_file=True)
        return read_frames(source, table, columns, vectors=True)
    if predictor.condition == "none":
        raise DataError("this model writes without conditions: seqwise generate draws from it")
    return read_classes(table, str(column or data.get("label") or "label"))


def read_seed(predictor: GeneratorPredictor, path: Path) -> list[Chord]:
    """The first piece of a file.

    Raises:
        FileError: the file cannot be read.
        DataError: it holds no chords.
    """
    table = open_table(path)
    column = predictor.settings.get("data", {}).get("target") or COLUMN
    return read_chords(table, COLUMN if column not in table.columns and COLUMN in table.columns else column)[0]
