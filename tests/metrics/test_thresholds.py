import numpy as np
import pytest
import sklearn.metrics as oracle

from seqwise.errors import ConfigurationError
from seqwise.metrics import Criterion, choose_thresholds, decide, parse_criterion

CRITERIA = ["f1", "f2", "f0.5", "recall=0.8", "precision=0.7", "cost", "balanced_accuracy", "youden"]
COSTS = np.array([[0.0, 1.0], [7.0, 0.0]])


def scored(examples, classes=2, seed=0, shares=(0.8, 0.2)):
    generator = np.random.default_rng(seed)
    targets = generator.choice(classes, size=examples, p=shares)
    logits = generator.normal(size=(examples, classes))
    logits[np.arange(examples), targets] += 1.0
    powers = np.exp(logits)
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    if classes == 2:  # ties, exact ones
        second = np.round(probabilities[:, 1], 2)
        probabilities = np.stack([1 - second, second], axis=1)
    return targets, probabilities


def figure(criterion, targets, predictions):
    """(whether the level is reached, what is to be large), by scikit-learn."""
    given = {"zero_division": 0.0}
    precision = oracle.precision_score(targets, predictions, **given)
    recall = oracle.recall_score(targets, predictions, **given)
    match criterion.name:
        case "f":
            return True, oracle.fbeta_score(targets, predictions, beta=criterion.value, **given)
        case "recall":
            return (True, precision) if recall >= criterion.value else (False, recall)
        case "precision":
            return (True, recall) if precision >= criterion.value else (False, precision)
        case "cost":
            return True, -COSTS[targets, predictions].mean()
        case "balanced_accuracy":
            return True, oracle.balanced_accuracy_score(targets, predictions)
        case _:
            return True, 2 * oracle.balanced_accuracy_score(targets, predictions) - 1


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CRITERIA)
def test_of_two_classes_no_threshold_at_all_is_better(name, seed):
    criterion = parse_criterion(name)
    targets, probabilities = scored(60, seed=seed)
    found = choose_thresholds(targets, probabilities, criterion, positive=1, costs=COSTS)
    scores = probabilities[:, 1]
    every = [scores >= cut for cut in np.append(scores, 2.0)]
    best = max(figure(criterion, targets, predictions.astype(int)) for predictions in every)
    ours = figure(criterion, targets, decide(probabilities, found.values))
    assert ours == (best[0], pytest.approx(best[1], abs=1e-12))
    assert found.reached == best[0]


@pytest.mark.parametrize("name", ["f1", "cost", "balanced_accuracy", "youden"])
def test_of_many_classes_no_single_threshold_can_be_moved_for_the_better(name):
    criterion, costs = parse_criterion(name), np.array([[0, 1, 1], [2, 0, 1], [9, 3, 0]])
    targets, probabilities = scored(90, 3, seed=4, shares=(0.7, 0.2, 0.1))

    def value(thresholds):
        predictions = decide(probabilities, thresholds)
        recalls = oracle.recall_score(targets, predictions, average=None)
        match name:
            case "f1":
                return oracle.f1_score(targets, predictions, average="macro")
            case "cost":
                return -costs[targets, predictions].mean()
            case "balanced_accuracy":
                return recalls.mean()
        false = [((predictions == j) & (targets != j)).sum() / (targets != j).sum() for j in range(3)]
        return (recalls - false).mean()

    found = choose_thresholds(targets, probabilities, criterion, costs=costs)
    here, plain = value(found.values), value(np.ones(3))
    assert abs(found.after) == pytest.approx(abs(here))
    assert abs(found.before) == pytest.approx(abs(plain))
    assert here > plain
    for number in range(3):
        for factor in np.exp(np.linspace(-6, 6, 1201)):
            moved = found.values.copy()
            moved[number] *= factor
            assert value(moved) <= here + 1e-12


def test_a_class_of_interest_among_many_moves_alone():
    targets, probabilities = scored(300, 3, seed=1, shares=(0.6, 0.3, 0.1))
    found = choose_thresholds(targets, probabilities, parse_criterion("recall=0.9"), positive=2)
    predictions = decide(probabilities, found.values)
    assert ((predictions == 2) & (targets == 2)).sum() >= 0.9 * (targets == 2).sum()
    assert found.after == pytest.approx(oracle.recall_score(targets, predictions, average=None)[2])
    assert found.values[0] == pytest.approx(found.values[1])


def test_thresholds_of_two_classes_sum_to_one_so_that_the_second_is_the_probability_to_reach():
    targets, probabilities = scored(200, seed=2)
    found = choose_thresholds(targets, probabilities, parse_criterion("f1"))
    np.testing.assert_array_equal(
        decide(probabilities, found.values), (probabilities[:, 1] > found.values[1]).astype(int)
    )
    assert found.values.sum() == pytest.approx(1)


def test_the_best_cost_of_calibrated_probabilities_is_near_the_threshold_of_theory():
    generator = np.random.default_rng(0)
    scores = generator.random(200_000)
    targets = (generator.random(200_000) < scores).astype(int)
    probabilities = np.stack([1 - scores, scores], axis=1)
    found = choose_thresholds(targets, probabilities, Criterion("cost"), costs=COSTS)
    assert found.values[1] == pytest.approx(1 / 8, abs=0.02)  # costs 1 and 7 (Elkan 2001)


def test_a_weight_counts_like_as_many_copies():
    targets, probabilities = scored(150, 3, seed=5, shares=(0.6, 0.3, 0.1))
    copies = np.random.default_rng(6).integers(0, 4, 150)
    weighted = choose_thresholds(targets, probabilities, parse_criterion("f1"), sample_weight=copies)
    repeated = choose_thresholds(np.repeat(targets, copies), np.repeat(probabilities, copies, 0), parse_criterion("f1"))
    assert weighted.after == pytest.approx(repeated.after)


def test_probabilities_of_zero_and_one_are_never_moved():
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])
    found = choose_thresholds([1, 0, 1, 0], probabilities, parse_criterion("recall=1"), positive=1)
    assert not found.reached
    assert found.after == 0


def test_where_every_threshold_is_alike_there_is_none():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    np.testing.assert_array_equal(choose_thresholds([0, 1], probabilities, parse_criterion("f1")).values, [0.5, 0.5])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recal=0.9", "did you mean recall"),
        ("presicion=0.9", "did you mean precision"),
        ("xyz", "there are f1, recall"),
        ("recall", "recall=0.9"),
        ("recall=1.5", "above 0 and at most 1"),
        ("precision=nan", "above 0 and at most 1"),
        ("f0", "f1, f2 or f0.5"),
        ("f1=2", "f1, f2 or f0.5"),
        ("cost=3", "takes no value"),
    ],
)
def test_an_unknown_criterion_is_refused(text, message):
    with pytest.raises(ConfigurationError, match=message):
        parse_criterion(text)


def test_what_a_criterion_lacks_is_named():
    targets, probabilities = scored(60, 3, shares=(0.6, 0.3, 0.1))
    with pytest.raises(ConfigurationError, match="needs costs"):
        choose_thresholds(targets, probabilities, parse_criterion("cost"))
    with pytest.raises(ConfigurationError, match="--positive"):
        choose_thresholds(targets, probabilities, parse_criterion("recall=0.5"))
    with pytest.raises(ConfigurationError, match="3 x 3"):
        choose_thresholds(targets, probabilities, parse_criterion("cost"), costs=COSTS)


@pytest.mark.parametrize("text", ["f1", "f0.5", "recall=0.9", "cost"])
def test_a_criterion_is_written_as_it_is_read(text):
    assert str(parse_criterion(text)) == text
