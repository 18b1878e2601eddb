import numpy as np
import pytest
import torch
from torch.nn import functional as F

from seqwise.errors import ConfigurationError
from seqwise.experiments.names_slide import (
    SlideNetwork,
    one_hot,
    predict_slide_network,
    reproduce_names_slide,
    train_slide_network,
)
from seqwise.experiments.recipes import ReproductionRequest


def test_the_network_is_the_slide_s_two_linear_layers_and_nothing_else():
    torch.manual_seed(0)
    network = SlideNetwork(hidden_size=4, classes=2)
    i2h, i2o = network.i2h.state_dict(), network.i2o
    hidden = torch.zeros(1, 4)
    for letter in (letters := one_hot("anna")):
        expected = F.log_softmax(i2o(torch.cat([letter, hidden], dim=-1)), dim=-1)
        hidden = letter @ i2h["weight_ih_l0"].T + i2h["bias_ih_l0"] + hidden @ i2h["weight_hh_l0"].T + i2h["bias_hh_l0"]
    torch.testing.assert_close(network(letters), expected)


def test_letters_are_one_hot_without_accents_and_case():
    assert one_hot("Zoë").squeeze(1).argmax(1).tolist() == [25, 14, 4]
    assert one_hot("李").shape == (1, 1, 26)
    assert one_hot("李").sum() == 0


def test_it_learns_what_the_last_letter_tells():
    names = [first + last for first in ("mar", "ber", "jul", "tom") for last in ("a", "o")] * 30
    targets = np.array([name.endswith("o") for name in names], dtype=int)
    network = train_slide_network(names, targets, 2, hidden_size=8, learning_rate=0.05)
    probabilities = predict_slide_network(network, ["petra", "marco"])
    assert probabilities.argmax(axis=1).tolist() == [0, 1]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def test_overrides_are_refused_not_ignored():
    with pytest.raises(ConfigurationError, match="to the letter"):
        reproduce_names_slide(ReproductionRequest("names-slide", overrides=("model.hidden_size=3",)))
