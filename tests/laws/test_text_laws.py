"""What holds for every text, whatever is in it."""

import json

import numpy as np
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from seqwise.text import NgramFeatures, Ragged, TextPipeline, TextSettings, Tokenizer, Vocabulary
from seqwise.text.vocabulary import UNK
from seqwise.text.word_pattern import ASCII_TOKEN, UNICODE_TOKEN

ANY_TEXT = st.text(st.characters(), max_size=60)  # lone surrogates and control characters included
PIECES = [*"aéZ1'._-:)(@#&;<>/😀👍🏽日 \n", "http://", "www.", "<br />", "\u200d", "\ufe0f"]
SPEECH = st.lists(st.sampled_from(PIECES)).map("".join)
TEXT = ANY_TEXT | SPEECH
SETTINGS = st.builds(
    TextSettings,
    unit=st.sampled_from(["words", "characters", "tokens"]),
    lowercase=st.booleans(),
    normalize=st.sampled_from(["NFC", "NFKC", "none"]),
    punctuation=st.booleans(),
    max_length=st.integers(1, 8),
    keep=st.sampled_from(["first", "last"]),
    max_vocabulary=st.integers(1, 20),
    min_count=st.integers(1, 3),
    end_mark=st.booleans(),
)


@given(TEXT, SETTINGS)
def test_cleaning_twice_changes_nothing(text, chosen):
    tokenizer = Tokenizer(chosen)
    once = tokenizer.clean(text)
    assert tokenizer.clean(once) == once


@given(TEXT, SETTINGS)
def test_tokens_are_visible_hold_no_white_space_and_can_be_written(text, chosen):
    for token in Tokenizer(chosen)(text):
        token.encode("utf-8")
        assert token
        if chosen.unit != "characters":
            assert not any(map(str.isspace, token))


@given(TEXT)
def test_words_together_are_the_text_without_what_is_invisible(text):
    tokenizer = Tokenizer(TextSettings(unit="words"))
    cleaned = regex.sub(r"<br\s*/?>", " ", tokenizer.clean(text), flags=regex.IGNORECASE).replace("\u2019", "'")
    invisible = regex.compile(r"[\s\p{Cc}\p{Cf}]")
    assert invisible.sub("", "".join(tokenizer(text))) == invisible.sub("", cleaned)


@given(TEXT)
def test_dropping_punctuation_drops_tokens_and_changes_none(text):
    every = Tokenizer(TextSettings(unit="words"))(text)
    kept = iter(every)
    assert all(token in kept for token in Tokenizer(TextSettings(unit="words", punctuation=False))(text))


@given(st.text(st.characters(max_codepoint=127)) | SPEECH.filter(str.isascii))
def test_the_fast_pattern_for_ascii_finds_the_same_words(text):
    assert ASCII_TOKEN.findall(text) == UNICODE_TOKEN.findall(text)


@given(st.lists(TEXT, max_size=6), st.lists(TEXT, max_size=3), SETTINGS)
def test_encoding_keeps_every_promise_of_the_settings(texts, others, chosen):
    pipeline = TextPipeline(chosen)
    rows = pipeline.fit_encode(texts)
    assert len(pipeline.vocabulary) <= chosen.max_vocabulary + 3
    assert (pipeline.vocabulary.counts[3:] >= chosen.min_count).all()
    loaded = TextPipeline.from_dict(json.loads(json.dumps(pipeline.to_dict())))
    for given_texts, encoded in ((texts, rows), (others, loaded.encode(others))):
        tokenizer = Tokenizer(chosen)
        assert len(encoded) == len(given_texts)
        for text, row in zip(given_texts, encoded, strict=True):
            assert 1 <= len(row) <= chosen.max_length
            tokens = tokenizer(text)
            body = row[: len(row) - chosen.end_mark]
            kept = tokens[: len(body)] if chosen.keep == "first" else tokens[len(tokens) - len(body) :]
            known = [token if token in pipeline.vocabulary else "<unk>" for token in kept] or ["<unk>"] * len(body)
            assert pipeline.vocabulary.decode(body) == known
            assert not chosen.end_mark or row[-1] == 2


@given(st.lists(st.lists(st.sampled_from("abcdef"))), st.integers(1, 10), st.integers(1, 4))
def test_a_vocabulary_is_the_same_whatever_the_order_of_the_texts(rows, size, count):
    forward, backward = Vocabulary.fit(rows, size, count), Vocabulary.fit(rows[::-1], size, count)
    assert forward.to_dict() == backward.to_dict()
    assert (np.diff(forward.counts[3:]) <= 0).all()
    tokens = [token for row in rows for token in row]
    assert forward.counts.sum() == len(tokens)
    assert (forward.encode(tokens) == UNK).sum() == forward.counts[UNK]


@settings(deadline=None)
@given(
    st.lists(TEXT, min_size=1, max_size=8),
    TEXT,
    st.sampled_from([(1, 1), (1, 2), (2, 3), None]),
    st.sampled_from([(1, 1), (1, 3), (2, 4), None]),
    st.sampled_from([False, True, 3]),
    st.sampled_from([3, None]),
)
def test_ngram_rows_are_unit_vectors_of_known_ngrams(texts, other, words, characters, positions, limit):
    if words is None and characters is None and not positions:
        return
    features = NgramFeatures(words=words, characters=characters, positions=positions, max_features=limit)
    rows = features.fit_transform(texts)
    loaded = NgramFeatures.from_dict(json.loads(json.dumps(features.to_dict())))
    again = loaded.transform([*texts, other])
    np.testing.assert_array_equal(again.part(0, len(texts)).ids, rows.ids)
    np.testing.assert_array_equal(again.part(0, len(texts)).values, rows.values)
    for row in range(len(again)):
        values = again.values[again.offsets[row] : again.offsets[row + 1]]
        assert (values > 0).all()
        assert not len(values) or np.isclose((values**2).sum(), 1, rtol=1e-5)
    assert not len(again.ids) or again.ids.max() < len(features)


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=8), st.data())
def test_taking_parts_of_ragged_rows_is_taking_parts_of_lists(rows, data):
    ragged = Ragged.from_rows(rows)
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1)))
    assert [row.tolist() for row in ragged.take(chosen)] == [rows[i] for i in chosen]
    start = data.draw(st.integers(0, len(rows)))
    stop = data.draw(st.integers(start, len(rows)))
    assert [row.tolist() for row in ragged.part(start, stop)] == rows[start:stop]
    table = ragged.padded(fill=-1)
    assert [[i for i in row if i >= 0] for row in table.tolist()] == rows
