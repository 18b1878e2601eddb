"""Examples with several labels, from `fit` to the loaded folder."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import f1_score

from seqwise import SequenceClassifier
from seqwise.errors import ConfigurationError, DataError
from seqwise.estimators.joining import fit_label_scales
from seqwise.estimators.labels import LabelCode
from seqwise.metrics import LabelCalibration, choose_label_thresholds, parse_criterion
from seqwise.prediction import Predictor

WORDS = {"a": ["ape", "ant"], "b": ["bee", "bat"], "c": ["cat", "cow"]}
SHARES = {"a": 0.6, "b": 0.3, "c": 0.1}


def tagged(rows, seed):
    """Texts in which every label shows by a word of its own, four times in five."""
    random = np.random.default_rng(seed)
    texts, sets = [], []
    for _ in range(rows):
        labels = [label for label, share in SHARES.items() if random.random() < share]
        words = [str(random.choice(WORDS[label])) for label in labels if random.random() < 0.8]
        words += random.choice(["x", "y", "z"], 3).tolist()
        random.shuffle(words)
        texts.append(" ".join(words))
        sets.append(labels)
    return texts, sets


@pytest.fixture(scope="module", params=["wide_deep", "recurrent", "linear"])
def fitted(request):
    quick = {"epochs": 25, "hidden_size": 16, "embedding_size": 16, "device": "cpu"}
    return SequenceClassifier(architecture=request.param, **quick).fit(*tagged(700, 0))


def test_labels_are_learned_each_by_itself(fitted):
    texts, sets = tagged(300, 1)
    matrix = np.array([[label in labels for label in "abc"] for labels in sets])
    probabilities = fitted.predict_proba(texts)
    assert probabilities.shape == (300, 3)
    assert np.ptp(probabilities.sum(axis=1)) > 0.5, "labels do not share one unit of probability"
    answers = fitted.predict(texts)
    said = np.array([[label in labels for label in "abc"] for labels in answers])
    np.testing.assert_array_equal(said, probabilities >= fitted.labels_["thresholds"])
    assert f1_score(matrix, said, average="macro") > 0.65
    assert f1_score(matrix, np.ones_like(matrix), average="macro") < 0.55


def test_probabilities_are_about_as_large_as_the_shares(fitted):
    texts, _ = tagged(2000, 2)
    np.testing.assert_allclose(fitted.predict_proba(texts).mean(axis=0), list(SHARES.values()), atol=0.06)


def test_thresholds_are_chosen_on_the_validation_part_after_the_calibration(fitted):
    _, targets, probabilities = fitted.validation_
    asymmetric = fitted.settings_.imbalance.loss == "asymmetric"
    assert asymmetric == ("recurrent" in fitted.fitted_.module.parts), "the default for labels"
    assert (fitted.decisions_["calibration"] is not None) == asymmetric, "what the loss distorts"
    if asymmetric:
        probabilities = LabelCalibration.from_dict(fitted.decisions_["calibration"], 3)(probabilities)
    chosen = choose_label_thresholds(targets, probabilities, parse_criterion("f1"))
    np.testing.assert_allclose(fitted.decisions_["thresholds"], chosen.values, rtol=1e-12)


def test_a_loaded_folder_gives_the_same_labels(fitted, tmp_path):
    texts, _ = tagged(50, 3)
    fitted.save(tmp_path / "m")
    expected = fitted.predict(texts).tolist()
    assert Predictor.load(tmp_path / "m", device="cpu").predict(texts) == expected
    again = SequenceClassifier.load(tmp_path / "m", device="cpu")
    assert again.predict(texts).tolist() == expected
    assert again.labels_ == fitted.labels_


def test_a_matrix_of_labels_gives_matrices():
    texts, sets = tagged(300, 0)
    matrix = np.array([[int(label in labels) for label in "abc"] for labels in sets])
    quick = SequenceClassifier(architecture="linear", seed=3)
    by_matrix, by_lists = clone(quick).fit(texts, matrix), clone(quick).fit(texts, sets)
    np.testing.assert_array_equal(by_matrix.predict_proba(texts), by_lists.predict_proba(texts))
    assert by_matrix.predict(texts).shape == (300, 3)
    assert by_matrix.classes_.tolist() == [0, 1, 2]
    assert by_lists.classes_.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("settings", [{"loss": "asymmetric"}, {"class_weight": "balanced"}, {"sampler": "oversample"}])
def test_a_treatment_that_only_a_recurrent_part_can_follow_is_refused_without_one(settings):
    with pytest.raises(ConfigurationError, match="needs a recurrent part"):
        SequenceClassifier(architecture="linear", **settings).fit(*tagged(60, 0))


def test_costs_and_stated_aims_move_the_thresholds(fitted):
    low, high = (
        fitted.choose_decisions(threshold="cost", costs={"fn": miss}).decisions_["thresholds"] for miss in (20, 0.05)
    )
    assert all(np.array(low) <= high)
    assert sum(low) < sum(high)
    fitted.choose_decisions(calibrate="platt")
    assert fitted.decisions_["calibration"]["method"] == "platt"
    fitted.choose_decisions()


def test_the_joined_parts_beat_each_part_and_rest_on_shares():
    random = np.random.default_rng(0)
    targets = (random.random((4000, 2)) < [0.5, 0.05]).astype(float)
    signal = 2 * targets - 1
    logits = np.stack([signal + random.standard_normal((4000, 2)) for _ in range(2)], axis=1) * np.array([[0.3], [3.0]])
    scales, shift = fit_label_scales(["linear", "recurrent"], logits, targets)

    def loss(z):
        return float((np.logaddexp(0, z) - targets * z).sum(axis=1).mean())

    alone = [loss(logits[:, [i]].sum(axis=1) * s + b) for i in (0, 1) for s, b in [_alone(logits[:, [i]], targets)]]
    mixed = np.einsum("npl,p->nl", logits, scales) + shift
    assert loss(mixed) < min(alone)
    np.testing.assert_allclose((1 / (1 + np.exp(-mixed))).mean(axis=0), targets.mean(axis=0), atol=0.02)


def _alone(logits, targets):
    scales, shift = fit_label_scales(["recurrent"], logits, targets)
    return scales[0], shift


@pytest.mark.parametrize(
    ("y", "multilabel", "error", "message"),
    [
        ([["a"], ["b"]], False, DataError, "multilabel=True"),
        (["a", "b"], True, DataError, "list of labels in every row"),
        ([["a"], "b"], "auto", DataError, "row 2 of y holds 'b'"),
        ([["a"], [None]], "auto", DataError, "row 2 of y has a label that is missing"),
        ([[], []], "auto", DataError, "no label at all"),
        ([["a"], ["a"]], "auto", DataError, "only one class, 'a'"),
        (np.array([[0, 1], [2, 0]]), "auto", DataError, "something else than 1 and 0"),
        ([["a"], ["b"], ["a"]], "auto", DataError, "X has 2 rows, y has 3"),
        (["a", "b"], "maybe", ConfigurationError, "true, false or 'auto'"),
    ],
)
def test_labels_that_do_not_fit_are_named(y, multilabel, error, message):
    with pytest.raises(error, match=message):
        LabelCode.of(y, 2, multilabel)


def test_an_unseen_label_of_the_validation_data_is_named():
    texts, sets = tagged(50, 0)
    with pytest.raises(DataError, match="row 2 has the label 'q', unseen in training"):
        SequenceClassifier(architecture="linear").fit(texts, sets, validation_data=(["x", "y"], [["a"], ["q"]]))


def test_a_class_of_interest_is_refused(fitted):
    with pytest.raises(ConfigurationError, match="every label is of interest"):
        fitted.choose_decisions(positive="a")
