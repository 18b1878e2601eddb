"""A text that is being changed knows where its characters come from: beside a slow oracle, and on drawn texts."""

import html
import re
import unicodedata
from functools import cache

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from seqwise.text import TextPipeline, TextSettings, Tokenizer
from seqwise.text.alignment import AlignedText
from seqwise.text.cleaning import STEPS
from seqwise.text.settings import Unit

PIECES = [
    *("a", "Bad", "ooooh", "Don't", "don\u2019t", "not", "running", "mice", "teh", "alot", "definately"),
    *(
        "&amp;",
        "&lt;b&gt;",
        "&#xFB01;",
        "&shy;",
        "&nbsp;",
        "caf&#769;",
        "<br />",
        "<BR>",
        "<b>",
        "<#br>",
        "\uff1cbr\uff1e",
        "<3",
    ),
    *(
        "http://a.b/c.",
        "www.x.org",
        "@bob",
        "@@bob",
        "#BadDay",
        "##bad_day",
        "#_",
        "1,250.5",
        "...10:30",
        "x1.5",
        ":-)",
    ),
    *(
        "😀",
        "👩\u200d👩\u200d👧",
        "🇩🇪",
        "é",
        "e\u0301",
        "ﬁ",
        "½",
        "İ",
        "ΟΔΟΣ",
        "ǅ",
        "ß",
        "\u212a",
        "我",
        "น้ำ",
        "한",
        "\u1100\u1161",
    ),
    *("\u00ad", "\u200b", "\ufeff", "\ud800", "\x00", "\x1c", "\x85", "\u2028", "\u00a0", "\u00b4", "\u0345", "…"),
    *(" ", " ", " ", "  ", "\n", "\t", "'", "_", "-", ".", "!"),
]
TEXTS = st.one_of(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.text(max_size=30))
STEP_LISTS = st.lists(st.sampled_from(sorted(STEPS)), max_size=4)
FORMS = st.sampled_from([{}, {}, {"stop_words": "en"}, {"stems": "porter"}, {"lemmas": "en", "stems": "en"}])


class Cells:
    """The oracle: one cell a character, (character, where it comes from: from, to before)."""

    def __init__(self, text):
        self.cells = [(character, place, place + 1) for place, character in enumerate(text)]

    @property
    def text(self):
        return "".join(character for character, _, _ in self.cells)

    def sub(self, pattern, replace):
        result, kept = [], 0
        for match in pattern.finditer(self.text):
            cells, new = self.cells[match.start() : match.end()], replace(match)
            result += self.cells[kept : match.start()]
            if new == match[0]:
                result += cells
            elif cells:
                result += [(c, min(s for _, s, _ in cells), max(e for _, _, e in cells)) for c in new]
            else:
                place = self.cells[match.start() - 1][2] if match.start() else 0
                result += [(c, place, place) for c in new]
            kept = match.end()
        self.cells = result + self.cells[kept:]


@given(
    st.text("aab c", max_size=25),
    st.lists(
        st.tuples(
            st.sampled_from(["a+", "b", "a(?=b)", "", " *", "a*?b", "^|$", "."]),
            st.sampled_from(["", "x", "aa", "b c"]),
        ),
        max_size=4,
    ),
    st.sampled_from([re, regex]),
)
def test_substitutions_agree_with_cells_that_are_moved_one_by_one(text, substitutions, library):
    aligned, cells = AlignedText(text), Cells(text)
    for pattern, new in substitutions:
        compiled = library.compile(pattern)
        assert compiled.sub(new, aligned.text) == (compiled.sub(lambda match, new=new: new, aligned.text))
        expected = compiled.sub(new, aligned.text)
        aligned.sub(compiled, new)
        cells.sub(compiled, lambda match, new=new: new)
        assert aligned.text == expected == cells.text
        assert list(zip(aligned.text, aligned.starts, aligned.ends, strict=True)) == cells.cells


@given(TEXTS, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
@example("e\u0301\u0323 \u1100\u1161 ﬁ\u0345", "NFKC")
def test_normalising_and_lowering_are_those_of_python_and_places_stay_in_order(text, form):
    aligned = AlignedText(text)
    aligned.normalize(form)
    assert aligned.text == unicodedata.normalize(form, text)
    lowered = aligned.text.lower()
    aligned.lower()
    assert aligned.text == lowered
    aligned.strip()
    assert aligned.text == lowered.strip()
    assert len(aligned.text) == len(aligned.starts) == len(aligned.ends)
    assert aligned.starts == sorted(aligned.starts)
    assert aligned.ends == sorted(aligned.ends)
    assert all(0 <= start < end <= len(text) for start, end in zip(aligned.starts, aligned.ends, strict=True))


def test_a_group_in_a_replacement_is_expanded_and_comes_from_the_whole_match():
    aligned = AlignedText("so oooh")
    aligned.sub(re.compile(r"(o)\1+"), r"\1\1")
    assert (aligned.text, aligned.span(3, 5)) == ("so ooh", (3, 6))
    aligned.sub(re.compile("so "), "")
    assert (aligned.text, aligned.span(0, 3)) == ("ooh", (3, 7))


def test_what_is_composed_comes_from_all_its_parts_and_its_neighbours_do_not():
    aligned = AlignedText("ae\u0301b")
    aligned.normalize("NFC")
    assert (aligned.text, [aligned.span(i, i + 1) for i in range(3)]) == ("aéb", [(0, 1), (1, 3), (3, 4)])


@given(st.sampled_from(sorted(STEPS)), TEXTS)
def test_a_step_makes_the_same_of_a_text_that_is_aligned(step, text):
    aligned = AlignedText(text)
    STEPS[step].align(aligned)
    assert aligned.text == STEPS[step].apply(text)


@given(st.sampled_from(sorted(set(STEPS) - {"html"})), TEXTS)
def test_a_step_once_more_changes_nothing(step, text):
    once = STEPS[step].apply(text)
    assert STEPS[step].apply(once) == once


@given(st.sampled_from(sorted(name for name, step in STEPS.items() if not step.across)), TEXTS, TEXTS)
def test_a_step_that_is_not_across_reads_nothing_beyond_white_space(step, left, right):
    apply = STEPS[step].apply
    assert apply(f"{left} {right}").split() == [*apply(left).split(), *apply(right).split()]


@given(
    TEXTS,
    STEP_LISTS,
    FORMS,
    st.sampled_from(["words", "tokens", "whitespace", "characters"]),
    st.booleans(),
    st.booleans(),
)
@example("&#xFB01; caf&#769; &shy;x", ["html"], {}, "words", True, True)
@example("é \x1chttp://a.b/\x1cc", ["punctuation"], {}, "words", True, True)
@example("<#br>x", ["hashtags"], {}, "words", True, True)
def test_tokens_with_their_places_are_the_tokens(text, clean, forms, unit, lowercase, punctuation):
    forms = {} if unit == "characters" else forms
    for normalize in ("NFC", "NFKC", "none"):
        settings = TextSettings(
            unit=unit, clean=clean, lowercase=lowercase, punctuation=punctuation, normalize=normalize, **forms
        )
        tokenizer = Tokenizer(settings)
        spans = tokenizer.spans(text)
        assert [token for token, _, _ in spans] == tokenizer(text)
        assert all(0 <= start < end <= len(text) for _, start, end in spans)
        assert [start for _, start, _ in spans] == sorted(start for _, start, _ in spans)


@given(TEXTS, st.sampled_from(["words", "characters", "tokens", "whitespace"]))
def test_a_token_that_no_step_changed_stands_at_its_place(text, unit):
    text = text.translate({0x2019: "'", 0xD800: "x", **dict.fromkeys([0xAD, 0x200B, 0xFEFF], "x")})
    tokenizer = Tokenizer(TextSettings(unit=unit, lowercase=False, normalize="none"))
    for token, start, end in tokenizer.spans(text):
        if token.isprintable():
            assert text[start:end] == token


@given(TEXTS)
def test_an_entity_and_the_character_it_stands_for_are_the_same_words(text):
    tokenizer = Tokenizer(TextSettings(unit="words", clean=["html"]))
    entities = [f"&#{ord(character)};" for character in text]
    pairs = list(zip(text, entities, strict=True))
    escaped = "".join(e if not c.isascii() and html.unescape(e) == c else c for c, e in pairs)
    if not {"&", "<"} & set(unicodedata.normalize("NFKC", text)):
        assert tokenizer(escaped) == tokenizer(text)


@cache
def subwords(unit, clean):
    pytest.importorskip("tokenizers")
    texts = ["the cat sat on the mat", "the dog sat, the end!", "a caf\u00e9 for the cat"] * 5
    return TextPipeline(TextSettings(unit=unit, max_vocabulary=60, clean=clean)).fit(texts).tokenizer


@given(TEXTS, st.sampled_from(["bpe", "unigram"]), st.sampled_from([(), ("html", "punctuation")]))
def test_sub_words_with_their_places_are_the_sub_words(text, unit, clean):
    tokenizer = subwords(unit, clean)
    spans = tokenizer.spans(text)
    assert [token for token, _, _ in spans] == tokenizer(text)
    assert all(0 <= start < end <= len(text) for _, start, end in spans)


def test_every_unit_is_among_the_tested():
    assert set(Unit.__args__) == {"auto", "words", "characters", "tokens", "whitespace", "bpe", "unigram"}
