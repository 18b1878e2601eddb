import itertools

import numpy as np
import pytest
import sklearn.metrics as oracle

from seqwise.errors import DataError
from seqwise.metrics import (
    class_groups,
    classification_metrics,
    classwise_calibration_error,
    multilabel_metrics,
    precision_at_recall,
    recall_at_precision,
)
from seqwise.metrics.ranking import ResampledRanking

LEVELS = (0.05, 0.5, 0.8, 0.9, 0.99, 1.0)


@pytest.fixture(params=["distinct scores", "ties", "weights"])
def ranked(request):
    generator = np.random.default_rng(9)
    positive = generator.random(150) < 0.2
    scores = np.clip(generator.normal(0.4 + 0.2 * positive, 0.2), 0, 1)
    if request.param == "ties":
        scores = scores.round(1)
    return positive, scores, generator.uniform(0.1, 3, 150) if request.param == "weights" else None


def scored(examples=300, classes=3, seed=0):
    generator = np.random.default_rng(seed)
    targets = generator.choice(classes, examples, p=[0.7, 0.2, 0.1, *[0.0] * (classes - 3)][:classes])
    logits = generator.normal(size=(examples, classes))
    logits[np.arange(examples), targets] += 1.5
    probabilities = np.exp(logits)
    return targets, probabilities / probabilities.sum(axis=1, keepdims=True), [f"c{j}" for j in range(classes)]


@pytest.mark.parametrize("level", LEVELS)
def test_no_threshold_at_all_is_better_at_a_level(ranked, level):
    positive, scores, weights = ranked
    given = {"sample_weight": weights, "zero_division": 0.0}
    pairs = [
        (
            oracle.precision_score(positive, scores >= cut, **given),
            oracle.recall_score(positive, scores >= cut, **given),
        )
        for cut in np.append(np.unique(scores), 2.0)
    ]
    best = max(precision for precision, recall in pairs if recall >= level - 1e-9)
    assert precision_at_recall(positive, scores, level, weights) == pytest.approx(best)
    best = max((recall for precision, recall in pairs if precision >= level - 1e-9), default=0.0)
    assert recall_at_precision(positive, scores, level, weights) == pytest.approx(best)


def test_a_level_that_is_not_reached_gives_nothing_and_no_positives_are_undefined():
    assert recall_at_precision([False, True], [0.9, 0.1], 0.9) == 0.0
    assert np.isnan(recall_at_precision([False, False], [0.9, 0.1], 0.9))
    assert np.isnan(precision_at_recall([False, True], [0.9, 0.1], 0.9, [1.0, 0.0]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_many_weightings_at_once_give_what_each_gives_alone(ranked, dtype):
    positive, scores, _ = ranked
    counts = np.random.default_rng(1).integers(0, 3, (150, 6)).astype(dtype)
    together = ResampledRanking(positive, scores, LEVELS)(counts.copy())
    for column, weights in enumerate(counts.T.astype(np.float64)):
        alone = [precision_at_recall(positive, scores, level, weights) for level in LEVELS]
        alone += [recall_at_precision(positive, scores, level, weights) for level in LEVELS]
        np.testing.assert_allclose(together[1:, column], alone, rtol=1e-12 if dtype == np.float64 else 1e-6)


def test_the_block_holds_the_levels_of_every_class_and_more_for_the_class_of_interest():
    targets, probabilities, classes = scored()
    block = classification_metrics(targets, probabilities, classes, positive="c2", resamples=100)
    for number, name in enumerate(classes):
        own = block["per_class"][name]
        levels = ["0.9", "0.5", "0.8", "0.95", "0.99"] if name == "c2" else ["0.9"]
        assert list(own["recall_at_precision"]) == list(own["precision_at_recall"]) == levels
        for key, function in (
            ("recall_at_precision", recall_at_precision),
            ("precision_at_recall", precision_at_recall),
        ):
            for level in levels:
                expected = function(targets == number, probabilities[:, number], float(level))
                assert own[key][level]["value"] == pytest.approx(expected, rel=1e-12)
                assert own[key][level]["low"] <= expected <= own[key][level]["high"] + 1e-12
    assert block["recall_at_precision"] == block["per_class"]["c2"]["recall_at_precision"]


def test_of_two_classes_the_rarer_one_is_of_interest_unless_named():
    targets = np.array([0, 0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6], [0.1, 0.9]])
    block = classification_metrics(targets, probabilities, ["a", "b"], resamples=0)
    assert len(block["per_class"]["b"]["recall_at_precision"]) == 5
    assert len(block["per_class"]["a"]["recall_at_precision"]) == 1
    named = classification_metrics(targets, probabilities, ["a", "b"], positive="a", resamples=0)
    assert len(named["per_class"]["a"]["recall_at_precision"]) == 5


@pytest.mark.parametrize("weighted", [False, True])
def test_the_expected_cost_is_the_mean_of_the_table(weighted):
    targets, probabilities, classes = scored()
    weights = np.random.default_rng(1).uniform(0, 3, 300) if weighted else None
    costs = np.array([[0.0, 1, 2], [5, 0, 1], [20, 7, 0]])
    block = classification_metrics(targets, probabilities, classes, costs=costs, sample_weight=weights, resamples=2000)
    each = costs[targets, probabilities.argmax(axis=1)]
    found = block["expected_cost"]
    assert found["value"] == pytest.approx(np.average(each, weights=weights))
    if not weighted:
        error = each.std() / np.sqrt(300)
        assert found["low"] == pytest.approx(each.mean() - 1.96 * error, abs=0.3 * error)
        assert found["high"] == pytest.approx(each.mean() + 1.96 * error, abs=0.3 * error)


def test_of_labels_the_expected_cost_is_that_of_a_decision():
    targets = np.array([[1, 0], [0, 1], [1, 1]])
    probabilities = np.array([[0.2, 0.7], [0.1, 0.9], [0.9, 0.8]])
    costs = np.array([[[0.0, 1], [10, 0]], [[0.0, 3], [5, 0]]])
    block = multilabel_metrics(targets, probabilities, ["a", "b"], costs=costs, resamples=0)
    assert block["expected_cost"]["value"] == pytest.approx((10 + 3) / 6)


def test_every_class_has_its_calibration_error():
    targets, probabilities, classes = scored()
    block = classification_metrics(targets, probabilities, classes, resamples=200)
    expected = classwise_calibration_error(targets, probabilities)
    for value, name in zip(expected, classes, strict=True):
        found = block["per_class"][name]["calibration_error"]
        assert found["value"] == pytest.approx(value)
        assert found["low"] <= value <= found["high"]


def test_groups_hold_every_class_once_and_the_head_is_the_largest():
    counts = np.array([5, 900, 30, 30, 1, 200, 60])
    groups = class_groups(counts)
    assert [group.name for group in groups] == ["head", "medium", "tail"]
    assert sorted(number for group in groups for number in group.numbers) == list(range(7))
    for larger, smaller in itertools.pairwise(groups):
        assert larger.fewest >= smaller.most
    assert groups[0] == ("head", [1, 5], 200, 900)


def test_stated_bounds_make_the_groups_of_long_tailed_recognition():
    groups = class_groups([5, 900, 20, 100, 101], (20, 100))
    assert groups == [("head", [1, 4], 101, 900), ("medium", [3, 2], 20, 100), ("tail", [0], 5, 5)]
    assert [group.name for group in class_groups([500, 200], (20, 100))] == ["head"]


def test_few_classes_make_no_groups():
    assert class_groups([5, 4, 3, 2, 1]) == []


@pytest.mark.parametrize("kind", ["classes", "labels"])
def test_the_figures_of_a_group_are_means_over_its_classes(kind):
    generator = np.random.default_rng(0)
    counts = [100, 50, 20, 10, 5, 2]
    names = [f"c{j}" for j in range(6)]
    if kind == "classes":
        targets = np.append(generator.choice(6, 294, p=np.array(counts) / sum(counts)), np.arange(6))
        logits = generator.normal(size=(300, 6)) + 2 * np.eye(6)[targets]
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        block = classification_metrics(targets, probabilities, names, counts=counts, resamples=100)
        recalls = oracle.recall_score(targets, probabilities.argmax(axis=1), average=None)
    else:
        targets = (generator.random((300, 6)) < 0.2).astype(int)
        probabilities = np.clip(0.4 * targets + generator.random((300, 6)) * 0.6, 0, 1)
        block = multilabel_metrics(targets, probabilities, names, counts=counts, resamples=100)
        recalls = oracle.recall_score(targets, probabilities >= 0.5, average=None)
    assert list(block["groups"]) == ["head", "medium", "tail"]
    for number, group in enumerate(block["groups"].values()):
        assert group["classes"] == names[2 * number : 2 * number + 2]
        assert (group["most"], group["fewest"]) == tuple(counts[2 * number : 2 * number + 2])
        assert group["recall"]["value"] == pytest.approx(recalls[2 * number : 2 * number + 2].mean())
        assert group["recall"]["low"] <= group["recall"]["value"] <= group["recall"]["high"]


def test_wrong_arguments_are_named():
    targets, probabilities, classes = scored()
    with pytest.raises(DataError, match=r"costs must be finite numbers of the shape \(3, 3\)"):
        classification_metrics(targets, probabilities, classes, costs=np.ones((2, 2)))
    with pytest.raises(DataError, match=r"counts must be finite numbers of the shape \(3,\)"):
        classification_metrics(targets, probabilities, classes, counts=[1, 2])
    with pytest.raises(DataError, match="counts must be the number"):
        class_groups([1, -2])
    with pytest.raises(DataError, match="bounds must be two rising numbers"):
        class_groups([1, 2], (100, 20))
