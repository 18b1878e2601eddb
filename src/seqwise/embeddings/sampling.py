"""Which words are drawn: negatives from a power of the word frequencies, and the words kept of frequent ones.

Axis letter: V vocabulary.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

SubSampling = Literal["word2vec", "paper"]
_ALL = 2**32  # random bits are 32


def noise_probabilities(counts: NDArray[np.int64], power: float = 0.75) -> NDArray[np.float64]:
    """The distribution of negatives, (V,): count^power, normalised (Mikolov et al. 2013b, section 2.2)."""
    weights = counts.astype(np.float64) ** power
    return np.asarray(weights / weights.sum())


def noise_shifts(
    counts: NDArray[np.int64], keep: NDArray[np.float64], noise: NDArray[np.float64], negatives: int
) -> NDArray[np.float64]:
    """What noise-contrastive estimation takes off the score of each word before the sigmoid, (V,): log(K q / p).

    The estimated model is P(w | h) = p(w) exp(w . h), with p(w) the share of the word among the words kept: a softmax whose
    biases are fixed at what is best while vectors are 0. Its first probabilities add to 1 already; without the biases they
    would add to V, and most of what is learned would be to make them smaller.

    Args:
        counts: how often each word was seen, (V,).
        keep: with which probability an occurrence is kept, (V,).
        noise: q, (V,).
        negatives: K.

    Source: Gutmann and Hyvarinen 2012; Mnih and Teh 2012 (normalising constants that are fixed).
    """
    share = counts * keep
    return np.asarray(np.log(negatives * noise * share.sum() / share))


def keep_probabilities(counts: NDArray[np.int64], sample: float, formula: SubSampling) -> NDArray[np.float64]:
    """With which probability an occurrence of each word is kept, (V,).

    With f a word's share of all words and t = `sample`:
    "word2vec" is what the published program computes, (sqrt(f / t) + 1) t / f;
    "paper" is equation 5 of Mikolov et al. 2013b, sqrt(t / f). Both are cut at 1.

    Args:
        counts: how often each word was seen, (V,), all above 0.
        sample: t; 0 keeps everything.
        formula: which one.
    """
    if sample == 0:
        return np.ones(len(counts))
    ratio = counts / (sample * counts.sum())
    keep = (np.sqrt(ratio) + 1) / ratio if formula == "word2vec" else np.sqrt(1 / ratio)
    return np.asarray(np.minimum(keep, 1.0))


def keep_thresholds(probabilities: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Probabilities as 32-bit numbers, (V,): kept if 32 random bits are not above them."""
    return np.asarray(np.clip(np.ceil(probabilities * _ALL) - 1, 0, _ALL - 1).astype(np.uint32))


def alias_table(probabilities: NDArray[np.float64]) -> NDArray[np.uint32]:
    """A table from which words are drawn in constant time (Walker 1977; Vose 1991), (V, 2).

    Entry v is drawn uniformly; it stands for word v if 32 random bits are below its first number, else for the word that is
    its second number.
    """
    size = len(probabilities)
    share = probabilities * size  # of entry v, 1 on average
    table = np.empty((size, 2), np.uint32)
    table[:, 0], table[:, 1] = _ALL - 1, np.arange(size)
    left = share.tolist()
    small = np.flatnonzero(share < 1).tolist()
    large = np.flatnonzero(share >= 1).tolist()
    while small and large:
        poor, rich = small.pop(), large[-1]
        table[poor] = min(_ALL - 1, round(left[poor] * _ALL)), rich  # what is missing in this entry is the rich word's
        left[rich] -= 1 - left[poor]
        if left[rich] < 1:
            small.append(large.pop())
    return table


def draw_words(table: NDArray[np.uint32], shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.int64]:
    """Words drawn from an alias table."""
    entries = random.integers(0, len(table), shape)
    coins = random.integers(0, _ALL, shape, np.uint32)
    return np.where(coins < table[entries, 0], entries, table[entries, 1])
