"""The report and the card of a tagger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seqwise.evaluation.confusion import confusion, ordered_confusion
from seqwise.evaluation.figures import learning_curves
from seqwise.evaluation.pages import markup, markup_all, render_page, sections

SPAN_FIGURES = {
    "f1": "F1 of spans",
    "precision": "Precision of spans",
    "recall": "Recall of spans",
    "partial_f1": "F1 of spans, partial",
}
TOKEN_FIGURES = {"accuracy": "Accuracy of tokens", "macro_f1": "Macro F1"}


@dataclass(frozen=True)
class TaggingReport:
    """What the report of a tagger shows.

    Attributes:
        title: of the page.
        task: one line under it.
        created: when, as a text.
        verdict: one sentence on model and baseline.
        metrics: content of `metrics.json`: blocks of `tagging_metrics` by split.
        baseline: what the baseline is.
        history: records of the epochs.
        sizes: split -> sentences.
        worst: sentences with the most improbable right tags: `row`, `wrong`, `words` with `text`, `true`, `said`.
        configuration: section -> key -> value.
        environment: versions and machine.
        seconds: of the whole run.
        notes: what a reader should know.
    """

    title: str
    task: str
    created: str
    verdict: str
    metrics: Mapping[str, Any]
    baseline: str
    history: Sequence[Mapping[str, Any]]
    sizes: Mapping[str, int]
    worst: Sequence[Mapping[str, Any]] = ()
    configuration: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    notes: Sequence[str] = ()

    @property
    def split(self) -> str:
        """The part whose figures are shown."""
        return "test" if "test" in self.metrics else "validation"


def figures_of(block: Mapping[str, Any]) -> dict[str, str]:
    """The figures of a block and their names, that which counts first."""
    return {**(SPAN_FIGURES if "per_type" in block else {}), **TOKEN_FIGURES}


def render_tagging_report(content: TaggingReport) -> str:
    """Return the page; the same content gives the same bytes."""
    block = content.metrics[content.split]
    baseline = block["baseline"]
    kind = "per_type" if "per_type" in block else "per_tag"
    validation = content.metrics.get("validation", {}).get("baseline", {})
    reference = {name: validation.get(name, {}).get("value") for name in ("macro_f1", "accuracy")}
    counts, names, _ = ordered_confusion(
        np.array(block["confusion_matrix"]["counts"]), block["confusion_matrix"]["tags"]
    )
    return render_page(
        "tagging.html",
        content=content,
        block=block,
        split=content.split,
        spans=kind == "per_type",
        rows=[{"name": name, "ours": block[key], "theirs": baseline[key]} for key, name in figures_of(block).items()],
        types=[
            {"name": name, "ours": row, "theirs": baseline[kind].get(name)}
            for name, row in sorted(block[kind].items(), key=lambda item: item[1]["support"])
        ],
        confusion=markup(confusion(counts, names, normalised=True)),
        curves=markup_all(learning_curves(content.history, reference) if content.history else []),
        configuration=sections(content.configuration),
        environment=sections(content.environment).get("", {}),
        seconds=content.seconds,
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


def tagging_card(content: TaggingReport, *, folder: str, data: str) -> str:
    """Return README.md of the model folder.

    Args:
        content: as for the report.
        folder: of the model.
        data: what it was trained on.
    """
    block = content.metrics[content.split]

    def written(figure: Mapping[str, float | None]) -> str:
        return "undefined" if figure["value"] is None else f"{figure['value']:.3f}"

    lines = [
        f"# {content.title}",
        content.task,
        content.verdict,
        f"| {content.split} | model | {content.baseline} |\n|---|---|---|\n"
        + "\n".join(
            f"| {name} | {written(block[key])} | {written(block['baseline'][key])} |"
            for key, name in figures_of(block).items()
        ),
        "## Use",
        f'    seqwise predict {folder} "a sentence of yours"',
        "## Limits",
        f"It was trained on {data} ({content.sizes.get('train', 0):,} sentences) and has seen nothing else: on texts of "
        "another kind expect less. A text is split into tokens by Seqwise; give lists of tokens where others are wanted.",
    ]
    return "\n\n".join(lines) + "\n"
