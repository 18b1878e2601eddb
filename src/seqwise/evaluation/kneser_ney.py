"""The trivial baseline of a language model: n-grams with modified Kneser-Ney smoothing.

Source: Chen and Goodman 1999, section 3: interpolated, three discounts an order, lower orders from the number of different
symbols before an n-gram rather than from how often it occurs.

Axis letters: N symbols of the text, G distinct n-grams of an order.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
NONE = -1  # number of an n-gram that training never saw


class Order(NamedTuple):
    """The n-grams of one length.

    Attributes:
        keys: (G,) rising: number of the first n - 1 symbols as an n-gram of their own, times V, plus the last symbol.
        discounted: (G,) count less discount.
        totals: sum of the counts over all continuations of each context, (contexts,).
        left_over: the mass that the discounts took from each context, divided by its total, (contexts,).
    """

    keys: Ints
    discounted: NDArray[np.float64]
    totals: NDArray[np.float64]
    left_over: NDArray[np.float64]


class KneserNey:
    """P(symbol | the n - 1 symbols before it).

    Attributes:
        order: n of the longest n-grams.
        symbols: V, numbers 0 to V - 1.
    """

    def __init__(self, order: int, symbols: int, orders: list[Order]) -> None:
        self.order, self.symbols, self._orders = order, symbols, orders

    @classmethod
    def fit(cls, text: NDArray[np.integer], symbols: int, order: int = 5) -> Self:
        """Count a text.

        Args:
            text: (N,) symbols, at least one.
            symbols: V; what never occurs still has a probability.
            order: n.
        """
        tokens = text.astype(np.int64)
        ids: list[Ints] = [np.zeros(len(tokens), np.int64)]  # of the empty n-gram
        keys: list[Ints] = []
        first: list[Ints] = []  # where each n-gram occurs first (its last symbol)
        raw: list[Ints] = []
        for n in range(1, min(order, len(tokens)) + 1):
            before = ids[-1][n - 2 : -1] if n > 1 else np.zeros(len(tokens), np.int64)
            here = before * symbols + tokens[n - 1 :]
            unique, place, inverse, counts = np.unique(here, return_index=True, return_inverse=True, return_counts=True)
            numbers = np.full(len(tokens), NONE, np.int64)
            numbers[n - 1 :] = inverse
            ids.append(numbers)
            keys.append(unique)
            first.append(place + n - 1)
            raw.append(counts.astype(np.int64))
        orders = []
        for n, unique in enumerate(keys, 1):
            longest = n == len(keys)
            # Different symbols before an n-gram: one for each distinct longer n-gram that ends with it. The n-gram at the
            # very start of the text has nothing before it, and counts as having been seen once.
            counts = raw[n - 1] if longest else np.bincount(ids[n][first[n]], minlength=len(unique))
            orders.append(_smoothed(unique, np.maximum(counts, 1), len(keys[n - 2]) if n > 1 else 1, symbols))
        return cls(len(keys), symbols, orders)

    def losses(self, text: NDArray[np.integer], history: NDArray[np.integer] | None = None) -> NDArray[np.float64]:
        """-log P of every symbol given those before it, (N,), in nats.

        Args:
            text: (N,).
            history: symbols before the first.
        """
        context = np.empty(0, np.int64) if history is None else history.astype(np.int64)[-(self.order - 1) :]
        tokens = np.concatenate([context[: self.order - 1], text.astype(np.int64)])
        probability = np.full(len(tokens), 1.0 / self.symbols)
        before = np.zeros(len(tokens), np.int64)  # number of the context of each symbol, NONE if it was never seen
        for of in self._orders:
            known = before != NONE
            wanted = before * self.symbols + tokens
            place = np.minimum(np.searchsorted(of.keys, wanted), len(of.keys) - 1)
            found = known & (of.keys[place] == wanted)
            at = np.where(known, before, 0)
            with np.errstate(divide="ignore", invalid="ignore"):
                own = np.where(found, of.discounted[place], 0.0) / of.totals[at]
            # A context that nothing follows (the end of the training text) tells nothing.
            known &= of.totals[at] > 0
            probability = np.where(known, own + of.left_over[at] * probability, probability)
            number = np.where(found, place, NONE)
            before = np.concatenate([[NONE], number[:-1]])
        return -np.log(probability[len(tokens) - len(text) :])


def _smoothed(keys: Ints, counts: Ints, contexts: int, symbols: int) -> Order:
    n1, n2, n3, n4 = (float((counts == i).sum()) for i in (1, 2, 3, 4))
    y = n1 / (n1 + 2 * n2) if n1 + n2 else 0.5
    # Chen and Goodman's estimates; where a text is too small for them, what absolute discounting takes.
    discounts = [
        1 - 2 * y * n2 / n1 if n1 else y,
        2 - 3 * y * n3 / n2 if n2 else 2 * y,
        3 - 4 * y * n4 / n3 if n3 else 3 * y,
    ]
    limits = (1.0, 2.0, 3.0)
    taken = np.array([0.0, *(min(max(d, 0.1), top) for d, top in zip(discounts, limits, strict=True))])
    discount = taken[np.minimum(counts, 3)]
    context = keys // symbols
    totals = np.bincount(context, weights=counts, minlength=contexts).astype(np.float64)
    lost = np.bincount(context, discount, minlength=contexts)
    with np.errstate(invalid="ignore"):
        left_over = np.where(totals > 0, lost / totals, 1.0)
    return Order(keys, counts - discount, totals, left_over)
