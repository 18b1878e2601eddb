import warnings

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import SkipTestWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from seqwise.errors import ConfigurationError, DataError
from seqwise.estimators import VectorClassifier


@pytest.mark.slow
def test_every_check_of_scikit_learn_passes():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)  # of the array API, which needs an environment variable
        results = check_estimator(VectorClassifier(), on_fail=None)
    failed = [f"{r['check_name']}: {r['exception']!r}" for r in results if r["status"] not in ("passed", "skipped")]
    assert not failed, failed
    assert len([r for r in results if r["status"] == "passed"]) > 50


def test_softmax_regression_agrees_with_logistic_regression_without_penalty():
    X, y = make_blobs(300, centers=3, cluster_std=3.0, random_state=0)
    ours = VectorClassifier(epochs=2000).fit(X, y).predict_proba(X)
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_a_hidden_layer_learns_what_no_line_can():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(400, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    assert VectorClassifier().fit(X, y).score(X, y) < 0.7
    assert VectorClassifier(hidden_layers=(32,)).fit(X, y).score(X, y) > 0.95


def test_texts_become_bags_of_ngrams_and_both_kinds_of_labels_work():
    texts = ["a good day", "good work", "a bad day", "bad work", "so good", "so bad"]
    labels = ["yes", "yes", "no", "no", "yes", "no"]
    model = VectorClassifier().fit(texts, labels)
    assert model.predict(["a good thing", "a bad thing"]).tolist() == ["yes", "no"]
    assert model.predict_proba(["unknown tokens only"]).shape == (1, 2)


def test_sparse_and_dense_matrices_give_the_same_without_standardisation():
    X, y = make_blobs(100, centers=2, random_state=3)
    sparse = VectorClassifier().fit(csr_matrix(X), y)
    np.testing.assert_allclose(sparse.predict_proba(X), sparse.predict_proba(csr_matrix(X)), rtol=1e-12)


def test_it_lives_in_pipelines_searches_and_cross_validation():
    X, y = make_blobs(120, centers=2, cluster_std=2.0, random_state=1)
    pipeline = make_pipeline(StandardScaler(), VectorClassifier(epochs=20))
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.9
    search = GridSearchCV(VectorClassifier(epochs=5), {"learning_rate": [1e-6, 0.1]}, cv=2, scoring="neg_log_loss").fit(
        X, y
    )
    assert search.best_params_ == {"learning_rate": 0.1}
    assert clone(VectorClassifier(hidden_layers=(3,))).hidden_layers == (3,)


@pytest.mark.parametrize("loss", ["class_balanced", "logit_adjusted", "balanced_softmax"])
def test_balancing_losses_raise_the_recall_of_the_rare_class(loss):
    random = np.random.default_rng(0)
    y = (random.random(2000) < 0.05).astype(int)
    X = random.standard_normal((2000, 2)) + 1.5 * y[:, None]
    settings = {"loss": loss} | ({"beta": 0.9999} if loss == "class_balanced" else {})
    plain, treated = (VectorClassifier(**values).fit(X, y).predict(X)[y == 1].mean() for values in ({}, settings))
    assert treated > plain + 0.1


def test_class_weights_raise_the_recall_of_the_rare_class():
    generator = np.random.default_rng(0)
    X = np.concatenate([generator.normal(0, 1, (950, 2)), generator.normal(2, 1, (50, 2))])
    y = np.repeat([0, 1], [950, 50])
    plain, weighted = (VectorClassifier(class_weight=w).fit(X, y).predict(X)[y == 1].mean() for w in (None, "balanced"))
    assert weighted > plain + 0.1


def test_wrong_input_is_named():
    X, y = make_blobs(20, centers=2, random_state=0)
    with pytest.raises(ConfigurationError, match="hidden_layers"):
        VectorClassifier(hidden_layers=(0,)).fit(X, y)
    with pytest.raises(ConfigurationError, match="learning_rate"):
        VectorClassifier(learning_rate=-1).fit(X, y)
    with pytest.raises(DataError, match="only one class"):
        VectorClassifier().fit(X, np.zeros(20))
    with pytest.raises(DataError, match="no class of the training data"):
        VectorClassifier(class_weight={"7": 2.0}).fit(X, y)
