import json

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from seqwise.errors import DataError, ModelFolderError
from seqwise.evaluation import Baseline, baseline, fit_baseline

TEXTS = [
    "warm and fine",
    "fine strange birds",
    "a dull film",
    "strange dull birds",
    "warm birds",
    "a fine film",
    "cold",
]
NAMES = ["good", "odd", "never", "always"]
LABELS = np.array([[1, 0, 0, 1], [1, 1, 0, 1], [0, 0, 0, 1], [0, 1, 0, 1], [1, 1, 0, 1], [1, 0, 0, 1], [0, 0, 0, 1]])
OTHERS = ["warm and strange", "dull", "", "nothing known"]


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_one_logistic_regression_a_label(weighted):
    weights = np.array([1.0, 4, 2, 1, 3, 1, 2]) if weighted else None
    fitted = fit_baseline(TEXTS, LABELS, classes=NAMES, unit="words", sample_weight=weights)
    features = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b")
    matrix = features.fit_transform(TEXTS)
    solver = LogisticRegression(C=10, solver="liblinear", tol=1e-6, max_iter=10_000)
    got = fitted.predict_proba(OTHERS)
    for column in (0, 1):
        solver.fit(matrix, LABELS[:, column], None if weights is None else weights / weights.mean())
        theirs = solver.predict_proba(features.transform(OTHERS))[:, 1]
        np.testing.assert_allclose(got[:, column], theirs, atol=5e-3)
    if not weighted:
        both = OneVsRestClassifier(solver).fit(matrix, LABELS[:, :2]).predict_proba(features.transform(OTHERS))
        np.testing.assert_allclose(got[:, :2], both, atol=5e-3)
    assert (got[:, 2] == 0).all()
    assert (got[:, 3] > 0.99).all()
    assert "a logistic regression for each label" in fitted.description
    assert fitted.majority == 1.0


def test_labels_are_given_from_their_thresholds_on():
    fitted = fit_baseline(TEXTS, LABELS, classes=NAMES, unit="words")
    probabilities = fitted.predict_proba(TEXTS)
    np.testing.assert_array_equal(fitted.decide(probabilities), probabilities >= 0.5)
    moved = fitted.with_thresholds(np.array([0.9, 0.1, 0.5, 1.0]))
    np.testing.assert_array_equal(moved.decide(probabilities), probabilities >= [0.9, 0.1, 0.5, 1.0])
    assert fitted.thresholds is None


def test_thresholds_of_classes_decide_as_those_of_a_model_do():
    fitted = fit_baseline(TEXTS, ["a", "b", "b", "b", "b", "b", "b"], unit="words")
    assert fitted.decide(np.array([[0.2, 0.8]])).tolist() == [1]
    assert fitted.with_thresholds(np.array([0.1, 0.9])).decide(np.array([[0.2, 0.8]])).tolist() == [0]


def test_a_saved_baseline_gives_the_same_answers():
    fitted = fit_baseline(TEXTS, LABELS, classes=NAMES).with_thresholds(np.array([0.3, 0.4, 0.5, 0.6]))
    again = Baseline.from_parts(json.loads(json.dumps(fitted.to_dict())), fitted.arrays())
    probabilities = fitted.predict_proba(OTHERS)
    np.testing.assert_array_equal(again.predict_proba(OTHERS), probabilities)
    np.testing.assert_array_equal(again.decide(probabilities), fitted.decide(probabilities))
    for values in ([0.5], [0.5, 0.5, 0.5, 0.0]):
        with pytest.raises(ModelFolderError, match="thresholds"):
            Baseline.from_parts(fitted.to_dict() | {"thresholds": values}, fitted.arrays())


def test_of_very_many_examples_a_sample_is_used_that_keeps_rare_labels(monkeypatch):
    monkeypatch.setattr(baseline, "LARGEST", 20)
    texts = [f"word{n % 7} other" for n in range(400)] + ["rare thing"]
    labels = np.zeros((401, 2), dtype=int)
    labels[::2, 0] = 1
    labels[400, 1] = 1
    fitted = fit_baseline(texts, labels, classes=["common", "rare"])
    assert fitted.predict_proba(["rare thing"])[0, 1] > fitted.predict_proba(["word1 other"])[0, 1] + 0.3
    assert "random 21 of the 401" in fitted.description


def test_wrong_labels_get_one_clear_sentence():
    with pytest.raises(DataError, match="needs their names"):
        fit_baseline(TEXTS, LABELS)
    with pytest.raises(DataError, match=r"labels must have the shape \(7, 3\)"):
        fit_baseline(TEXTS, LABELS, classes=NAMES[:3])
    with pytest.raises(DataError, match="labels of example 2"):
        fit_baseline(TEXTS, LABELS + (np.arange(7) == 1)[:, None], classes=NAMES)
    with pytest.raises(DataError, match="no example has a label"):
        fit_baseline(TEXTS, LABELS * 0, classes=NAMES)
