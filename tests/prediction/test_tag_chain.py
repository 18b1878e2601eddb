"""The conditional random field of exported taggers is that of the layer."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from seqwise.layers import CRF
from seqwise.prediction.tag_chain import Chain, best_tags, log_probabilities, marginals
from seqwise.text.tag_schemes import allowed_transitions
from tolerances import assert_close

TAGS = ["O", "B-X", "I-X", "E-X", "S-X"]


def chains(batch, steps, scheme=None, seed=0):
    """A layer with random scores, emissions, lengths, and the same as a chain."""
    generator = torch.Generator().manual_seed(seed)
    crf = CRF(len(TAGS), *(allowed_transitions(TAGS, scheme) if scheme else ()))
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.normal_(generator=generator)
    emissions = 2 * torch.randn(batch, steps, len(TAGS), generator=generator)
    lengths = torch.randint(1, steps + 1, (batch,), generator=generator)
    lengths[0] = steps
    own = [
        (getattr(crf, name) + getattr(crf, f"forbidden_{name}")).detach().numpy()
        for name in ("following", "first", "last")
    ]
    clean = torch.where((torch.arange(steps) < lengths[:, None])[..., None], emissions, 0.0)
    return crf, emissions, lengths, Chain(clean.numpy(), *own, lengths.numpy())


@pytest.mark.parametrize("temperature", [1.0, 1.7])
@pytest.mark.parametrize("scheme", [None, "BIOES"])
@pytest.mark.parametrize(("batch", "steps"), [(1, 1), (1, 6), (5, 9), (2, 300)])
def test_tags_marginals_and_conditionals_are_those_of_the_layer(batch, steps, scheme, temperature):
    crf, emissions, lengths, chain = chains(batch, steps, scheme)
    tags = best_tags(chain)
    assert np.array_equal(tags, crf.decode(emissions, lengths).numpy())
    cooled = chain.cooled(temperature)
    assert_close(torch.from_numpy(marginals(cooled)), crf.marginals(emissions, lengths, temperature), "marginals")
    expected = crf.log_probabilities(emissions, torch.from_numpy(tags), lengths, temperature)
    assert_close(torch.from_numpy(log_probabilities(cooled, tags)), expected.detach(), "conditionals")


def test_what_is_forbidden_is_never_said():
    _, _, lengths, chain = chains(20, 12, "BIOES", seed=3)
    allowed = allowed_transitions(TAGS, "BIOES")
    for row, length in zip(best_tags(chain), lengths.tolist(), strict=True):
        assert allowed.first[row[0]]
        assert allowed.last[row[length - 1]]
        assert all(allowed.following[a, b] for a, b in pairwise(row[:length]))
