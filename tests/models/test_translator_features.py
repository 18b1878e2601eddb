import json

import pytest

from seqwise.errors import ConfigurationError, DataError
from seqwise.models import TranslatorFeatures
from seqwise.text import TextSettings

ENGLISH = ["A man sleeps.", "A woman reads (a book).", 'The dog says: "Wow!"', "It costs 3.50 euros, she says."]
GERMAN = ["Ein Mann schläft.", "Eine Frau liest (ein Buch).", 'Der Hund sagt: "Wow!"', "Es kostet 3,50 Euro, sagt sie."]
KEPT = {"lowercase": False, "normalize": "NFC"}


def fitted(unit, shared, **values):
    text = TextSettings(unit=unit, **{**KEPT, **values})
    features = TranslatorFeatures(text, text, shared=shared)
    features.fit(ENGLISH, GERMAN)
    return features


def written(features, text):
    symbols = features.encode([text], [text]).targets[0]
    return features.write(symbols[:-1])


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("unit", ["bpe", "characters", "whitespace"])
def test_what_was_cut_is_written_as_it_was(unit, shared):
    features = fitted(unit, shared, max_vocabulary=400)
    for text in GERMAN:
        assert written(features, text) == text


def test_words_are_written_with_the_spaces_that_the_targets_have():
    features = fitted("words", False)
    for text in (GERMAN[0], GERMAN[1], "Ein Mann, sagt sie."):
        assert written(features, text) == text


def test_sub_words_are_written_with_single_spaces_and_case():
    features = fitted("bpe", True, max_vocabulary=60)
    assert written(features, "  Ein   Mann\nschläft. ") == "Ein Mann schläft."


def test_what_is_unknown_is_written_as_what_stands_for_it():
    features = fitted("whitespace", False)
    symbols = features.encode(["."], ["Ein Zeppelin schläft."]).targets[0][:-1]
    assert features.write(symbols) == "Ein <unk> schläft."
    assert features.write(symbols, ["A", "zeppelin", "sleeps."]) == "Ein zeppelin schläft."


def test_every_symbol_of_a_source_belongs_to_a_word():
    features = fitted("bpe", True, max_vocabulary=45)
    tokens = features.cut("A woman reads")
    assert len(tokens) > 3
    assert list(dict.fromkeys(features.source_words(tokens))) == ["A", "woman", "reads"]


def test_sides_may_have_units_of_their_own():
    sides = TextSettings(unit="whitespace", **KEPT), TextSettings(unit="characters", **KEPT)
    features = TranslatorFeatures(*sides, shared=False)
    features.fit(ENGLISH, GERMAN)
    assert features.cut("A man") == ["A", "man"]
    assert written_target(features, "Ein Mann") == "Ein Mann"


def written_target(features, text):
    return features.write(features.encode(["A"], [text]).targets[0][:-1])


def test_pairs_that_are_too_long_or_say_nothing_do_not_fit():
    features = fitted("whitespace", True, max_length=4)
    sources = ["A man sleeps.", "one two three four", "A", "  "]
    targets = ["Ein Mann schläft.", "eins", "eins zwei drei vier", "nichts"]
    assert features.fits(sources, targets).tolist() == [True, False, False, False]
    examples = features.encode(sources[:2], targets[:2])
    assert examples.source.lengths.tolist() == [4, 4]  # <eos> stays


def test_batches_are_sorted_by_both_lengths():
    features = fitted("whitespace", True)
    examples = features.encode(["a b c", "a", "a b"], ["a", "a b c", "a"])
    assert sorted(range(3), key=lambda row: examples.order[row]) == [2, 0, 1]
    batch = examples.batch([0, 1])
    assert batch.source.shape == (2, 4)
    assert batch.target_lengths.tolist() == [2, 4]
    assert batch.live.sum() == 6


@pytest.mark.parametrize(("unit", "shared"), [("bpe", True), ("words", False)])
def test_saved_features_read_and_write_alike(unit, shared):
    features = fitted(unit, shared)
    data = json.loads(json.dumps(features.to_dict()))
    again = TranslatorFeatures.from_dict(data, features.text, features.target_text, shared=shared)
    for text in GERMAN:
        assert written(again, text) == written(features, text)
        assert again.cut(text) == features.cut(text)
    with pytest.raises(DataError):
        TranslatorFeatures.from_dict(data, features.text, features.target_text, shared=not shared)


def test_settings_without_use_are_refused():
    with pytest.raises(ConfigurationError, match="whole texts"):
        TranslatorFeatures(TextSettings(unit="words", stop_words="en"), TextSettings(), shared=False)
    with pytest.raises(ConfigurationError, match=r"target_text\.max_length"):
        TranslatorFeatures(TextSettings(), TextSettings(max_length=9), shared=True)
