"""Figures of generators."""

import numpy as np
import pytest

from seqwise.errors import DataError
from seqwise.metrics.generation import generation_metrics, sample_metrics

LOSSES = [np.array([1.0, 2.0, 3.0]), np.array([4.0]), np.array([0.5, 0.5])]


def test_the_log_loss_is_the_mean_of_all_steps_and_the_difference_is_ours_less_theirs():
    theirs = [row + 1 for row in LOSSES]
    block = generation_metrics(LOSSES, theirs)
    assert block["log_loss"]["value"] == pytest.approx(11 / 6)
    assert block["perplexity"]["value"] == pytest.approx(np.exp(11 / 6))
    assert block["log_loss"]["low"] <= 11 / 6 <= block["log_loss"]["high"]
    assert (block["sequences"], block["steps"], block["kind"]) == (3, 6, "generation")
    assert block["difference"] == {"metric": "log_loss", "value": -1.0, "low": -1.0, "high": -1.0}


def test_chords_have_a_figure_with_and_one_without_first_steps_and_no_perplexity():
    block = generation_metrics(LOSSES, LOSSES, chords=True)
    assert block["log_loss"]["value"] == pytest.approx(11 / 6)
    assert block["log_loss_after_first"]["value"] == pytest.approx((2 + 3 + 0.5) / 3)
    assert "perplexity" not in block
    assert "perplexity" not in block["baseline"]
    assert "log_loss_after_first" not in generation_metrics(LOSSES[1:2], chords=True)


def test_exactness_decides_where_there_is_one_right_sequence():
    block = generation_metrics(LOSSES, exact=[True, True, False], baseline_exact=[True, False, False])
    assert block["exact"]["value"] == pytest.approx(2 / 3)
    assert block["baseline"]["exact"]["value"] == pytest.approx(1 / 3)
    assert block["difference"]["metric"] == "exact"
    assert block["difference"]["value"] == pytest.approx(1 / 3)


def test_the_interval_is_that_of_a_share():
    draw = np.random.default_rng(0)
    right = draw.random(400) < 0.8
    figure = generation_metrics([np.ones(1)] * 400, exact=right)["exact"]
    spread = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 400)
    assert figure["high"] - figure["low"] == pytest.approx(2 * spread, rel=0.15)


def test_drawn_texts_are_counted():
    asked, said = ["a", "a", "b", "b"], ["a", "b", "b", "b"]
    block = sample_metrics(asked, said, ["x", "y", "y", "y"], {"x", "z"})
    assert block["agreement"]["value"] == 0.75
    assert block["copied"]["value"] == 0.25
    assert block["distinct"]["value"] == 0.75  # x for a, y for a, y for b
    assert block["per_class"] == {"a": {"samples": 2, "agreement": 0.5}, "b": {"samples": 2, "agreement": 1.0}}
    assert "copied" not in sample_metrics(asked, said, ["x", "y", "y", "y"])


def test_what_cannot_be_measured_is_named():
    with pytest.raises(DataError, match="no sequences"):
        generation_metrics([])
    with pytest.raises(DataError, match="different steps"):
        generation_metrics(LOSSES, LOSSES[::-1])
