import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.svm import LinearSVC

from seqwise.estimators.linear import fit_linear_part
from seqwise.models import EncodedExamples, LinearPart, logits_of
from seqwise.text import Ragged


def sparse_problem(classes, rows=60, features=30):
    generator = np.random.default_rng(1)
    dense = generator.random((rows, features)) * (generator.random((rows, features)) < 0.3)
    targets = np.arange(rows) % classes
    dense[np.arange(rows), targets] += 0.5
    matrix = csr_matrix(dense.astype(np.float32))
    ragged = Ragged(matrix.indices.astype(np.int32), matrix.indptr.astype(np.int64), matrix.data)
    return matrix, ragged, targets


@pytest.mark.parametrize("classes", [2, 4])
def test_the_fitted_part_decides_as_scikit_learn_does(classes):
    matrix, ragged, targets = sparse_problem(classes)
    part = LinearPart(matrix.shape[1], classes)
    fit_linear_part(part, ragged, targets)
    oracle = LinearSVC(random_state=0, max_iter=200, tol=1e-2).fit(matrix, targets).decision_function(matrix)
    ours = logits_of(part, EncodedExamples(ngrams=ragged))
    if classes == 2:
        ours = ours[:, 1] - ours[:, 0]
    np.testing.assert_allclose(ours, oracle, atol=1e-5)


def test_a_class_without_examples_is_never_preferred():
    matrix, ragged, targets = sparse_problem(3)
    part = LinearPart(matrix.shape[1], 4)
    fit_linear_part(part, ragged, targets)
    logits = logits_of(part, EncodedExamples(ngrams=ragged))
    assert not (logits.argmax(axis=1) == 3).any()
