"""Sub-words: learned, round trips, saved, and what goes wrong."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.errors import ConfigurationError, DataError, MissingExtraError
from seqwise.text import TextPipeline, TextSettings, Tokenizer
from seqwise.text.subwords import Subwords
from seqwise.text.vocabulary import UNK

pytest.importorskip("tokenizers")
TEXTS = ["low low low low low lower lower", "newest newest newest newest newest newest", "widest widest widest"]
KINDS = pytest.mark.parametrize("unit", ["bpe", "unigram"])


def fitted(unit, size=60, **settings):
    return TextPipeline(TextSettings(unit=unit, max_vocabulary=size, **settings)).fit(TEXTS)


def test_the_pairs_of_sennrichs_example_are_joined():
    """Sennrich et al. 2016, figure 1: es, est, lo, low are the first of low, lower, newest, widest."""
    learned = Subwords.learn(TEXTS, "bpe", 40)
    assert learned("low lowest")[0] == "▁low"
    assert learned("lowest") == ["▁low", "est"]
    assert learned("newest") == ["▁newest"]


def test_the_same_texts_give_the_same_pairs():
    assert all(fitted("bpe").to_dict() == fitted("bpe").to_dict() for _ in range(5))


@KINDS
@given(st.lists(st.text("lownerstid", min_size=1, max_size=8), max_size=5))
def test_joined_sub_words_are_the_text(unit, drawn):
    if unit not in CACHE:
        CACHE[unit] = fitted(unit).tokenizer
    text = " ".join(drawn)
    assert "".join(CACHE[unit](text)).replace("▁", " ").removeprefix(" ") == text


CACHE: dict[str, Tokenizer] = {}


@KINDS
def test_what_was_never_seen_is_unknown_and_in_its_place(unit):
    pipeline = fitted(unit)
    tokens = pipeline.tokenizer("low qqé <br /> low")
    assert "<unk>" in tokens
    assert set("".join(tokens).replace("<unk>", "")) <= set("▁low")
    assert UNK in pipeline.encode(["low q"]).ids.tolist()
    assert pipeline.encode([""]).ids.tolist() == [UNK]


@KINDS
def test_a_saved_pipeline_cuts_and_encodes_as_before(unit):
    pipeline = fitted(unit, clean="tweets", punctuation=False)
    loaded = TextPipeline.from_dict(json.loads(json.dumps(pipeline.to_dict())))
    texts = [*TEXTS, "Looooow @bob, wider!", "&lt;", ""]
    assert loaded.encode(texts).ids.tolist() == pipeline.encode(texts).ids.tolist()
    assert len(loaded.subwords) == len(pipeline.subwords) <= 60
    at_once = TextPipeline(pipeline.settings)
    rows = at_once.fit_encode(iter(TEXTS))
    assert rows.ids.tolist() == at_once.encode(TEXTS).ids.tolist()
    if unit == "bpe":
        assert at_once.to_dict() == pipeline.to_dict()


@KINDS
def test_no_text_at_all_is_no_sub_word(unit):
    for texts in ([], [""], [" "]):
        pipeline = TextPipeline(TextSettings(unit=unit)).fit(texts)
        assert pipeline.encode(["a"]).ids.tolist() == [UNK] * len(pipeline.tokenizer("a"))


def test_fewer_sub_words_than_characters_are_refused_where_that_is_impossible():
    with pytest.raises(ConfigurationError, match=r"text.max_vocabulary: 3 sub-words are fewer"):
        fitted("unigram", 3)
    assert len(fitted("bpe", 3).vocabulary) == 3 + 3  # seldom characters are unknown


def test_what_is_damaged_or_missing_is_said(monkeypatch):
    saved = fitted("bpe").to_dict()
    with pytest.raises(DataError, match="sub-words: not a description"):
        TextPipeline.from_dict({**saved, "subwords": "{}"})
    with pytest.raises(DataError, match='has "subwords" if its unit is one'):
        TextPipeline.from_dict({name: value for name, value in saved.items() if name != "subwords"})
    with pytest.raises(ConfigurationError, match="sub-words are learned by"):
        Tokenizer(TextSettings(unit="bpe"))
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match=r"tokenizers is not installed: pip install 'seqwise\[text\]'"):
        fitted("bpe")
