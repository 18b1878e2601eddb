import json

import pytest

from seqwise.data import get_data, list_data, show_data, write_table
from seqwise.errors import DataError, FileError

ROWS = {"text": [f"t{i}" for i in range(20)], "label": ["a", "b", "b", "c"] * 5, "n": list(range(20))}


@pytest.fixture(autouse=True)
def mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQWISE_DATA", str(tmp_path / "mirror"))
    monkeypatch.setenv("SEQWISE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "mirror/mine"
    folder.mkdir(parents=True)
    write_table(folder / "train.parquet", [ROWS])
    write_table(folder / "test.csv", [{key: values[:3] for key, values in ROWS.items()}])
    (folder / "dataset.json").write_text(json.dumps({"task": "classification", "label": "label", "license": "MIT"}))
    return folder


def test_the_list_says_where_each_set_is():
    listed = {entry["name"]: entry for entry in list_data()}
    assert listed["mine"]["place"] == "SEQWISE_DATA"
    assert listed["mine"]["license"] == "MIT"
    assert listed["imdb"]["place"] == "hub"
    assert listed["names_gender"]["place"] == "elsewhere"
    assert "ssa.gov" in listed["names_gender"]["where"]
    assert len({frozenset(entry) for entry in listed.values()}) == 1  # the same keys for every set
    json.dumps(list_data())


def test_an_unfinished_download_is_not_listed(tmp_path):
    folder = tmp_path / "cache/data/.imdb-abc"
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text("{}")
    assert ".imdb-abc" not in [entry["name"] for entry in list_data()]


def test_a_set_that_is_here_is_not_fetched(mirror):
    assert get_data("mine") == {"name": "mine", "path": str(mirror), "fetched": False}


@pytest.mark.parametrize("name", ["nowhere", "names_gender"])
def test_a_set_that_cannot_be_had_is_an_error(name):
    with pytest.raises(FileError):
        get_data(name)


def test_a_path_is_no_named_data_set(mirror):
    with pytest.raises(FileError, match="no named data set"):
        get_data(str(mirror))


def test_showing_counts_rows_and_classes_and_gives_the_first_rows():
    shown = show_data("mine", rows=2)
    train, test = shown["splits"]["train"], shown["splits"]["test"]
    assert shown["metadata"]["license"] == "MIT"
    assert (train["rows"], test["rows"]) == (20, 3)
    assert train["columns"] == {"text": "string", "label": "string", "n": "int64"}
    assert test["columns"] == {"text": "str", "label": "str", "n": "str"}
    assert list(train["classes"].items()) == [("b", 10), ("a", 5), ("c", 5)]
    assert train["first"] == [{"text": "t0", "label": "a", "n": 0}, {"text": "t1", "label": "b", "n": 1}]
    json.dumps(shown)


def test_a_file_is_shown_too_with_classes_if_the_column_is_named(mirror):
    shown = show_data(mirror / "test.csv", rows=0)["splits"]["train"]
    assert (shown["rows"], shown["classes"], shown["first"]) == (3, None, [])
    shown = show_data(mirror / "test.csv", label="label")["splits"]["train"]
    assert shown["classes"] == {"b": 2, "a": 1}
    with pytest.raises(DataError, match="no label column 'lable'"):
        show_data(mirror / "test.csv", label="lable")


def test_classes_of_several_labels_a_row_are_counted(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"t": "x", "y": ["a", "b"]}\n{"t": "y", "y": ["b"]}\n{"t": "z", "y": null}\n')
    assert show_data(path, label="y")["splits"]["train"]["classes"] == {"b": 2, "(missing)": 1, "a": 1}
