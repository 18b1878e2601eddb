"""The report and the card of a model, whatever its task; what is particular to a task comes as sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqwise.evaluation.figures import CLASS_FIGURES, learning_curves
from seqwise.evaluation.pages import markup, markup_all, render_page, sections
from seqwise.evaluation.wording import number


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        key: what links to it.
        link: a word for the navigation.
        title: its heading.
        content: markup, from `Section.of`.
    """

    key: str
    link: str
    title: str
    content: Any

    @classmethod
    def of(cls, key: str, link: str, title: str, template: str, **values: Any) -> Section:
        """Fill in a template of `templates/`; what is a stranger's text is escaped.

        Args:
            key: what links to it.
            link: a word for the navigation.
            title: its heading.
            template: name of the file.
            **values: what it shows; pictures by `seqwise.evaluation.pages.markup`.
        """
        return cls(key, link, title, markup(render_page(template, **values)))


@dataclass(frozen=True)
class TaskReport:
    """What the report of a model shows.

    Attributes:
        title: of the page.
        task: one line under it.
        created: when, as a text.
        verdict: one sentence on model and baseline.
        metrics: content of `metrics.json`: blocks by split, each with the block of the baseline in it.
        figures: keys of a block and their names, that which counts first.
        baseline: what the baseline is.
        measured: on how much, in words.
        explained: how the figures are meant.
        history: records of the epochs.
        watched: figures of these records and their names, besides the loss.
        lower_is_better: whether less of these is better.
        sizes: split -> how much it holds, in words.
        sections: further parts of the page.
        use: commands for the card.
        limits: sentences for the card.
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
    figures: Mapping[str, str]
    baseline: str
    measured: str
    explained: str
    history: Sequence[Mapping[str, Any]]
    watched: Mapping[str, str] = field(default_factory=lambda: dict(CLASS_FIGURES))
    lower_is_better: bool = False
    sizes: Mapping[str, str] = field(default_factory=dict)
    sections: Sequence[Section] = ()
    use: Sequence[str] = ()
    limits: str = ""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    notes: Sequence[str] = ()

    @property
    def split(self) -> str:
        """The part whose figures are shown."""
        return "test" if "test" in self.metrics else "validation"

    def rows(self) -> list[dict[str, Any]]:
        """The shown figures, ours beside the baseline's."""
        block = self.metrics[self.split]
        baseline = block.get("baseline", {})
        return [
            {"name": name, "ours": block[key], "theirs": baseline.get(key)}
            for key, name in self.figures.items()
            if key in block
        ]


def render_task_report(content: TaskReport) -> str:
    """Return the page; the same content gives the same bytes."""
    validation = content.metrics.get("validation", {}).get("baseline", {})
    reference = {key: of["value"] for key, of in validation.items() if isinstance(of, Mapping) and "value" in of}
    curves = learning_curves(
        content.history, reference, watched=content.watched, lower_is_better=content.lower_is_better
    )
    return render_page(
        "task.html",
        content=content,
        split=content.split,
        rows=content.rows(),
        curves=markup_all(curves),
        configuration=sections(content.configuration),
        environment=sections(content.environment).get("", {}),
        seconds=content.seconds,
    )


def task_card(content: TaskReport) -> str:
    """Return README.md of the model folder."""

    def written(figure: Mapping[str, float | None] | None) -> str:
        return "" if figure is None else number(figure["value"])

    lines = [
        f"# {content.title}",
        content.task,
        content.verdict,
        f"| {content.split} | model | {content.baseline} |\n|---|---|---|\n"
        + "\n".join(f"| {row['name']} | {written(row['ours'])} | {written(row['theirs'])} |" for row in content.rows()),
        "## Use",
        "\n".join(f"    {command}" for command in content.use),
        "## Limits",
        content.limits,
    ]
    return "\n\n".join(lines) + "\n"
