"""Figures of a language model: from -log P of every symbol to perplexity, beside a baseline's, with intervals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from seqwise.errors import DataError
from seqwise.metrics.intervals import figure, resampled_multiplicities

BLOCK = 500  # symbols in a row that are drawn together where there are no sentences
_LARGEST = 700.0  # nats whose exponential is a number


def language_metrics(
    losses: ArrayLike,
    baseline: ArrayLike | None = None,
    *,
    sentences: ArrayLike | None = None,
    characters: int | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Log loss, perplexity and bits per character, with bootstrap 95% intervals.

    What follows each other depends on each other: whole sentences are drawn again, or blocks of 500 symbols.

    Args:
        losses: -log P of every symbol, (N,), in nats.
        baseline: the same of a baseline, or None.
        sentences: number of the sentence of each symbol, (N,); None draws blocks.
        characters: of the texts, ends of sentences included; None leaves bits per character out.
        resamples: how many bootstrap resamples.
        seed: of the resampling.

    Returns:
        `kind`, `tokens`, `log_loss`, `perplexity`, `bits_per_character` if asked for; with a baseline also `baseline`, with
        its own three, and `difference`, ours less its log loss.

    Raises:
        DataError: there are no symbols, or arrays of different length.
    """
    ours = np.asarray(losses, np.float64)
    size = len(ours)
    if not size:
        raise DataError("There is no text to evaluate.")
    groups = np.arange(size) // BLOCK if sentences is None else np.asarray(sentences)
    if len(groups) != size or (baseline is not None and np.shape(baseline) != (size,)):
        raise DataError(f"Losses, baseline and sentences have the same length, here {size}.")
    _, group = np.unique(groups, return_inverse=True)
    counts = np.bincount(group).astype(np.float64)
    # (R, groups): how often each sentence comes up; fewer than two of them allow no interval.
    drawn = [] if len(counts) < 2 else [m.T for m in _draws(len(counts), resamples, seed)]
    several = np.concatenate(drawn) if drawn else None

    def sums(values: np.ndarray) -> np.ndarray:
        return np.bincount(group, values)

    def figures(values: np.ndarray) -> dict[str, Any]:
        by_group = sums(values)
        mean = float(by_group.sum() / size)
        means = None if several is None else (several @ by_group) / (several @ counts)
        block: dict[str, Any] = {
            "log_loss": figure(mean, means),
            "perplexity": figure(_exp(mean), None if means is None else np.exp(np.minimum(means, _LARGEST))),
        }
        if characters:
            factor = size / characters / math.log(2)
            block["bits_per_character"] = figure(mean * factor, None if means is None else means * factor)
        return block

    block = {"kind": "language", "tokens": size, **figures(ours)}
    if baseline is not None:
        theirs = np.asarray(baseline, np.float64)
        gaps = sums(ours - theirs)
        replicates = None if several is None else (several @ gaps) / (several @ counts)
        block["baseline"] = figures(theirs)
        block["difference"] = {"metric": "log_loss", **figure(float(gaps.sum() / size), replicates)}
    return block


def _exp(value: float) -> float:
    return math.exp(min(value, _LARGEST))


def _draws(groups: int, resamples: int, seed: int) -> list[np.ndarray]:
    return list(resampled_multiplicities(groups, resamples, np.random.default_rng(seed)))
