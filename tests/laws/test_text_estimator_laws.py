"""What every estimator that takes texts must hold, after scikit-learn's own checks for estimators that take vectors."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from seqwise.errors import ConfigurationError, DataError
from seqwise.estimators import SequenceClassifier, VectorClassifier

TEXTS = [f"{mood} {thing} {place}" for mood in ("good", "bad") for thing in ("day", "work") for place in "abcdefgh"]
LABELS = ["yes"] * 16 + ["no"] * 16
SMALL = {"epochs": 2, "hidden_size": 8, "embedding_size": 8, "device": "cpu"}
ESTIMATORS = [
    SequenceClassifier(**SMALL),
    SequenceClassifier(architecture="recurrent", validation=0.0, **{**SMALL, "epochs": 30, "learning_rate": 0.02}),
    SequenceClassifier(
        architecture="recurrent",
        encoder="transformer",
        validation=0.0,
        **{**SMALL, "epochs": 30, "learning_rate": 0.02},
    ),
    SequenceClassifier(architecture="linear", device="cpu"),
    VectorClassifier(device="cpu"),
]
every_estimator = pytest.mark.parametrize(
    "estimator", ESTIMATORS, ids=["wide_deep", "recurrent", "transformer", "linear", "vector"]
)


@every_estimator
def test_clone_has_the_same_parameters_and_nothing_fitted(estimator):
    estimator = clone(estimator).fit(TEXTS, LABELS)
    copy = clone(estimator)
    assert copy.get_params() == estimator.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(TEXTS)


@every_estimator
def test_the_constructor_only_stores_and_set_params_is_all_there_is(estimator):
    copy = type(estimator)()
    copy.set_params(**estimator.get_params())
    assert vars(copy) == vars(clone(estimator))


@every_estimator
def test_it_learns_an_easy_rule(estimator):
    model = clone(estimator).fit(TEXTS, LABELS)
    assert model.score(TEXTS, LABELS) == 1.0
    assert model.classes_.tolist() == ["no", "yes"]


@every_estimator
def test_same_seed_same_probabilities_and_global_state_untouched(estimator):
    np.random.seed(3)  # noqa: NPY002  the global state is what this is about
    torch.manual_seed(5)
    before = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    first, second = (clone(estimator).fit(TEXTS, LABELS).predict_proba(TEXTS) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before  # noqa: NPY002


@every_estimator
def test_probabilities_sum_to_one_and_agree_with_predict(estimator):
    model = clone(estimator).fit(TEXTS, LABELS)
    texts = [*TEXTS[:5], "", "unseen words only", "😀 🎉", "שלום עולם", "x" * 10_000]
    probabilities = model.predict_proba(texts)
    assert probabilities.shape == (len(texts), 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    assert model.predict(texts).tolist() == model.classes_[probabilities.argmax(axis=1)].tolist()


@every_estimator
def test_a_prediction_does_not_depend_on_its_company(estimator):
    model = clone(estimator).fit(TEXTS, LABELS)
    texts = ["good day a", "bad work with a rather long tail of words behind it", "day"]
    together = model.predict_proba(texts)
    alone = np.concatenate([model.predict_proba([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(model.predict_proba(texts[::-1]), together[::-1], atol=1e-6)


@every_estimator
def test_arrays_tuples_and_lists_are_the_same_texts(estimator):
    expected = clone(estimator).fit(TEXTS, LABELS).predict_proba(TEXTS)
    for wrap in (np.array, tuple, lambda values: np.array(values, dtype=object)):
        model = clone(estimator).fit(wrap(TEXTS), np.array(LABELS))
        np.testing.assert_array_equal(model.predict_proba(wrap(TEXTS)), expected)


@every_estimator
@pytest.mark.parametrize("labels", [[1] * 16 + [0] * 16, [True] * 16 + [False] * 16, [2.0] * 16 + [1.0] * 16])
def test_classes_keep_the_type_of_the_labels(estimator, labels):
    model = clone(estimator).fit(TEXTS, labels)
    assert model.classes_.tolist() == sorted(set(labels))
    assert model.score(TEXTS, labels) == 1.0


@every_estimator
def test_weight_zero_takes_an_example_out_of_the_loss(estimator):
    contradictory = LABELS[:16] + ["yes"] * 8 + LABELS[24:]
    weights = [1.0] * 16 + [0.0] * 8 + [1.0] * 8
    model = clone(estimator).fit(TEXTS, contradictory, sample_weight=weights)
    assert (model.predict(TEXTS[24:]) == "no").all()


@every_estimator
def test_pipelines_searches_and_cross_validation_take_it(estimator):
    pipeline = make_pipeline(FunctionTransformer(lambda texts: [t.upper() for t in texts]), clone(estimator))
    assert cross_val_score(pipeline, TEXTS, LABELS, cv=2).shape == (2,)
    search = GridSearchCV(clone(estimator), {"class_weight": [None, "balanced"]}, cv=2).fit(TEXTS, LABELS)
    assert set(search.best_params_) == {"class_weight"}


@every_estimator
def test_wrong_input_is_refused_by_name(estimator):
    with pytest.raises(DataError, match="only one class"):
        clone(estimator).fit(TEXTS, ["yes"] * 32)
    with pytest.raises(ValueError, match=r"31|inconsistent"):
        clone(estimator).fit(TEXTS, LABELS[:31])
    with pytest.raises(DataError, match="negative"):
        clone(estimator).fit(TEXTS, LABELS, sample_weight=[-1.0] + [1.0] * 31)
    with pytest.raises(ConfigurationError, match="learning_rate"):
        clone(estimator).set_params(learning_rate=-1.0).fit(TEXTS, LABELS)


def test_fits_of_different_precision_live_in_one_process():
    search = GridSearchCV(
        SequenceClassifier(**SMALL), {"precision": ["float32", "bfloat16"]}, cv=2, error_score="raise"
    )
    search.fit(TEXTS, LABELS)
    assert len(search.cv_results_["mean_test_score"]) == 2


def test_tokens_may_be_given_as_lists():
    rows = [text.split() for text in TEXTS]
    model = SequenceClassifier(unit="tokens", **SMALL).fit(rows, LABELS)
    assert model.predict([["good", "day"], ["bad", "day"]]).tolist() == ["yes", "no"]


def test_a_person_hears_which_row_is_no_text():
    with pytest.raises(DataError, match="row 3 of X is int"):
        SequenceClassifier().fit(["a", "b", 3, "c"], [0, 1, 0, 1])
    with pytest.raises(DataError, match="single text"):
        SequenceClassifier().fit("abc", [0, 1, 0])


@pytest.mark.parametrize("verbose", [False, True])
def test_progress_is_shown_when_asked_for_and_only_then(verbose, capsys):
    SequenceClassifier(verbose=verbose, **SMALL).fit(TEXTS, LABELS)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("epoch 1/2" in shown.err) == verbose
