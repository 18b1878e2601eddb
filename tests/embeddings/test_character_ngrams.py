"""Character n-grams: which they are, and the vectors of words that were never seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.embeddings import EmbeddingSettings, WordVectors, train_vectors
from seqwise.embeddings.evaluation import evaluate_similarities
from seqwise.embeddings.subwords import LONGEST_WORD, NgramVectors, Subwords, find_buckets
from seqwise.embeddings.windows import WindowTrainer
from seqwise.errors import ConfigurationError, DataError


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


TEXT = ["the watcher watched the watchmen watching", "a singer sang the songs singing", "unwatched unsung"] * 30


@pytest.fixture(scope="module")
def trained():
    settings = EmbeddingSettings(size=10, min_count=1, sample=0, epochs=2, threads=1, ngrams=(3, 5))
    return train_vectors(TEXT, settings)


def test_an_unknown_word_of_a_training_has_the_mean_of_its_n_grams(trained):
    assert "watchers" not in trained
    assert trained.find("watchers") is None
    rows = [
        trained.ngrams.used.tolist().index(b) for gram in ngrams("watchers", 3, 5) if (b := bucket(trained, gram)) >= 0
    ]
    assert len(rows) > 5
    np.testing.assert_allclose(trained["watchers"], trained.ngrams.vectors[rows].mean(0), rtol=1e-5)
    assert trained.similarity("watchers", "watcher") > trained.similarity("watchers", "songs")
    assert {one.word for one in trained.neighbours("watchers", 3)} <= set(trained.words)
    assert len(trained.analogy("sing", "singer", "watch", 2)) == 2
    np.testing.assert_allclose(
        trained.mean(["watchers", "songs"]), (trained["watchers"] + trained["songs"]) / 2, rtol=1e-5
    )
    with pytest.raises(DataError, match="there is no vector for 'xyzzy'"):
        trained["xyzzy"]
    assert trained.vector("xyzzy") is None
    np.testing.assert_array_equal(trained["WATCHERS"], trained["watchers"])


def bucket(vectors, gram):
    number = fnv(gram) % vectors.ngrams.buckets
    return number if number in vectors.ngrams.used else -1


def test_known_words_are_the_mean_of_their_own_row_and_their_n_grams():
    # A word of one character, whose n-grams nobody else has, and of which there is only "<a>".
    settings = EmbeddingSettings(size=4, min_count=1, epochs=1, threads=1, ngrams=(3, 3), sample=0)
    trained = train_vectors([["a", "b"], ["b", "a"]], settings)
    own = 2 * trained["a"] - trained.ngrams.vector("a")
    assert np.isfinite(own).all()
    assert not np.allclose(own, trained["a"], atol=1e-4)


def test_n_grams_are_saved_and_mapped_and_other_formats_say_that_they_have_none(trained, tmp_path):
    trained.save(tmp_path / "words.safetensors")
    for mmap in (True, False):
        loaded = WordVectors.load(tmp_path / "words.safetensors", mmap=mmap)
        np.testing.assert_array_equal(loaded["watchers"], trained["watchers"])
        np.testing.assert_array_equal(loaded["watcher"], trained["watcher"])
    np.testing.assert_array_equal(loaded.most_frequent(3)["watchers"], trained["watchers"])
    for name in ("words.vec", "words.bin", "words.txt.gz"):
        with pytest.warns(UserWarning, match="has no n-grams, so unknown words no vectors"):
            trained.save(tmp_path / name)
        assert WordVectors.load(tmp_path / name).vector("watchers") is None


def test_more_pairs_of_rare_words_are_judged(trained):
    pairs = [
        ("watcher", "watched", 8.0),
        ("watchers", "singers", 3.0),
        ("songs", "singings", 6.0),
        ("xyzzy", "songs", 1.0),
    ]
    plain = WordVectors(trained.words, trained.vectors)
    assert evaluate_similarities(plain, pairs).known == 1
    assert evaluate_similarities(trained, pairs).known == 3


@pytest.mark.parametrize(
    "given",
    [
        {"ngrams": "6-3"},
        {"ngrams": "3"},
        {"ngrams": "a-b"},
        {"ngrams": (0, 3)},
        {"buckets": 10},
        {"ngrams": "3-6", "model": "glove"},
    ],
)
def test_settings_of_n_grams_that_mean_nothing_are_refused(given):
    with pytest.raises(ValueError, match="ngrams"):
        EmbeddingSettings(**given)


def test_n_grams_without_the_words_are_refused():
    with pytest.raises(ConfigurationError, match="ngrams"):
        WindowTrainer(np.array([0, 1], np.int32), np.array([1, 1]), EmbeddingSettings(ngrams=(3, 6)))
