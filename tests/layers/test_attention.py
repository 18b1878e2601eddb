import pytest
import torch
from torch import nn

from seqwise.errors import ConfigurationError, InputError
from seqwise.layers import Attention
from tolerances import assert_close

KINDS = ("additive", "multiplicative", "dot")
B, T, S, Q, M = 3, 4, 5, 6, 7
LENGTHS = torch.tensor([5, 2, 1])
LIVE = torch.arange(S) < LENGTHS[:, None]


def drawn(kind, seed=0):
    generator = torch.Generator().manual_seed(seed)
    memory_size = Q if kind == "dot" else M
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layer = Attention(Q, memory_size, kind).double()
    query = torch.randn(B, T, Q, generator=generator, dtype=torch.float64)
    memory = torch.randn(B, S, memory_size, generator=generator, dtype=torch.float64)
    return layer, query, memory


def score(layer, q, m):
    """One score by the equation of its paper."""
    if layer.kind == "dot":
        return q @ m
    w = layer.of_memory.weight
    if layer.kind == "multiplicative":
        return q @ (w @ m)
    return layer.score.weight[0] @ torch.tanh(layer.of_query.weight @ q + layer.of_query.bias + w @ m)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_and_means_are_those_of_the_equations(kind):
    layer, query, memory = drawn(kind)
    found, weights = layer(query, memory, LIVE)
    for b in range(B):
        for t in range(T):
            length = int(LENGTHS[b])
            scores = torch.stack([score(layer, query[b, t], memory[b, s]) for s in range(length)])
            assert_close(weights[b, t, :length], scores.softmax(0), "weights")
            assert_close(found[b, t], scores.softmax(0) @ memory[b, :length], "mean")


@pytest.mark.parametrize("kind", KINDS)
def test_weights_sum_to_one_over_unmasked_positions_only(kind):
    layer, query, memory = drawn(kind)
    memory = torch.where(LIVE[..., None], memory, torch.nan)  # padding is never read
    found, weights = layer(query, memory, LIVE)
    assert_close(torch.where(LIVE[:, None], weights, 0.0).sum(-1), torch.ones(B, T).double(), "sum")
    assert not weights.masked_select(~LIVE[:, None].expand_as(weights)).any()
    assert torch.isfinite(found).all()


def test_a_memory_of_nothing_gives_nothing():
    layer, query, memory = drawn("additive")
    found, weights = layer(query, memory, torch.zeros(B, S, dtype=torch.bool))
    assert not found.any()
    assert not weights.any()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_finite_differences_and_leave_padding_alone(kind):
    layer, query, memory = drawn(kind)
    query.requires_grad_()
    memory.requires_grad_()
    assert torch.autograd.gradcheck(lambda q, m: layer(q, m, LIVE), (query, memory))
    found, _ = layer(query, memory, LIVE)
    found.backward(torch.randn_like(found))
    assert not memory.grad[~LIVE].any()


def test_keys_that_are_there_already_change_nothing():
    layer, query, memory = drawn("additive")
    for ours, theirs in zip(layer(query, memory, LIVE, layer.keys(memory)), layer(query, memory, LIVE), strict=True):
        assert_close(ours, theirs)


def test_the_multiplicative_kind_is_a_head_of_torch():
    layer, query, memory = drawn("multiplicative")
    scaled = query @ layer.of_memory.weight / 1.0
    expected = nn.functional.scaled_dot_product_attention(scaled, memory, memory, LIVE[:, None], scale=1.0)
    assert_close(layer(query, memory, LIVE)[0], expected)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((Q, M, "cosine"), "expected additive, multiplicative or dot"),
        ((Q, M, "dot"), "one size"),
        ((Q, M, "multiplicative", 3), "is of kind='additive'"),
    ],
)
def test_wrong_sizes_are_refused(arguments, part):
    with pytest.raises(ConfigurationError, match=part):
        Attention(*arguments)


def test_wrong_shapes_are_refused():
    layer, query, memory = drawn("additive")
    with pytest.raises(InputError, match="query"):
        layer(query[0], memory)
    with pytest.raises(InputError, match="memory"):
        layer(query, memory[..., 1:])
    with pytest.raises(InputError, match="live"):
        layer(query, memory, LIVE[:, 1:])
