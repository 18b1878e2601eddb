"""How answers are decided: thresholds and calibration, as a report and a model card say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

METHODS = {
    "temperature": "one temperature for all",
    "bcts": "a temperature and a shift for each class",
    "vector": "a slope and a shift for each class",
    "platt": "a sigmoid for each class (Platt)",
    "isotonic": "a rising curve for each class (isotonic)",
}


def decision_sentences(decisions: Mapping[str, Any], classes: Sequence[str], *, multilabel: bool) -> list[str]:
    """Say how probabilities become answers.

    Args:
        decisions: entries "thresholds", "criterion" and "calibration" of `labels.json`; empty for none of them.
        classes: the C names.
        multilabel: whether every example has any number of labels.
    """
    record, thresholds = decisions.get("criterion") or {}, decisions.get("thresholds")
    sentences = [_rule(thresholds, classes, multilabel=multilabel)]
    if thresholds and "name" in record:
        figure = record["figure"] + (f" of {record['of']}" if record.get("of") else "")
        stated, best = str(record["name"]).partition("=")[2], "lowest" if record["figure"] == "mean cost" else "best"
        aim = f"a {record['figure']} of at least {stated}" if stated else f"the {best} {record['figure']}"
        averaged = "mean " if multilabel else ""
        sentences.append(
            f"Chosen for {aim} on {record['examples']:,} validation examples: {averaged}{figure} there is "
            f"{record['after']:.3f}, and was {record['before']:.3f} without."
            + ("" if record.get("reached", True) else " The stated level is not reached; this is as near as it comes.")
        )
        if record.get("costs"):
            named = ", ".join(f"{name} {cost:g}" for name, cost in record["costs"].items())
            every = {"fp", "fn"} <= set(record["costs"]) and (multilabel or len(classes) == 2)
            others = "" if every else "; other mistakes 1"
            sentences.append(f"Costs: {named}{others}.")
        if multilabel and not stated and isinstance(record.get("shared"), int | float):
            sentences.append(
                f"The threshold of a label with few examples is drawn towards {record['shared']:.3g}, "
                "which serves all labels together best."
            )
    if calibration := decisions.get("calibration"):
        method = str(calibration.get("method"))
        how = METHODS.get(method, method).replace("each class", "each label" if multilabel else "each class")
        sentence = f"The probabilities are calibrated by {how}"
        if judged := record.get("calibration"):
            sentence += (
                f", fitted on {judged['examples']:,} validation examples; log loss there {judged['log_loss_before']:.3f} "
                f"before and {judged['log_loss_after']:.3f} after, calibration error {judged['error_before']:.3f} and "
                f"{judged['error_after']:.3f}"
            )
        sentences.append(sentence + ".")
    return sentences


def threshold_rows(
    decisions: Mapping[str, Any], classes: Sequence[str], block: Mapping[str, Any], order: Sequence[str]
) -> list[dict[str, Any]]:
    """One row a class, in the given order: its threshold and what it leads to; empty without thresholds.

    Of more than two classes of which an example has one, only the ratios of thresholds matter: the row says how much the
    class is favoured, 1 / t_j over the geometric mean of all.
    """
    thresholds = decisions.get("thresholds")
    if not thresholds:
        return []
    from math import exp, log

    mean = sum(log(value) for value in thresholds) / len(thresholds)
    place = {name: (value, exp(mean) / value) for name, value in zip(classes, thresholds, strict=True)}
    return [
        {
            "name": name,
            "threshold": place[name][0],
            "favour": place[name][1],
            **{key: block["per_class"][name][key]["value"] for key in ("precision", "recall", "f1")},
        }
        for name in order
        if name in place and name in block["per_class"]
    ]


def _rule(thresholds: Sequence[float] | None, classes: Sequence[str], *, multilabel: bool) -> str:
    if multilabel:
        start = (
            "A label is given from its own threshold on"
            if thresholds
            else "A label is given from the probability .5 on"
        )
        return start + "; an example may get several, or none."
    if not thresholds:
        return "The answer is the most probable class."
    if len(classes) == 2:
        return f"The answer is {classes[1]} from the probability {thresholds[1]:.3g} on, otherwise {classes[0]}."
    return "The answer is the class with the largest quotient of probability and threshold."
