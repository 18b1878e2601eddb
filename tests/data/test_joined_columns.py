"""Several columns of texts as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqwise.data import DataSettings, resolve, write_table
from seqwise.data.joined import SEPARATOR, join_fields
from seqwise.errors import DataError
from seqwise.text import TextPipeline, TextSettings


def test_columns_are_joined_with_a_symbol_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_table(path, [{"title": ["one", None, None], "body": ["two", "three", None], "words": [["a"], ["b"], ["c"]]}])
    settings = DataSettings(text=["title", "body"])  # type: ignore[arg-type]
    assert settings.text == "title + body"
    table = resolve(path, settings).table("train")
    chunk = next(table.iter_chunks(columns=["title + body", "words"]))
    assert chunk["title + body"] == [f"one {SEPARATOR} two", f" {SEPARATOR} three", None]
    assert list(chunk) == ["title + body", "words"]
    assert next(table.iter_chunks())["title"] == ["one", None, None]
    assert table.place(1) == "row 2 (line 2)"
    lists = resolve(path, DataSettings(text="words + words")).table("train")
    assert next(lists.iter_chunks(columns=["words + words"]))["words + words"][1] == ["b", SEPARATOR, "b"]


def test_a_column_that_is_called_so_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_table(path, [{"a + b": ["x"], "label": ["y"]}])
    table = resolve(path, DataSettings(text="a + b")).table("train")
    assert next(table.iter_chunks())["a + b"] == ["x"]


def test_the_separator_is_one_symbol_whatever_is_read() -> None:
    for unit in ("words", "characters", "whitespace"):
        pipeline = TextPipeline(TextSettings(unit=unit))  # type: ignore[arg-type]
        pipeline.fit_encode([f"ab {SEPARATOR} cd"])
        assert SEPARATOR in pipeline.vocabulary.tokens


def test_fields_are_joined_as_columns_are(tmp_path: Path) -> None:
    assert join_fields({"body": "two", "title": "one", "id": 3}, "title + body") == f"one {SEPARATOR} two"
    with pytest.raises(DataError, match="'title' is missing: the model reads title, body"):
        join_fields({"body": "two"}, "title + body")
    path = tmp_path / "a.csv"
    write_table(path, [{"title": ["x"], "label": ["y"]}])
    with pytest.raises(DataError, match="no text column 'body'"):
        resolve(path, DataSettings(text="title + body"))
    path = tmp_path / "b.jsonl"
    write_table(path, [{"title": ["x"], "words": [["a"]]}])
    table = resolve(path, DataSettings(text="title + words")).table("train")
    with pytest.raises(DataError, match="all texts, or all lists"):
        next(table.iter_chunks())
