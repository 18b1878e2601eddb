import json
import subprocess
import sys
import time

import numpy as np
import pytest
import sklearn.metrics as oracle

from seqwise.errors import DataError
from seqwise.metrics import classification_metrics, classwise_calibration_error

SINGLE = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "weighted_f1",
    "mcc",
    "log_loss",
    "expected_calibration_error",
    "g_mean",
    "brier_score",
    "classwise_calibration_error",
    "mean_average_precision",
)


def scored(examples=300, classes=4, seed=0):
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, classes, examples)
    logits = generator.normal(size=(examples, classes))
    logits[np.arange(examples), targets] += 1.5
    probabilities = np.exp(logits)
    return targets, probabilities / probabilities.sum(axis=1, keepdims=True), [f"c{j}" for j in range(classes)]


@pytest.mark.parametrize("weighted", [False, True])
def test_the_block_holds_what_scikit_learn_computes(weighted):
    targets, probabilities, classes = scored()
    weights = np.random.default_rng(1).uniform(0, 3, 300) if weighted else None
    block = classification_metrics(targets, probabilities, classes, sample_weight=weights, resamples=50)
    predictions = probabilities.argmax(axis=1)
    value = {name: block[name]["value"] for name in SINGLE}
    given = {"sample_weight": weights}
    assert value["accuracy"] == pytest.approx(oracle.accuracy_score(targets, predictions, **given))
    assert value["macro_f1"] == pytest.approx(oracle.f1_score(targets, predictions, average="macro", **given))
    assert value["log_loss"] == pytest.approx(oracle.log_loss(targets, probabilities, **given))
    assert value["mcc"] == pytest.approx(oracle.matthews_corrcoef(targets, predictions, **given))
    recalls = oracle.recall_score(targets, predictions, average=None, **given)
    assert value["g_mean"] == pytest.approx(recalls.prod() ** (1 / 4))
    brier = oracle.brier_score_loss(targets, probabilities, scale_by_half=False, **given)
    assert value["brier_score"] == pytest.approx(brier)
    classwise = classwise_calibration_error(targets, probabilities, weights)
    assert value["classwise_calibration_error"] == pytest.approx(classwise.mean())
    area = oracle.average_precision_score(np.eye(4)[targets], probabilities, average="macro", **given)
    assert value["mean_average_precision"] == pytest.approx(area)
    report = oracle.classification_report(targets, predictions, target_names=classes, output_dict=True, **given)
    for number, name in enumerate(classes):
        own = block["per_class"][name]
        for ours, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert own[ours]["value"] == pytest.approx(report[name][theirs])
        assert own["weight" if weighted else "support"] == pytest.approx(report[name]["support"])
        assert own["support"] == (targets == number).sum()
        assert own["pr_auc"]["value"] == pytest.approx(
            oracle.average_precision_score(targets == number, probabilities[:, number], **given)
        )
    assert block["examples"] == 300
    assert block["confusion_matrix"]["classes"] == classes
    np.testing.assert_array_equal(block["confusion_matrix"]["counts"], oracle.confusion_matrix(targets, predictions))
    assert ("weights" in block["confusion_matrix"]) == weighted


@pytest.mark.parametrize("weighted", [False, True])
def test_every_interval_is_that_of_resampling_the_examples_one_by_one(weighted):
    targets, probabilities, classes = scored(200, 3)
    generator = np.random.default_rng(8)
    weights = generator.uniform(0.1, 3, 200) if weighted else None
    block = classification_metrics(targets, probabilities, classes, sample_weight=weights, resamples=3000)
    drawn = [generator.integers(0, 200, 200) for _ in range(1500)]
    alone = [
        classification_metrics(
            targets[i],
            probabilities[i],
            classes,
            sample_weight=None if weights is None else weights[i],
            resamples=0,
        )
        for i in drawn
    ]

    def pick(one, path):
        for key in path:
            one = one[key]
        return one

    paths = [(name,) for name in SINGLE] + [
        ("per_class", "c1", name) for name in ("precision", "recall", "f1", "pr_auc")
    ]
    for path in paths:
        values = np.array([pick(one, path)["value"] for one in alone])
        low, high = np.quantile(values, [0.025, 0.975])
        ours = pick(block, path)
        # Two bootstraps differ by chance: the 2.5% points of these two by .085 standard deviations, more in a long tail.
        assert ours["low"] == pytest.approx(min(low, ours["value"]), abs=0.35 * values.std()), path
        assert ours["high"] == pytest.approx(high, abs=0.35 * values.std()), path


def test_the_same_seed_gives_the_same_intervals_and_no_global_state_is_touched():
    arguments = scored()
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert classification_metrics(*arguments, seed=3) == classification_metrics(*arguments, seed=3)
    assert classification_metrics(*arguments, seed=3) != classification_metrics(*arguments, seed=4)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_a_class_without_examples_and_one_never_predicted_are_told_apart():
    probabilities = np.array([[0.9, 0.05, 0.05, 0], [0.8, 0.1, 0.1, 0], [0.2, 0.2, 0.6, 0]])
    block = classification_metrics([0, 1, 0], probabilities, ["there", "missed", "absent", "unknown"])
    assert block["per_class"]["missed"]["precision"]["value"] == 0
    assert block["per_class"]["missed"]["f1"]["value"] == 0
    assert block["per_class"]["absent"]["precision"]["value"] == 0
    assert block["per_class"]["absent"]["recall"]["value"] is None
    assert block["per_class"]["absent"]["pr_auc"]["value"] is None
    undefined = {"value": None, "low": None, "high": None}
    assert block["per_class"]["unknown"] == {
        **dict.fromkeys(("precision", "recall", "f1", "pr_auc"), undefined),
        **{name: {"0.9": undefined} for name in ("precision_at_recall", "recall_at_precision")},
        "calibration_error": {"value": 0.0, "low": 0.0, "high": 0.0},
        "support": 0,
    }
    assert block["macro_f1"]["value"] == pytest.approx(
        oracle.f1_score([0, 1, 0], [0, 0, 2], average="macro", zero_division=0)
    )
    json.dumps(block, allow_nan=False)


def test_one_example_gives_figures_without_bounds():
    block = classification_metrics([1], [[0.3, 0.7]], ["a", "b"])
    assert block["accuracy"] == {"value": 1.0, "low": None, "high": None}
    json.dumps(block, allow_nan=False)


def test_given_predictions_replace_the_most_probable_class():
    targets, probabilities, classes = scored(100, 2)
    predictions = (probabilities[:, 1] > 0.2).astype(int)
    block = classification_metrics(targets, probabilities, classes, predictions=predictions, resamples=20)
    assert block["accuracy"]["value"] == pytest.approx(oracle.accuracy_score(targets, predictions))
    same = classification_metrics(targets, probabilities, classes, resamples=20)
    assert block["log_loss"] == same["log_loss"]
    assert block["expected_calibration_error"] != same["expected_calibration_error"]


def test_the_positive_class_is_repeated_at_the_top():
    targets, probabilities, classes = scored(100, 2)
    block = classification_metrics(targets, probabilities, classes, positive="c1", resamples=20)
    assert block["positive"] == "c1"
    for name in ("precision", "recall", "f1", "pr_auc"):
        assert block[name] == block["per_class"]["c1"][name]
    with pytest.raises(DataError, match=r"no class 'c9'.*'c0', 'c1'"):
        classification_metrics(targets, probabilities, classes, positive="c9")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probabilities": [[0.5, 0.5], [np.nan, 1]]}, "probabilities of example 2 are not numbers"),
        ({"probabilities": [[0.5, 0.5], [-0.5, 1.5]]}, "probabilities of example 2 are not numbers between"),
        ({"probabilities": [[0.5, 0.2], [0, 1]]}, "example 1 sum to 0.7, not to 1"),
        ({"probabilities": [[1.0], [1.0]]}, r"2 classes\), not \(2, 1\)"),
        ({"targets": [0]}, r"targets must have the shape \(2,\)"),
        ({"targets": [0, 2]}, "targets holds 2 at example 2.* 0 to 1"),
        ({"targets": [-1, 0]}, "targets holds -1 at example 1"),
        ({"targets": ["a", "b"]}, "class numbers"),
        ({"predictions": [0, 5]}, "predictions holds 5"),
        ({"sample_weight": [1, -1]}, "sample_weight of example 2 is -1"),
        ({"sample_weight": [np.nan, 1]}, "sample_weight of example 1 is nan"),
        ({"sample_weight": [0, 0]}, "zero for every example"),
        ({"sample_weight": [1]}, r"sample_weight must have the shape \(2,\)"),
        ({"targets": [], "probabilities": np.zeros((0, 2))}, "no examples"),
    ],
)
def test_wrong_arguments_get_one_clear_sentence(change, message):
    arguments = {"targets": [0, 1], "probabilities": [[0.5, 0.5], [0, 1]], "classes": ["a", "b"]} | change
    with pytest.raises(DataError, match=message):
        classification_metrics(**arguments)


def test_a_thousand_resamples_take_seconds_not_minutes():
    for examples, classes, limit in ((25_000, 2, 2), (2_500, 52, 4)):
        arguments = scored(examples, classes)
        started = time.process_time()
        classification_metrics(*arguments)
        assert time.process_time() - started < 2 * limit  # twice what a quiet machine needs at most


def test_many_examples_are_resampled_less_often_where_sorting_is_needed(monkeypatch):
    arguments = scored(400, 3)
    full = classification_metrics(*arguments)
    monkeypatch.setattr("seqwise.metrics.ranking.RANKING_STEPS", 400 * 3 * 150)
    fewer = classification_metrics(*arguments)
    assert full["accuracy"] == fewer["accuracy"]
    one, other = full["per_class"]["c0"]["pr_auc"], fewer["per_class"]["c0"]["pr_auc"]
    assert one["value"] == other["value"]
    assert one["low"] != other["low"]
    assert one["low"] == pytest.approx(other["low"], abs=0.03)


def test_metrics_import_neither_torch_nor_scikit_learn():
    code = "import sys, seqwise.metrics; print([m for m in ('torch', 'sklearn', 'numba', 'scipy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
