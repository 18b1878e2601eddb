"""The trivial baseline that every model has to beat: logistic regression on n-grams, or on statistics of frames."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, get_args

import numpy as np

from seqwise.data import Frames
from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.metrics import decide
from seqwise.metrics.examples import example_weights, label_matrix
from seqwise.text import NgramFeatures, choose_unit
from seqwise.text.chunking import by_size
from seqwise.text.settings import Unit

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from seqwise.evaluation.frame_statistics import FrameStatistics  # and torch with it
    from seqwise.models import FrameSettings

LARGEST = 200_000  # training examples
WORDS, CHARACTERS = (1, 2), (1, 5)
UNITS = get_args(Unit)
CERTAIN = 20.0  # log odds of a label that every training example has
STRENGTH = 10.0  # scikit-learn's C; 10 suits rows of Euclidean length 1, the default of 1 is too timid for them
STATISTICS_STRENGTH = 1.0  # of standardised columns, whose rows are longer


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline.

    Attributes:
        features: n-grams with tf-idf weights, or statistics of frames.
        classes: the C classes (or labels), in the order of the columns of `predict_proba`.
        weight: (features, C) float32.
        bias: (C,) float32; minus infinity for a class that training did not have.
        majority: share of the most frequent training class, which is the accuracy of always saying it; of labels the share
            of the examples that have the most frequent one.
        description: what it is, in one sentence.
        seconds: that the fit took.
        multilabel: whether every example has any number of the labels, each with a probability of its own.
        thresholds: (C,) as `seqwise.metrics.decide` takes them; of labels, the probability from which each is given.
            None for the most probable class, or .5 for every label.
    """

    features: NgramFeatures | FrameStatistics
    classes: list[str]
    weight: np.ndarray
    bias: np.ndarray
    majority: float
    description: str
    seconds: float
    multilabel: bool = False
    thresholds: np.ndarray | None = None

    def predict_proba(self, texts: Iterable[Any]) -> np.ndarray:
        """Return the probability of every class for every text or frames, (n, C), rows summing to one unless labels."""
        features = self.features
        if not isinstance(features, NgramFeatures):
            return self._probabilities(features.transform(texts))
        parts = [self._probabilities(_matrix(features, features.transform(chunk))) for chunk in by_size(texts)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.classes)))

    def _probabilities(self, matrix: csr_matrix | np.ndarray) -> np.ndarray:
        scores = np.asarray(matrix @ self.weight, dtype=np.float64)
        # One class against the rest: each has its own probability. Of labels that is all; of classes they sum to one.
        each = 1 / (1 + np.exp(-np.clip(scores + self.bias, -500, 500)))
        each[:, np.isneginf(self.bias)] = 0.0
        return each if self.multilabel else each / each.sum(axis=1, keepdims=True)

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the class number of each row of probabilities, (n,); or which labels each has, (n, L) of 0 and 1."""
        if self.multilabel:
            return (probabilities >= (0.5 if self.thresholds is None else self.thresholds)).astype(np.int64)
        return decide(probabilities, self.thresholds)

    def with_thresholds(self, thresholds: np.ndarray | None) -> Self:
        """Return the same baseline deciding by thresholds, as the model beside it does."""
        return replace(self, thresholds=thresholds)

    def to_dict(self) -> dict[str, Any]:
        """Return what `baseline.json` holds; `arrays` are beside it."""
        return {
            "features": self.features.to_dict(),
            "classes": self.classes,
            "absent": [name for name, bias in zip(self.classes, self.bias, strict=True) if np.isneginf(bias)],
            "majority": self.majority,
            "description": self.description,
            "seconds": self.seconds,
            "multilabel": self.multilabel,
            "thresholds": None if self.thresholds is None else self.thresholds.tolist(),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what `baseline.safetensors` holds."""
        return {"weight": self.weight, "bias": np.where(np.isneginf(self.bias), 0, self.bias).astype(np.float32)}

    @classmethod
    def from_parts(cls, saved: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """Return the baseline that `to_dict` and `arrays` described.

        Raises:
            ModelFolderError: they do not fit together.
        """
        try:
            features, classes = _features_of(saved["features"]), [str(name) for name in saved["classes"]]
            absent = set(saved["absent"])
            weight, bias = arrays["weight"], np.array(arrays["bias"])
            description, majority, seconds = (
                str(saved["description"]),
                float(saved["majority"]),
                float(saved["seconds"]),
            )
            multilabel, values = bool(saved.get("multilabel", False)), saved.get("thresholds")
            thresholds = None if values is None else np.asarray(values, dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFolderError(f"the baseline of the model folder is damaged: {error}") from None
        if weight.shape != (len(features), len(classes)) or bias.shape != (len(classes),):
            raise ModelFolderError("the baseline of the model folder is damaged: its arrays have the wrong shapes")
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ModelFolderError(
                "the baseline of the model folder is damaged: its arrays hold numbers that are not finite"
            )
        if thresholds is not None and not (
            thresholds.shape == bias.shape and ((thresholds > 0) & (thresholds <= 1)).all()
        ):
            raise ModelFolderError("the baseline of the model folder is damaged: its thresholds are not of its classes")
        if not absent < set(classes):
            raise ModelFolderError(
                "the baseline of the model folder is damaged: its absent classes are not some of all"
            )
        bias[[name in absent for name in classes]] = -np.inf
        return cls(features, classes, weight, bias, majority, description, seconds, multilabel, thresholds)


def fit_baseline(
    texts: Iterable[Any],
    labels: Sequence[str] | np.ndarray,
    *,
    classes: Sequence[str] | None = None,
    unit: str = "auto",
    sample_weight: np.ndarray | None = None,
    frames: FrameSettings | None = None,
    seed: int = 0,
) -> Baseline:
    """Fit tf-idf n-grams and logistic regression; of `Frames` their statistics.

    Words: n-grams of 1 and 2; strings of characters: n-grams of 1 to 5 with the ends of the string marked.

    Args:
        texts: n texts (strings, or lists of tokens), or `Frames`.
        labels: (n,); or (n, L) of 0 and 1, where every text has any number of labels: then one logistic regression a label.
        classes: the C classes; None takes the sorted labels. A class without examples gets probability 0. Of (n, L) labels
            their names, which are needed.
        unit: that of `TextSettings`; "auto" is decided by the texts. Where the model reads sub-words this reads words.
        sample_weight: (n,) or None; they are scaled to a mean of 1, so that their unit does not change the penalty. An
            example of weight 0 counts as if it were not there.
        frames: what is computed of frames, see `FrameSettings`.
        seed: of the sample that is taken of more than 200,000 examples; it keeps some of every class.

    Raises:
        ConfigurationError: no such unit.
        DataError: texts, labels and weights do not belong together, or a label is not among the classes.
    """
    if unit not in UNITS:
        known = ", ".join(f'"{name}"' for name in UNITS)
        raise ConfigurationError(f"unit is {known}, not {unit!r}")
    started = time.perf_counter()
    multilabel = np.ndim(labels) == 2
    of, names = _labels_of(labels, classes) if multilabel else _classes_of(labels, classes)
    size = len(of)
    weights = example_weights(sample_weight, size) if size else None
    rows = np.arange(size) if weights is None else np.flatnonzero(weights)  # liblinear misjudges a class of no weight
    usable = len(rows)
    if usable > LARGEST:
        rows = rows[_sample(_rarest(of[rows]) if multilabel else of[rows], np.random.default_rng(seed))]
    of = of[rows]
    if not size:
        raise DataError("there are no examples to fit the baseline on")
    if weights is not None:
        weights = weights[rows] / weights[rows].mean()
    if isinstance(texts, Frames):
        if len(texts) != size:
            raise DataError(f"there are {len(texts)} sequences and {size} labels")
        from seqwise.evaluation.frame_statistics import FrameStatistics

        statistics = FrameStatistics(frames)
        features: NgramFeatures | FrameStatistics = statistics
        matrix: csr_matrix | np.ndarray = statistics.fit_transform(texts.take(rows))
        what = statistics.description
    else:
        features, matrix, what = _ngrams(_texts_of(texts, rows, size), unit)
    weight, bias = _fit_labels(matrix, of, weights) if multilabel else _fit_classes(matrix, of, names, weights)
    counts = of.sum(axis=0) if multilabel else np.unique(of, return_counts=True)[1]
    how = "a logistic regression for each label" if multilabel else "logistic regression"
    description = f"{what} and {how}" if isinstance(features, NgramFeatures) else f"{how} on {what}"
    if len(rows) < usable:
        description += f", fitted on a random {len(rows):,} of the {usable:,} training examples"
    majority = float(counts.max() / len(rows))
    return Baseline(
        features, names, weight, bias, majority, description, time.perf_counter() - started, multilabel=multilabel
    )


def _features_of(saved: Mapping[str, Any]) -> NgramFeatures | FrameStatistics:
    if "frames" not in saved:
        return NgramFeatures.from_dict(saved)
    from seqwise.evaluation.frame_statistics import FrameStatistics

    return FrameStatistics.from_dict(saved)


def _ngrams(texts: Sequence[Any], unit: str) -> tuple[NgramFeatures, csr_matrix, str]:
    """Features, their values in the texts, and what they are."""
    unit = choose_unit(texts) if unit == "auto" else unit
    of_characters = unit == "characters"
    features = NgramFeatures(
        words=None if of_characters else WORDS,
        characters=CHARACTERS if of_characters else None,
        max_features=None,
        unit="tokens" if unit in ("tokens", "whitespace") else "words",
    )
    matrix = _matrix(features, features.fit_transform(texts))
    low, high = CHARACTERS if of_characters else WORDS
    return features, matrix, f"tf-idf of {'character' if of_characters else 'word'} n-grams ({low} to {high})"


def _classes_of(labels: Sequence[str] | np.ndarray, classes: Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    """(n,) names, and the C names there are."""
    of: np.ndarray = np.asarray(labels).astype(str)
    names = sorted(set(of.tolist())) if classes is None else [str(name) for name in classes]
    if unknown := sorted(set(of.tolist()) - set(names)):
        raise DataError(f"the label {unknown[0]!r} is not among the classes {', '.join(names)}")
    return of, names


def _labels_of(labels: Any, names: Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    """(n, L) bool, and the L names."""
    if names is None:
        raise DataError("the baseline of many labels needs their names")
    of = label_matrix("labels", labels, (len(labels), len(names)))
    if len(of) and not of.any():
        raise DataError("no example has a label")
    return of, [str(name) for name in names]


def _rarest(of: np.ndarray) -> np.ndarray:
    """The rarest label of each example, (n, L) bool -> (n,); -1 of one without labels."""
    counts = np.where(of, of.sum(axis=0), len(of) + 1)
    return np.where(of.any(axis=1), counts.argmin(axis=1), -1)


def _fit_classes(
    matrix: csr_matrix | np.ndarray, of: np.ndarray, names: list[str], weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (n-grams, C) and bias (C,) of classes of which each example has one."""
    weight, bias = np.zeros((matrix.shape[1], len(names)), np.float32), np.full(len(names), -np.inf, np.float32)
    present = sorted(set(of.tolist()), key=names.index)
    for name in present if len(present) > 2 else present[1:]:
        column = names.index(name)
        weight[:, column], bias[column] = _one_against_the_rest(matrix, of == name, weights)
    if len(present) == 1:
        bias[names.index(present[0])] = 0.0
    if len(present) == 2:
        first, second = map(names.index, present)
        weight[:, first], bias[first] = -weight[:, second], -bias[second]
    return weight, bias


def _fit_labels(
    matrix: csr_matrix | np.ndarray, of: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (n-grams, L) and bias (L,) of labels of which each example has any number."""
    weight, bias = np.zeros((matrix.shape[1], of.shape[1]), np.float32), np.full(of.shape[1], -np.inf, np.float32)
    for column, has in enumerate(of.T):
        if has.all():
            bias[column] = CERTAIN
        elif has.any():
            weight[:, column], bias[column] = _one_against_the_rest(matrix, has, weights)
    return weight, bias


def _texts_of(texts: Iterable[Any], rows: np.ndarray, size: int) -> Sequence[Any]:
    """Read the texts of these rows; all of them are counted, so that one too many or too few is noticed."""
    if len(rows) == size and isinstance(texts, Sequence):
        count, taken = len(texts), texts
    else:
        count, taken, wanted = 0, [], set(rows.tolist())
        for text in texts:
            if count in wanted:
                taken.append(text)
            count += 1
    if count != size:
        raise DataError(f"there are {count} texts and {size} labels")
    return taken


def _sample(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Draw about 200,000 rows, the same share of every class and at least one of each; in rising order."""
    share = LARGEST / len(labels)
    order = generator.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]  # class by class, at random within
    _, sizes = np.unique(labels, return_counts=True)
    starts = np.cumsum(sizes) - sizes
    drawn = [order[start : start + int(np.ceil(size * share))] for start, size in zip(starts, sizes, strict=True)]
    return np.sort(np.concatenate(drawn))


def _one_against_the_rest(
    matrix: csr_matrix | np.ndarray, belongs: np.ndarray, sample_weight: np.ndarray | None
) -> tuple[np.ndarray, float]:
    """Return weights (n-grams,) and bias of one class."""
    from sklearn.linear_model import LogisticRegression

    sparse = not isinstance(matrix, np.ndarray)
    strength = STRENGTH if sparse else STATISTICS_STRENGTH
    # liblinear's dual form is for rows that are fewer than columns, as those of n-grams are.
    solver = LogisticRegression(C=strength, solver="liblinear", dual=sparse, max_iter=1000, tol=1e-3, random_state=0)
    solver.fit(matrix, belongs, sample_weight)
    return solver.coef_[0], float(solver.intercept_[0])


def _matrix(features: NgramFeatures, rows: Any) -> csr_matrix:
    from scipy.sparse import csr_matrix

    return csr_matrix((rows.values, rows.ids, rows.offsets), shape=(len(rows), len(features)))
