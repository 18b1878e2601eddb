import csv
import json

import numpy as np
import pytest
from program import QUICK, call

SMALL = ("--set", "training.epochs=5", "--set", "training.learning_rate=0.02", "--set", "model.hidden_size=8")
WORDS = {"awful": -2.0, "bad": -1.0, "good": 1.0, "great": 2.0}


def reviews(path, count, seed, column="stars"):
    random = np.random.default_rng(seed)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", column, "price", "importance"])
        for _ in range(count):
            chosen = random.choice(list(WORDS), random.integers(1, 4)).tolist()
            text = " ".join(random.permutation([*chosen, "the", "film", "plot"]))
            stars = 5 + sum(WORDS[word] for word in chosen)
            writer.writerow([text, stars, 100 - 10 * stars, random.integers(1, 4)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("regression")
    reviews(place / "train.csv", 160, 0)
    reviews(place / "test.csv", 60, 1)
    answer = call(
        *("train", place / "train.csv", "--task", "regress", "--text", "review", "--target", "stars"),
        *("--test", place / "test.csv", "--out", place / "m", "--weight", "importance", *QUICK, *SMALL, "--json"),
    )
    assert answer.code == 0, answer.err
    block = answer.document["test"]
    assert block["r2"]["value"] > 0.8
    assert block["mae"]["low"] < block["mae"]["value"] < block["mae"]["high"]
    assert block["baseline"]["name"] == "ridge regression on tf-idf n-grams"
    assert block["others"]["mean"]["r2"]["value"] < 0.1
    assert block["difference"]["metric"] == "mae"
    return place / "m"


def test_the_report_shows_residuals_values_parts_and_the_worst_and_needs_nothing_else(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    for part in (
        *("ridge regression on tf-idf n-grams", "Mean absolute error", "Said against true", "Residuals by answer"),
        *("By true value", "What each part does", "recurrent", "Furthest off", "mean", "svg"),
    ):
        assert part in page
    assert "<script" not in page
    assert "seqwise predict" in (folder / "README.md").read_text(encoding="utf-8")


def test_texts_get_numbers(folder, tmp_path):
    document = call("predict", folder, "great film", "awful film", "--json").document
    assert document["targets"] == ["stars"]
    high, low = (row["stars"] for row in document["predictions"])
    assert high > low + 2
    line = call("predict", folder, "great film").out.split("\t")
    assert float(line[0]) == pytest.approx(high, rel=1e-3)
    assert line[1].strip() == "great film"
    output = tmp_path / "answers.csv"
    answer = call("predict", folder, "--input", folder.parent / "test.csv", "--output", output)
    assert answer.code == 0, answer.err
    with output.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    errors = [abs(float(row["predicted_stars"]) - float(row["stars"])) for row in rows]
    assert np.mean(errors) < 1
    again = call("predict", folder, "--input", folder.parent / "test.csv", "--output", output)
    assert again.code == 2
    assert "--overwrite replaces it" in again.err


def test_other_data_are_evaluated_beside_the_stored_baseline(folder):
    block = call("evaluate", folder, folder.parent / "test.csv", "--save", "--json").document
    assert json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["test"] == block
    assert block["baseline"]["mae"]["value"] is not None
    table = call("evaluate", folder, folder.parent / "test.csv").out
    assert "Root mean squared error" in table
    assert "By true value" in table


def test_several_targets_are_learned_together(tmp_path):
    reviews(tmp_path / "train.csv", 80, 0)
    answer = call(
        *("train", tmp_path / "train.csv", "--task", "regress", "--text", "review", "--target", "stars, price"),
        *("--out", tmp_path / "m", "--set", "model.architecture=linear", "--json"),
    )
    assert answer.code == 0, answer.err
    assert set(answer.document["validation"]["per_target"]) == {"stars", "price"}
    assert "Each target" in (tmp_path / "m" / "report.html").read_text(encoding="utf-8")


def test_several_columns_of_texts_are_joined(tmp_path):
    rows = [
        f"{title},{body},{stars}" for title, body, stars in (("good", "film", 8), ("bad", "plot", 3)) for _ in range(20)
    ]
    (tmp_path / "train.csv").write_text("\n".join(["title,body,stars", *rows]) + "\n", encoding="utf-8")
    data = ("train", tmp_path / "train.csv", "--task", "regress", "--text", "title", "--text", "body")
    answer = call(*data, "--target", "stars", "--model", "linear", "--out", tmp_path / "m", "--json")
    assert answer.code == 0, answer.err
    document = call("predict", tmp_path / "m", "--input", tmp_path / "train.csv", "--json").document
    assert document["predictions"][0]["stars"] > document["predictions"][-1]["stars"] + 2


def test_frames_are_read_too(tmp_path):
    random = np.random.default_rng(0)
    for part, count in (("train", 60), ("test", 20)):
        with (tmp_path / f"{part}.jsonl").open("w", encoding="utf-8") as file:
            for _ in range(count):
                loud, steps = float(random.uniform(0.5, 3)), int(random.integers(5, 12))
                row = {"signal": [[loud * np.sin(t), 1.0 * t] for t in range(steps)], "loudness": loud}
                file.write(json.dumps(row) + "\n")
    answer = call(
        *("train", tmp_path / "train.jsonl", "--task", "regress", "--frames", "signal", "--target", "loudness"),
        *("--test", tmp_path / "test.jsonl", "--out", tmp_path / "m", *QUICK, *SMALL, "--json"),
    )
    assert answer.code == 0, answer.err
    assert answer.document["test"]["baseline"]["name"] == "linear regression on the statistics of the frames"
    document = call("predict", tmp_path / "m", "--input", tmp_path / "test.jsonl", "--json").document
    assert len(document["predictions"]) == 20
    wrong = call("predict", tmp_path / "m", "a text")
    assert wrong.code == 2
    assert "reads frames of numbers" in wrong.err


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("many", "row 2 (line 3): 'stars' is 'many', and a finite number is expected"),
        ("nan", "row 2 (line 3): 'stars' is 'nan', and a finite number is expected"),
        ("", "row 2 (line 3): 'stars' is missing, and a number is expected"),
        ("3", "stars is 3 in every training example that counts: there is nothing to learn"),
    ],
)
def test_wrong_targets_are_one_sentence(cell, message, tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("review,stars\n" + f"good film,3\nbad film,{cell}\n" + "good film,3\n" * 20, encoding="utf-8")
    answer = call("train", path, "--task", "regress", "--text", "review", "--target", "stars", "--out", tmp_path / "m")
    assert answer.code == 2
    assert message in " ".join(answer.err.split())
    assert "Traceback" not in answer.err


def test_options_that_are_not_for_regression_are_refused(tmp_path, folder):
    reviews(tmp_path / "train.csv", 20, 0)
    data = ("train", tmp_path / "train.csv", "--task", "regress", "--text", "review", "--out", tmp_path / "m")
    assert "no column of the targets 'star'" in call(*data, "--target", "star").err
    assert "--label is for" in call(*data, "--label", "stars").err
    assert "--imbalance is for" in call(*data, "--target", "stars", "--imbalance", "focal").err
    assert "is for" in call("predict", folder, "a text", "--priors", "a=0.5,b=0.5").err
