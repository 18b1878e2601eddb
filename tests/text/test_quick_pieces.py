"""Words that are remembered are the words that are found: beside the pattern itself, and beside what forgets everything."""

import pickle
import random
import tracemalloc
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.text import TextSettings, Tokenizer
from seqwise.text import tokenizer as module
from seqwise.text.cleaning import STEPS
from seqwise.text.word_pattern import ASCII_TOKEN, UNICODE_TOKEN

TEXTS = st.text(
    st.one_of(st.sampled_from("aB1 .:;)(-'<>@#&/_\n\t\x1c\u00e9\u0130😀我"), st.characters(codec="utf-8")), max_size=40
)


@given(TEXTS)
def test_words_are_those_of_the_pattern_over_the_whole_text(text):
    tokenizer = Tokenizer(TextSettings(unit="words", normalize="NFC"))
    cleaned = tokenizer.clean(text.replace("<", " "))  # no line break
    pattern = ASCII_TOKEN if cleaned.isascii() else UNICODE_TOKEN
    expected = pattern.findall(cleaned.replace("\u2019", "'"))
    assert tokenizer(cleaned) == expected
    assert list(chain.from_iterable(map(tokenizer._pieces.__getitem__, cleaned.split()))) == expected


@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_both_patterns_find_the_same_in_ascii(text):
    assert ASCII_TOKEN.findall(text) == UNICODE_TOKEN.findall(text)


def test_what_is_forgotten_is_found_again(monkeypatch):
    draw = random.Random(0)
    pieces = ["Don't", "soooo", "#BadDay", "caf\u00e9,", "1,250.5!", "not", "the", "x" * 60, "@bob", "teh"]
    texts = [" ".join(draw.choices(pieces, k=12)) for _ in range(50)]
    settings = TextSettings(unit="words", clean=sorted(STEPS), stop_words=["the"])
    expected = [Tokenizer(settings)(text) for text in texts]
    monkeypatch.setattr(module, "_REMEMBERED", 3)
    forgetful = Tokenizer(settings)
    assert [forgetful(text) for text in texts] == expected
    assert len(forgetful._pieces) <= 3
    assert "x" * 60 not in forgetful._pieces


def test_memory_does_not_grow_with_the_number_of_different_pieces(monkeypatch):
    monkeypatch.setattr(module, "_REMEMBERED", 1000)
    tokenizer = Tokenizer(TextSettings(unit="words", punctuation=False))
    tracemalloc.start()
    try:
        sizes = []
        for block in range(6):
            tokenizer(" ".join(f"w{block}x{number}" for number in range(5000)))
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[-1] < sizes[1] * 1.2


@pytest.mark.parametrize("settings", [{}, {"stop_words": ["the"]}])
def test_a_tokenizer_is_pickled_without_what_it_remembers(settings):
    tokenizer = Tokenizer(TextSettings(unit="words", **settings))
    before = pickle.dumps(tokenizer)
    tokens = tokenizer("The film, don't miss it")
    assert pickle.dumps(tokenizer) == before
    assert pickle.loads(before)("The film, don't miss it") == tokens
