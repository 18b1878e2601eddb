"""Figures of transcripts: word and character error rates by edit distance, beside a baseline's, with intervals.

Intervals are percentile intervals of a bootstrap over utterances: words of one utterance depend on each other.

Axis letters: N utterances, B of them side by side, M symbols of the longest said, R resamples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqwise.errors import DataError
from seqwise.metrics.intervals import figure, resampled_multiplicities

HITS, SUBSTITUTIONS, INSERTIONS, DELETIONS = range(4)
TOGETHER = 256  # utterances compared side by side
EDIT = 1 << 32  # an edit costs this, a hit -1: of the alignments with the fewest edits, the one with the most hits


class Step(NamedTuple):
    """One step of an alignment.

    Attributes:
        true: the right word; None where one was inserted.
        said: the word that was said; None where one was left out.
    """

    true: str | None
    said: str | None


def edit_counts(true: Sequence[Sequence[str]], said: Sequence[Sequence[str]]) -> np.ndarray:
    """Hits, substitutions, insertions and deletions of every pair, (N, 4) int64 (Levenshtein 1966).

    Of all alignments with the fewest edits the one with the most hits counts.

    Args:
        true: symbols of each: words, or a text for its characters.
        said: as many.
    """
    numbers: dict[str, int] = {}
    rows = [
        [np.array([numbers.setdefault(symbol, len(numbers)) for symbol in row], np.int64) for row in of]
        for of in (true, said)
    ]
    result = np.zeros((len(true), 4), np.int64)
    order = np.argsort([len(row) for row in rows[0]], kind="stable")
    for start in range(0, len(order), TOGETHER):
        chosen = order[start : start + TOGETHER]
        ours, theirs = ([of[i] for i in chosen] for of in rows)
        costs = _costs(ours, theirs)
        sizes = np.array([len(row) for row in ours]), np.array([len(row) for row in theirs])
        edits = -(-costs // EDIT)
        hits = edits * EDIT - costs
        substitutions = sizes[0] + sizes[1] - 2 * hits - edits
        parts = [hits, substitutions, sizes[1] - hits - substitutions, sizes[0] - hits - substitutions]
        result[chosen] = np.stack(parts, axis=1)
    return result


def _costs(true: Sequence[np.ndarray], said: Sequence[np.ndarray]) -> np.ndarray:
    """Of the cheapest alignment of every pair, (B,); rows of the table one after the other, of all pairs together."""
    widths = np.array([len(row) for row in said])
    table = np.full((len(said), int(widths.max(initial=0))), -1, np.int64)
    for row, symbols in zip(table, said, strict=True):
        row[: len(symbols)] = symbols
    lengths = np.array([len(row) for row in true])
    given = np.full((len(true), int(lengths.max(initial=0))), -2, np.int64)
    for row, symbols in zip(given, true, strict=True):
        row[: len(symbols)] = symbols
    slope = np.arange(table.shape[1] + 1) * EDIT
    current = np.tile(slope, (len(said), 1))
    result = current[np.arange(len(said)), widths]
    for i in range(given.shape[1]):
        change = np.where(given[:, i : i + 1] == table, -1, EDIT)
        following = current + EDIT
        np.minimum(following[:, 1:], current[:, :-1] + change, out=following[:, 1:])
        # An insertion depends on what is left of it: the least of all to the left, each so many edits away.
        current = np.minimum.accumulate(following - slope, axis=1) + slope
        ended = lengths == i + 1
        result[ended] = current[ended, widths[ended]]
    return result


def align_words(true: Sequence[str], said: Sequence[str]) -> list[Step]:
    """The alignment that `edit_counts` counts; of several, that whose insertions and deletions come first."""
    costs = np.zeros((len(true) + 1, len(said) + 1), np.int64)
    costs[:, 0], costs[0] = np.arange(len(true) + 1) * EDIT, np.arange(len(said) + 1) * EDIT
    for i, right in enumerate(true):
        for j, word in enumerate(said):
            changed = costs[i, j] + (-1 if right == word else EDIT)
            costs[i + 1, j + 1] = min(changed, costs[i, j + 1] + EDIT, costs[i + 1, j] + EDIT)
    steps, i, j = [], len(true), len(said)
    while i or j:
        if i and j and costs[i, j] == costs[i - 1, j - 1] + (-1 if true[i - 1] == said[j - 1] else EDIT):
            i, j = i - 1, j - 1
            steps.append(Step(true[i], said[j]))
        elif i and costs[i, j] == costs[i - 1, j] + EDIT:
            i -= 1
            steps.append(Step(true[i], None))
        else:
            j -= 1
            steps.append(Step(None, said[j]))
    return steps[::-1]


def transcription_metrics(
    true: Sequence[str],
    said: Sequence[str],
    baseline: Sequence[str] | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Word error rate, character error rate and the share of utterances that are wholly right, with 95% intervals.

    A rate is the number of edits (substitutions, insertions, deletions) divided by that of the true words or characters; it
    may be above 1. White space only separates words.

    Args:
        true: right transcripts.
        said: as many.
        baseline: likewise, or None.
        resamples: R.
        seed: of the resampling.

    Returns:
        `kind`, `utterances`, `words`, `characters`, the figures `wer`, `cer`, `exact`, the counts `substitutions`,
        `insertions` and `deletions` of words, and `confusions`: the most frequent [true, said, times]; with a baseline also
        `baseline`, its figures, and `difference`, our word error rate less its own.

    Raises:
        DataError: there is no word, or the numbers of transcripts differ.
    """
    if any(of is not None and len(of) != len(true) for of in (said, baseline)):
        raise DataError("Every utterance has one right and one said transcript.")
    if not any(text.split() for text in true):
        raise DataError("There is no word to evaluate.")
    draws = None
    if resamples and len(true) > 1:
        random = np.random.default_rng(seed)
        draws = np.concatenate(list(resampled_multiplicities(len(true), resamples, random)), axis=1)
    block, replicates = _figures(true, said, draws)
    result = {
        "kind": "transcription",
        "utterances": len(true),
        "words": sum(len(text.split()) for text in true),
        "characters": sum(len(_single(text)) for text in true),
        **block,
        "confusions": _confusions(true, said),
    }
    if baseline is not None:
        theirs, others = _figures(true, baseline, draws)
        result["baseline"] = theirs
        gap = block["wer"]["value"] - theirs["wer"]["value"]
        both = None if replicates is None or others is None else replicates - others
        result["difference"] = {"metric": "wer", **figure(gap, both)}
    return result


def quick_transcription_figures(true: Sequence[str], said: Sequence[str]) -> dict[str, float]:
    """The figures that choose the best epoch: word and character error rate."""
    result = {}
    for name, of in (("wer", _words), ("cer", _single)):
        right = [of(text) for text in true]
        counts = edit_counts(right, [of(text) for text in said])
        result[name] = float(counts[:, SUBSTITUTIONS:].sum() / max(sum(map(len, right)), 1))
    return result


def _figures(
    true: Sequence[str], said: Sequence[str], draws: np.ndarray | None
) -> tuple[dict[str, Any], np.ndarray | None]:
    """The figures of a block, and the resamples (R,) of the one that counts."""
    block: dict[str, Any] = {}
    found: dict[str, np.ndarray | None] = {}
    counts = np.empty((0, 4), np.int64)
    for name, of in (("cer", _single), ("wer", _words)):
        right = [of(text) for text in true]
        counts = edit_counts(right, [of(text) for text in said])
        edits, sizes = counts[:, SUBSTITUTIONS:].sum(1), np.array([len(row) for row in right])
        found[name] = None
        if draws is not None:
            totals = sizes @ draws
            found[name] = np.divide(edits @ draws, totals, out=np.full(len(totals), np.nan), where=totals > 0)
        block[name] = figure(float(edits.sum() / sizes.sum()), found[name])
    exact = counts[:, SUBSTITUTIONS:].sum(1) == 0
    shares = None if draws is None else exact @ draws / len(exact)
    parts = {"substitutions": SUBSTITUTIONS, "insertions": INSERTIONS, "deletions": DELETIONS}
    block = {
        "wer": block["wer"],
        "cer": block["cer"],
        "exact": figure(float(exact.mean()), shares),
        **{name: int(counts[:, column].sum()) for name, column in parts.items()},
    }
    return block, found["wer"]


def _confusions(true: Sequence[str], said: Sequence[str], limit: int = 20) -> list[list[Any]]:
    counter: Counter[tuple[str, str]] = Counter()
    for right, answer in zip(true, said, strict=True):
        if right.split() != answer.split():
            steps = align_words(right.split(), answer.split())
            counter.update((step.true or "", step.said or "") for step in steps if step.true != step.said)
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    return [[*pair, count] for pair, count in ordered[:limit]]


def _words(text: str) -> list[str]:
    return text.split()


def _single(text: str) -> str:
    return " ".join(text.split())
