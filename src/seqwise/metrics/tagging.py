"""Figures of a tagger: of its tokens, and of its spans where tags are spans; beside a baseline's, with intervals.

Intervals are percentile intervals of a bootstrap over sentences: tokens of one sentence depend on each other. What is said
of sentences and tokens holds of recordings and their steps, some of which may have no true tag: they are passed over.

Axis letters: S sentences, C tags, K types of spans, R resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqwise.errors import DataError
from seqwise.metrics.intervals import figure, resampled_multiplicities
from seqwise.metrics.spans import EXACT, FOUND, TRUE, Span, count_spans, span_figures


@dataclass(frozen=True)
class Tagging:
    """What was said of sentences, or what is true of them.

    Attributes:
        tags: the tags of every sentence; None where it is not known what is true.
        spans: the spans of every sentence, None where tags are no spans.
    """

    tags: Sequence[Sequence[str]] | Sequence[Sequence[str | None]]
    spans: Sequence[Sequence[Span]] | None = None


def tagging_metrics(
    true: Tagging,
    predicted: Tagging,
    baseline: Tagging | None = None,
    *,
    metric: str | None = None,
    units: tuple[str, str] = ("sentences", "tokens"),
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Accuracy of tokens and F1 of tags; precision, recall and F1 of spans; all with bootstrap 95% intervals.

    Args:
        true: what is right.
        predicted: as many tags of each sentence.
        baseline: likewise, or None.
        metric: what counts, for the difference: "f1", "macro_f1" or "accuracy"; None is "f1" of spans, else "accuracy".
        units: what sequences and their steps are called in the result.
        resamples: R.
        seed: of the resampling.

    Returns:
        `kind`, how many `sentences` and `tokens` (of which the true tag is known), `metric` (what counts), the figures,
        `per_tag` and `confusion_matrix`; of spans `per_type`; with a baseline also `baseline`, its figures, and
        `difference`, ours less its own.

    Raises:
        DataError: there are no tokens, or the numbers of tags differ.
    """
    lengths = [len(tags) for tags in true.tags]
    for said in (predicted, baseline):
        if said is not None and [len(tags) for tags in said.tags] != lengths:
            raise DataError("Every token has one true and one predicted tag.")
    known = [[tag is not None for tag in tags] for tags in true.tags]
    true, predicted = _kept(true, known), _kept(predicted, known)
    baseline = None if baseline is None else _kept(baseline, known)
    lengths = [sum(row) for row in known]
    if not sum(lengths):
        raise DataError("There are no tokens to evaluate.")
    draws = _draws(len(lengths), resamples, seed)
    block, replicates = _figures(true, predicted, draws)
    metric = metric or ("f1" if true.spans is not None else "accuracy")
    names, counts = _confusion(true.tags, predicted.tags)
    result = {
        "kind": "tagging",
        "metric": metric,
        units[0]: len(lengths),
        units[1]: sum(lengths),
        **block,
        "confusion_matrix": {"tags": names, "counts": counts.tolist()},
    }
    if baseline is not None:
        theirs, others = _figures(true, baseline, draws)
        result["baseline"] = theirs
        gap = (block[metric]["value"] or 0.0) - (theirs[metric]["value"] or 0.0)
        mine, its = replicates.get(metric), others.get(metric)
        both = None if mine is None or its is None else np.nan_to_num(mine) - np.nan_to_num(its)
        result["difference"] = {"metric": metric, **figure(gap, both)}
    return result


def quick_tagging_figures(true: Tagging, predicted: Tagging) -> dict[str, float]:
    """The figures that choose the best epoch: accuracy, macro F1 and, of spans, micro F1; of tags that is the accuracy."""
    known = [[tag is not None for tag in tags] for tags in true.tags]
    true, predicted = _kept(true, known), _kept(predicted, known)
    block, _ = _figures(true, predicted, None)
    micro = block["f1" if true.spans is not None else "accuracy"]["value"]
    figures = {
        "micro_f1": micro,
        "macro_f1": block["macro_f1"]["value"],
        "accuracy": block["accuracy"]["value"],
    }
    return {name: value or 0.0 for name, value in figures.items()}


def _kept(of: Tagging, known: Sequence[Sequence[bool]]) -> Tagging:
    """What is said of the steps of which it is known what is true."""
    if all(map(all, known)):
        return of
    return Tagging([[tag for tag, keep in zip(*row, strict=True) if keep] for row in zip(of.tags, known, strict=True)])


def _figures(
    true: Tagging, said: Tagging, draws: np.ndarray | None
) -> tuple[dict[str, Any], dict[str, np.ndarray | None]]:
    """The figures of a block, and the resamples (R,) of those that may count."""
    names = sorted({str(tag) for tags in (*true.tags, *said.tags) for tag in tags})
    counts = _count_tags(true.tags, said.tags, names)
    totals, drawn = _sums(counts, draws)
    tokens = totals[:, TRUE].sum()
    accuracies = None if drawn is None else drawn[..., EXACT].sum(1) / drawn[..., TRUE].sum(1)
    block: dict[str, Any] = {"accuracy": figure(float(totals[:, EXACT].sum() / tokens), accuracies)}
    replicates: dict[str, np.ndarray | None] = {"accuracy": accuracies}
    table = _table(names, totals, drawn)
    if true.spans is None:
        block["macro_f1"], replicates["macro_f1"] = _macro(totals, drawn)
        return {**block, "per_tag": table}, replicates
    assert said.spans is not None
    types = sorted({span[0] for spans in (*true.spans, *said.spans) for span in spans})
    totals, drawn = _sums(count_spans(true.spans, said.spans, types), draws)
    ours = span_figures(totals.sum(0))
    theirs = None if drawn is None else span_figures(drawn.sum(1))
    for name, value in ours.items():
        block[name] = figure(float(value), None if theirs is None else theirs[name])
    block["macro_f1"], replicates["macro_f1"] = _macro(totals, drawn)
    block |= {"per_type": _table(types, totals, drawn, partial=True), "per_tag": table}
    return block, {**replicates, "f1": None if theirs is None else theirs["f1"]}


def _count_tags(true: Sequence[Sequence[Any]], said: Sequence[Sequence[Any]], names: Sequence[str]) -> np.ndarray:
    """(S, C, 4): right, 0, there, said, laid out as the counts of spans."""
    numbers = {name: number for number, name in enumerate(names)}
    lengths = np.array([len(tags) for tags in true])
    rows = np.repeat(np.arange(len(lengths)), lengths)
    right, given = (np.array([numbers[tag] for tags in of for tag in tags]) for of in (true, said))
    counts = np.zeros((len(lengths), len(names), 4))
    shape, same = (len(lengths), len(names)), right == given
    for column, cells in ((TRUE, rows * shape[1] + right), (FOUND, rows * shape[1] + given)):
        counts[..., column] = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
        counts[..., EXACT] = np.bincount(cells[same], minlength=shape[0] * shape[1]).reshape(shape)
    return counts


def _sums(counts: np.ndarray, draws: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Counts (S, K, 4) summed over the sentences, (K, 4), and over those of every resample, (R, K, 4)."""
    if draws is None:
        return counts.sum(0), None
    return counts.sum(0), (draws @ counts.reshape(len(counts), -1)).reshape(len(draws), *counts.shape[1:])


def _table(
    names: Sequence[str], totals: np.ndarray, drawn: np.ndarray | None, *, partial: bool = False
) -> dict[str, dict[str, Any]]:
    ours = span_figures(totals)
    theirs: Mapping[str, np.ndarray] = {} if drawn is None else span_figures(drawn)
    shown = [name for name in ours if partial or not name.startswith("partial")]
    return {
        name: {
            "support": int(totals[k, TRUE]),
            "predicted": int(totals[k, FOUND]),
            **{key: figure(float(ours[key][k]), theirs[key][:, k] if theirs else None) for key in shown},
        }
        for k, name in enumerate(names)
    }


def _macro(totals: np.ndarray, drawn: np.ndarray | None) -> tuple[dict[str, float | None], np.ndarray | None]:
    """The mean F1 of what is there, each type or tag counted once, and its resamples."""
    there = totals[:, TRUE] > 0
    if not there.any():
        return figure(np.nan), None
    ours = span_figures(totals)["f1"][there]
    several = None
    if drawn is not None:
        with np.errstate(invalid="ignore"):
            several = np.nan_to_num(span_figures(drawn)["f1"][:, there]).mean(1)
    return figure(float(ours.mean()), several), several


def _confusion(true: Sequence[Sequence[Any]], said: Sequence[Sequence[Any]]) -> tuple[list[str], np.ndarray]:
    names = sorted({tag for tags in (*true, *said) for tag in tags})
    numbers = {name: number for number, name in enumerate(names)}
    right, given = (np.array([numbers[tag] for tags in of for tag in tags]) for of in (true, said))
    cells = np.bincount(right * len(names) + given, minlength=len(names) ** 2)
    return names, cells.reshape(len(names), -1)


def _draws(sentences: int, resamples: int, seed: int) -> np.ndarray | None:
    """(R, S): how often each sentence comes up; a single one allows no interval."""
    if sentences < 2 or not resamples:
        return None
    return np.concatenate(
        [block.T for block in resampled_multiplicities(sentences, resamples, np.random.default_rng(seed))]
    )
