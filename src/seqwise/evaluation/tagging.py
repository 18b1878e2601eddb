"""What the report of a tagger shows besides its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqwise.evaluation.confusion import confusion, ordered_confusion
from seqwise.evaluation.pages import markup
from seqwise.evaluation.task_report import Section
from seqwise.evaluation.timeline import timeline

SPAN_FIGURES = {
    "f1": "F1 of spans",
    "precision": "Precision of spans",
    "recall": "Recall of spans",
    "partial_f1": "F1 of spans, partial",
}
TOKEN_FIGURES = {"accuracy": "Accuracy of tokens", "macro_f1": "Macro F1"}


STEP_FIGURES = {"macro_f1": "Macro F1", "accuracy": "Accuracy of steps"}


def figures_of(block: Mapping[str, Any]) -> dict[str, str]:
    """The figures of a block and their names, that which counts first."""
    if "steps" in block:
        return STEP_FIGURES
    return {**(SPAN_FIGURES if "per_type" in block else {}), **TOKEN_FIGURES}


def tagging_sections(
    block: Mapping[str, Any], *, split: str, worst: Sequence[Mapping[str, Any]], unit: str = "tokens"
) -> list[Section]:
    """Return what the report of a tagger shows besides its figures.

    Args:
        block: of `tagging_metrics`.
        split: the part that it is of.
        worst: from `worst_sentences`.
        unit: what has a tag.
    """
    spans = "per_type" in block
    kind, baseline = "per_type" if spans else "per_tag", block.get("baseline", {})
    types = [
        {"name": name, "ours": row, "theirs": baseline.get(kind, {}).get(name)}
        for name, row in sorted(block[kind].items(), key=lambda item: item[1]["support"])
    ]
    counts, names, _ = ordered_confusion(
        np.array(block["confusion_matrix"]["counts"]), block["confusion_matrix"]["tags"]
    )
    link, title = ("Types", "Types of spans") if spans else ("Tags", "Tags")
    picture = markup(confusion(counts, names, normalised=True))
    found = [
        Section.of("types", link, title, "tag_types.html", spans=spans, types=types),
        Section.of(
            "confusion", "Confusion", "What is taken for what", "tag_confusion.html", picture=picture, unit=unit
        ),
    ]
    if worst:
        found.append(Section.of("worst", "Mistakes", "Sure and wrong", "tag_worst.html", worst=worst, split=split))
    return found


def timeline_section(
    true: Sequence[Sequence[str | None]],
    said: Sequence[Sequence[str]],
    *,
    rows: Sequence[int],
    rate: float | None,
    split: str,
) -> Section:
    """Return the picture of the recording that the model knows least about.

    Args:
        true: labels of each recording, None where there is none.
        said: as many.
        rows: number of each recording in its table, from 0.
        rate: steps a second, or None.
        split: the part that they are of.
    """

    def share(number: int) -> float:
        pairs = [right == label for right, label in zip(true[number], said[number], strict=True) if right is not None]
        return sum(pairs) / len(pairs) if pairs else 1.0

    worst = min(range(len(true)), key=share)
    picture = markup(timeline(true[worst], said[worst], rate))
    row, right = int(rows[worst]) + 1, f"{share(worst):.0%}"
    return Section.of(
        "timeline", "Time", "Over time", "tag_timeline.html", picture=picture, row=row, right=right, split=split
    )


def worst_sentences(
    sentences: Sequence[Sequence[str]],
    true: Sequence[Sequence[str]],
    said: Sequence[Sequence[str]],
    probabilities: Sequence[Sequence[float]],
    *,
    rows: Sequence[int],
    limit: int = 15,
    longest: int = 60,
) -> list[dict[str, Any]]:
    """Choose the sentences in which the model was surest of wrong tags.

    Args:
        sentences: tokens of each.
        true: tags of each.
        said: tags of each.
        probabilities: of the said tags.
        rows: number of each sentence in its table, from 0.
        limit: how many at most.
        longest: sentences of more tokens are passed over.

    Returns:
        Worst first: `row` (from 1), `wrong` (tokens), `words`: each token with `true` and `said` where they differ.
    """
    costs = [
        -sum(p for right, tag, p in zip(*of, strict=True) if right != tag)
        for of in zip(true, said, probabilities, strict=True)
    ]
    order = [n for n in np.argsort(costs, kind="stable") if costs[n] < 0 and len(sentences[n]) <= longest][:limit]
    return [
        {
            "row": int(rows[n]) + 1,
            "wrong": sum(a != b for a, b in zip(true[n], said[n], strict=True)),
            "words": [
                {"text": word, "true": right, "said": tag, "wrong": right != tag}
                for word, right, tag in zip(sentences[n], true[n], said[n], strict=True)
            ],
        }
        for n in order
    ]
