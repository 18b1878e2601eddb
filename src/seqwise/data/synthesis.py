"""Synthetic examples of rare classes, between neighbours: SMOTE, Borderline-SMOTE, ADASYN, by imbalanced-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.errors import ConfigurationError, DataError, MissingExtraError, nearest

METHODS = ("smote", "borderline_smote", "adasyn")
_SURROUNDINGS = 10  # of all classes, that borderline_smote looks at (m of Han et al. 2005)


def synthesise(
    features: Any, targets: Sequence[Any] | NDArray[Any], *, method: str = "smote", neighbours: int = 5, seed: int = 0
) -> tuple[Any, NDArray[Any]]:
    """Return the examples and, behind them, synthetic ones: as many as bring every class to the size of the largest.

    A synthetic example lies between an example x_i of a rare class and one of its k nearest neighbours x_j of the same
    class: x_s = x_i + lambda (x_j - x_i), lambda uniform in (0, 1).

    * smote: x_i is any example of the class (Chawla et al. 2002).
    * borderline_smote: only one of whose 10 nearest neighbours at least half, but not all, are of other classes (Han et al.
      2005, borderline-SMOTE1).
    * adasyn: the more often, the more of its k nearest neighbours are of other classes (He et al. 2008); the new size is
      reached up to rounding.

    A class with k examples or fewer makes do with those that it has as neighbours. One of which no example has neighbours
    of other classes, as the last two need, is treated by smote.

    Use it on training examples only, after the data were split: a synthetic example is made of two others. Do not use it
    where points between two examples mean nothing, such as symbol ids or categories in columns.

    Args:
        features: (n, D) array, or sparse matrix; finite numbers.
        targets: (n,) the class of every example.
        method: one of `METHODS`.
        neighbours: k.
        seed: of the draws; the result depends on no global state.

    Returns:
        Features (n + new, D), sparse (CSR) where the given ones are, and targets (n + new,).

    Raises:
        ConfigurationError: an unknown method (the message has the nearest), or k below 1.
        DataError: features and targets do not belong together, or a class with one example (it has no neighbour).
        MissingExtraError: imbalanced-learn is not installed.
    """
    from scipy.sparse import csr_matrix, issparse, vstack  # predicting imports this package, and needs no scipy

    check_method(method)
    if neighbours < 1:
        raise ConfigurationError(f"neighbours is at least 1, not {neighbours}")
    rows = csr_matrix(features) if issparse(features) else np.asarray(features)
    classes = np.asarray(targets)
    if rows.ndim != 2 or classes.shape != rows.shape[:1]:
        raise DataError(f"synthetic examples need features (n, D) and n targets, got {rows.shape} and {classes.shape}")
    if rows.dtype not in (np.float32, np.float64):
        rows = rows.astype(np.float64)
    if not np.isfinite(rows.data if issparse(rows) else rows).all():
        raise DataError("there is a feature that is not a finite number")
    names, codes, counts = np.unique(classes, return_inverse=True, return_counts=True)
    check_sizes(counts, names.tolist(), method)
    parts, labels = [rows], [classes]
    for code in np.flatnonzero(counts < counts.max()):
        new = _of_one_class(rows, codes == code, int(counts.max()), method, neighbours, [seed, int(code)])
        parts.append(new)
        labels.append(np.full(new.shape[0], names[code], dtype=classes.dtype))
    joined = vstack(parts, format="csr") if issparse(rows) else np.concatenate(parts)
    return joined, np.concatenate(labels)


def check_method(method: str) -> None:
    """Refuse a method that is unknown, or that cannot be run here.

    Raises:
        ConfigurationError: there is no such method; the message has the nearest.
        MissingExtraError: imbalanced-learn is not installed.
    """
    if method not in METHODS:
        raise ConfigurationError(
            f"there is no method {method!r} of making synthetic examples; {nearest(method, METHODS)}"
        )
    try:
        import imblearn  # noqa: F401
    except ImportError:
        raise MissingExtraError(
            f"{method} needs imbalanced-learn, which is not installed: pip install 'seqwise[imbalance]'"
        ) from None


def check_sizes(counts: NDArray[Any], classes: Sequence[Any], method: str) -> None:
    """Refuse a class that has no neighbours.

    Args:
        counts: training examples of each class, (C,); classes without any are left alone.
        classes: their names.
        method: for the message.

    Raises:
        DataError: a class has one example.
    """
    alone = np.flatnonzero(np.asarray(counts) == 1)
    if len(alone) and len(counts) > 1:
        others = f" (and {len(alone) - 1} more)" if len(alone) > 1 else ""
        raise DataError(
            f"class {classes[alone[0]]!r}{others} has one training example, and {method} needs two of every class, to make "
            "others between them: leave the class out, join it with another, or repeat its example with a sampler"
        )


def _of_one_class(rows: Any, own: NDArray[np.bool_], wanted: int, method: str, neighbours: int, seed: list[int]) -> Any:
    """New rows of the class that has `own`, so that it has about as many as wanted."""
    from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE

    number = int(np.random.default_rng(seed).integers(2**31))
    near = min(neighbours, int(own.sum()) - 1)
    general: dict[str, Any] = {"sampling_strategy": {1: wanted}, "random_state": number}
    plain = SMOTE(k_neighbors=near, **general)
    if method == "borderline_smote":
        around = min(_SURROUNDINGS, len(own) - 1)
        chosen = BorderlineSMOTE(k_neighbors=near, m_neighbors=around, **general)
    else:
        chosen = ADASYN(n_neighbors=near, **general) if method == "adasyn" else plain
    # One class at a time against all the others, so that each has neighbours as it can.
    try:
        larger, _ = chosen.fit_resample(rows, own.astype(int))
    except (RuntimeError, ValueError):  # all was checked: what ADASYN refuses now has no neighbours of other classes
        larger = rows
    if larger.shape[0] == rows.shape[0]:  # nor has any example at a border
        larger, _ = plain.fit_resample(rows, own.astype(int))
    return larger[rows.shape[0] :]
