"""The section `regression`: errors by name, and weights of rare values."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.utils.class_weight import compute_sample_weight

from seqwise.losses import RegressionSettings, target_losses, target_weights
from seqwise.losses.regression_settings import bin_edges
from tolerances import assert_close


def test_each_name_is_its_error():
    z, y = torch.tensor([[0.5, -3.0]]), torch.tensor([[1.0, 1.0]])
    for loss, expected in (("squared", [0.25, 16.0]), ("absolute", [0.5, 4.0]), ("huber", [0.125, 3.5])):
        assert_close(target_losses(RegressionSettings(loss=loss), z, y), torch.tensor([expected]))
    assert_close(target_losses(RegressionSettings(loss="huber", delta=2.0), z, y), torch.tensor([[0.125, 6.0]]))


def test_a_delta_without_huber_is_refused_and_not_ignored():
    with pytest.raises(ValidationError, match="delta is a parameter of the loss huber"):
        RegressionSettings(delta=0.5)


def test_inverse_frequency_is_scikit_learns_balanced_weight_of_the_bins():
    stars = np.random.default_rng(0).choice([1, 2, 5, 9], size=200, p=[0.7, 0.2, 0.08, 0.02]).astype(float)[:, None]
    weights = target_weights(RegressionSettings(rare="inverse_frequency"), stars)
    expected = compute_sample_weight("balanced", stars[:, 0])
    assert_close(torch.from_numpy(weights[:, 0]), torch.from_numpy(expected / expected.mean()))
    root = target_weights(RegressionSettings(rare="square_root"), stars)
    assert_close(torch.from_numpy(root[:, 0]), torch.from_numpy(np.sqrt(expected) / np.sqrt(expected).mean()))
    assert target_weights(RegressionSettings(), stars) is None


def test_bins_of_many_values_have_equal_width():
    values = np.random.default_rng(0).uniform(-2, 8, 1000)
    values[:2] = -2, 8
    assert_close(torch.from_numpy(bin_edges(values, 5)), torch.tensor([0.0, 2.0, 4.0, 6.0], dtype=torch.float64))
    assert bin_edges(np.array([1.0, 3.0, 3.0]), 5).tolist() == [2.0]
