import builtins

import numpy as np
import pytest
from scipy.sparse import csr_matrix, issparse
from scipy.spatial.distance import cdist

from seqwise.data import synthesise
from seqwise.data.synthesis import METHODS
from seqwise.errors import ConfigurationError, DataError, MissingExtraError

SIZES = {"b": 90, "a": 20, "c": 4}


def clouds(seed=0, dimensions=3, spread=1.2):
    random = np.random.default_rng(seed)
    labels = np.repeat(list(SIZES), list(SIZES.values()))
    centres = np.repeat(random.normal(size=(3, dimensions)), list(SIZES.values()), axis=0)
    order = random.permutation(len(labels))
    return (centres + spread * random.normal(size=centres.shape))[order], labels[order]


def parents(point, examples, neighbours):
    """The example, and the neighbour among its nearest ones, between which a point lies; None where there are none."""
    distances = cdist(examples, examples)
    for i in range(len(examples)):
        for j in np.argsort(distances[i])[1 : neighbours + 1]:
            line, step = examples[j] - examples[i], point - examples[i]
            place = step @ line / (line @ line)
            if 0 <= place <= 1 and np.allclose(step, place * line, atol=1e-9):
                return i, int(j)
    return None


@pytest.mark.parametrize("method", METHODS)
def test_every_synthetic_example_lies_between_two_neighbours_of_its_class(method):
    features, labels = clouds()
    larger, new_labels = synthesise(features, labels, method=method, neighbours=3, seed=5)
    assert (larger[: len(features)] == features).all()
    assert (new_labels[: len(labels)] == labels).all()
    for label in ("a", "c"):
        own = features[labels == label]
        added = larger[len(features) :][new_labels[len(labels) :] == label]
        assert abs(len(own) + len(added) - SIZES["b"]) <= (len(own) / 2 if method == "adasyn" else 0)
        assert all(parents(point, own, neighbours=3) for point in added)
    assert not (new_labels[len(labels) :] == "b").any()


def test_borderline_smote_starts_from_examples_with_other_classes_around():
    features, labels = clouds()
    larger, new_labels = synthesise(features, labels, method="borderline_smote", seed=1)
    own = np.flatnonzero(labels == "a")
    around = np.argsort(cdist(features[own], features), axis=1)[:, 1:11]
    others = (labels[around] != "a").sum(axis=1)
    danger = {i for i in range(len(own)) if 5 <= others[i] < 10}
    assert 0 < len(danger) < len(own)
    added = larger[len(features) :][new_labels[len(labels) :] == "a"]
    ends = {frozenset(parents(point, features[own], neighbours=5)) for point in added}
    assert all(pair & danger for pair in ends)


@pytest.mark.parametrize("method", METHODS)
def test_classes_far_from_all_others_and_tiny_ones_are_made_larger_too(method):
    random = np.random.default_rng(0)
    features = np.concatenate([random.normal(size=(30, 2)), random.normal(size=(12, 2)) + 100, [[50, 0], [50, 1]]])
    labels = np.repeat([0, 1, 2], [30, 12, 2])
    larger, new_labels = synthesise(features, labels, method=method)
    assert np.bincount(new_labels).tolist() == [30, 30, 30]
    assert (larger[new_labels == 2][:, 0] == 50).all()  # between its two examples, there is nothing else


@pytest.mark.parametrize("method", METHODS)
def test_sparse_rows_give_what_dense_ones_give(method):
    features, labels = clouds(dimensions=12)
    features = np.maximum(features, 0.0)  # half of it is zero, and no two rows are alike
    dense, _ = synthesise(features, labels, method=method, seed=2)
    for sparse in (csr_matrix(features), csr_matrix(features).tocoo()):
        rows, new_labels = synthesise(sparse, labels, method=method, seed=2)
        assert issparse(rows)
        assert rows.format == "csr"
        np.testing.assert_allclose(rows.toarray(), dense, atol=1e-12)
    assert len(new_labels) == len(dense)


def test_the_result_depends_on_the_seed_alone_and_keeps_the_types():
    features, labels = clouds()
    first, again, other = (synthesise(features, labels, seed=seed)[0] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    small, new_labels = synthesise(features.astype(np.float32), labels.tolist())
    assert small.dtype == np.float32
    assert new_labels.dtype == labels.dtype
    assert synthesise((10 * features).astype(int), labels)[0].dtype == np.float64


def test_equal_classes_stay_as_they_are():
    features = np.random.default_rng(0).normal(size=(8, 2))
    larger, labels = synthesise(features, [0, 1] * 4)
    assert (larger == features).all()
    assert labels.tolist() == [0, 1] * 4


def test_wrong_input_is_refused():
    features, labels = clouds()
    with pytest.raises(ConfigurationError, match="did you mean smote"):
        synthesise(features, labels, method="smot")
    with pytest.raises(ConfigurationError, match="neighbours"):
        synthesise(features, labels, neighbours=0)
    with pytest.raises(DataError, match="got"):
        synthesise(features, labels[:-1])
    with pytest.raises(DataError, match="got"):
        synthesise(features, np.zeros((len(labels), 2)))
    alone = np.where(np.arange(len(labels)) == 0, "z", labels)
    for method in METHODS:
        with pytest.raises(DataError, match=r"class 'z' has one training example, and \w+ needs two"):
            synthesise(features, alone, method=method)
    features[3, 1] = np.nan
    with pytest.raises(DataError, match="finite"):
        synthesise(features, labels)


def test_without_imbalanced_learn_the_message_has_the_command(monkeypatch):
    real = builtins.__import__

    def absent(name, *rest, **named):
        if name.split(".")[0] == "imblearn":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtraError, match=r"pip install 'seqwise\[imbalance\]'"):
        synthesise(*clouds())
