import json
import math
import random
from collections import Counter

import numpy as np
import pytest

from seqwise.errors import ConfigurationError, DataError
from seqwise.text import NgramFeatures, TextSettings, Tokenizer, ngram_corpus, ngram_trie

TOKENIZE = Tokenizer(TextSettings(unit="words"))
WORDS = ["the", "a", "film", "is", "not", "good", "bad", "Ünïcode", "日本", "😀", "don't", ",", "of"]


def made_up(count: int = 120, longest: int = 30, seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choices(WORDS, k=chance.randint(0, longest))) for _ in range(count)]


def windows(sequence, low: int, high: int) -> list:
    return [sequence[i : i + n] for n in range(low, high + 1) for i in range(len(sequence) - n + 1)]


def word_ngrams(text: str, low: int, high: int) -> list[str]:
    return [" ".join(window) for window in windows(TOKENIZE(text), low, high)]


def inner_ngrams(text: str, low: int, high: int) -> list[str]:
    return [w for word in TOKENIZE(text) for w in windows(f" {word} ", low, high) if w != " "]


def marked_ngrams(text: str, low: int, high: int) -> list[str]:
    return [w for w in windows(f"^{TOKENIZE.clean(text).strip()}$", low, high) if w not in ("^", "$")]


def placed_ngrams(text: str, low: int, high: int) -> list[str]:
    clean = TOKENIZE.clean(text).strip()
    return [f"{i + 1}:{clean[i : i + n]}" for n in range(low, high + 1) for i in range(len(clean) - n + 1)]


def as_dictionaries(features: NgramFeatures, texts: list) -> list[dict[tuple[str, str], float]]:
    rows = features.transform(texts)
    names = features.names
    values = np.split(rows.values, rows.offsets[1:-1])
    return [
        {names[i]: float(value) for i, value in zip(ids, weights, strict=True)}
        for ids, weights in zip(rows, values, strict=True)
    ]


def by_scikit_learn(texts: list[str], others: list[str], ngrams, span: tuple[int, int]) -> list[dict[str, float]]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer=lambda text: ngrams(text, *span), sublinear_tf=True).fit(texts)
    names = vectorizer.get_feature_names_out()
    table = vectorizer.transform(others)
    return [dict(zip(names[row.indices], row.data, strict=True)) for row in table]


CASES = [
    ({"words": (1, 1)}, "words", word_ngrams, (1, 1)),
    ({"words": (1, 3)}, "words", word_ngrams, (1, 3)),
    ({"words": (2, 2)}, "words", word_ngrams, (2, 2)),
    ({"words": None, "characters": (1, 4)}, "characters", marked_ngrams, (1, 4)),
    ({"words": None, "characters": (3, 5)}, "characters", marked_ngrams, (3, 5)),
    ({"words": None, "positions": True}, "positions", placed_ngrams, (1, 2)),
    ({"words": None, "positions": 3}, "positions", placed_ngrams, (1, 3)),
]


@pytest.mark.parametrize(("arguments", "kind", "ngrams", "span"), CASES)
def test_weights_are_those_of_scikit_learn(monkeypatch, arguments, kind, ngrams, span):
    monkeypatch.setattr(ngram_corpus, "_WORD_BUDGET", 100)  # several chunks
    monkeypatch.setattr(ngram_corpus, "_CHARACTER_BUDGET", 300)
    texts, others = made_up(), ["brand new words", *made_up(30, seed=1)]
    features = NgramFeatures(**arguments).fit(texts)
    expected = by_scikit_learn(texts, others, ngrams, span)
    for mine, theirs in zip(as_dictionaries(features, others), expected, strict=True):
        assert {name: pytest.approx(value, rel=1e-6) for (_, name), value in mine.items()} == theirs
        assert all(k == kind for k, _ in mine)


def test_blocks_weigh_the_same_and_the_row_has_length_one(monkeypatch):
    monkeypatch.setattr(ngram_corpus, "_WORD_BUDGET", 50)
    texts, others = made_up(), made_up(30, seed=1)
    features = NgramFeatures(words=(1, 2), characters=(1, 4)).fit(texts)
    words = by_scikit_learn(texts, others, word_ngrams, (1, 2))
    inner = by_scikit_learn(texts, others, inner_ngrams, (1, 4))
    for row, (mine, one, two) in enumerate(zip(as_dictionaries(features, others), words, inner, strict=True)):
        expected = {("words", name): value / math.sqrt(2) for name, value in one.items()}
        expected |= {("word characters", name): value / math.sqrt(2) for name, value in two.items()}
        assert mine == {name: pytest.approx(value, rel=1e-6) for name, value in expected.items()}, others[row]
        assert sum(v * v for v in mine.values()) == pytest.approx(1 if mine else 0)


def test_a_block_without_known_ngrams_leaves_its_weight_to_the_others():
    features = NgramFeatures(words=(1, 1), characters=(2, 2)).fit(["abc abd", "xyz"])
    (row,) = as_dictionaries(features, ["abq"])
    assert {kind for kind, _ in row} == {"word characters"}
    assert sum(v * v for v in row.values()) == pytest.approx(1)


def test_binary_weights_are_one():
    features = NgramFeatures(words=(1, 1), weighting="binary").fit(["a a b", "c"])
    assert as_dictionaries(features, ["a a c", "b z"]) == [{("words", "a"): 1, ("words", "c"): 1}, {("words", "b"): 1}]


@pytest.mark.parametrize("limit", [1, 5, 17, 60, None])
@pytest.mark.parametrize("rarest", [1, 3])
def test_the_ngrams_in_most_documents_are_kept(monkeypatch, limit, rarest):
    monkeypatch.setattr(ngram_corpus, "_WORD_BUDGET", 100)
    texts = made_up(40)
    counts = Counter(gram for text in texts for gram in set(word_ngrams(text, 2, 3)))
    # Ties: the shorter first, then in the order of the words.
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0].count(" "), item[0].split(" ")))
    expected = dict([item for item in ranked if item[1] >= rarest][:limit])
    features = NgramFeatures(words=(2, 3), min_documents=rarest, max_features=limit).fit(texts)
    block = features.blocks[0]
    assert dict(zip(block.features, block.counts.tolist(), strict=True)) == expected


def test_the_limit_holds_for_each_block():
    features = NgramFeatures(words=(1, 1), characters=(2, 3), max_features=4).fit(made_up(20))
    assert [len(block.features) for block in features.blocks] == [4, 4]
    assert len(features) == 8


def test_counts_do_not_depend_on_when_they_are_merged(monkeypatch):
    texts = made_up(60)
    whole = NgramFeatures(words=(1, 2)).fit(texts).to_dict()
    monkeypatch.setattr(ngram_corpus, "_WORD_BUDGET", 20)
    monkeypatch.setattr(ngram_trie, "_MERGE_ABOVE", 10)
    assert NgramFeatures(words=(1, 2)).fit(texts).to_dict() == whole


@pytest.mark.parametrize(
    "arguments", [case[0] for case in CASES] + [{"words": (1, 2), "characters": (2, 4), "positions": 2}]
)
@pytest.mark.parametrize("on_disk", [False, True])
def test_every_way_to_the_rows_gives_the_same_rows(tmp_path, arguments, on_disk):
    texts = made_up(50)
    folder = tmp_path if on_disk else None
    features = NgramFeatures(**arguments)
    at_once = features.fit_transform(iter(texts), folder=folder)
    loaded = NgramFeatures.from_dict(json.loads(json.dumps(features.to_dict())))
    assert loaded.names == features.names
    for rows in (
        features.transform(iter(texts), folder=folder),
        NgramFeatures(**arguments).fit(texts, folder=folder).transform(texts),
        loaded.transform(texts),
    ):
        np.testing.assert_array_equal(rows.ids, at_once.ids)
        np.testing.assert_array_equal(rows.offsets, at_once.offsets)
        np.testing.assert_array_equal(rows.values, at_once.values)
    one_by_one = [loaded.transform([text]) for text in texts]
    np.testing.assert_array_equal(np.concatenate([row.ids for row in one_by_one]), at_once.ids)
    assert (at_once.ids.dtype, at_once.values.dtype) == (np.int32, np.float32)
    assert isinstance(at_once.values, np.memmap) == on_disk


def test_ids_ascend_within_a_row():
    rows = NgramFeatures(words=(1, 2), characters=(1, 3)).fit_transform(made_up(30))
    for row in rows:
        assert (np.diff(row) > 0).all()


def test_given_tokens_are_the_words():
    features = NgramFeatures(words=(1, 2), unit="tokens").fit([["New York", "don't-split"], "plain text"])
    assert [name for _, name in features.names] == [
        *["don't-split", "new_york", "plain", "text", "new_york don't-split", "plain text"]
    ]


def test_case_is_kept_if_asked():
    assert [name for _, name in NgramFeatures(words=(1, 1), lowercase=False).fit(["Good", "good"]).names] == [
        "Good",
        "good",
    ]


def test_nothing_known_is_an_empty_row():
    features = NgramFeatures(words=(1, 2)).fit(["a b"])
    assert features.transform(["", "x y", "a"]).lengths.tolist() == [0, 0, 1]
    assert len(features.transform([])) == 0


def test_texts_without_a_word_can_be_fitted():
    for arguments in (
        {"words": (1, 2), "characters": (2, 3), "positions": True},
        {"words": None, "characters": (3, 4)},
    ):
        features = NgramFeatures(**arguments).fit(["", " "])
        assert len(features) == 0
        assert features.transform(["a", ""]).lengths.tolist() == [0, 0]


def test_positions_beyond_the_last_one_are_no_features(monkeypatch):
    from seqwise.text import ngram_block

    monkeypatch.setattr(ngram_block, "_MAX_POSITIONS", 3)
    features = NgramFeatures(words=None, positions=1).fit(["abcde"])
    assert [name for _, name in features.names] == ["1:a", "2:b", "3:c"]
    assert features.transform(["abcde", "zzzde"]).lengths.tolist() == [3, 0]


@pytest.mark.parametrize(
    "arguments",
    [
        {"words": None},
        {"words": (0, 1)},
        {"words": (2, 1)},
        {"words": None, "characters": (1, 65)},
        {"positions": -1},
        {"weighting": "idf"},
        {"unit": "characters"},
        {"min_documents": 0},
        {"max_features": 0},
    ],
)
def test_arguments_out_of_range_are_refused(arguments):
    with pytest.raises(ConfigurationError):
        NgramFeatures(**arguments)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (["documents"], -1, "documents is -1"),
        (["settings", "words"], [0, 2], "settings of n-gram features"),
        (["settings", "unknown"], 1, "settings of n-gram features"),
        (["settings", "words"], [1, 3], "not those of the settings"),
        (["settings", "words"], "ab", "settings of n-gram features"),
        (["settings", "words"], 7, "settings of n-gram features"),
        (["settings"], [], "settings of n-gram features"),
        (["blocks"], {}, "every block"),
        (["blocks", 0, "features", 0], 3, "entry 0 is int"),
        (["blocks", 0, "features", 0], "one two three", "not from 1 to 2 long"),
        (["blocks", 0, "counts", 0], 1.5, "count 0 is 1.5"),
        (["blocks", 1, "features", 0], "ab", "does not begin with a position"),
        (["blocks", 1, "features", 0], "99999:a", "does not begin with a position"),
        (["blocks", 1, "features", 0], "3:", "not from 1 to 2 long"),
    ],
)
def test_damaged_features_are_refused_with_the_reason(path, value, reason):
    saved = NgramFeatures(words=(1, 2), positions=2).fit(["a b", "b c"]).to_dict()
    saved = json.loads(json.dumps(saved))
    place = saved
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(DataError, match=reason):
        NgramFeatures.from_dict(saved)


def test_lone_surrogates_do_no_harm():
    features = NgramFeatures(words=None, characters=(1, 1)).fit(["a\ud800"])
    assert [name for _, name in features.names] == ["a", "\ufffd"]
    saved = features.to_dict()
    saved["blocks"][0]["features"][0] = "\ud800"
    assert NgramFeatures.from_dict(saved).transform(["a\ud800"]).lengths.tolist() == [1]
