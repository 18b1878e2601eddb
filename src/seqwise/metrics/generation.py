"""Figures of a generator: how probable given sequences are to it, and what others say of those that it draws."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from seqwise.errors import DataError
from seqwise.metrics.intervals import Figure, figure, resampled_multiplicities
from seqwise.metrics.language import language_metrics


def generation_metrics(
    losses: Sequence[np.ndarray],
    baseline: Sequence[np.ndarray] | None = None,
    *,
    exact: ArrayLike | None = None,
    baseline_exact: ArrayLike | None = None,
    chords: bool = False,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Log loss a step, and the share of sequences that were written exactly, with bootstrap 95% intervals over sequences.

    The log loss is the mean over all steps of all sequences of -log P(step | condition, the steps before), in nats. Of
    chords, a step is the whole set of pitches that sound, and the first step counts (Boulanger-Lewandowski et al. 2012,
    whose figures it is compared with, average over time steps); `log_loss_after_first` leaves the first one out, as some
    later papers do.

    Args:
        losses: -log P of every step of each sequence, (T,) each.
        baseline: the same of a baseline, or None.
        exact: whether the most probable sequence is the right one, (n,); None where there is no one right sequence.
        baseline_exact: the same of a baseline, or None.
        chords: whether the steps are chords: perplexity is then left out.
        resamples: how many bootstrap resamples.
        seed: of the resampling.

    Returns:
        `kind`, `sequences`, `steps`, `log_loss`, `perplexity`, and `exact` if asked for; with a baseline also `baseline`,
        with its own, and `difference`, ours less its `exact` if there is one, otherwise `log_loss`.

    Raises:
        DataError: there are no sequences, or arrays of different length.
    """
    if not len(losses):
        raise DataError("There are no sequences to evaluate.")
    sizes = [len(row) for row in losses]
    if baseline is not None and [len(row) for row in baseline] != sizes:
        raise DataError("Model and baseline have losses of different steps.")
    numbers = np.repeat(np.arange(len(losses)), sizes)
    theirs = None if baseline is None else np.concatenate(baseline)
    options: dict[str, Any] = {"resamples": resamples, "seed": seed}
    found = language_metrics(np.concatenate(losses), theirs, sentences=numbers, **options)
    steps = found.pop("tokens")
    block: dict[str, Any] = {**found, "kind": "generation", "sequences": len(losses), "steps": steps}
    if chords:
        for of in (block, block.get("baseline", {})):
            of.pop("perplexity", None)
        kept = [number for number, size in enumerate(sizes) if size > 1]
        if kept:
            later = np.concatenate([losses[i][1:] for i in kept])
            groups = np.repeat(kept, [sizes[i] - 1 for i in kept])
            block["log_loss_after_first"] = language_metrics(later, sentences=groups, **options)["log_loss"]
    if exact is not None:
        _add_exact(block, np.asarray(exact, np.float64), baseline_exact, resamples, seed)
    return block


def sample_metrics(
    asked: Sequence[Any],
    said: Sequence[Any],
    texts: Sequence[str],
    known: Collection[str] | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """What somebody else makes of drawn texts.

    Args:
        asked: the class that each was drawn for.
        said: the class that a judge gave it.
        texts: what was drawn.
        known: the training texts, or None.
        resamples: how many bootstrap resamples.
        seed: of the resampling.

    Returns:
        `samples`; `agreement`, the share whose judged class is the asked one; `copied`, the share that stands letter by
        letter among the known ones; `distinct`, the share of different texts; and `per_class` with the agreement of each.
    """
    right = np.array([a == b for a, b in zip(asked, said, strict=True)], np.float64)
    figures = {"samples": len(texts), "agreement": share_figure(right, resamples, seed)}
    if known is not None:
        copies = np.array([text in known for text in texts], np.float64)
        figures["copied"] = share_figure(copies, resamples, seed)
    distinct = len(set(zip(asked, texts, strict=True))) / len(texts)
    names = sorted(set(asked), key=str)
    per_class = {
        str(name): {
            "samples": int(sum(a == name for a in asked)),
            "agreement": float(right[[a == name for a in asked]].mean()),
        }
        for name in names
    }
    return {**figures, "distinct": figure(distinct), "per_class": per_class}


def share_figure(values: np.ndarray, resamples: int = 1000, seed: int = 0) -> Figure:
    """A mean with its bootstrap 95% interval."""
    drawn = np.concatenate(list(_means(values[:, None], resamples, seed)))
    return figure(float(values.mean()), drawn[:, 0])


def _add_exact(block: dict[str, Any], ours: np.ndarray, theirs: ArrayLike | None, resamples: int, seed: int) -> None:
    block["exact"] = share_figure(ours, resamples, seed)
    if theirs is None:
        return
    other = np.asarray(theirs, np.float64)
    block.setdefault("baseline", {})["exact"] = share_figure(other, resamples, seed)
    block["difference"] = {"metric": "exact", **share_figure(ours - other, resamples, seed)}


def _means(values: np.ndarray, resamples: int, seed: int) -> Any:
    """Means of the columns of (n, k) in each resample: blocks (r, k)."""
    for counts in resampled_multiplicities(len(values), resamples, np.random.default_rng(seed)):
        yield (counts.T @ values) / len(values)
