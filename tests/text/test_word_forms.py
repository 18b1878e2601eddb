"""Stop words, lemmas and stems: what stays, in which form, and what is said about it."""

import sys

import pytest
from pydantic import ValidationError

from seqwise.errors import ConfigurationError, MissingExtraError
from seqwise.text import NgramFeatures, TextSettings, Tokenizer, describe_text, explain_text
from seqwise.text.word_forms import JUDGEMENTS, NEGATIONS, WordForms

pytest.importorskip("stopwordsiso")
pytest.importorskip("simplemma")
pytest.importorskip("snowballstemmer")


def words(text, **settings):
    return Tokenizer(TextSettings(unit="words", **settings))(text)


@pytest.mark.parametrize(
    ("language", "text", "left"),
    [
        ("en", "It is not the film that we can't recommend", ["not", "film", "can't", "recommend"]),
        ("de", "Das ist nicht der Film und kein Buch", ["nicht", "film", "kein", "buch"]),
        ("fr", "Ce film ne me plaît pas du tout", ["film", "ne", "plaît", "pas"]),
        ("es", "Esta película no es para los niños", ["película", "no", "niños"]),
        ("ru", "Это не мой фильм", ["не", "фильм"]),
        ("nl", "Dit is geen mooie film", ["geen", "mooie", "film"]),
    ],
)
def test_stop_words_of_a_language_are_dropped_and_its_negations_stay(language, text, left):
    assert words(text, stop_words=language) == left


@pytest.mark.parametrize("language", sorted(NEGATIONS))
def test_no_negation_of_any_language_is_dropped_unless_somebody_says_so(language):
    forms = WordForms(stop_words=language)
    assert forms(NEGATIONS[language]) == list(NEGATIONS[language])
    assert not any(map(forms.is_dropped, map(str.upper, NEGATIONS[language])))
    everything = WordForms(stop_words=language, keep_words=())
    assert len(everything(NEGATIONS[language])) < len(NEGATIONS[language])


def test_what_stays_is_a_list_or_negation_or_what_says_an_opinion():
    text = "we are not good at it, unfortunately we don't care"
    kept = {"not", "don't", "good", "unfortunately", "care", ",", "we"}
    for keep_words, left in (
        ("negation", ["not", ",", "don't", "care"]),
        ("sentiment", ["not", "good", ",", "unfortunately", "don't", "care"]),
        (["We"], ["we", ",", "we", "care"]),
        ([], [",", "care"]),
    ):
        assert words(text, stop_words="en", keep_words=keep_words) == left
        assert set(left) <= kept
    assert words("Not a film", stop_words=["A", "not"]) == ["film"]  # who lists it means it
    assert words("Not a film", stop_words=["A", "not"], keep_words=["not"]) == ["not", "film"]


def test_the_sentiment_preset_keeps_what_an_opinion_is_made_of():
    assert set(JUDGEMENTS["en"]).isdisjoint(NEGATIONS["en"])
    text = "This is not a great film but I wouldn't have missed it :-("
    assert words(text, preset="sentiment") == ["not", "great", "film", "but", "wouldn't", "missed", ":-("]


# Porter 1980, "An algorithm for suffix stripping": the examples of its steps, where later steps leave them as they are, and
# the words with which the paper begins and ends.
PORTER = {
    "caresses": "caress", "ponies": "poni", "ties": "ti", "cats": "cat", "feed": "feed", "plastered": "plaster",
    "motoring": "motor", "sing": "sing", "hopping": "hop", "falling": "fall", "hissing": "hiss", "filing": "file",
    "happy": "happi", "sky": "sky", "relational": "relat", "conditional": "condit", "rational": "ration",
    "triplicate": "triplic", "formative": "form", "hopeful": "hope", "goodness": "good", "revival": "reviv",
    "allowance": "allow", "adjustment": "adjust", "controlling": "control", "roll": "roll", "connect": "connect",
    "connected": "connect", "connecting": "connect", "connection": "connect", "connections": "connect",
    "generalizations": "gener", "oscillators": "oscil",
}  # fmt: skip


def test_porters_stems_are_those_of_his_paper():
    stem = WordForms(stems="porter")
    assert {word: stem.form(word) for word in PORTER} == PORTER


def test_stems_and_lemmas_are_of_words_alone():
    kept = [":-)", "@runners", "#runners", "https://running.org", "1,250", "!", "'"]
    for forms in (WordForms(stems="en"), WordForms(lemmas="en"), WordForms(lemmas="en", stems="porter")):
        assert forms(kept) == kept
    assert (
        WordForms(stems="de")(["Häuser", "Hauses"]) == ["Haus", "Haus"]
        or WordForms(stems="de").form("häuser") == "haus"
    )


def test_lemmas_come_from_a_dictionary_and_never_take_a_negation_away():
    assert words("Mice ran better", lemmas="en") == ["mouse", "run", "good"]
    assert words("die Häuser gingen nicht", lemmas="de")[1:] == ["haus", "gehen", "nicht"]
    assert words("don't cannot isn't not", lemmas="en") == ["don't", "cannot", "isn't", "not"]
    assert words("studies", lemmas="en", stems="porter") == ["studi"]  # the stem is that of the lemma


def test_n_grams_are_of_the_words_that_stay():
    features = NgramFeatures(words=(1, 2), stop_words="en", stems="porter").fit(
        ["we were not running", "it was running"]
    )
    assert sorted(name for _, name in features.names) == ["not", "not run", "run"]
    again = NgramFeatures.from_dict(features.to_dict())
    assert again.transform(["not the runs"]).ids.tolist() == features.transform(["not the runs"]).ids.tolist()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stop_words": "xx"}, "none of language 'xx'; the languages are .*en.*"),
        ({"stop_words": "ja"}, "no list of negations of language 'ja'"),
        ({"stop_words": "de", "keep_words": "sentiment"}, "no list of words that judge of language 'de'"),
        ({"stop_words": "en", "keep_words": "none"}, '"negation", "sentiment" or a list'),
        ({"lemmas": "xx"}, "text.lemmas: there are none of language 'xx'; .*en"),
        ({"stems": "portr"}, "no stemmer 'portr'; did you mean porter"),
    ],
)
def test_an_unknown_language_is_named_with_those_that_there_are(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        WordForms(**settings)
    if settings.get("keep_words") == "none":
        with pytest.raises(ValidationError, match="keep_words"):
            TextSettings(**settings)


@pytest.mark.parametrize(
    ("library", "settings"),
    [("stopwordsiso", {"stop_words": "en"}), ("simplemma", {"lemmas": "en"}), ("snowballstemmer", {"stems": "en"})],
)
def test_a_library_that_is_not_there_is_asked_for_with_its_extra(library, settings, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"{library} is not installed: pip install 'seqwise\[text\]'"):
        Tokenizer(TextSettings(unit="words", **settings))
    assert words("a b", stop_words=["a"]) == ["b"]  # a list needs nothing


@pytest.mark.parametrize("unit", ["characters", "bpe", "unigram"])
def test_units_that_are_no_words_have_no_forms(unit):
    class Learned:
        pass

    for settings in ({"stop_words": ["a"]}, {"lemmas": "en"}, {"stems": "en"}):
        with pytest.raises(ConfigurationError, match="stop_words, lemmas and stems are of words"):
            Tokenizer(TextSettings(unit=unit, **settings), Learned())


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"stop_words": "en"}, ["language en are dropped, 1,", "negations (not, no, never, every word in n't) stay"]),
        ({"preset": "sentiment"}, ["every word in n't", "words that judge (good, but, unfortunately) stay"]),
        ({"stop_words": "de"}, ["language de", "negations (kein"]),
        ({"stop_words": "en", "keep_words": []}, ["negations too (text.keep_words is empty)"]),
        ({"stop_words": "en", "keep_words": ["we", "us"]}, ["2 words of text.keep_words stay"]),
        ({"stop_words": ["a", "b"]}, ["as listed are dropped, 2 of them", "negations too, if listed"]),
    ],
)
def test_it_is_said_what_is_dropped_and_what_stays(settings, parts):
    (sentence,) = explain_text(TextSettings(**settings))
    for part in parts:
        assert part in sentence
    assert explain_text(TextSettings(stems="en")) == []


def test_every_form_that_changed_something_is_shown():
    shown = describe_text(
        "We were not running", TextSettings(unit="words", preset="sentiment", lemmas="en", stems="porter")
    )
    assert [(step["name"], step["tokens"]) for step in shown["words"]] == [
        ("words", ["we", "were", "not", "running"]),
        ("stop words", ["not", "running"]),
        ("lemmas", ["not", "run"]),
    ]
    assert shown["tokens"] == ["not", "run"]
    assert shown["spans"] == [[8, 11], [12, 19]]
