"""Phrases, beside a loop over lists that joins them as the paper says."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_corpus import sentences_of

from seqwise.embeddings import numbering, phrases
from seqwise.embeddings.corpus import encode
from seqwise.errors import ConfigurationError, DataError


def joined_by_hand(rows, passes, threshold, min_count):
    """Sentences with their phrases joined, rare words left out; and the phrases of each pass."""
    total = sum(map(len, rows))
    frequent = {word for word, count in Counter(w for row in rows for w in row).items() if count >= min_count}
    rows = [[word if word in frequent else None for word in row] for row in rows]
    found = []
    for number in range(passes):
        counts = Counter(word for row in rows for word in row if word is not None)
        pairs = Counter((a, b) for row in rows for a, b in pairwise(row) if a is not None and b is not None)
        limit = threshold * 2 ** (passes - 1 - number)
        good = {
            (a, b) for (a, b), count in pairs.items() if (count - min_count) * total > limit * (counts[a] * counts[b])
        }
        found.append(good)
        after = []
        for row in rows:
            new, i = [], 0
            while i < len(row):
                if i + 1 < len(row) and (row[i], row[i + 1]) in good:
                    new.append(f"{row[i]}_{row[i + 1]}")
                    i += 2
                else:
                    new.append(row[i])
                    i += 1
            after.append(new)
        rows = after
    counts = Counter(word for row in rows for word in row if word is not None)
    kept = [[word for word in row if word is not None and counts[word] >= min_count] for row in rows]
    return [row for row in kept if row], found


def draw(seed, sentences=400, words=30):
    """Sentences in which words are followed by a friend of theirs."""
    random = np.random.default_rng(seed)
    friend = random.permutation(words)
    rows = []
    for _ in range(sentences):
        row = [int(random.zipf(1.4) % words)]
        while random.random() < 0.9:
            row.append(int(friend[row[-1]] if random.random() < 0.4 else random.zipf(1.4) % words))
        rows.append([f"w{i}" for i in row])
    return rows


@pytest.mark.parametrize("min_count", [1, 4])
@pytest.mark.parametrize(("passes", "threshold"), [(1, 2.0), (1, 20.0), (2, 1.0), (3, 1.5)])
def test_phrases_are_those_of_a_loop_over_lists(passes, threshold, min_count):
    for seed in range(4):
        rows = draw(seed)
        expected, found = joined_by_hand(rows, passes, threshold, min_count)
        if threshold < 20:
            assert found[0]
        with encode(rows, min_count=min_count, phrases=passes, phrase_threshold=threshold) as encoded:
            assert sentences_of(encoded) == expected
            counts = Counter(word for row in expected for word in row)
            assert encoded.words == sorted(counts, key=lambda word: (-counts[word], word))
            assert encoded.counts.tolist() == [counts[word] for word in encoded.words]
            assert encoded.total == sum(map(len, rows))


def test_small_parts_few_buckets_and_many_rounds_change_nothing(monkeypatch):
    rows = draw(7)
    expected, _ = joined_by_hand(rows, 2, 0.8, 2)
    for part in (3, 5, 64):
        monkeypatch.setattr(numbering, "PART", part)
        monkeypatch.setattr(phrases, "PART", part)
        monkeypatch.setattr(phrases, "BUCKETS", 8)
        monkeypatch.setattr(phrases, "CANDIDATES", 50)
        with encode(rows, min_count=2, phrases=2, phrase_threshold=0.8) as encoded:
            assert sentences_of(encoded) == expected


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "a_b"]), min_size=1, max_size=12), min_size=1, max_size=8))
def test_any_text_is_joined_as_by_hand(rows):
    expected, _ = joined_by_hand(rows, 2, 0.3, 1)
    with encode(rows, min_count=1, phrases=2, phrase_threshold=0.3) as encoded:
        assert sentences_of(encoded) == expected


def test_a_threshold_of_gensim_divided_by_its_vocabulary_times_the_words_gives_its_phrases():
    # The default score of gensim's Phrases is (count(a b) - min_count) / (count(a) count(b)) * V, V its vocabulary.
    rows = draw(3)
    single, pairs = Counter(), Counter()
    for row in rows:
        single.update(row)
        pairs.update(pairwise(row))
    vocabulary, total = len(single) + len(pairs), sum(single.values())
    scores = {pair: (count - 5) / single[pair[0]] / single[pair[1]] * vocabulary for pair, count in pairs.items()}
    threshold = sum(sorted(scores.values())[-21:-19]) / 2
    good = {pair for pair, score in scores.items() if score > threshold}
    assert len(good) == 20
    _, found = joined_by_hand(rows, 1, threshold * total / vocabulary, 5)
    frequent = {word for word, count in single.items() if count >= 5}
    assert found[0] == {pair for pair in good if set(pair) <= frequent}


def test_runs_of_one_word_are_joined_from_the_left():
    with encode([["a"] * 5, ["b", *["a"] * 4]], min_count=1, phrases=1, phrase_threshold=0.1) as encoded:
        assert sentences_of(encoded) == [["a_a", "a_a", "a"], ["b", "a_a", "a_a"]]


def test_rare_words_and_ends_of_sentences_stand_between():
    rows = [["new", "york"]] * 10 + [["new", f"rare{i}", "town"] for i in range(10)] + [["town"], ["new"]] * 10
    with encode(rows, min_count=3, phrases=1, phrase_threshold=0.5) as encoded:
        assert "new_york" in encoded.words
        assert not any("town" in word and "_" in word for word in encoded.words)


def test_what_is_wrong_is_said():
    for wrong in ({"phrases": -1}, {"phrases": 1, "phrase_threshold": 0.0}):
        with pytest.raises(ConfigurationError, match="phrases: passes and a threshold above 0"):
            encode([["a"]], min_count=1, **wrong)
    with pytest.raises(DataError, match="no word is there 5 times"):
        encode([["a", "b"]], phrases=2)
