import itertools
import json

import numpy as np
import pytest
import sklearn.metrics as oracle

from seqwise.errors import ConfigurationError, DataError
from seqwise.metrics import multilabel_metrics, paired_difference, quick_label_figures


def scored(examples=250, labels=5, seed=0):
    """Some examples without labels, labels that go together, the last one rare."""
    generator = np.random.default_rng(seed)
    common = generator.normal(size=(examples, 1))
    targets = (common + generator.normal(size=(examples, labels)) > np.linspace(0, 2.2, labels)).astype(int)
    logits = 2.5 * targets - 1.6 + generator.normal(size=(examples, labels))
    return targets, 1 / (1 + np.exp(-logits)), [f"l{j}" for j in range(labels)]


@pytest.mark.parametrize("weighted", [False, True])
def test_the_block_holds_what_scikit_learn_computes(weighted):
    targets, probabilities, labels = scored()
    weights = np.random.default_rng(1).uniform(0, 3, 250) if weighted else None
    thresholds = np.linspace(0.3, 0.6, 5)
    answers = (probabilities >= thresholds).astype(int)
    block = multilabel_metrics(targets, probabilities, labels, predictions=answers, sample_weight=weights, resamples=20)
    given = {"sample_weight": weights}
    both = {"zero_division": 1.0, **given}
    expected = {
        "micro_f1": oracle.f1_score(targets, answers, average="micro", **given),
        "macro_f1": oracle.f1_score(targets, answers, average="macro", **given),
        "samples_f1": oracle.f1_score(targets, answers, average="samples", **both),
        "micro_precision": oracle.precision_score(targets, answers, average="micro", **given),
        "micro_recall": oracle.recall_score(targets, answers, average="micro", **given),
        "macro_precision": oracle.precision_score(targets, answers, average="macro", **given),
        "macro_recall": oracle.recall_score(targets, answers, average="macro", **given),
        "mean_average_precision": oracle.average_precision_score(targets, probabilities, average="macro", **given),
        "subset_accuracy": oracle.accuracy_score(targets, answers, **given),
        "hamming_loss": oracle.hamming_loss(targets, answers, **given),
        "log_loss": np.mean([oracle.log_loss(targets[:, j], probabilities[:, j], **given) for j in range(5)]),
        "label_cardinality": np.average(targets.sum(1), weights=weights),
        "predicted_cardinality": np.average(answers.sum(1), weights=weights),
    }
    for name, value in expected.items():
        assert block[name]["value"] == pytest.approx(value, rel=1e-12), name
        assert block[name]["low"] <= block[name]["value"] <= block[name]["high"], name
    for j, name in enumerate(labels):
        own = block["per_class"][name]
        for key, function in (
            ("precision", oracle.precision_score),
            ("recall", oracle.recall_score),
            ("f1", oracle.f1_score),
        ):
            assert own[key]["value"] == pytest.approx(function(targets[:, j], answers[:, j], **given), rel=1e-12)
        area = oracle.average_precision_score(targets[:, j], probabilities[:, j], **given)
        assert own["pr_auc"]["value"] == pytest.approx(area, rel=1e-12)
        assert (own["support"], own["predicted"]) == (targets[:, j].sum(), answers[:, j].sum())
        assert ("weight" in own) == weighted
    np.testing.assert_array_equal(block["together"]["counts"], targets.T @ targets)
    assert block["kind"] == "multilabel"
    assert block["examples"] == 250
    json.dumps(block, allow_nan=False)


def test_the_calibration_error_is_counted_over_all_decisions():
    targets, probabilities, labels = scored()
    edges = np.linspace(0, 1, 16)
    error = 0.0
    for low, high in itertools.pairwise(edges):
        inside = (probabilities > low) & (probabilities <= high)
        if inside.any():
            error += inside.mean() * abs(probabilities[inside].mean() - targets[inside].mean())
    block = multilabel_metrics(targets, probabilities, labels, resamples=0)
    assert block["expected_calibration_error"]["value"] == pytest.approx(error, rel=1e-12)


def test_every_interval_is_that_of_resampling_the_examples_one_by_one():
    targets, probabilities, labels = scored(200, 3)
    generator = np.random.default_rng(8)
    weights = generator.uniform(0.1, 3, 200)
    block = multilabel_metrics(targets, probabilities, labels, sample_weight=weights, resamples=3000)
    drawn = [generator.integers(0, 200, 200) for _ in range(1200)]
    alone = [
        multilabel_metrics(targets[i], probabilities[i], labels, sample_weight=weights[i], resamples=0) for i in drawn
    ]
    single = [name for name, value in block.items() if isinstance(value, dict) and "low" in value]
    paths = [(name,) for name in single] + [("per_class", "l2", key) for key in ("precision", "recall", "f1", "pr_auc")]
    for path in paths:

        def pick(one, path=path):
            for key in path:
                one = one[key]
            return one

        values = np.array([pick(one)["value"] for one in alone], dtype=float)
        low, high = np.quantile(values[np.isfinite(values)], [0.025, 0.975])
        width = high - low
        assert pick(block)["low"] == pytest.approx(low, abs=0.15 * width), path
        assert pick(block)["high"] == pytest.approx(high, abs=0.15 * width), path


def test_integer_weights_repeat_examples():
    targets, probabilities, labels = scored(60)
    times = np.random.default_rng(3).integers(0, 4, 60)
    weighted = multilabel_metrics(targets, probabilities, labels, sample_weight=times, resamples=0)
    rows = np.repeat(np.arange(60), times)
    repeated = multilabel_metrics(targets[rows], probabilities[rows], labels, resamples=0)
    for name, value in repeated.items():
        if isinstance(value, dict) and "value" in value:
            assert weighted[name]["value"] == pytest.approx(value["value"], rel=1e-12), name


def test_what_is_undefined_is_none_and_left_out_of_the_averages():
    targets = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 0]])
    probabilities = np.array([[0.9, 0.1, 0.2], [0.8, 0.2, 0.7], [0.1, 0.3, 0.1]])
    block = multilabel_metrics(targets, probabilities, ["a", "never", "said"], resamples=0)
    assert block["per_class"]["never"]["f1"]["value"] is None
    assert block["per_class"]["never"]["pr_auc"]["value"] is None
    assert block["per_class"]["said"]["recall"]["value"] is None
    assert block["macro_f1"]["value"] == pytest.approx((1 + 0) / 2)
    assert block["mean_average_precision"]["value"] == 1.0
    assert block["samples_f1"]["value"] == pytest.approx((1 + 2 / 3 + 1) / 3)


def test_quick_figures_are_those_of_the_full_evaluation():
    targets, probabilities, labels = scored()
    weights = np.random.default_rng(1).uniform(0, 3, 250)
    block = multilabel_metrics(targets, probabilities, labels, sample_weight=weights, resamples=0)
    for name, value in quick_label_figures(targets.astype(bool), probabilities, weights).items():
        assert value == pytest.approx(block[name]["value"], rel=1e-12)


@pytest.mark.parametrize("metric", ["macro_f1", "micro_f1", "samples_f1", "subset_accuracy", "hamming_loss"])
def test_the_paired_difference_is_the_difference_of_the_figures(metric):
    targets, good, labels = scored()
    poor = np.random.default_rng(4).uniform(size=good.shape)
    weights = np.random.default_rng(5).uniform(0, 3, 250)
    blocks = [
        multilabel_metrics(targets, p, labels, sample_weight=weights, resamples=500)[metric] for p in (good, poor)
    ]
    difference = paired_difference(targets, good >= 0.5, poor >= 0.5, metric, sample_weight=weights, resamples=500)
    assert difference["value"] == pytest.approx(blocks[0]["value"] - blocks[1]["value"], rel=1e-9)
    assert difference["low"] > 0 or difference["high"] < 0
    same = paired_difference(targets, good >= 0.5, good >= 0.5, metric, resamples=20)
    assert same == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_the_paired_interval_is_that_of_resampling_the_examples_one_by_one():
    targets, good, _ = scored(120, 3)
    a, b = (good >= 0.5).astype(int), (good >= 0.3).astype(int)
    generator = np.random.default_rng(2)
    drawn = [generator.integers(0, 120, 120) for _ in range(1000)]
    for metric in ("macro_f1", "micro_f1"):
        both = [
            [multilabel_metrics(targets[i], p[i], "abc", resamples=0)[metric]["value"] for p in (a, b)] for i in drawn
        ]
        values = np.diff(np.array(both)[:, ::-1], axis=1)
        low, high = np.quantile(values, [0.025, 0.975])
        got = paired_difference(targets, a, b, metric, resamples=3000)
        assert got["low"] == pytest.approx(low, abs=0.15 * (high - low))
        assert got["high"] == pytest.approx(high, abs=0.15 * (high - low))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": np.zeros((3, 3), dtype=int)}, r"targets must have the shape \(3, 2\)"),
        ({"targets": np.array([[0, 1], [2, 0], [0, 0]])}, "targets of example 2 are not all 0 or 1"),
        ({"probabilities": np.full((3, 3), 0.5)}, r"must have the shape \(examples, 2 labels\)"),
        ({"probabilities": np.array([[0.5, 0.5], [0.5, np.nan], [0, 1]])}, "probabilities of example 2"),
        ({"probabilities": np.array([[0.5, 0.5], [0.5, 0.1], [0, 1.2]])}, "probabilities of example 3"),
        ({"predictions": np.full((3, 2), 0.5)}, "predictions of example 1 are not all 0 or 1"),
        ({"sample_weight": [1, -1, 0]}, "sample_weight of example 2"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    given = {"targets": np.zeros((3, 2), dtype=int), "probabilities": np.full((3, 2), 0.5)} | change
    with pytest.raises(DataError, match=message):
        multilabel_metrics(given.pop("targets"), given.pop("probabilities"), ["a", "b"], **given)


def test_wrong_comparisons_are_named():
    targets = np.zeros((3, 2), dtype=int)
    with pytest.raises(ConfigurationError, match="no metric 'mcc'; choose from micro_f1"):
        paired_difference(targets, targets, targets, "mcc")
    with pytest.raises(DataError, match="predictions_b must have the shape"):
        paired_difference(targets, targets, targets[:, :1])
