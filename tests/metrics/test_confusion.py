import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from seqwise.metrics import confusion_matrix
from seqwise.metrics.confusion import OVERALL, PER_CLASS, marginals
from seqwise.metrics.intervals import cells

EXACT = 1e-12  # float64 sums of a few hundred terms


def counted(targets, predictions, classes, weights=None):
    groups = cells(np.asarray(targets), np.asarray(predictions), weights=weights)
    return marginals(*groups.labels, (groups.examples * groups.weight)[None], classes)


@pytest.fixture(params=[False, True], ids=["counts", "weights"])
def labelled(request):
    generator = np.random.default_rng(3)
    targets = generator.integers(0, 6, 300)
    predictions = np.where(generator.random(300) < 0.6, targets, generator.integers(0, 7, 300))
    predictions[predictions == 2] = 1  # class 2 is never predicted, class 6 never there
    return targets, predictions, generator.uniform(0, 4, 300).round(1) if request.param else None


def test_confusion_matrix_is_that_of_scikit_learn(labelled):
    targets, predictions, weights = labelled
    ours = confusion_matrix(targets, predictions, 7, weights)
    theirs = oracle.confusion_matrix(targets, predictions, labels=range(7), sample_weight=weights)
    np.testing.assert_allclose(ours, theirs, rtol=EXACT)
    assert np.issubdtype(ours.dtype, np.integer) == (weights is None)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true:UserWarning")
@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("accuracy", oracle.accuracy_score),
        ("balanced_accuracy", oracle.balanced_accuracy_score),
        ("macro_f1", lambda t, p, sample_weight: oracle.f1_score(t, p, average="macro", sample_weight=sample_weight)),
        (
            "weighted_f1",
            lambda t, p, sample_weight: oracle.f1_score(t, p, average="weighted", sample_weight=sample_weight),
        ),
        ("mcc", oracle.matthews_corrcoef),
    ],
)
def test_overall_figures_are_those_of_scikit_learn(labelled, name, theirs):
    targets, predictions, weights = labelled
    ours = OVERALL[name](counted(targets, predictions, 8, weights))[0]
    assert ours == pytest.approx(theirs(targets, predictions, sample_weight=weights), rel=EXACT)


def test_figures_by_class_are_those_of_scikit_learn_where_it_defines_them(labelled):
    targets, predictions, weights = labelled
    theirs = oracle.precision_recall_fscore_support(
        targets, predictions, labels=range(7), sample_weight=weights, zero_division=0
    )
    m = counted(targets, predictions, 7, weights)
    ours = {name: function(m)[0] for name, function in PER_CLASS.items()}
    np.testing.assert_allclose(ours["precision"], theirs[0], rtol=EXACT)
    assert np.isnan(ours["recall"][6]), "a class without examples has nothing to recall"
    np.testing.assert_allclose(ours["recall"][:6], theirs[1][:6], rtol=EXACT)
    np.testing.assert_allclose(ours["f1"], theirs[2], rtol=EXACT)
    assert ours["precision"][2] == 0, "never predicted"


def test_a_class_neither_there_nor_predicted_changes_no_average(labelled):
    targets, predictions, weights = labelled
    few, many = counted(targets, predictions, 7, weights), counted(targets, predictions, 20, weights)
    for name, function in OVERALL.items():
        assert function(few)[0] == pytest.approx(function(many)[0], rel=EXACT), name
    assert all(np.isnan(function(many)[0, 7:]).all() for function in PER_CLASS.values())


@pytest.mark.filterwarnings("ignore:A single label was found:UserWarning")
@pytest.mark.parametrize("constant", ["targets", "predictions", "both"])
def test_mcc_is_zero_when_one_side_holds_a_single_class(constant):
    mixed, same = np.array([0, 1, 2, 1]), np.zeros(4, dtype=int)
    pair = {"targets": (same, mixed), "predictions": (mixed, same), "both": (same, same)}[constant]
    for weights in (None, np.array([0.1, 0.3, 0.7, 0.2])):
        assert OVERALL["mcc"](counted(*pair, 3, weights))[0] == 0
        assert oracle.matthews_corrcoef(*pair, sample_weight=weights) == 0


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_stack_of_matrices_gives_what_each_gives_alone(data):
    classes = data.draw(st.integers(1, 6))
    label = st.lists(st.integers(0, classes - 1), min_size=5, max_size=5)
    of, predicted = np.array(data.draw(label)), np.array(data.draw(label))
    sums = np.array(data.draw(st.lists(st.lists(st.integers(0, 9), min_size=5, max_size=5), min_size=3, max_size=3)))
    together = marginals(of, predicted, sums.astype(float), classes)
    for row in range(3):
        alone = marginals(of, predicted, sums[row : row + 1].astype(float), classes)
        for function in OVERALL.values():
            np.testing.assert_allclose(function(together)[row], function(alone)[0], rtol=EXACT)


def test_grouping_loses_no_example_and_no_weight():
    generator = np.random.default_rng(0)
    a, b = generator.integers(0, 3, (2, 200))
    weights = generator.integers(0, 3, 200) / 2
    groups = cells(a, b, weights=weights)
    assert groups.examples.sum() == 200
    assert len(groups.examples) == len({*zip(a, b, weights, strict=True)})
    rebuilt = np.zeros((3, 3))
    np.add.at(rebuilt, tuple(groups.labels), groups.examples * groups.weight)
    np.testing.assert_allclose(rebuilt, confusion_matrix(a, b, 3, weights), rtol=EXACT)
