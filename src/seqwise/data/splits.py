"""Dividing examples into a training and a validation part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.errors import ConfigurationError, DataError


def stratified_split(
    labels: Sequence[Any] | NDArray[Any], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Splits class by class, so that both parts have about the same mixture.

    Each class gives its share, rounded so that the whole part is as large as asked. A class with at least two examples is
    in both parts; a class with one stays in training.

    Args:
        labels: (n,) the class of every example.
        share: of the examples that go to validation, from 0 to below 1.
        seed: decides which ones; the same labels, share and seed give the same split everywhere.

    Returns:
        The ascending indices of the training and of the validation examples.

    Raises:
        ConfigurationError: if the share or the seed is out of range.
        DataError: if no class has two examples.
    """
    if not 0 <= share < 1:
        raise ConfigurationError(f"the share held back for validation is from 0 to below 1, not {share}")
    if seed < 0:
        raise ConfigurationError(f"a seed is not negative, but this is {seed}")
    _, classes, counts = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    if share == 0:
        return np.arange(len(classes)), np.empty(0, np.int64)
    if not (counts >= 2).any():
        raise DataError("no class has two examples, so none can be held back for validation")
    wanted = _quotas(counts, share)
    shuffled = np.random.default_rng(seed).permutation(len(classes))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]  # class after class, random within
    place = np.arange(len(by_class)) - np.repeat(np.cumsum(counts) - counts, counts)
    held = place < np.repeat(wanted, counts)
    return np.sort(by_class[~held]), np.sort(by_class[held])


def _quotas(counts: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """How many examples of each class are held back: largest remainders, then at least one and not all."""
    exact = counts * share
    quotas = np.floor(exact).astype(np.int64)
    missing = round(float(exact.sum())) - int(quotas.sum())
    quotas[np.argsort(quotas - exact, kind="stable")[:missing]] += 1
    return np.where(counts >= 2, np.clip(quotas, 1, counts - 1), 0)
