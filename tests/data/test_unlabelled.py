"""Unlabelled texts: every kind of file, read again in every pass, and what is wrong with one."""

import gzip

import pytest

from seqwise.data import UnlabelledTexts, write_table
from seqwise.errors import DataError, FileError

TEXTS = ["one text", "another, longer", "third"]


def test_a_text_file_has_a_text_a_line_and_a_table_a_column(tmp_path):
    (tmp_path / "more.txt").write_text("one text\n\n  another, longer\nthird\n")
    with gzip.open(tmp_path / "more.txt.gz", "wt") as file:
        file.write("\n".join(TEXTS))
    (tmp_path / "more.jsonl").write_text("".join(f'{{"body": "{text}"}}\n' for text in TEXTS) + '{"body": null}\n')
    write_table(tmp_path / "more.parquet", [{"body": TEXTS}])
    for name in ("more.txt", "more.txt.gz", "more.jsonl", "more.parquet"):
        texts = UnlabelledTexts(str(tmp_path / name), "body")
        assert list(texts) == TEXTS, name
        assert list(texts) == TEXTS, "read again"


def test_labels_mean_nothing_in_lines(tmp_path):
    (tmp_path / "more.txt").write_text("__label__a __label__b word\n")
    assert list(UnlabelledTexts(str(tmp_path / "more.txt"), "text")) == ["__label__a __label__b word"]


def test_a_data_set_may_have_an_unlabelled_part(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQWISE_DATA", str(tmp_path))
    monkeypatch.setenv("SEQWISE_CACHE", str(tmp_path / "cache"))
    for name in ("films", "bare"):
        (tmp_path / name).mkdir()
    write_table(tmp_path / "films" / "unlabelled.parquet", [{"text": TEXTS}])
    write_table(tmp_path / "bare" / "train.parquet", [{"text": TEXTS}])
    assert list(UnlabelledTexts("films", "text")) == TEXTS
    with pytest.raises(FileError, match="the data set bare has no part 'unlabelled'"):
        UnlabelledTexts("bare", "text")


@pytest.mark.parametrize("name", ["none.txt", "folder/none", "nothing"])
def test_a_file_that_is_not_there_is_named(tmp_path, monkeypatch, name):
    monkeypatch.setenv("SEQWISE_DATA", str(tmp_path))
    with pytest.raises(FileError, match=f"there is no file {name}"):
        UnlabelledTexts(name, "text")


def test_a_table_without_the_column_or_with_other_values_is_refused(tmp_path):
    (tmp_path / "more.jsonl").write_text('{"body": "a"}\n{"body": 3}\n')
    with pytest.raises(DataError, match="has no text column 'text'; its columns are 'body'"):
        UnlabelledTexts(str(tmp_path / "more.jsonl"), "text")
    with pytest.raises(DataError, match="row 2: column 'body' holds 3"):
        list(UnlabelledTexts(str(tmp_path / "more.jsonl"), "body"))
