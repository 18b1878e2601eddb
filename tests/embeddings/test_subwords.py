"""Character n-grams: which they are, and the vectors of words that were never seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.embeddings.subwords import LONGEST_WORD, NgramVectors, Subwords, find_buckets
from seqwise.errors import DataError


def ngrams(word, shortest, longest):
    text = f"<{word[:LONGEST_WORD]}>"
    found = [text[i : i + n] for i in range(len(text)) for n in range(shortest, longest + 1) if i + n <= len(text)]
    starts = [i for i in range(len(text)) for n in range(shortest, longest + 1) if i + n <= len(text)]
    edges = (0, len(text) - 1)
    return [gram for i, gram in zip(starts, found, strict=True) if len(gram) > 1 or i not in edges]


def fnv(gram):
    h = 2166136261
    for byte in gram.encode():
        h ^= byte if byte < 128 else (byte - 256) & 0xFFFFFFFF  # signed bytes, as fastText has them
        h = h * 16777619 & 0xFFFFFFFF
    return h


def test_the_hash_is_fnv_1a():
    assert fnv("a") == 0xE40C292C  # published test vectors
    assert fnv("foobar") == 0xBF9CF968
    _, found = find_buckets(["foobar"], (6, 6), 1 << 32)
    assert 0xBF9CF968 in found


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12), max_size=5), st.integers(1, 4)
)
def test_the_n_grams_of_words_are_those_of_plain_loops(words, shortest):
    lengths = (shortest, shortest + 2)
    offsets, found = find_buckets(words, lengths, 1000)
    for v, word in enumerate(words):
        expected = sorted(fnv(gram) % 1000 for gram in ngrams(word, *lengths))
        assert sorted(found[offsets[v] : offsets[v + 1]].tolist()) == expected
    assert offsets[-1] == len(found)


def test_a_long_word_has_the_n_grams_of_its_beginning():
    offsets, _ = find_buckets(["x" * 10_000_000], (3, 3), 10)
    assert offsets[1] == LONGEST_WORD


def test_a_word_has_its_own_row_and_those_of_its_n_grams():
    words = ["where", "here", "a", "größe"]
    subwords = Subwords.of(words, (3, 6), 10**6)
    random = np.random.default_rng(0)
    vectors = random.normal(size=(4 + len(subwords.used), 7))
    means = subwords.average(vectors)
    for v, word in enumerate(words):
        rows = subwords.rows[subwords.offsets[v] : subwords.offsets[v + 1]].tolist()
        buckets = [fnv(gram) % 10**6 for gram in ngrams(word, 3, 6)]
        assert rows[0] == v
        assert sorted(subwords.used[row - 4] for row in rows[1:]) == sorted(buckets)
        np.testing.assert_allclose(means[v], vectors[rows].mean(0))
    assert subwords.longest == max(len(ngrams(word, 3, 6)) for word in words) + 1


def test_an_unknown_word_is_the_mean_of_its_n_grams_that_are_known():
    used = sorted({fnv(gram) % 5000 for gram in ngrams("where", 3, 4)})
    random = np.random.default_rng(0)
    vectors = NgramVectors((3, 4), 5000, used, random.normal(size=(len(used), 6)))
    known = [used.index(b) for gram in ngrams("there", 3, 4) if (b := fnv(gram) % 5000) in used]
    assert 0 < len(known) < len(ngrams("there", 3, 4))
    np.testing.assert_allclose(vectors.vector("there"), vectors.vectors[known].mean(0), rtol=1e-5)
    assert vectors.vector("xyzzy") is None
    assert NgramVectors((3, 4), 5000, [], np.zeros((0, 6))).vector("where") is None


@pytest.mark.parametrize(
    ("lengths", "used", "rows"),
    [((0, 3), [1, 2], 2), ((4, 3), [1, 2], 2), ((3, 3), [2, 1], 2), ((3, 3), [1, 9], 2), ((3, 3), [1], 2)],
)
def test_what_does_not_agree_is_refused(lengths, used, rows):
    with pytest.raises(DataError, match="n-grams"):
        NgramVectors(lengths, 9, used, np.zeros((rows, 3)))
