"""Cleaning: what each step does, in which order, and that it is the same before and after a model is saved."""

import json
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seqwise import SequenceClassifier
from seqwise.errors import ConfigurationError
from seqwise.prediction import Predictor
from seqwise.text import NgramFeatures, TextPipeline, TextSettings, Tokenizer, describe_text
from seqwise.text.cleaning import PRESETS, STEPS, steps_of


@pytest.mark.parametrize(
    ("step", "text", "cleaned"),
    [
        ("html", "fish &amp; chips<br/>and <b class='x'>salt</b><!-- not\nsaid -->", "fish & chips and  salt  "),
        ("html", "&amp;lt;b&amp;gt; i <3 you, 1 < 2 > 0", "  i <3 you, 1 < 2 > 0"),
        ("urls", "see https://a.b/c?d=e. or WWW.x.org, not http", "see http. or http, not http"),
        ("users", "@bob asks me@home.org and @eve_1", "@user asks me@home.org and @user"),
        ("hashtags", "#BadDay #bad_day #NASA a#b C&#39;s", "Bad Day bad day NASA a#b C&#39;s"),
        ("numbers", "1,250.5 at 10:30 in b2b or 4x4, 7!", "0 at 0 in b2b or 4x4, 0!"),
        ("users", "@@bob .@eve a@@b", "@user .@user a@@b"),
        ("hashtags", "##Top10 &#foo &#x27; <#x #_", "Top10 &foo &#x27; <#x #_"),
        ("numbers", "...5 x1.5 1.5x #7 v2 3-4", "...0 x1.0 1.5x #7 v2 0-0"),
        ("repeats", "soooo COOOL .... 1000 aabb", "soo COOL .... 1000 aabb"),
        (
            "misspellings",
            "Teh film, definately ALOT; dont teh2x tehran",
            "The film, definitely A LOT; don't the2x tehran",
        ),
        ("punctuation", "Well, don\u2019t: 1,250.5 :-) @bob <br /> &#x27;", "Well  don't  1,250.5 :-) @bob    "),
        ("spaces", "  a \t b\n\nc ", "a b c"),
    ],
)
def test_a_step_does_what_it_says(step, text, cleaned):
    assert STEPS[step].apply(text) == cleaned


def test_steps_are_applied_in_the_stated_order_whatever_the_order_of_their_names():
    assert steps_of(["spaces", "html", "users"]) == ("html", "users", "spaces")
    assert steps_of("tweets") == PRESETS["tweets"]
    assert TextSettings(clean=["repeats", "urls"]).clean == ("urls", "repeats")
    assert TextSettings(clean="tweets").clean == PRESETS["tweets"]


@given(st.lists(st.sampled_from(sorted(STEPS))), st.text(max_size=60))
def test_cleaning_twice_changes_nothing(steps, text):
    tokenizer = Tokenizer(TextSettings(unit="words", clean=steps))
    once = tokenizer.clean(text)
    if not {"html", "punctuation"} & set(steps):  # they uncover what the steps before would have changed
        assert tokenizer.clean(once) == once


@given(st.text(max_size=80))
def test_every_text_can_be_shown_and_ends_as_the_tokenizer_has_it(text):
    settings = TextSettings(unit="words", clean="tweets")
    shown = describe_text(text, settings)
    assert shown["tokens"] == Tokenizer(settings)(text)
    assert (shown["steps"][-1]["text"] if shown["steps"] else text) == Tokenizer(settings).clean(text)


def test_symbols_and_ngrams_read_the_same_cleaned_text():
    texts = ["soooo good @bob", "soo good @eve"]
    pipeline = TextPipeline(TextSettings(unit="words", clean="tweets"))
    first, second = pipeline.fit_encode(texts)
    assert first.tolist() == second.tolist()
    features = NgramFeatures(words=(1, 2), characters=(2, 3), clean="tweets").fit(texts)
    rows = features.transform(texts)
    assert rows[0].tolist() == rows[1].tolist()
    again = NgramFeatures.from_dict(features.to_dict())
    assert again.transform(["sooooooo good @ann"])[0].tolist() == rows[0].tolist()


def test_a_saved_model_cleans_as_before_and_an_older_one_not_at_all(tmp_path):
    texts = [f"{word} @user{n}" for n in range(20) for word in ("goooood", "baaaad")]
    model = SequenceClassifier(architecture="linear", clean="tweets", validation=0.0).fit(texts, ["yes", "no"] * 20)
    model.save(tmp_path / "m")
    predictor = Predictor.load(tmp_path / "m", device="cpu")
    assert predictor.predict(["good @x", "baad @y"]) == ["yes", "no"]
    assert (predictor.predict_proba(["good @x"]) == predictor.predict_proba(["gooood @zzz"])).all()
    older = {
        name: value for name, value in NgramFeatures().fit(["a b"]).to_dict()["settings"].items() if name != "clean"
    }
    assert NgramFeatures(**older).to_dict()["settings"]["clean"] == []


def test_every_misspelling_is_put_right_once_for_all():
    apply = STEPS["misspellings"].apply
    pairs = json.loads(files("seqwise.text").joinpath("misspellings.json").read_text(encoding="utf-8"))
    for wrong, right in pairs.items():
        assert wrong == wrong.lower() != right
        assert apply(wrong) == apply(right) == right
        assert apply(wrong.capitalize()) == right[0].upper() + right[1:]
        assert apply(wrong.upper()) == right.upper()
    assert "misspellings" not in PRESETS["tweets"]  # off unless somebody asks


def test_an_entity_is_cleaned_as_the_character_it_stands_for():
    tokenizer = Tokenizer(TextSettings(unit="words", clean=["html"]))
    assert tokenizer.clean("caf&eacute; &#xFB01;ne a&shy;b e&#769;") == "caf\u00e9 fine ab \u00e9"
    assert tokenizer("caf&eacute;&nbsp;&lt;br&gt;x") == ["caf\u00e9", "x"]


@pytest.mark.parametrize(("named", "message"), [(["url"], "did you mean urls"), ("tweet", "did you mean tweets")])
def test_an_unknown_step_or_preset_is_named(named, message):
    with pytest.raises(ConfigurationError, match=message):
        steps_of(named)
    with pytest.raises(ValidationError, match=message):
        TextSettings(clean=named)
