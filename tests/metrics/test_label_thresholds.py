import itertools

import numpy as np
import pytest
import sklearn.metrics as oracle

from seqwise.errors import ConfigurationError, DataError
from seqwise.metrics import choose_label_thresholds, parse_criterion

COSTS = np.array([[0.0, 1.0], [6.0, 0.0]])
CRITERIA = ["f1", "f2", "balanced_accuracy", "youden", "cost", "recall=0.8", "precision=0.7"]


def scored(examples=80, labels=4, seed=0):
    generator = np.random.default_rng(seed)
    targets = (generator.random((examples, labels)) < np.linspace(0.4, 0.06, labels)).astype(int)
    targets[: labels + 2, :] |= np.eye(labels + 2, labels, dtype=int)
    scores = 1 / (1 + np.exp(-(1.8 * targets - 1.5 + generator.normal(size=targets.shape))))
    return targets, scores.round(2)  # ties


def figure(criterion, targets, answers):
    """(whether the level is reached, what is to be large) of one label, by scikit-learn."""
    given = {"zero_division": 0.0}
    precision, recall = (f(targets, answers, **given) for f in (oracle.precision_score, oracle.recall_score))
    match criterion.name:
        case "f":
            return True, oracle.fbeta_score(targets, answers, beta=criterion.value, **given)
        case "recall":
            return (True, precision) if recall >= criterion.value else (False, recall)
        case "precision":
            return (True, recall) if precision >= criterion.value else (False, precision)
        case "cost":
            return True, -COSTS[targets, answers].mean()
        case "balanced_accuracy":
            return True, oracle.balanced_accuracy_score(targets, answers)
        case _:
            return True, 2 * oracle.balanced_accuracy_score(targets, answers) - 1


def cuts(scores):
    """Every threshold that tells two of the scores apart."""
    return [scores >= cut for cut in np.append(np.unique(scores), 2.0)]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", CRITERIA)
def test_without_shrinkage_no_threshold_of_any_label_is_better(name, seed):
    criterion = parse_criterion(name)
    targets, scores = scored(seed=seed)
    found = choose_label_thresholds(targets, scores, criterion, costs=COSTS, shrinkage=0)
    values = []
    for j in range(4):
        best = max(figure(criterion, targets[:, j], answers.astype(int)) for answers in cuts(scores[:, j]))
        ours = figure(criterion, targets[:, j], (scores[:, j] >= found.values[j]).astype(int))
        assert ours == (best[0], pytest.approx(best[1], abs=1e-12))
        assert found.reached[j] == best[0]
        values.append(ours[1])
    if name in ("f1", "f2", "balanced_accuracy", "youden"):
        assert found.after == pytest.approx(np.mean(values), abs=1e-12)
    if name == "cost":
        assert found.after == pytest.approx(-np.mean(values), abs=1e-12)


def test_macro_f1_is_the_best_of_every_combination_of_thresholds():
    targets, scores = scored(18, 2)
    found = choose_label_thresholds(targets, scores, parse_criterion("f1"), shrinkage=0)
    best = max(
        oracle.f1_score(targets, np.stack(both, axis=1), average="macro", zero_division=0.0)
        for both in itertools.product(*(cuts(scores[:, j]) for j in range(2)))
    )
    ours = oracle.f1_score(targets, scores >= found.values, average="macro", zero_division=0.0)
    assert ours == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy", "youden", "cost"])
def test_no_other_shared_threshold_is_better_for_the_mean_of_the_labels(name):
    criterion = parse_criterion(name)
    targets, scores = scored()

    def mean(threshold):
        answers = (scores >= threshold).astype(int)
        return np.mean([figure(criterion, targets[:, j], answers[:, j])[1] for j in range(4)])

    shared = choose_label_thresholds(targets, scores, criterion, costs=COSTS).shared
    assert mean(shared) == pytest.approx(max(mean(cut) for cut in np.append(np.unique(scores), 2.0)), abs=1e-12)


def test_a_label_without_examples_takes_the_shared_threshold_and_rare_ones_lie_between():
    targets, scores = scored(200)
    targets[:, 1] = 0
    criterion = parse_criterion("f1")
    own, drawn, shared = (choose_label_thresholds(targets, scores, criterion, shrinkage=s) for s in (0, 3, 1e9))
    assert own.values[1] == drawn.values[1] == pytest.approx(own.shared)
    np.testing.assert_allclose(shared.values, own.shared, rtol=1e-6)
    low, high = np.minimum(own.values, own.shared), np.maximum(own.values, own.shared)
    assert ((drawn.values >= low - 1e-12) & (drawn.values <= high + 1e-12)).all()
    odds = [np.log(v / (1 - v)) for v in (own.values, drawn.values, np.array([own.shared]))]
    k = targets[:, 3].sum()
    assert odds[1][3] == pytest.approx((k * odds[0][3] + 3 * odds[2][0]) / (k + 3))


def test_a_stated_recall_is_reached_by_every_label_by_itself():
    targets, scores = scored(200)
    found = choose_label_thresholds(targets, scores, parse_criterion("recall=0.9"))
    assert found.reached.all()
    assert (oracle.recall_score(targets, scores >= found.values, average=None) >= 0.9).all()


def test_the_order_of_the_examples_and_integer_weights_mean_what_they_should():
    targets, scores = scored(100)
    times = np.random.default_rng(0).integers(0, 3, 100)
    criterion = parse_criterion("f1")
    weighted = choose_label_thresholds(targets, scores, criterion, sample_weight=times, shrinkage=0)
    rows = np.random.default_rng(1).permutation(np.repeat(np.arange(100), times))
    repeated = choose_label_thresholds(targets[rows], scores[rows], criterion, shrinkage=0)
    for one, other in ((weighted.values, repeated.values), (weighted.shared, repeated.shared)):
        np.testing.assert_array_equal(scores[rows] >= one, scores[rows] >= other)
    assert (weighted.before, weighted.after) == pytest.approx((repeated.before, repeated.after))


def test_certain_probabilities_and_labels_that_all_have_are_no_trouble():
    targets = np.array([[1, 1, 0], [0, 1, 0], [1, 1, 0], [0, 1, 0]])
    scores = np.array([[1.0, 1.0, 0.0], [0.0, 0.4, 1e-30], [1.0, 1.0, 0.0], [0.0, 0.2, 0.0]])
    for name in ("f1", "recall=1", "precision=1", "balanced_accuracy"):
        found = choose_label_thresholds(targets, scores, parse_criterion(name))
        assert ((found.values > 0) & (found.values <= 1)).all()
        np.testing.assert_array_equal((scores >= found.values)[:, 0], targets[:, 0])


def test_wrong_arguments_are_named():
    targets, scores = scored()
    with pytest.raises(ConfigurationError, match="needs costs"):
        choose_label_thresholds(targets, scores, parse_criterion("cost"))
    with pytest.raises(ConfigurationError, match="costs of 4 labels"):
        choose_label_thresholds(targets, scores, parse_criterion("cost"), costs=np.ones((3, 3)))
    with pytest.raises(ConfigurationError, match="shrinkage"):
        choose_label_thresholds(targets, scores, parse_criterion("f1"), shrinkage=-1)
    with pytest.raises(DataError, match="targets"):
        choose_label_thresholds(targets[:, 0], scores, parse_criterion("f1"))
