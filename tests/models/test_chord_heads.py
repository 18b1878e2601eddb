"""Distributions over sets of pitches."""

from itertools import chain, combinations

import pytest
import torch
from torch.distributions import Bernoulli

from seqwise.models.chord_heads import IndependentPitches, PitchChain, rolled
from tolerances import assert_close

SIZE, PITCHES = 7, 6
HEADS = [IndependentPitches(SIZE, PITCHES), PitchChain(SIZE, PITCHES, 9)]
each_head = pytest.mark.parametrize("head", HEADS, ids=["independent", "chain"])


def everything():
    """All 2^P sets of pitches, as rising numbers padded with -1."""
    sets = chain.from_iterable(combinations(range(PITCHES), size) for size in range(PITCHES + 1))
    return torch.tensor([[*one, *[-1] * (PITCHES - len(one))] for one in sets])


def drawn(*shape, seed=3):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(autouse=True)
def weights():
    with torch.no_grad():
        for number, head in enumerate(HEADS):
            head.double()
            for place, parameter in enumerate(head.parameters()):
                parameter.copy_(drawn(*parameter.shape, seed=10 * number + place))


def test_independent_pitches_are_bernoulli_variables():
    head, outputs, notes = HEADS[0], drawn(2**PITCHES, SIZE), everything()
    of_torch = Bernoulli(logits=outputs @ head.output.weight.T + head.output.bias).log_prob(
        rolled(notes, PITCHES).double()
    )
    assert_close(head.losses(outputs, notes), -of_torch.sum(-1))


@each_head
def test_the_probabilities_of_all_sets_sum_to_one(head):
    notes = everything()
    for row in drawn(3, SIZE):
        losses = head.losses(row.expand(len(notes), -1), notes)
        assert_close((-losses).exp().sum(), torch.tensor(1.0, dtype=torch.float64))


@each_head
def test_padding_never_changes_a_loss(head):
    notes, outputs = torch.tensor([[1, 4], [0, -1], [-1, -1]]), drawn(3, SIZE)
    wide = torch.cat([notes, torch.full((3, 3), -1)], 1)
    assert_close(head.losses(outputs, wide), head.losses(outputs, notes))


def test_a_chain_is_the_product_of_its_links():
    head, outputs, notes = HEADS[1], drawn(4, SIZE), torch.tensor([[0, 2, 5], [3, -1, -1], [-1, -1, -1], [1, 2, -1]])
    for row, chord in enumerate(notes):
        known = [int(pitch) for pitch in chord if pitch >= 0]
        total = torch.zeros((), dtype=torch.float64)
        for place, following in enumerate([*known, PITCHES]):
            logs = head.next_note(outputs[row : row + 1], torch.tensor([known[:place]], dtype=torch.int64))
            assert_close(logs.exp().sum(), torch.tensor(1.0, dtype=torch.float64))
            total = total - logs[0, following]
        assert_close(head.losses(outputs[row : row + 1], chord[None])[0], total)


def test_a_note_of_a_chain_is_above_those_before_it():
    logs = HEADS[1].next_note(drawn(1, SIZE), torch.tensor([[1, 3]]))
    assert torch.isinf(logs[0, :4]).all()
    assert torch.isfinite(logs[0, 4:]).all()


@each_head
def test_gradients_are_those_of_differences(head):
    outputs, notes = drawn(3, SIZE).requires_grad_(), torch.tensor([[1, 4], [0, -1], [-1, -1]])
    upstream = drawn(3, seed=8)
    assert torch.autograd.gradcheck(lambda x: head.losses(x, notes) * upstream, outputs)


@each_head
def test_a_head_can_start_at_the_shares_of_the_pitches(head):
    head.start_from_shares(torch.tensor([0.1, 0.2, 0.5, 0.4, 0.3, 0.2], dtype=torch.float64))
    assert torch.isfinite(head.losses(drawn(1, SIZE), torch.tensor([[0, 3]]))).all()


def test_a_roll_marks_each_pitch():
    roll = rolled(torch.tensor([[[0, 2], [-1, -1]], [[1, -1], [0, 1]]]), 3)
    assert roll.tolist() == [[[1, 0, 1], [0, 0, 0]], [[0, 1, 0], [1, 1, 0]]]
