import json

import pytest
from program import call, reviews

from seqwise.data import write_table


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A data set called trec, so small that recipes run in seconds."""
    folder = tmp_path / "mirror" / "trec"
    folder.mkdir(parents=True)
    for part, rows in (("train", 160), ("test", 60)):
        texts, labels = zip(*reviews(rows, seed=rows), strict=True)
        write_table(folder / f"{part}.parquet", [{"text": list(texts), "label": list(labels)}])
    (folder / "dataset.json").write_text(json.dumps({"name": "trec", "text": "text", "label": "label", "task": "tiny"}))
    monkeypatch.setenv("SEQWISE_DATA", str(tmp_path / "mirror"))
    monkeypatch.chdir(tmp_path)
    return folder


def test_list_says_what_is_here_and_what_is_elsewhere(mirror):
    listed = {entry["name"]: entry for entry in call("data", "list", "--json").document}
    assert listed["trec"]["place"] == "SEQWISE_DATA"
    assert "imdb" in call("data", "list").out


def test_get_of_what_is_here_fetches_nothing(mirror):
    assert call("data", "get", "trec", "--json").document == {"name": "trec", "path": str(mirror), "fetched": False}
    assert str(mirror) in call("data", "get", "trec").out


def test_show_counts_rows_and_classes(mirror):
    parts = call("data", "show", "trec", "--json").document["splits"]
    assert parts["train"]["rows"] == sum(parts["train"]["classes"].values()) == 160
    answer = call("data", "show", "trec", "--rows", "1")
    assert "160 rows" in answer.out
    assert "good" in answer.out


def test_reproduce_prints_reference_and_own_figure(mirror):
    quick = ("--set", "training.epochs=1", "--set", "model.hidden_size=8")
    answer = call("reproduce", "trec", "--json", *quick)
    assert answer.code == 0, answer.err
    document = answer.document
    assert {"recipe", "reference", "test", "seconds"} <= document.keys()
    assert document["recipe"] == "trec"
    assert document["test"]["examples"] == 60
    assert document["test"]["baseline"]["accuracy"].keys() == {"value", "low", "high"}
    again = call("reproduce", "trec", *quick)
    assert again.code == 0, "a reproduction replaces the earlier one of its recipe"
    assert "0.894" in again.out
    assert "fastText" in again.out


def test_reproduce_list_names_every_recipe():
    out = call("reproduce", "--list").out
    assert "imdb-rnn" in out
    assert "dna-splice" in out
