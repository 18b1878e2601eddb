"""What a person hands to `fit`, checked, and divided into a training and a validation part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqwise.data import Frames, stratified_split
from seqwise.errors import DataError
from seqwise.estimators.labels import LabelCode
from seqwise.models import EncodedExamples, Features

Texts = Sequence[Any]


@dataclass(frozen=True)
class Part:
    """Texts, or `Frames`, with targets, see `LabelCode`, and sample weights (n,) or None."""

    texts: Texts
    targets: np.ndarray
    weights: np.ndarray | None = None

    def encoded(self, features: Features) -> EncodedExamples:
        """Return the part as arrays."""
        return features.encode(self.texts, self.targets, self.weights)

    def fitted(self, features: Features) -> EncodedExamples:
        """Fit the features on the part and return it as arrays."""
        return features.fit_encode(self.texts, self.targets, self.weights)

    def with_part(self, other: Part) -> Part:
        """Return the examples of both parts; where only one has weights, the other's weigh 1."""
        weights = None
        if self.weights is not None or other.weights is not None:
            ones = [np.ones(len(part.targets)) if part.weights is None else part.weights for part in (self, other)]
            weights = np.concatenate(ones)
        texts: Texts
        if isinstance(self.texts, Frames) and isinstance(other.texts, Frames):
            texts = Frames.concatenate([self.texts, other.texts])
        else:
            texts = [*self.texts, *other.texts]
        return Part(texts, np.concatenate([self.targets, other.targets]), weights)


def are_frames(X: Any) -> bool:
    """Whether X is frames: `Frames`, an array (n, T, D), or a list whose first member is an array or a list of numbers."""
    if isinstance(X, Frames):
        return True
    if hasattr(X, "ndim") and X.ndim != 1:
        return X.ndim == 3 and X.dtype.kind in "iuf"
    if isinstance(X, str | bytes | Mapping) or not isinstance(X, Sequence | np.ndarray) or not len(X):
        return False
    first = X[0]
    if isinstance(first, np.ndarray):
        return first.dtype.kind in "iuf" and first.ndim in (1, 2)
    while isinstance(first, list | tuple) and first:
        first = first[0]
    return isinstance(first, int | float) and not isinstance(first, bool) and not isinstance(X[0], int | float)


def check_inputs(X: Any, *, unit: str, frames: bool | None = None) -> Texts:
    """Return X as `Frames`, or as a sequence of texts.

    Args:
        X: what was given.
        unit: of texts.
        frames: which of the two a model reads; None: either.

    Raises:
        DataError: it is neither, or the other; names the first row that is not what it should be.
    """
    given = are_frames(X)
    if frames is not None and given != frames and len(X):
        raise DataError(
            f"the model reads {'frames' if frames else 'texts'}, and X holds {'frames' if given else 'something else'}"
        )
    return Frames.from_rows(X) if given else check_texts(X, unit=unit)


def check_texts(X: Any, *, unit: str) -> Texts:
    """Return X as a sequence of texts (strings; with unit "tokens" also lists of strings).

    Raises:
        DataError: names the first row that is neither.
    """
    if isinstance(X, str | bytes):
        raise DataError("X must be a list of texts, got a single text: put it in a list")
    if hasattr(X, "ndim") and X.ndim != 1:
        raise DataError(f"X must be a list of texts, got an array with {X.ndim} axes: select the text column")
    texts = X if isinstance(X, Sequence) or hasattr(X, "iter_chunks") else list(X)
    for row, text in enumerate(texts, start=1):
        listed = unit == "tokens" and not isinstance(text, bytes | dict) and isinstance(text, Iterable)
        if not isinstance(text, str) and not listed:
            raise DataError(f"row {row} of X is {type(text).__name__}, expected a string")
    return texts


def normalised_weights(sample_weight: Any, rows: int) -> np.ndarray | None:
    """Return the weights scaled to mean one, (n,) float64, or None.

    Raises:
        DataError: another length than X, a negative or non-finite weight, or all zero.
    """
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (rows,):
        raise DataError(f"X has {rows} rows, sample_weight has shape {weights.shape}")
    wrong = ~np.isfinite(weights) | (weights < 0)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"the weight of row {row + 1} is {weights[row]}: weights are finite and not negative")
    if not weights.any():
        raise DataError("all sample weights are zero")
    return weights / weights.mean()


def held_out(
    texts: Texts,
    targets: np.ndarray,
    weights: np.ndarray | None,
    labels: LabelCode,
    share: float,
    validation_data: tuple[Any, ...] | None,
    *,
    seed: int,
    unit: str = "words",
) -> tuple[Part, Part | None]:
    """Return the training part and the validation part (None when `share` is 0).

    Raises:
        DataError: `share` leaves no example on one side, or validation labels unknown in training.
    """
    whole = Part(texts, targets, weights)
    if validation_data is not None:
        others = check_inputs(validation_data[0], unit=unit, frames=isinstance(texts, Frames))
        own = normalised_weights(validation_data[2] if len(validation_data) > 2 else None, len(others))
        return whole, Part(others, labels.targets_of(validation_data[1], len(others)), own)
    if share == 0:
        return whole, None
    if not 0 < share < 1:
        raise DataError(f"validation is the share of the data held back, from 0 to below 1, got {share}")
    kept, held = stratified_split(targets, share, seed)
    return _at(whole, kept), _at(whole, held)


def _at(part: Part, indices: np.ndarray) -> Part:
    texts = part.texts
    chosen = texts.take(indices) if hasattr(texts, "take") else [texts[i] for i in indices]
    return Part(chosen, part.targets[indices], None if part.weights is None else part.weights[indices])
