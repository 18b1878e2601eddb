"""Words of a corpus as a model's text pipeline makes them, beside the pipeline itself."""

import io

import pyarrow
import pyarrow.parquet
import pytest
from test_corpus import sentences_of

from seqwise.embeddings import sources
from seqwise.embeddings.cleaning import TextCleaner
from seqwise.embeddings.corpus import encode
from seqwise.errors import ConfigurationError
from seqwise.text import TextSettings, Tokenizer

LINES = [
    "RT @ann: I don't like it!!! http://x.org/a?b=1 #BadDay",
    "Sooooo good &amp; fun :-) \u2014 caf\u00e9",
    "",
    "not bad, not the best; see www.example.org.\u00a0OK",
    "  the the the  ",
]
SETTINGS = [{}, {"clean": "tweets"}, {"lowercase": False, "punctuation": False}, {"unit": "whitespace"}]


def expected(settings):
    given = {"unit": "words", **settings}
    rows = [Tokenizer(TextSettings(**given))(line) for line in LINES]
    return [row for row in rows if row]


@pytest.mark.parametrize("settings", SETTINGS)
def test_words_are_those_of_the_text_pipeline_from_every_source(settings, tmp_path, monkeypatch):
    clean = TextCleaner(TextSettings(**settings))
    path = tmp_path / "a.txt"
    path.write_text("\n".join(LINES))
    table = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": LINES}), table)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join(LINES).encode())))
    for source, options in ((path, {}), (table, {"column": "text"}), ("-", {}), (LINES, {})):
        with encode(source, min_count=1, clean=clean, **options) as encoded:
            assert sentences_of(encoded) == expected(settings)


def test_stop_words_and_stems_are_those_of_the_text_pipeline():
    pytest.importorskip("stopwordsiso")
    pytest.importorskip("snowballstemmer")
    settings = {"stop_words": "en", "stems": "en", "clean": "tweets"}
    with encode(LINES, min_count=1, clean=TextCleaner(TextSettings(**settings))) as encoded:
        assert sentences_of(encoded) == expected(settings)
        assert "not" in encoded.words
        assert "the" not in encoded.words


def test_blocks_end_at_lines_so_that_a_line_is_cleaned_as_one(tmp_path, monkeypatch):
    lines = ["a <b class='x y'> c", "d <!-- e f --> g"] * 20
    clean = TextCleaner(TextSettings(clean=("html",)))
    path = tmp_path / "a.txt"
    path.write_text("\n".join(lines))
    monkeypatch.setattr(sources, "BLOCK", 40)
    with encode(path, min_count=1, clean=clean) as encoded:
        assert sentences_of(encoded) == [["a", "c"], ["d", "g"]] * 20


def test_what_is_done_is_said_and_tells_one_cleaning_from_another():
    cleaner = TextCleaner(TextSettings(clean="tweets"))
    assert cleaner.name == "unit words; clean html, urls, users, hashtags, repeats, spaces; lower case; NFKC"
    assert TextCleaner(TextSettings()).identity != cleaner.identity
    assert TextCleaner(TextSettings(clean="tweets", max_length=3)).identity == cleaner.identity


@pytest.mark.parametrize("unit", ["characters", "bpe"])
def test_units_that_are_no_words_are_refused(unit):
    with pytest.raises(ConfigurationError, match=f"text.unit is '{unit}'; vectors are of words"):
        TextCleaner(TextSettings(unit=unit))
