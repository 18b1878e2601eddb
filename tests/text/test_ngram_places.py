"""Every n-gram that is counted is found in its place, as often as it is counted."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.text import NgramFeatures
from seqwise.text.ngram_corpus import END, START
from seqwise.text.ngram_places import ngram_places

TEXTS = ["The cat sat, the cat ran!", "A naïve café; ﬁne cats", "ACGTACGT", "no", "", "  the   end  "]
KINDS = [
    {"words": (1, 3)},
    {"words": (1, 2), "characters": (2, 4)},
    {"words": None, "characters": (1, 4)},
    {"words": None, "characters": (1, 2), "positions": True},
    {"words": (1, 2), "characters": (2, 3), "clean": ("html", "repeats")},
    {"words": (1, 2), "characters": (2, 3), "lowercase": False},
]


def counts_of(features, text):
    """How often each feature occurs; the two marks alone, all that an empty text has, stand nowhere."""
    corpus = features._reader.read([text])
    first, found = 0, Counter()
    for block in features.blocks:
        for _, ids in block.occurrences(corpus):
            found.update(first + i for i in ids.tolist() if block.features[i] != START + END)
        first += len(block.features)
    return found


def assert_found(features, text):
    ids = features.transform([text]).ids.tolist()
    places = list(ngram_places(features, text, ids))
    assert Counter(number for number, _, _ in places) == counts_of(features, text)
    length = len(text if isinstance(text, str) else " ".join(text))
    assert all(0 <= start < end <= length for _, start, end in places)
    return places


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_every_ngram_is_found_as_often_as_it_is_counted(settings):
    features = NgramFeatures(**settings).fit(TEXTS)
    for text in [*TEXTS, "the cats and the cafés sat, naïvely!"]:
        assert_found(features, text)


@given(st.text(st.characters(exclude_characters="\x02\x03"), max_size=30))
def test_of_any_text(text):
    for settings in KINDS[:4]:
        features = NgramFeatures(**settings).fit([text or "x", "a b"])
        if len(features):
            assert_found(features, text)


def test_a_word_ngram_stands_where_its_words_do():
    features = NgramFeatures(words=(1, 2)).fit(["not so good"])
    names = [name for _, name in features.names]
    text = "It is Not  so good"
    found = {names[i]: text[start:end] for i, start, end in assert_found(features, text)}
    assert found == {"not": "Not", "so": "so", "good": "good", "not so": "Not  so", "so good": "so good"}


def test_a_character_ngram_stands_where_its_characters_do_and_marks_nowhere():
    features = NgramFeatures(words=(1, 1), characters=(3, 3)).fit(["the cat"])
    names = features.names
    text = "  The cat"
    found = {names[i][1]: text[s:e] for i, s, e in assert_found(features, text) if names[i][0] != "words"}
    assert found == {" th": "Th", "the": "The", "he ": "he", " ca": "ca", "cat": "cat", "at ": "at"}


def test_lists_of_tokens_have_spaces_between():
    features = NgramFeatures(words=(1, 2), characters=(2, 3), unit="tokens").fit([["New York", "is"], ["x"]])
    places = assert_found(features, ["New York", "is"])
    kinds = {(features.names[i][1], s, e) for i, s, e in places if features.names[i][0] == "words"}
    assert kinds == {("new_york", 0, 8), ("is", 9, 11), ("new_york is", 0, 11)}


def test_nothing_is_found_that_is_not_asked_for():
    features = NgramFeatures(words=(1, 1)).fit(TEXTS)
    assert list(ngram_places(features, TEXTS[0], np.empty(0, np.int64))) == []
