"""Which examples an epoch is made of: all of them once, or rare classes more often than their share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.errors import ConfigurationError, DataError, nearest

Counts = NDArray[np.int64]
_STREAM = 1  # beside seed and epoch: other numbers than those that shuffle the same epoch's batches


def _shared(total: int, shares: NDArray[np.float64]) -> Counts:
    """Whole numbers of this sum in these proportions: largest remainders, so that no number is off by one or more."""
    exact = total * shares / shares.sum()
    quotas = np.floor(exact).astype(np.int64)
    quotas[np.argsort(quotas - exact, kind="stable")[: total - int(quotas.sum())]] += 1
    return quotas


def _progressive(counts: Counts, progress: float) -> Counts:
    even = np.full(len(counts), 1 / len(counts))
    return _shared(int(counts.sum()), (1 - progress) * counts / counts.sum() + progress * even)


_QUOTAS: dict[str, Callable[[Counts, float], Counts]] = {
    "instance": lambda counts, progress: counts,
    "oversample": lambda counts, progress: np.full_like(counts, counts.max()),
    "undersample": lambda counts, progress: np.full_like(counts, counts.min()),
    "square_root": lambda counts, progress: _shared(int(counts.sum()), np.sqrt(counts)),
    "class_balanced": lambda counts, progress: _shared(int(counts.sum()), np.ones(len(counts))),
    "progressive": _progressive,
}
"""Name -> examples that each class gives to an epoch, from its training examples and the share of epochs that are over."""


class Sampler:
    """The examples of every epoch, see `make_sampler`. It is also a `sampler` for `torch.utils.data.DataLoader`.

    Attributes:
        name: of the rule.
        epoch: that iterating gives; `set_epoch` changes it.
    """

    def __init__(self, name: str, groups: NDArray[np.int64], *, seed: int, epochs: int) -> None:
        self.name, self.epoch = name, 0
        self._seed, self._epochs = seed, epochs
        self._by_group = np.argsort(groups, kind="stable")  # group after group
        _, self._counts = np.unique(groups, return_counts=True)

    def quotas(self, epoch: int) -> Counts:
        """Return how many examples each class that occurs gives to an epoch, in the order of the classes."""
        progress = 0.5 if self._epochs == 1 else min(epoch / (self._epochs - 1), 1.0)
        return _QUOTAS[self.name](self._counts, progress)

    def __call__(self, epoch: int) -> NDArray[np.int64]:
        """Return the indices of an epoch's examples (from 0 on) in random order, repeats included."""
        random = np.random.default_rng([self._seed, epoch, _STREAM])
        starts, parts = np.cumsum(self._counts) - self._counts, []
        for start, count, quota in zip(starts, self._counts, self.quotas(epoch), strict=True):
            rounds, rest = divmod(int(quota), int(count))
            own = self._by_group[start : start + count]
            parts += [np.tile(own, rounds), random.permutation(own)[:rest]]
        return random.permutation(np.concatenate(parts))

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that iterating gives (from 0 on)."""
        self.epoch = epoch

    def __len__(self) -> int:
        return int(self.quotas(self.epoch).sum())

    def __iter__(self) -> Iterator[int]:
        return iter(self(self.epoch).tolist())


def make_sampler(name: str, targets: Sequence[Any] | NDArray[Any], *, seed: int = 0, epochs: int = 1) -> Sampler:
    """Return the sampler of this name over n training examples.

    With n_j examples of class j and K classes that occur, an epoch has so many examples of class j:

    ================  ==========================================  ==================
    name              of class j                                  of all together
    ================  ==========================================  ==================
    instance          n_j                                         n
    oversample        max n_i                                     K max n_i
    undersample       min n_i                                     K min n_i
    square_root       n sqrt(n_j) / sum sqrt(n_i)                 n
    class_balanced    n / K                                       n
    progressive       (1 - t) n_j + t n / K, in epoch e of E      n
                      t = e / (E - 1); 1/2 if E = 1
    ================  ==========================================  ==================

    (square root, class-balanced and progressive sampling: Kang et al. 2020, "Decoupling representation and classifier for
    long-tailed recognition", section 4.1). The numbers are rounded so that their sum is exact. Within a class examples
    repeat as evenly as can be: each floor(quota / n_j) times, and as many as are left, drawn anew in every epoch, once more.
    With `oversample` no example is ever left out; its epochs are K max n_i / n times as long as others.

    Sampling changes how often an example is seen and nothing else: its sample weight stays. Do not use it together with
    class weights for the same classes: they would count twice. The probabilities of a model trained on other class shares
    than the world's are distorted; calibrate them.

    Args:
        name: one of the above.
        targets: (n,) the class of every example; or which labels each one has, 1 or 0, (n, L): an example then belongs to
            the rarest of its labels, and those without a label are a class of their own.
        seed: an epoch's examples depend on it, the epoch and the targets, and on no global state.
        epochs: E, for `progressive`; epochs beyond are as the last one.

    Raises:
        ConfigurationError: an unknown name (the message has the nearest), or a number out of range.
        DataError: no targets, or targets of another shape.
    """
    if name not in _QUOTAS:
        raise ConfigurationError(f"there is no sampler {name!r}; {nearest(name, _QUOTAS)}")
    if seed < 0:
        raise ConfigurationError(f"a seed is not negative, but this is {seed}")
    if epochs < 1:
        raise ConfigurationError(f"epochs is at least 1, not {epochs}")
    classes = np.asarray(targets)
    if classes.ndim not in (1, 2) or not len(classes):
        raise DataError(f"a sampler needs the targets of n examples, (n,) or (n, labels), not shape {classes.shape}")
    if classes.ndim == 2:
        groups = _rarest_label(classes.astype(bool))
    else:
        _, groups = np.unique(classes, return_inverse=True)
    return Sampler(name, groups.astype(np.int64), seed=seed, epochs=epochs)


def _rarest_label(has: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The rarest label of every example (n, L), L for one without labels; of equally rare ones the first."""
    frequency = np.where(has, has.sum(axis=0), len(has) + 1)
    return np.where(has.any(axis=1), frequency.argmin(axis=1), has.shape[1])
