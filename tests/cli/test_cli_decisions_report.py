"""What was decided reaches report, model card and figures, and `evaluate` finds the same figures again."""

import json

import pytest
from program import QUICK, call


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from program import reviews, write_csv

    folder = tmp_path_factory.mktemp("decided")
    data = write_csv(folder / "reviews.csv", ("review", "sentiment"), reviews(160))
    write_csv(folder / "held-out.csv", ("review", "sentiment"), reviews(60, seed=1))
    answer = call(
        *("train", data, "--text", "review", "--label", "sentiment", "--out", folder / "m", *QUICK, "--json"),
        *("--test", folder / "held-out.csv", "--positive", "bad", "--threshold", "cost", "--cost", "fp=1,fn=20"),
        *("--calibrate", "platt"),
    )
    assert answer.code == 0, answer.err
    return folder


def test_the_report_says_how_answers_are_decided(folder):
    report = (folder / "m" / "report.html").read_text()
    thresholds = json.loads((folder / "m" / "labels.json").read_text())["thresholds"]
    assert f"The answer is good from the probability {thresholds[1]:.3g} on, otherwise bad." in report
    assert "Chosen for the lowest mean cost" in report
    assert "Costs: fp 1, fn 20." in report
    assert "Before calibration" in report
    assert "What finding" in report


def test_the_model_card_says_it_too(folder):
    card = (folder / "m" / "README.md").read_text()
    assert "## Decisions" in card
    assert "calibrated by a sigmoid for each class" in card


def test_the_cost_of_the_answers_stands_beside_that_of_the_baseline_and_is_found_again(folder):
    saved = json.loads((folder / "m" / "metrics.json").read_text())["test"]
    matrix = saved["confusion_matrix"]["counts"]  # rows and columns: bad, good
    assert saved["expected_cost"]["value"] == pytest.approx((20 * matrix[0][1] + matrix[1][0]) / 60)
    assert saved["baseline"]["expected_cost"]["value"] is not None
    again = call("evaluate", folder / "m", folder / "held-out.csv", "--json").document
    for key in ("expected_cost", "recall_at_precision", "brier_score"):
        assert again[key] == saved[key]
