"""What can be asked of word vectors, against plain formulas."""

import numpy as np
import pytest

from seqwise.embeddings import WordVectors, search
from seqwise.errors import DataError

RANDOM = np.random.default_rng(5)
WORDS = ["the", "King", "queen", "man", "woman", "Paris", "paris", *(f"w{i}" for i in range(93))]


@pytest.fixture
def vectors() -> WordVectors:
    return WordVectors(WORDS, np.random.default_rng(3).normal(size=(100, 12)), np.arange(100, 0, -1))


def cosines(vectors: WordVectors, query: np.ndarray) -> np.ndarray:
    matrix = vectors.vectors.astype(np.float64)
    return matrix @ query / np.linalg.norm(matrix, axis=1) / np.linalg.norm(query)


def test_neighbours_are_the_largest_cosines_in_order(vectors):
    expected = cosines(vectors, vectors["queen"].astype(np.float64))
    expected[vectors.index("queen")] = -2
    found = vectors.neighbours("queen", 7)
    assert [one.word for one in found] == [WORDS[i] for i in np.argsort(-expected)[:7]]
    np.testing.assert_allclose([one.score for one in found], np.sort(expected)[::-1][:7], rtol=1e-5)


@pytest.mark.parametrize("block", [1, 7, 100, 1000])
@pytest.mark.parametrize("scores", [1, 64, 10**6])
def test_the_size_of_blocks_changes_no_answer(vectors, monkeypatch, block, scores):
    queries = RANDOM.normal(size=(9, 12)).astype(np.float32)
    excluded = [RANDOM.choice(100, 3, replace=False) for _ in range(9)]
    whole = vectors.nearest(queries, 5, exclude=excluded)
    monkeypatch.setattr(search, "BLOCK_ROWS", block)
    monkeypatch.setattr(search, "SCORES_AT_ONCE", scores)
    rows, found = vectors.nearest(queries, 5, exclude=excluded)
    np.testing.assert_array_equal(rows, whole[0])
    np.testing.assert_allclose(found, whole[1], rtol=1e-5)
    assert not any(set(row) & set(out) for row, out in zip(rows, excluded, strict=True))


def test_an_analogy_by_3cosadd_follows_its_formula(vectors):
    unit = vectors.vectors / np.linalg.norm(vectors.vectors, axis=1, keepdims=True)
    a, b, c = (vectors.index(word) for word in ("man", "King", "woman"))
    expected = unit @ (unit[b] - unit[a] + unit[c])
    expected[[a, b, c]] = -9
    assert [one.word for one in vectors.analogy("man", "king", "woman", 5)] == [
        WORDS[i] for i in np.argsort(-expected)[:5]
    ]


def test_an_analogy_by_3cosmul_follows_its_formula(vectors):
    unit = vectors.vectors / np.linalg.norm(vectors.vectors, axis=1, keepdims=True)
    a, b, c = (vectors.index(word) for word in ("man", "King", "woman"))
    near = (1 + unit @ unit.T) / 2
    expected = near[b] * near[c] / (near[a] + 0.001)
    expected[[a, b, c]] = -9
    found = vectors.analogy("man", "king", "woman", 5, method="mul")
    assert [one.word for one in found] == [WORDS[i] for i in np.argsort(-expected)[:5]]
    np.testing.assert_allclose([one.score for one in found], np.sort(expected)[::-1][:5], rtol=1e-5)


def test_a_parallelogram_is_completed():
    corners = np.array([[1, 0, 0, 1], [1, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 1], [1, 1, -1, -1]], np.float32)
    vectors = WordVectors(["man", "king", "woman", "queen", "tree"], corners)
    for method in ("add", "mul"):
        assert vectors.analogy("man", "king", "woman", method=method)[0].word == "queen"


def test_similarity_is_the_cosine(vectors):
    expected = cosines(vectors, vectors["man"].astype(np.float64))[vectors.index("woman")]
    assert vectors.similarity("man", "woman") == pytest.approx(expected, rel=1e-5)
    assert vectors.similarity("man", "woman") == vectors.similarity("woman", "man")
    assert vectors.similarity("man", "man") == pytest.approx(1)


def test_a_zero_vector_is_like_nothing():
    vectors = WordVectors(["a", "b", "nothing"], [[1, 0], [1, 1], [0, 0]])
    assert vectors.similarity("a", "nothing") == 0
    assert [one.word for one in vectors.neighbours("a")] == ["b", "nothing"]


def test_the_odd_one_is_farthest_from_the_mean():
    vectors = WordVectors(["cat", "dog", "car", "cow"], [[1, 0.1], [1, 0], [0, 5], [9, 1]])
    odd, ranked = vectors.odd_one_out(["cat", "car", "dog", "cow"])
    assert odd == "car"
    assert ranked[0].word == "car"
    assert [one.score for one in ranked] == sorted(one.score for one in ranked)


def test_a_text_has_the_mean_of_its_known_words(vectors):
    expected = vectors.vectors[[vectors.index("queen"), vectors.index("man"), vectors.index("man")]].mean(0)
    np.testing.assert_allclose(vectors.mean("Queen, man: MAN unheard!"), expected, rtol=1e-5)
    np.testing.assert_allclose(vectors.mean(["queen", "man", "zzz", "man"]), expected, rtol=1e-5)


def test_case_falls_back_to_lower_case_then_to_the_most_frequent_form(vectors):
    assert vectors.words[vectors.index("QUEEN")] == "queen"
    assert vectors.words[vectors.index("king")] == "King"
    assert vectors.words[vectors.index("PARIS")] == "paris"
    assert vectors.words[vectors.index("Paris")] == "Paris"
    assert "KING" in vectors
    assert "kings" not in vectors


def test_more_neighbours_than_words_are_all_other_words(vectors):
    assert len(vectors.neighbours("queen", 1000)) == 99


def test_the_most_frequent_words_share_the_matrix(vectors):
    few = vectors.most_frequent(10)
    assert len(few) == 10
    assert np.shares_memory(few.vectors, vectors.vectors)
    assert list(few.counts) == list(range(100, 90, -1))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda v: v["quean"], "no vector for 'quean'; similar words that have one: queen"),
        (lambda v: v.similarity("queen", "#"), "no vector for '#'$"),
        (lambda v: v.analogy("queen", "man", "zzz"), "'zzz'"),
        (lambda v: v.analogy("queen", "man", "woman", method="sub"), '"add" or "mul", not \'sub\''),
        (lambda v: v.neighbours("queen", 0), "at least one word"),
        (lambda v: v.neighbours([1.0, 2.0]), "a vector of 12 finite numbers"),
        (lambda v: v.neighbours([np.nan] * 12), "a vector of 12 finite numbers"),
        (lambda v: v.odd_one_out(["queen", "man"]), "at least three words"),
        (lambda v: v.mean("Zounds!"), "no word of 'Zounds!' has a vector"),
        (lambda v: v.mean([]), "no word of '' has a vector"),
    ],
)
def test_a_wrong_question_is_answered_by_what_is_wrong(vectors, ask, message):
    with pytest.raises(DataError, match=message):
        ask(vectors)


@pytest.mark.parametrize(
    ("words", "matrix", "counts", "message"),
    [
        (["a", "b", "a"], np.ones((3, 2)), None, "'a' is there twice"),
        (["a", ""], np.ones((2, 2)), None, "entry 1 is ''"),
        (["a", 7], np.ones((2, 2)), None, "entry 1 is 7"),
        (["a"], np.ones((2, 2)), None, r"\(1, D\) is expected"),
        (["a"], np.ones((1, 0)), None, r"\(1, D\) is expected"),
        (["a"], np.ones(1), None, r"\(1, D\) is expected"),
        (["a"], np.ones((1, 2)), [1, 2], "1 whole numbers"),
        (["a"], np.ones((1, 2)), [0.5], "1 whole numbers"),
        (["a"], np.ones((1, 2)), [-1], "1 whole numbers"),
    ],
)
def test_what_are_no_word_vectors_is_refused(words, matrix, counts, message):
    with pytest.raises(DataError, match=message):
        WordVectors(words, matrix, counts)


def test_a_vector_that_is_not_finite_is_named():
    vectors = WordVectors(["a", "bad"], [[1.0, 2.0], [np.nan, 1.0]])
    with pytest.raises(DataError, match="'bad' is not finite"):
        vectors.neighbours("a")
