"""The model card: the README.md of a model folder, for whoever finds the folder without its maker."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seqwise.evaluation.decisions import decision_sentences
from seqwise.evaluation.report import HEADLINES, ReportContent

MOST_CLASSES = 30  # with a row of their own
SPLITS = {"train": "training", "validation": "validation", "test": "test"}


def model_card(content: ReportContent, *, folder: str = "model", data: str = "", example: str | None = "") -> str:
    """Write the model card as Markdown.

    Args:
        content: what the report shows.
        folder: how the commands name the model folder.
        data: the file or data set that the model was trained on.
        example: a short text for the commands to classify; None: the model reads frames of numbers.
    """
    parts = [
        f"# {_plain(content.title)}",
        _what(content),
        "## Figures",
        _plain(content.verdict),
        _figures(content),
        "## Decisions",
        _plain(" ".join(decision_sentences(content.decisions, content.classes, multilabel=content.multilabel))),
        "## Use",
        _use(folder, example, multilabel=content.multilabel),
        f"## Data and {_kinds(content)}",
        _data(content, data),
        _classes(content),
        "## Limits",
        _bullets(_limits(content)),
        "## How it was made",
        _made(content),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _what(content: ReportContent) -> str:
    names = [_plain(str(name)) for name in content.classes]
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    interest = f" The class of interest is {_plain(content.positive)}." if content.positive is not None else ""
    task = f"{_plain(content.task)}\n\n" if content.task else ""
    does = "gives every text any number of" if content.multilabel else "tells"
    kinds = f"{len(names)} labels" if content.multilabel else f"{len(names)} classes apart"
    return f"{task}A sequence classifier made with Seqwise. It {does} {kinds}: {listed}.{interest}"


def _figures(content: ReportContent) -> str:
    block = content.metrics[content.split]
    baseline = block.get("baseline") or {}
    rows = [
        (name if more_is_better else f"{name} (less is better)", _interval(block[key]))
        + ((_interval(baseline.get(key)),) if baseline else ())
        for key, (name, more_is_better) in HEADLINES.items()
        if key in block
    ]
    table = _table(("", "model", "baseline") if baseline else ("", "model"), rows)
    pictures = "labels that go together" if content.multilabel else "confusion matrix"
    described = f" The baseline is {_plain(content.baseline_description)}." if content.baseline_description else ""
    return (
        f"{table}\n\nOn {block['examples']:,} {content.split} examples, with 95% bootstrap intervals.{described} "
        f"Curves, {pictures} and the worst mistakes are in `report.html`, every figure in `metrics.json`."
    )


def _use(folder: str, example: str | None, *, multilabel: bool) -> str:
    if example is None:
        return _use_of_frames(folder, multilabel=multilabel)
    text = " ".join(_visible(example).split())[:120] or "a text of yours"
    text = "a text of yours" if text.startswith("-") else text  # the command would take it for an option
    place = _visible(folder)
    return (
        f"```sh\nseqwise predict {shlex.quote(place)} {shlex.quote(text)}\n"
        f"seqwise predict {shlex.quote(place)} --input new.csv --output labelled.csv\n```\n\n"
        "```python\nfrom seqwise.prediction import Predictor\n\n"
        f"predictor = Predictor.load({place!r})\n"
        f"texts = [{text!r}]\n"
        f"predictor.predict(texts)  # the {'labels' if multilabel else 'class'} of each text\n"
        "predictor.predict_proba(texts)  # one column a class, in the order of predictor.classes\n```\n\n"
        "The folder holds plain JSON and safetensors; loading it runs no code from it."
    )


def _use_of_frames(folder: str, *, multilabel: bool) -> str:
    place = _visible(folder)
    return (
        f"```sh\nseqwise predict {shlex.quote(place)} recording.wav\n"
        f"seqwise predict {shlex.quote(place)} --input new.parquet --output labelled.csv\n```\n\n"
        "```python\nimport numpy\n\nfrom seqwise.data import Frames\nfrom seqwise.prediction import Predictor\n\n"
        f"predictor = Predictor.load({place!r})\n"
        'frames = Frames.from_rows([numpy.load("new.npy")], rate=predictor.rate)  # (steps, channels)\n'
        f"predictor.predict(frames)  # the {'labels' if multilabel else 'class'} of each sequence\n"
        "predictor.predict_proba(frames)  # one column a class, in the order of predictor.classes\n```\n\n"
        "The folder holds plain JSON and safetensors; loading it runs no code from it."
    )


def _data(content: ReportContent, data: str) -> str:
    source = f"Trained on `{_visible(data).replace('`', chr(39))}`." if data else ""
    totals = [
        f"{sum(content.counts[split].values()):,} {name}" for split, name in SPLITS.items() if split in content.counts
    ]
    sizes = f"{'Labels' if content.multilabel else 'Examples'}: {', '.join(totals)}." if totals else ""
    repeated = _bullets(content.duplicates)
    return "\n\n".join(part for part in (" ".join(filter(None, (source, sizes))), repeated) if part)


def _classes(content: ReportContent) -> str:
    block = content.metrics[content.split]
    baseline = (block.get("baseline") or {}).get("per_class", {})
    training = content.counts.get("train", {})
    order = sorted(block["per_class"], key=lambda name: -training.get(name, block["per_class"][name]["support"]))
    rows = []
    for name in order[:MOST_CLASSES]:
        figures = block["per_class"][name]
        row = [_plain(name)]
        row += [f"{training.get(name, 0):,}"] if training else []
        row += [f"{figures['support']:,}", *(_value(figures[key]) for key in ("precision", "recall", "f1"))]
        row += [_value(baseline.get(name, {}).get("f1"))] if baseline else []
        rows.append(row)
    head = [
        "label" if content.multilabel else "class",
        *(["training"] if training else []),
        content.split,
        "precision",
        "recall",
        "F1",
    ]
    table = _table(head + (["baseline F1"] if baseline else []), rows)
    left = len(order) - MOST_CLASSES
    return table + (f"\n\nThe {left} smaller {_kinds(content)} are in `report.html`." if left > 0 else "")


def _limits(content: ReportContent) -> list[str]:
    block = content.metrics[content.split]
    limits = [
        "It knows no other labels: what is none of these is not seen."
        if content.multilabel
        else "It knows no other classes: a text of another kind also gets one of these, often with high confidence.",
        "The figures hold for data like those above. Other sources, times or languages need an evaluation of their own, "
        "which the command seqwise evaluate makes.",
    ]
    if content.split == "validation":
        limits.append("There were no test data: the figures come from the examples that also chose the best epoch.")
    few = [name for name, of in block["per_class"].items() if of["support"] < 20]
    if few:
        named = ", ".join(map(str, few[:5])) + (f" and {len(few) - 5} more" if len(few) > 5 else "")
        limits.append(
            f"Of some {_kinds(content)} there were fewer than 20 {content.split} examples ({named}): "
            "expect chance in their figures."
        )
    missed = [name for name, of in block["per_class"].items() if of["support"] and of["recall"]["value"] == 0]
    if missed:
        named = ", ".join(map(str, missed[:5])) + (f" and {len(missed) - 5} more" if len(missed) > 5 else "")
        limits.append(f"It found none of the {content.split} examples of: {named}.")
    error = block.get("expected_calibration_error", {}).get("value")
    if error is not None and error >= 0.05:
        limits.append(
            f"Its probabilities are off by {error:.2f} on average (calibration error): use them to rank, not as odds."
        )
    return limits + list(content.notes)


def _made(content: ReportContent) -> str:
    facts = [f"- {_plain(str(key))}: {_plain(str(value))}" for key, value in content.environment.items()]
    if content.seconds is not None:
        facts.insert(0, f"- time: {content.seconds:.0f} seconds, baseline and evaluation included")
    if content.created:
        facts.insert(0, f"- made: {_plain(content.created)}")
    settings = []
    for section, values in content.configuration.items():
        inner = ", ".join(f"{key} {value}" for key, value in values.items()) if isinstance(values, Mapping) else values
        settings.append(f"- {_plain(str(section))}: {_plain(str(inner))}")
    return "\n".join(facts + settings) + ("\n\n" if facts or settings else "") + "All settings are in `config.json`."


def _kinds(content: ReportContent) -> str:
    return "labels" if content.multilabel else "classes"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {_plain(sentence)}" for sentence in sentences)


def _interval(figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure["value"] is None or figure["low"] is None or figure["high"] is None:
        return _value(figure)
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _value(figure: Mapping[str, Any] | None) -> str:
    return "undefined" if figure is None or figure["value"] is None else f"{figure['value']:.3f}"


def _visible(text: str) -> str:
    """A text on one line, without controls and halves of surrogate pairs."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", text)


def _plain(text: str) -> str:
    """A stranger's text as Markdown that shows it and does nothing else."""
    escaped = re.sub(r"([\\`*_\[\]|~#!])", r"\\\1", _visible(text).strip())
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
