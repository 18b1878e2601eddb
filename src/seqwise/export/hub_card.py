"""The model card as the hub shows it: what it reads by machine in front, and no path of this machine in the text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

PIPELINES = {  # task -> name of such a task on the hub, for texts
    "classify": "text-classification",
    "tag": "token-classification",
    "lm": "text-generation",
    "generate": "text-generation",
    "translate": "translation",
    "transcribe": "automatic-speech-recognition",
    "forecast": "time-series-forecasting",
}
OTHER = "other"
METRICS = {  # key of metrics.json -> the hub's name of the metric, and how it reads
    "accuracy": ("accuracy", "Accuracy"),
    "balanced_accuracy": ("balanced_accuracy", "Balanced accuracy"),
    "macro_f1": ("f1", "Macro F1"),
    "micro_f1": ("f1", "Micro F1"),
    "mcc": ("matthews_correlation", "Matthews correlation"),
    "f1": ("f1", "F1 of spans"),
    "perplexity": ("perplexity", "Perplexity"),
    "bits_per_character": ("bits_per_character", "Bits per character"),
    "mae": ("mae", "Mean absolute error"),
    "rmse": ("rmse", "Root mean squared error"),
    "mase": ("mase", "Mean absolute scaled error"),
    "bleu": ("bleu", "BLEU"),
    "chrf": ("chrf", "chrF"),
    "wer": ("wer", "Word error rate"),
    "cer": ("cer", "Character error rate"),
}
SPLITS = ("test", "validation")
_COMMAND = re.compile(r"^(seqwise (?:predict|score|generate|evaluate|serve) )('(?:[^']|'\"'\"')*'|\S+)", re.MULTILINE)
_LOADED = re.compile(r"(\.load\()(['\"])(.*?)\2(\))")
_TRAINED = re.compile(r"(Trained on `)([^`]*)(`)")
_FRONT = re.compile(r"\A---\n.*?\n---\n+", re.DOTALL)
_FETCHED = re.compile(r"```sh\nseqwise pull [^\n]*\n```\n+")


def hub_card(
    card: str, repository: str, config: Mapping[str, Any], metrics: Mapping[str, Any], *, license_: str | None = None
) -> str:
    """The README.md of a pushed model.

    Args:
        card: README.md of the model folder; "" if it has none.
        repository: USER/NAME.
        config: content of config.json.
        metrics: content of metrics.json; {} if there is none.
        license_: identifier of a licence as the hub knows them; None: the card states none.
    """
    name = repository.split("/")[1]
    text = _FETCHED.sub("", _FRONT.sub("", card)) or f"# {name}\n\nA model made with Seqwise.\n"
    text = _COMMAND.sub(lambda match: match[1] + name, text)
    text = _LOADED.sub(lambda match: f"{match[1]}{name!r}{match[4]}", text)
    text = _TRAINED.sub(lambda match: match[1] + _last(match[2]) + match[3], text)
    title, _, rest = text.partition("\n")
    fetched = f"```sh\nseqwise pull {repository} {name}\n```"
    return f"---\n{_front_matter(repository, config, metrics, license_)}\n---\n\n{title}\n\n{fetched}\n{rest}"


def _front_matter(repository: str, config: Mapping[str, Any], metrics: Mapping[str, Any], license_: str | None) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    task, settings = str(config["task"]), config.get("settings", {})
    pipeline = PIPELINES.get(task, OTHER)
    if config.get("unit") == "frames" and task in ("classify", "tag"):
        pipeline = OTHER
    cell = settings.get("model", {}).get("cell")
    tags = ["seqwise", *([str(cell)] if cell and settings["model"].get("encoder") != "transformer" else [])]
    split = next((name for name in SPLITS if metrics.get(name)), None)
    results = [
        EvalResult(
            task_type=pipeline,
            dataset_type="unknown",
            dataset_name=f"{split} part of the training data",
            dataset_split=split,
            metric_type=kind,
            metric_name=name,
            metric_value=round(value, 4),
        )
        for key, (kind, name) in METRICS.items()
        if split is not None and (value := _value(metrics[split].get(key))) is not None
    ]
    data = ModelCardData(
        model_name=repository.split("/")[1] if results else None,
        eval_results=results or None,
        library_name="seqwise",
        license=license_,
        pipeline_tag=None if pipeline == OTHER else pipeline,
        tags=tags,
    )
    return str(data.to_yaml()).strip()


def _value(figure: Any) -> float | None:
    value = figure.get("value") if isinstance(figure, Mapping) else figure
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _last(path: str) -> str:
    """The name of a file without the folders, which say something of the machine and nothing of the model."""
    return PureWindowsPath(path).name if "\\" in path else PurePosixPath(path).name or path


def local_paths(config: Mapping[str, Any]) -> list[str]:
    """Settings whose values are absolute paths of this machine: "section.key"."""
    return [
        f"{section}.{key}"
        for section, values in config.get("settings", {}).items()
        if isinstance(values, Mapping)
        for key, value in values.items()
        if isinstance(value, str)
        and len(value) > 1
        and (Path(value).is_absolute() or PureWindowsPath(value).is_absolute())
    ]
