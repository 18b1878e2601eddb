"""Dividing examples into a training and a validation part."""

from __future__ import annotations

import re
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

    Where examples have several labels, iterative stratification (Sechidis et al. 2011) does the same label by label,
    the rarest first.

    Args:
        labels: (n,) the class of every example; or which labels each one has, (n, L).
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
    if getattr(labels, "ndim", 1) == 2:
        return _label_by_label(np.asarray(labels, dtype=bool), share, seed)
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


def grouped_split(
    groups: Sequence[str], share: float, seed: int, pattern: str | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Splits so that examples of one group, a speaker's, say, stay together.

    Args:
        groups: (n,) of every example.
        share: of the examples that go to validation, from 0 to below 1: whole groups, drawn at random, as many as come
            nearest to it, at least one.
        seed: decides which ones.
        pattern: regular expression that finds the group in what is given: its first bracket, or all of it.

    Returns:
        The ascending indices of the training and of the validation examples.

    Raises:
        ConfigurationError: if the share is out of range.
        DataError: if there is one group only, or the pattern finds none; names the example, counted from 1.
    """
    if not 0 <= share < 1:
        raise ConfigurationError(f"the share held back for validation is from 0 to below 1, not {share}")
    names = list(groups) if pattern is None else [_found(pattern, text, row) for row, text in enumerate(groups, 1)]
    distinct, members, counts = np.unique(np.array(names, dtype=object), return_inverse=True, return_counts=True)
    if share == 0:
        return np.arange(len(members)), np.empty(0, np.int64)
    if len(distinct) < 2:
        raise DataError("all examples are of one group, so none can be held back for validation")
    order = np.random.default_rng(seed).permutation(len(distinct))[:-1]
    sizes = np.cumsum(counts[order])
    held = np.isin(members, order[: int(np.abs(sizes - share * len(members)).argmin()) + 1])
    return np.flatnonzero(~held), np.flatnonzero(held)


def _found(pattern: str, text: str, row: int) -> str:
    match = re.search(pattern, str(text))
    if match is None:
        raise DataError(f"data.group_pattern {pattern!r} finds no group in {text!r:.60}, row {row}")
    return match[1] or "" if match.re.groups else match[0]


def _quotas(counts: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """How many examples of each class are held back: largest remainders, then at least one and not all."""
    exact = counts * share
    quotas = np.floor(exact).astype(np.int64)
    missing = round(float(exact.sum())) - int(quotas.sum())
    quotas[np.argsort(quotas - exact, kind="stable")[:missing]] += 1
    return np.where(counts >= 2, np.clip(quotas, 1, counts - 1), 0)


def _label_by_label(has: NDArray[np.bool_], share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Iterative stratification into two parts of examples with labels (n, L); a label of one example stays in training."""
    size = round(len(has) * share)
    missing = np.where(has.sum(axis=0) > 1, np.maximum(np.round(has.sum(axis=0) * share), 1), 0)  # wanted of each label
    free = np.random.default_rng(seed).permutation(len(has))
    open_, held = np.ones(len(has), dtype=bool), np.zeros(len(has), dtype=bool)
    while held.sum() < size:
        left = (has & open_[:, None]).sum(axis=0)
        if not left.any():
            break
        rarest = int(np.where(left > 0, left, len(has) + 1).argmin())
        candidates = free[(has[:, rarest] & open_)[free]]
        chosen = candidates[: int(min(max(missing[rarest], 0), size - held.sum()))]
        held[chosen] = True
        missing -= has[chosen].sum(axis=0)
        open_[candidates] = False
    # Those without labels fill up what is missing, and then any whose labels all occur twice.
    for fit in (~has.any(axis=1), (~has | (has.sum(axis=0) > 1)).all(axis=1)):
        rest = free[(fit & ~held)[free]]
        held[rest[: max(size - int(held.sum()), 0)]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)
