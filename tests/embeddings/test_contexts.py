"""Contexts against a search by hand, and the parts of a text."""

import numpy as np
import pytest

from seqwise.embeddings.contexts import Contexts, count_places, drop_frequent, find_end
from seqwise.embeddings.sampling import keep_thresholds

V = 50


def make_text(seed=0, sentences=40):
    random = np.random.default_rng(seed)
    parts = [[*random.integers(0, V, random.integers(1, 12)), -1] for _ in range(sentences)]
    return np.concatenate(parts).astype(np.int32)


def split(tokens):
    """Sentences as lists."""
    sentences, sentence = [], []
    for token in tokens.tolist():
        if token >= 0:
            sentence.append(token)
        else:
            sentences.append(sentence)
            sentence = []
    return [*sentences, sentence]


def brute_force(tokens, window):
    """Of every word: the words before it and behind it, the places beyond the sentence filled with V."""
    found = []
    for sentence in split(tokens):
        for i, word in enumerate(sentence):
            left = [sentence[j] if j >= 0 else V for j in range(i - window, i)]
            right = [sentence[j] if j < len(sentence) else V for j in range(i + 1, i + window + 1)]
            found.append((word, left, right))
    return found


@pytest.mark.parametrize("ends", [True, False], ids=["ended", "cut"])
@pytest.mark.parametrize("window", [1, 2, 5, 30])
@pytest.mark.parametrize("kind", ["previous", "around"])
def test_contexts_are_those_found_by_hand(kind, window, ends):
    tokens = make_text()[: None if ends else -1]
    contexts = Contexts.of(tokens, kind, window, V)
    expected = [
        (word, left if kind == "previous" else left + right) for word, left, right in brute_force(tokens, window)
    ]
    assert len(contexts) == len(expected)
    chosen = np.random.default_rng(1).permutation(len(expected))
    found, words = contexts.take(chosen, np.random.default_rng(2))
    assert found.shape == (len(expected), count_places(kind, window))
    np.testing.assert_array_equal(words, [expected[i][0] for i in chosen])
    np.testing.assert_array_equal(found, [expected[i][1] for i in chosen])


@pytest.mark.parametrize("window", [1, 3])
def test_a_nearby_word_is_each_of_those_around_equally_often(window):
    tokens = np.array([0, 1, 2, 3, 4, -1, 5, -1, 6, 7, -1], np.int32)
    contexts = Contexts.of(tokens, "nearby", window, V)
    draws = 3000
    found, words = contexts.take(np.repeat(np.arange(len(contexts)), draws), np.random.default_rng(3))
    assert 5 not in words  # it is alone
    for word, left, right in brute_force(tokens, window):
        around = [w for w in left + right if w != V]
        drawn = np.bincount(found[words == word, 0], minlength=V + 1)
        assert set(np.flatnonzero(drawn)) == set(around)
        if around:
            expected = draws / len(around)
            chi_square = ((drawn[around] - expected) ** 2 / expected).sum()
            assert chi_square < len(around) - 1 + 6 * (2 * len(around)) ** 0.5


@pytest.mark.parametrize("tokens", [[], [-1], [-1, -1]])
def test_a_part_without_words_has_no_contexts(tokens):
    for kind in ("previous", "around", "nearby"):
        assert len(Contexts.of(np.array(tokens, np.int32), kind, 2, V)) == 0


def test_dropped_words_let_their_neighbours_move_together():
    keep = np.full(V, 2**32 - 1, np.uint32)
    keep[:25] = keep_thresholds(np.zeros(25))
    tokens = make_text()
    kept = drop_frequent(tokens, keep, np.random.default_rng(0))
    np.testing.assert_array_equal(kept, tokens[(tokens < 0) | (tokens >= 25)])


def test_words_are_kept_as_often_as_they_should():
    keep = keep_thresholds(np.array([0.3, 1.0]))
    tokens = np.tile(np.array([0, 1], np.int32), 40_000)
    counts = np.bincount(drop_frequent(tokens, keep, np.random.default_rng(0)))
    assert counts[1] == 40_000
    assert abs(counts[0] - 12_000) < 5 * (40_000 * 0.3 * 0.7) ** 0.5


@pytest.mark.parametrize("size", [13, 100, 5000])
def test_parts_end_with_a_sentence_and_cover_the_text_once(size):
    tokens = make_text(sentences=900)
    start, stops = 0, []
    while start < len(tokens):
        stop = find_end(tokens, start, size)
        assert start < stop <= start + size
        assert tokens[stop - 1] == -1
        stops.append(stop)
        start = stop
    assert stops[-1] == len(tokens)


def test_a_text_without_sentences_is_cut():
    assert find_end(np.zeros(10_000, np.int32), 10, 6000) == 6010
