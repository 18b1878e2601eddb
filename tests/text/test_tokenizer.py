import time

import pytest

from seqwise.errors import ConfigurationError, DataError
from seqwise.text import TextSettings, Tokenizer, choose_unit


def words(text: str, **settings: object) -> list[str]:
    return Tokenizer(TextSettings(unit="words", **settings))(text)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't stop!", ["don't", "stop", "!"]),
        ("rock'n'roll 'tis", ["rock'n'roll", "'", "tis"]),
        ("it\u2019s", ["it's"]),  # the curly apostrophe is the straight one
        ("see https://a.org/x?y=1, www.b.com.", ["see", "https://a.org/x?y=1", ",", "www.b.com", "."]),
        ("@bob_1 likes #fun_2", ["@bob_1", "likes", "#fun_2"]),
        ("1,250.50 at 10:30, 3d", ["1,250.50", "at", "10:30", ",", "3d"]),
        ("great:)) :-( ;d <3 ^_^ -_-", ["great", ":))", ":-(", ";d", "<3", "^_^", "-_-"]),
        ("wait... what?!", ["wait", ".", ".", ".", "what", "?", "!"]),
        ("AT&amp;T &#39;", ["at", "&amp;", "t", "&#39;"]),
        ("good<br /><BR>bad", ["good", "bad"]),
        ("👩‍👩‍👧 👍🏽 🇩🇪🇫🇷 ❤️ 1️⃣", ["👩‍👩‍👧", "👍🏽", "🇩🇪", "🇫🇷", "❤️", "1️⃣"]),
        ("שלום עולם, مرحبا", ["שלום", "עולם", ",", "مرحبا"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),  # vowel signs stay with their letters
        ("我很好 iPhone好", ["我", "很", "好", "iphone", "好"]),
        ("snake_case", ["snake", "_", "case"]),
        ("ﬁne ™ Ⅳ", ["fine", "tm", "iv"]),  # NFKC
        ("a\u00adb\u200e c\ufeff", ["ab", "c"]),
        ("\x00\t\n \u2028", []),
        ("", []),
    ],
)
def test_words_are_what_a_reader_would_take_for_words(text, tokens):
    assert words(text) == tokens


def test_punctuation_can_be_dropped_while_emoticons_emoji_and_addresses_stay():
    assert words("Well, well... :-) 😀 @bob https://a.org/ it's 3.5 _ &amp; €5!", punctuation=False) == [
        *["well", "well", ":-)", "😀", "@bob", "https://a.org/", "it's", "3.5", "5"]
    ]


def test_lowercasing_and_normalisation_follow_the_settings():
    assert words("Ünïcode ﬁ", lowercase=False, normalize="none") == ["Ünïcode", "ﬁ"]
    assert words("e\u0301", normalize="NFC") == ["é"]
    assert words("e\u0301", normalize="none") == ["e\u0301"]
    assert words("ﬁ", normalize="NFC") == ["ﬁ"]


def test_characters_are_code_points_after_cleaning():
    characters = Tokenizer(TextSettings(unit="characters"))
    assert characters(" De la\tCruz ") == list("de la\tcruz")
    assert characters("GGCT") == list("ggct")
    assert Tokenizer(TextSettings(unit="characters", punctuation=False))("O'Neil-Smith 😀") == list("oneilsmith 😀")


def test_given_tokens_are_split_on_white_space_or_taken_from_a_list():
    given = Tokenizer(TextSettings(unit="tokens"))
    assert given("don't  split-this\nplease") == ["don't", "split-this", "please"]
    assert given(["New York", "is", "", "BIG"]) == ["new_york", "is", "big"]
    assert Tokenizer(TextSettings(unit="tokens", punctuation=False))("a , b !? c") == ["a", "b", "c"]


def test_a_row_that_is_no_text_is_refused():
    for row in (None, 3, b"bytes", ["a", "list"]):
        with pytest.raises(DataError, match="a text is expected"):
            words(row)
    with pytest.raises(DataError, match="a text is expected"):
        Tokenizer(TextSettings(unit="tokens"))(["a", 3])


def test_the_unit_must_be_decided_first():
    with pytest.raises(ConfigurationError, match="choose_unit"):
        Tokenizer(TextSettings())


@pytest.mark.parametrize(
    ("texts", "unit"),
    [
        (["Nahas", "De la Cruz", "O'Neil"], "characters"),
        (["GGCTGGACC" * 200, "TTCTAT"], "characters"),
        (["这部电影很好看", "不好看"], "characters"),
        (["Jean Dupont", "Anna Smith"], "characters"),
        (["what a wonderful film", "two hours of my life", "meh"], "words"),
        (["word " * 200_000], "words"),
        ([["given", "tokens"], ["x"]], "tokens"),
        (["", "  "], "characters"),
        ([], "characters"),
    ],
)
def test_the_unit_is_seen_from_the_texts(texts, unit):
    assert choose_unit(texts) == unit


def test_a_megabyte_is_split_in_a_second():
    text = "It's a test, isn't it? Ünïcode 😀 " * 35_000
    start = time.perf_counter()
    assert len(words(text)) > 200_000
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    "unit", ["a" * 300_000, "'" * 300_000, "a'" * 150_000, "1." * 150_000, "http://" + "." * 200_000]
)
def test_no_text_makes_the_pattern_slow(unit):
    start = time.perf_counter()
    for text in (unit, unit + "é"):  # both patterns
        words(text)
    assert time.perf_counter() - start < 5
