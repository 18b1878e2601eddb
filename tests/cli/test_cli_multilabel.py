"""Several labels an example on the command line: a list column or separated texts, from train to predict."""

import csv
import json
import random

import pytest
from program import QUICK, call, write_csv

from seqwise.data import open_table, write_table

WORDS = {"joy": ["bright", "warm"], "fear": ["dark", "cold"], "anger": ["loud", "red"]}


def tagged(rows, seed=0):
    draw = random.Random(seed)
    made = []
    for _ in range(rows):
        labels = [label for label, share in zip(WORDS, (0.6, 0.3, 0.2), strict=True) if draw.random() < share]
        words = [draw.choice(WORDS[label]) for label in labels] + draw.choices(["the", "film", "and"], k=3)
        draw.shuffle(words)
        made.append((" ".join(words), labels))
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Training and test data in both forms, and the model of each."""
    folder = tmp_path_factory.mktemp("labels")
    for name, rows in (("train", tagged(300)), ("test", tagged(100, 1))):
        write_csv(folder / f"{name}.csv", ("text", "tags"), [(text, ";".join(labels)) for text, labels in rows])
        write_table(
            folder / f"{name}.parquet", [{"text": [t for t, _ in rows], "tags": [labels for _, labels in rows]}]
        )
    for form in ("csv", "parquet"):
        answer = call(
            *("train", folder / f"train.{form}", "--text", "text", "--label", "tags", "--out", folder / form, *QUICK),
            *("--test", folder / f"test.{form}", "--json"),
        )
        assert answer.code == 0, answer.err
        (folder / f"{form}.err").write_text(answer.err)
    return folder


def test_a_list_column_and_separated_texts_give_the_same_model(folder):
    labels = [json.loads((folder / form / "labels.json").read_text()) for form in ("csv", "parquet")]
    assert labels[0] == labels[1]
    assert labels[0]["kind"] == "multilabel"
    assert labels[0]["classes"] == ["anger", "fear", "joy"]
    assert len(labels[0]["thresholds"]) == 3
    assert "separated by ';'" in (folder / "csv.err").read_text()
    assert "separated by" not in (folder / "parquet.err").read_text()


def test_the_figures_are_those_of_labels_and_the_baseline_stands_beside_them(folder):
    block = json.loads((folder / "csv" / "metrics.json").read_text())["test"]
    assert {"micro_f1", "macro_f1", "samples_f1", "mean_average_precision", "subset_accuracy"} <= block.keys()
    assert block["per_class"].keys() == {"anger", "fear", "joy"}
    assert block["baseline"]["micro_f1"]["value"] > 0.5
    assert (folder / "csv" / "report.html").stat().st_size > 10_000
    answer = call("evaluate", folder / "csv", folder / "test.csv")
    assert answer.code == 0, answer.err
    assert "micro F1" in answer.out
    again = call("evaluate", folder / "csv", folder / "test.csv", "--json").document
    assert again["macro_f1"] == block["macro_f1"]


def test_predict_gives_labels_in_the_form_of_the_training_data(folder, tmp_path):
    call("predict", folder / "csv", "--input", folder / "test.csv", "--output", tmp_path / "a.csv")
    with (tmp_path / "a.csv").open() as file:
        separated = [tuple(filter(None, row["label"].split(";"))) for row in csv.DictReader(file)]
    call("predict", folder / "parquet", "--input", folder / "test.parquet", "--output", tmp_path / "a.parquet")
    (chunk,) = open_table(tmp_path / "a.parquet").iter_chunks()
    assert [tuple(labels) for labels in chunk["label"]] == separated
    document = call("predict", folder / "csv", "--json", "bright dark film").document["predictions"][0]
    assert document["labels"] == [name for name in document["labels"] if name in WORDS]
    line = call("predict", folder / "csv", "bright dark film").out.split("\t")
    assert line[0] == (", ".join(document["labels"]) or "-")


def test_stated_shares_of_labels_move_them_one_by_one(folder):
    plain, moved = (
        call("predict", folder / "csv", "--json", "dark film", *more).document["predictions"][0]["probabilities"]
        for more in ((), ("--priors", "fear=0.001"))
    )
    assert moved["fear"] < plain["fear"]
    assert moved["joy"] == plain["joy"]
    assert call("predict", folder / "csv", "--estimate-priors", "em", "--", "dark", "warm", "film").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "{csv}", "x", "--abstain-below", "0.5"], "each has a threshold"),
        (["predict", "{csv}", "x", "--priors", "fearr=0.5"], "did you mean fear"),
        (["predict", "{csv}", "x", "--estimate-priors", "bbse"], "use em"),
        (
            ["train", "{csv}.csv", "--text", "text", "--label", "tags", "--positive", "joy", "--out", "{new}"],
            "--positive",
        ),
        (
            ["train", "{csv}.csv", "--text", "text", "--label", "tags", "--calibrate", "vector", "--out", "{new}"],
            "vector",
        ),
        (
            [
                "train",
                "{csv}.csv",
                "--text",
                "text",
                "--label",
                "tags",
                "--threshold",
                "cost",
                "--cost",
                "jo=2",
                "--out",
                "{new}",
            ],
            "did you mean joy",
        ),
    ],
)
def test_what_labels_cannot_have_is_said(folder, tmp_path, arguments, message):
    places = {"csv": str(folder / "csv"), "new": str(tmp_path / "new")}
    arguments = [one.format(**places).replace("/csv.csv", "/train.csv") for one in arguments]
    answer = call(*arguments)
    assert answer.code == 2, answer.err
    assert message in answer.err


def test_data_of_the_other_kind_are_refused(folder, tmp_path):
    single = write_csv(tmp_path / "single.csv", ("text", "tags"), [("dark", "fear"), ("warm", "joy")] * 5)
    answer = call("evaluate", folder / "parquet", single)
    assert answer.code == 2
    assert "one label an example" in answer.err


def test_one_label_each_can_be_insisted_on(folder, tmp_path):
    answer = call(
        *("train", folder / "train.csv", "--text", "text", "--label", "tags", "--out", tmp_path / "m", *QUICK),
        *("--set", "data.separator=none", "--json"),
    )
    assert "label in column 'tags' is missing" in answer.err, "rows without any label are rows without a class"
