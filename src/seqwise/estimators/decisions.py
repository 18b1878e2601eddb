"""Calibration and thresholds chosen on validation examples: what `labels.json` holds besides the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqwise.errors import ConfigurationError
from seqwise.estimators.choices import MILD
from seqwise.losses import ImbalanceSettings
from seqwise.metrics import (
    Criterion,
    LabelThresholds,
    Thresholds,
    choose_label_thresholds,
    choose_thresholds,
    confusion_matrix,
    cost_table,
    expected_calibration_error,
    fit_calibration,
    fit_label_calibration,
    implied_priors,
    label_cost_tables,
    parse_criterion,
    quick_figures,
    quick_label_figures,
)
from seqwise.prediction.decisions import two_classes

MOST_CLASSES = 200  # whose confusion matrix is still worth its place in labels.json
SAVED = ("thresholds", "criterion", "calibration", "implied_priors", "confusion")


def distorts(imbalance: ImbalanceSettings) -> bool:
    """Whether a treatment of rare classes moves probabilities away from the data's shares.

    Label smoothing does not count, nor does a correction of priors no stronger than the one chosen by default.
    """
    mild = {"label_smoothing", "prior_correction"}
    treated = imbalance.model_dump(exclude=mild) != ImbalanceSettings().model_dump(exclude=mild)
    return treated or imbalance.prior_correction > MILD


def fit_decisions(
    targets: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    calibrate: str | None = None,
    keep_answers: bool = False,
    criterion: Criterion | None = None,
    positive: str | None = None,
    costs: Mapping[str, float] | None = None,
    sample_weight: np.ndarray | None = None,
) -> dict[str, Any]:
    """Choose on examples that the model was not fitted on.

    Args:
        targets: (n,) class numbers.
        probabilities: (n, C) of the model.
        classes: the C names.
        calibrate: "temperature", "bcts", "vector", "platt", "isotonic", or None.
        keep_answers: with "bcts" and no criterion: thresholds that give the answers which the probabilities gave before
            the calibration. p_j^a exp(b_j) / t_j with t_j = exp(b_j) has the order of p_j.
        criterion: what thresholds are chosen for, on the calibrated probabilities; None sets none.
        positive: the class of interest; None takes the rarer one of two.
        costs: as `cost_table` reads them; for the criterion "cost".
        sample_weight: (n,), or None.

    Returns:
        The entries `SAVED` of labels.json, as plain values.

    Raises:
        ConfigurationError: an unknown method, or costs and criterion that do not go together.
    """
    number = None if positive is None else list(classes).index(positive)
    if number is None and len(classes) == 2:
        number = int(np.bincount(targets, weights=sample_weight, minlength=2).argmin())
    calibration = None
    judged: dict[str, Any] | None = None
    if calibrate is not None:
        calibration = fit_calibration(calibrate, targets, probabilities, sample_weight)
        after = calibration(probabilities)
        judged = {"examples": len(targets)}
        for when, p in (("before", probabilities), ("after", after)):
            error = expected_calibration_error(p.max(axis=1), p.argmax(axis=1) == targets, sample_weight)
            judged |= _judged(when, quick_figures(targets, p, sample_weight)["log_loss"], error)
        probabilities = after
    thresholds = record = None
    if criterion is not None:
        table = cost_table(costs or {}, list(classes), number) if criterion.name == "cost" else None
        chosen = choose_thresholds(
            targets, probabilities, criterion, positive=number, costs=table, sample_weight=sample_weight
        )
        thresholds = chosen.values.tolist()
        focused = number is not None and criterion.name not in ("cost", "balanced_accuracy")
        record = _recorded(
            criterion, chosen, len(targets), costs, classes[number] if focused and number is not None else None
        )
    elif calibration is not None and keep_answers:
        factors = np.exp(np.asarray(calibration.parameters["shift"]))
        thresholds = (factors / factors.sum()).tolist()
    confusion = None
    if len(classes) <= MOST_CLASSES:
        confusion = confusion_matrix(targets, probabilities.argmax(axis=1), len(classes)).tolist()
    return {
        "thresholds": thresholds,
        "criterion": record if judged is None else {**(record or {}), "calibration": judged},
        "calibration": None if calibration is None else calibration.to_dict(),
        "implied_priors": implied_priors(targets, probabilities, sample_weight).tolist(),
        "confusion": confusion,
    }


def fit_label_decisions(
    targets: np.ndarray,
    probabilities: np.ndarray,
    labels: Sequence[str],
    *,
    calibrate: str | None = None,
    criterion: Criterion,
    costs: Mapping[str, float] | None = None,
    sample_weight: np.ndarray | None = None,
) -> dict[str, Any]:
    """The same for labels of which an example may have several: each has a threshold of its own.

    Args:
        targets: which labels each example has, (n, L).
        probabilities: (n, L) of the model.
        labels: the L names.
        calibrate: "temperature", "platt", "isotonic", or None.
        criterion: what thresholds are chosen for, on the calibrated probabilities.
        costs: as `label_cost_tables` reads them; for the criterion "cost".
        sample_weight: (n,), or None.

    Raises:
        ConfigurationError: an unknown method, or costs and criterion that do not go together.
    """
    calibration = None
    judged: dict[str, Any] | None = None
    if calibrate is not None:
        calibration = fit_label_calibration(calibrate, targets, probabilities, sample_weight)
        after = calibration(probabilities)
        weights = None if sample_weight is None else np.repeat(sample_weight, len(labels))
        judged = {"examples": len(targets)}
        for when, p in (("before", probabilities), ("after", after)):
            error = expected_calibration_error(p.ravel(), targets.ravel() > 0, weights)
            judged |= _judged(when, quick_label_figures(targets > 0, p, sample_weight)["log_loss"], error)
        probabilities = after
    tables = label_cost_tables(costs or {}, list(labels)) if criterion.name == "cost" else None
    chosen = choose_label_thresholds(targets, probabilities, criterion, costs=tables, sample_weight=sample_weight)
    record = _recorded(criterion, chosen, len(targets), costs, None)
    record["shared"] = chosen.shared
    pairs = [(targets[:, j].astype(np.int64), two_classes(probabilities[:, j])) for j in range(len(labels))]
    return {
        "thresholds": chosen.values.tolist(),
        "criterion": record if judged is None else {**record, "calibration": judged},
        "calibration": None if calibration is None else calibration.to_dict(),
        "implied_priors": [float(implied_priors(true, p, sample_weight)[1]) for true, p in pairs],
        "confusion": None,
    }


def _judged(when: str, log_loss: float, error: float) -> dict[str, float]:
    return {f"log_loss_{when}": log_loss, f"error_{when}": error}


def _recorded(
    criterion: Criterion,
    chosen: Thresholds | LabelThresholds,
    examples: int,
    costs: Mapping[str, float] | None,
    of: str | None,
) -> dict[str, Any]:
    return {
        "name": str(criterion),
        "figure": criterion.figure,
        "of": of,
        "examples": examples,
        "before": chosen.before,
        "after": chosen.after,
        "reached": bool(np.all(chosen.reached)),
        "costs": dict(costs) if costs else None,
    }


def describe_decisions(decisions: Mapping[str, Any], classes: Sequence[str]) -> list[str]:
    """Say in one sentence each what was chosen."""
    record, sentences = decisions.get("criterion") or {}, []
    if judged := record.get("calibration"):
        sentences.append(
            f"Calibration by {decisions['calibration']['method']}, fitted on {judged['examples']:,} validation examples: "
            f"their log loss is {judged['log_loss_after']:.3f} (before: {judged['log_loss_before']:.3f}), "
            f"their calibration error {judged['error_after']:.3f} ({judged['error_before']:.3f})."
        )
    if decisions.get("thresholds") and "name" not in record:
        sentences.append("Its thresholds leave the answers as the training made them.")
    elif decisions.get("thresholds"):
        values = decisions["thresholds"]
        if len(classes) == 2 and "shared" not in record:
            name = record["of"] or classes[1]
            place = f"{name!r} from the probability {values[list(classes).index(name)]:.3g}"
        else:
            place = f"one for each of {len(classes)} " + ("labels" if "shared" in record else "classes")
            if "shared" in record:
                place += f", drawn to {record['shared']:.3g} where a label has few examples"
        figure = record["figure"] + (f" of {record['of']!r}" if record["of"] else "")
        missed = "" if record["reached"] else ", which is as near as any threshold comes"
        sentences.append(
            f"Threshold for {record['name']}, chosen on {record['examples']:,} validation examples: {place}; "
            f"{figure} there {record['after']:.3f} (without: {record['before']:.3f}){missed}."
        )
    if sentences:
        sentences.append("Validation figures flatter what was chosen on the same examples; test figures do not.")
    return sentences


def choose_decisions(
    validation: tuple[Any, np.ndarray, np.ndarray] | None,
    classes: Sequence[str],
    imbalance: ImbalanceSettings,
    *,
    multilabel: bool,
    threshold: str | None = None,
    calibrate: str | None = "auto",
    positive: Any = None,
    costs: Mapping[str, float] | None = None,
    sample_weight: np.ndarray | None = None,
) -> dict[str, Any]:
    """Choose calibration and thresholds on validation examples, as a person asks for them.

    Args:
        validation: examples, targets and probabilities; None where nothing was held back.
        classes: the C names.
        imbalance: how rare classes were treated.
        multilabel: whether an example may have several labels.
        threshold: "f1" (or f2, f0.5), "recall=0.9", "precision=0.99", "cost", "balanced_accuracy" or "youden"; None for the
            most probable class, of several labels for the best F1 of each.
        calibrate: "temperature", "bcts", "vector", "platt" or "isotonic"; None leaves the probabilities as they are.
            "auto": where `imbalance` has a treatment that distorts probabilities, "bcts", without changing an answer unless
            a threshold is asked for; otherwise None. Of several labels: "temperature", "platt" (which "auto" then means) or
            "isotonic", label by label.
        positive: the class of interest; None takes the rarer one of two.
        costs: for "cost": `fp`, `fn`, a class, or `TRUE>ANSWER` -> what such a mistake costs; others cost 1.
        sample_weight: of the validation examples, or None.

    Returns:
        What `labels.json` holds of them.

    Raises:
        ConfigurationError: an unknown name, or there is no validation part.
    """
    criterion = None if threshold is None else parse_criterion(threshold)
    automatic = calibrate == "auto"
    if automatic:
        calibrate = ("platt" if multilabel else "bcts") if distorts(imbalance) else None
    if validation is None:
        raise ConfigurationError("thresholds and calibration are chosen on validation examples, and there are none")
    _, targets, probabilities = validation
    given: dict[str, Any] = {"calibrate": calibrate, "costs": costs, "sample_weight": sample_weight}
    if multilabel:
        if positive is not None:
            raise ConfigurationError("a class of interest is for one class a text; every label is of interest here")
        return fit_label_decisions(targets, probabilities, classes, criterion=criterion or Criterion("f", 1.0), **given)
    return fit_decisions(
        targets,
        probabilities,
        classes,
        keep_answers=automatic,
        criterion=criterion,
        positive=None if positive is None else str(positive),
        **given,
    )
