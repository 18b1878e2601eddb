import csv
import json
from datetime import datetime, timedelta

import numpy as np
import pytest
from program import call

SMALL = (
    *("--set", "model.window=24", "--set", "model.horizon=6", "--set", "model.lags=6", "--set", "model.hidden_size=8"),
    *("--set", "training.epochs=2"),
)


def hours(path, steps=300, shuffled=False, empty_from=None):
    random = np.random.default_rng(0)
    rows = []
    for t in range(steps):
        holiday = int(t // 24 % 3 == 0)
        load = 100 + 5 * np.sin(2 * np.pi * t / 12) - 3 * holiday + 0.3 * random.normal()
        when = (datetime(2020, 1, 1) + timedelta(hours=t)).isoformat()
        cell = "" if empty_from is not None and t >= empty_from else f"{load:.3f}"
        rows.append([when, cell, f"{np.cos(t):.3f}", holiday])
    if shuffled:
        random.shuffle(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["when", "load", "wind", "holiday"], *rows])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("forecasting")
    hours(place / "load.csv", shuffled=True)
    hours(place / "later.csv", steps=120)
    answer = call(
        *("train", place / "load.csv", "--task", "forecast", "--target", "load, wind", "--set", "data.time=when"),
        *("--test", place / "later.csv", "--out", place / "m", *SMALL, "--json"),
    )
    assert answer.code == 0, answer.err
    block = answer.document["test"]
    assert block["baseline"]["name"] == "linear auto-regression"
    assert set(block["others"]) == {"last value", "last season"}
    assert block["period"] == 12
    assert len(block["by_step"]) == 6
    assert 0.3 < block["coverage"]["0.8"]["value"] <= 1
    assert block["mase"]["value"] < block["others"]["last value"]["mase"]["value"]
    return place / "m"


def test_the_report_shows_forecasts_errors_by_steps_and_coverage(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    for part in ("Some forecasts", "By steps ahead", "Coverage of the intervals", "last season", "Scaled error", "svg"):
        assert part in page
    assert "<script" not in page


def test_a_file_is_continued(folder, tmp_path):
    document = call("predict", folder, "--input", folder.parent / "later.csv", "--horizon", "3", "--json").document
    assert document["channels"] == ["load", "wind"]
    forecasts, low, high = (np.array(document[name]) for name in ("forecasts", "low", "high"))
    assert forecasts.shape == low.shape == (1, 3, 2)
    assert (low < high).all()
    output = tmp_path / "ahead.csv"
    answer = call("predict", folder, "--input", folder.parent / "later.csv", "--output", output)
    assert answer.code == 0, answer.err
    with output.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert float(rows[0]["load"]) == pytest.approx(forecasts[0, 0, 0])
    assert float(rows[2]["wind_low"]) == pytest.approx(low[0, 2, 1])


def test_other_series_are_evaluated_beside_the_stored_baseline(folder):
    block = call("evaluate", folder, folder.parent / "later.csv", "--save", "--json").document
    saved = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["test"]
    assert saved == block
    assert "linear auto-regression" in call("evaluate", folder, folder.parent / "later.csv").out


def test_inputs_that_are_known_ahead_are_taken_from_the_file(tmp_path):
    hours(tmp_path / "load.csv")
    answer = call(
        *("train", tmp_path / "load.csv", "--task", "forecast", "--target", "load", "--set", "data.known=[holiday]"),
        *("--set", "data.time=when", "--out", tmp_path / "m", *SMALL, "--json"),
    )
    assert answer.code == 0, answer.err
    hours(tmp_path / "ahead.csv", steps=100, empty_from=97)
    document = call("predict", tmp_path / "m", "--input", tmp_path / "ahead.csv", "--horizon", "3", "--json").document
    assert np.shape(document["forecasts"]) == (1, 3, 1)
    short = call("predict", tmp_path / "m", "--input", tmp_path / "ahead.csv", "--horizon", "5")
    assert short.code == 2
    assert "its 5 steps ahead included" in " ".join(short.err.split())


def test_lists_of_frames_are_series_too(tmp_path):
    random = np.random.default_rng(0)
    with (tmp_path / "train.jsonl").open("w", encoding="utf-8") as file:
        for _ in range(4):
            wave = np.sin(np.arange(120) / 2 + random.uniform(0, 6))
            file.write(json.dumps({"frames": [[float(v), float(v) ** 2] for v in wave]}) + "\n")
    answer = call(
        *("train", tmp_path / "train.jsonl", "--task", "forecast", "--frames", "frames", "--out", tmp_path / "m"),
        *SMALL,
        "--json",
    )
    assert answer.code == 0, answer.err
    assert answer.document["validation"]["series"] == 4


def test_wrong_series_are_one_sentence(folder, tmp_path):
    (tmp_path / "short.csv").write_text("load\n1\n2\n3\n", encoding="utf-8")
    (tmp_path / "words.csv").write_text("load\n1\nmany\n3\n", encoding="utf-8")
    data = ("--task", "forecast", "--target", "load", "--out", tmp_path / "m")
    short = call("train", tmp_path / "short.csv", *data)
    assert short.code == 2
    assert "no series is long enough" in " ".join(short.err.split())
    words = call("train", tmp_path / "words.csv", *data)
    assert words.code == 2
    assert "holds 'many', and no number" in " ".join(words.err.split())
    assert "give a file of them by --input" in call("predict", folder, "a text").err
    assert "from 1 on" in call("predict", folder, "--input", folder.parent / "later.csv", "--horizon", "0").err
    assert "is to be forecast and cannot be known" in call(
        "train", folder.parent / "later.csv", *data, "--set", "data.known=[load]"
    ).err  # fmt: skip
