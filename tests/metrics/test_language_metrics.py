import math

import numpy as np
import pytest
import torch

from seqwise.errors import DataError
from seqwise.metrics.language import language_metrics
from tolerances import assert_close


def close(actual, expected):
    """Numbers, or arrays of them."""
    assert_close(*(torch.as_tensor(of, dtype=torch.float64) for of in (actual, expected)))


def test_a_known_distribution_has_its_perplexity():
    block = language_metrics(np.full(2000, math.log(10)), characters=4000)
    close(block["perplexity"]["value"], 10.0)
    close(block["perplexity"]["low"], 10.0)
    close(block["bits_per_character"]["value"], math.log2(10) / 2)


def test_intervals_hold_the_value_and_the_difference_is_of_the_same_symbols():
    random = np.random.default_rng(0)
    theirs = random.exponential(2.0, 5000)
    ours = theirs - 0.1
    block = language_metrics(ours, theirs, sentences=np.arange(5000) // 20)
    for of in (block, block["baseline"]):
        assert of["log_loss"]["low"] < of["log_loss"]["value"] < of["log_loss"]["high"]
    close(block["difference"]["value"], -0.1)
    close(block["difference"]["high"], -0.1)


def test_whole_sentences_are_drawn_again():
    losses = np.repeat([1.0, 3.0], 50)
    together = language_metrics(losses, sentences=np.repeat([0, 1], 50))["log_loss"]
    apart = language_metrics(losses, sentences=np.arange(100))["log_loss"]
    assert together["high"] - together["low"] > 3 * (apart["high"] - apart["low"])


def test_one_block_has_no_interval():
    assert language_metrics(np.ones(10))["log_loss"] == {"value": 1.0, "low": None, "high": None}


@pytest.mark.parametrize(("losses", "baseline"), [([], None), ([1.0, 2.0], [1.0])])
def test_nothing_to_evaluate_is_said(losses, baseline):
    with pytest.raises(DataError):
        language_metrics(losses, baseline)
