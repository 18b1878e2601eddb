"""The report and the card of a language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqwise.evaluation.agreement import Agreement
from seqwise.evaluation.figures import learning_curves
from seqwise.evaluation.pages import markup_all, render_page, sections

FIGURES = {
    "perplexity": "Perplexity",
    "log_loss": "Log loss, nats a symbol",
    "bits_per_character": "Bits a character",
}


@dataclass(frozen=True)
class LanguageReport:
    """What the report of a language model shows.

    Attributes:
        title: of the page.
        task: one line under it.
        created: when, as a text.
        verdict: one sentence on model and baseline.
        metrics: content of `metrics.json`: blocks of `language_metrics` by split.
        baseline: what the baseline is.
        history: records of the epochs.
        sizes: split -> symbols.
        vocabulary: how many symbols are known.
        unknown: share of the training symbols that are <unk>.
        samples: texts drawn from the model: what it was given, and what it said.
        next_symbols: what it was given -> most probable next symbols with their probabilities.
        agreement: verbs at growing distance from their subject.
        surprising: the least probable texts of the shown split: text, perplexity, and its least probable symbols.
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
    vocabulary: int
    unknown: float
    samples: Sequence[tuple[str, str]] = ()
    next_symbols: Mapping[str, Sequence[tuple[str, float]]] = field(default_factory=dict)
    agreement: Sequence[Agreement] = ()
    surprising: Sequence[Mapping[str, Any]] = ()
    configuration: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    notes: Sequence[str] = ()

    @property
    def split(self) -> str:
        """The part whose figures are shown."""
        return "test" if "test" in self.metrics else "validation"


def render_language_report(content: LanguageReport) -> str:
    """Return the page; the same content gives the same bytes."""
    block = content.metrics[content.split]
    baseline = block["baseline"]
    validation = content.metrics.get("validation", {}).get("baseline", {})
    reference = {"log_loss": validation.get("log_loss", {}).get("value")}
    return render_page(
        "language.html",
        content=content,
        block=block,
        split=content.split,
        rows=[
            {"name": name, "ours": block[key], "theirs": baseline[key]} for key, name in FIGURES.items() if key in block
        ],
        curves=markup_all(learning_curves(content.history, reference) if content.history else []),
        configuration=sections(content.configuration),
        environment=sections(content.environment).get("", {}),
        seconds=content.seconds,
    )


def language_card(content: LanguageReport, *, folder: str, data: str) -> str:
    """Return README.md of the model folder.

    Args:
        content: as for the report.
        folder: of the model.
        data: what it was trained on.
    """
    block = content.metrics[content.split]
    lines = [
        f"# {content.title}",
        content.task,
        content.verdict,
        f"| {content.split} | model | {content.baseline} |\n|---|---|---|\n"
        + "\n".join(
            f"| {name} | {block[key]['value']:.3f} | {block['baseline'][key]['value']:.3f} |"
            for key, name in FIGURES.items()
            if key in block
        ),
        "## Use",
        f'    seqwise score {folder} "a sentence"\n    seqwise generate {folder} --prompt "the beginning"',
        "## Limits",
        f"It was trained on {data} ({content.sizes.get('train', 0):,} symbols) and has seen nothing else: what it says is "
        "probable there, not true. Its texts may repeat pieces of that data.",
    ]
    return "\n\n".join(lines) + "\n"
