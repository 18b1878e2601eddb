"""What `seqwise explain` calls besides `seqwise.explanation`: the model, the input, and the training examples beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from seqwise.data import DataSettings, Frames, read_frames, resolve
from seqwise.data.arrays import load_array
from seqwise.data.wav import read_sounds
from seqwise.errors import ConfigurationError, DataError
from seqwise.experiments.evaluation import remembered_columns
from seqwise.experiments.reading import read_part
from seqwise.experiments.tasks import find_task
from seqwise.prediction import Predictor, task_of

EXPLAINED = ("lm", "regress", "tag")  # besides classification


@dataclass(frozen=True)
class Examples:
    """What a model learned from, as far as it is compared with an input.

    Attributes:
        inputs: n texts, lists of tokens, or `Frames`.
        labels: n texts: what each is.
        rows: number of each in its file, from 1.
    """

    inputs: Any
    labels: Sequence[str]
    rows: Sequence[int]


class Alike(NamedTuple):
    """A training example that is like an input."""

    similarity: float
    text: str
    label: str
    row: int


def open_explained(folder: Path, device: str) -> Any:
    """Return the predictor of a model that can be explained.

    Raises:
        ConfigurationError: the model is of another task.
    """
    task = task_of(folder)
    if task == "classify":
        return Predictor.load(folder, device=device)
    if task not in EXPLAINED:
        raise ConfigurationError(
            f"{folder} holds a model of --task {task}: classifiers, taggers, language models and regressors are explained"
        )
    return find_task(task).load(folder, device)


def read_input(predictor: Any, given: str, row: int | None = None) -> Any:
    """Return what the model reads: a text as it is, or the frames of a file.

    Args:
        predictor: of the model.
        given: a text; of a model of frames the path of a .wav file, of a .npy file of one sequence, or of a table.
        row: of a table, from 1.

    Raises:
        FileError: the file cannot be read.
        DataError: there is no such row.
        ConfigurationError: a row of something that has none, or a table without a row.
    """
    if predictor.config.get("unit") != "frames":
        if row is not None:
            raise ConfigurationError("--row is of tables of frames, and the model reads texts")
        return given
    path, saved = Path(given), DataSettings.model_validate(predictor.settings.get("data", {}))
    if path.suffix.lower() == ".wav" and row is None:
        samples, rate, _ = read_sounds([path], _rate(predictor))
        return Frames.from_rows(samples, rate)
    if path.suffix.lower() == ".npy" and row is None:
        return Frames.from_rows([load_array(path)], _rate(predictor))
    if row is None:
        raise ConfigurationError(
            f"the model reads frames of numbers: give a .wav or .npy file, or a table and --row, not {given[:60]!r}"
        )
    source = resolve(path, saved)
    table = source.table("test", "train")
    frames = read_frames(source, table, saved.frames or ("frames",), rate=_rate(predictor), vectors=saved.vectors)
    if not 1 <= row <= len(frames):
        raise DataError(f"{path} has the rows 1 to {len(frames)}, and no row {row}")
    return frames[row - 1 : row]


def nearest_examples(predictor: Any, given: Any, data: str, k: int) -> list[Alike]:
    """Find the training examples that the encoder takes for most alike.

    Args:
        predictor: of the model.
        given: the input.
        data: a file, or a folder or data set of which the training part is taken.
        k: how many.

    Raises:
        FileError: the data cannot be read.
        DataError: they do not have the columns of training.
        ConfigurationError: the model has no vectors of examples.
    """
    from seqwise.explanation import nearest

    examples, found = _read(predictor, data), []
    for number, similarity in nearest(predictor, given, examples.inputs, k):
        inputs = examples.inputs
        shown = inputs.describe(number) if isinstance(inputs, Frames) else inputs[number]
        text = shown if isinstance(shown, str) else " ".join(map(str, shown))
        found.append(Alike(similarity, text, examples.labels[number], int(examples.rows[number])))
    return found


def _rate(predictor: Any) -> float | None:
    """Steps a second of the frames that the model learned from."""
    model = getattr(predictor, "_model", None) or getattr(predictor, "model", predictor)
    rate: float | None = model.features.frames.rate
    return rate


def _read(predictor: Any, data: str) -> Examples:
    if isinstance(predictor, Predictor):
        part = read_part(data, "train", remembered_columns(predictor), rate=predictor.rate)
        labels = [label if isinstance(label, str) else ", ".join(label) for label in part.labels.tolist()]
        return Examples(part.texts, labels, part.rows.tolist())
    task = find_task(predictor.config["task"])
    known = {key: value for key, value in predictor.settings.items() if key in task.configuration.model_fields}
    settings = task.configuration.model_validate(known)
    columns: Any = settings.data  # type: ignore[attr-defined]
    source = resolve(data, columns)
    task = task.of(source, columns)
    settings = settings.model_copy(update={"data": task.columns(source, columns, "train")})
    read: Any = task.read(source, settings, "train")
    if task.name == "regress":
        labels = [", ".join(f"{value:g}" for value in row) for row in read.targets.tolist()]
        return Examples(read.inputs, labels, [row + 1 for row in read.rows.tolist()])
    if isinstance(getattr(read, "frames", None), Frames):
        return Examples(read.frames, [_distinct(row) for row in read.labels], [row + 1 for row in read.rows])
    if task.name != "tag":
        raise ConfigurationError(f"a model of --task {task.name} has no vectors of examples")
    return Examples(read.tokens, [_distinct(row) for row in read.tags], range(1, len(read.tokens) + 1))


def _distinct(tags: Sequence[str | None]) -> str:
    """The different tags of a sequence but "O", in order."""
    return ", ".join(dict.fromkeys(tag for tag in tags if tag not in (None, "O"))) or "O"
