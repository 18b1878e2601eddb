import pytest

from seqwise.data import open_table
from seqwise.data.pairs import find_pair_columns, read_pairs
from seqwise.errors import DataError


def table(tmp_path, text):
    (tmp_path / "pairs.tsv").write_text(text, encoding="utf-8")
    return open_table(tmp_path / "pairs.tsv")


def test_pairs_are_read_with_their_rows(tmp_path):
    read = table(tmp_path, "source\ttarget\nA man.\tEin Mann.\nA dog.\tEin Hund.\n")
    pairs = read_pairs(read, *find_pair_columns(read, None, None))
    assert pairs.sources == ["A man.", "A dog."]
    assert pairs.targets == ["Ein Mann.", "Ein Hund."]
    assert pairs.take([1]).rows == [1]


def test_lists_of_tokens_are_joined(tmp_path):
    (tmp_path / "pairs.jsonl").write_text('{"en": ["A", "man"], "de": "Ein Mann"}\n', encoding="utf-8")
    assert read_pairs(open_table(tmp_path / "pairs.jsonl"), "en", "de").sources == ["A man"]


def test_an_empty_target_is_an_error_that_names_its_row(tmp_path):
    read = table(tmp_path, "en\tde\nA man.\tEin Mann.\nA dog.\t\n")
    with pytest.raises(DataError, match=r"row 2.*'de' is (empty|missing)"):
        read_pairs(read, "en", "de")


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(DataError, match="--target"):
        find_pair_columns(table(tmp_path, "source\tde\na\tb\n"), None, None)
