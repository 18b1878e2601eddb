"""RNN, LSTM and GRU in the place of torch.nn's: same calls, same numbers, same gradients, same names."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence

from seqwise import layers
from tolerances import assert_close

KINDS = [
    ("LSTM", {}),
    ("GRU", {}),
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu"}),
]
SHAPES = [  # num_layers, bidirectional, bias, batch_first
    (1, False, True, False),
    (1, True, True, True),
    (2, True, False, False),
    (3, False, False, True),
]
every_kind = pytest.mark.parametrize(("kind", "options"), KINDS, ids=["LSTM", "GRU", "RNN-tanh", "RNN-relu"])
every_backend = pytest.mark.parametrize("backend", ["vendor", "reference"])
D = 4


def pair(kind: str, options: dict, backend: str, hidden: int, shape=(1, False, True, False), dtype=torch.float64):
    num_layers, bidirectional, bias, batch_first = shape
    given = {"bidirectional": bidirectional, "bias": bias, "batch_first": batch_first, "dtype": dtype, **options}
    theirs = getattr(torch.nn, kind)(D, hidden, num_layers, **given)
    ours = getattr(layers, kind)(D, hidden, num_layers, **given, backend=backend)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def draw_states(kind: str, layers_and_directions: int, batch: int, hidden: int, dtype=torch.float64):
    drawn = tuple(
        torch.randn(layers_and_directions, batch, hidden, dtype=dtype, requires_grad=True)
        for _ in range(2 if kind == "LSTM" else 1)
    )
    return drawn, drawn if kind == "LSTM" else drawn[0]


def as_tuple(states) -> tuple:
    return states if isinstance(states, tuple) else (states,)


def compare(ours, theirs, our_results, their_results, inputs) -> None:
    upstream = [torch.randn_like(t) for t in our_results]
    for k, (a, b) in enumerate(zip(our_results, their_results, strict=True)):
        assert_close(a, b, f"result {k}")
    names = [n for n, _ in ours.named_parameters()]
    a = torch.autograd.grad(our_results, [*inputs, *ours.parameters()], upstream)
    b = torch.autograd.grad(their_results, [*inputs, *theirs.parameters()], upstream)
    for what, one, other in zip([f"input {k}" for k in range(len(inputs))] + names, a, b, strict=True):
        assert_close(one, other, f"gradient of {what}")


@every_kind
@every_backend
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("steps", "batch", "hidden"), [(1, 1, 5), (1, 3, 17), (63, 1, 17), (63, 3, 5)])
def test_outputs_states_and_gradients_are_torchs(kind, options, backend, shape, steps, batch, hidden) -> None:
    torch.manual_seed(0)
    ours, theirs = pair(kind, options, backend, hidden, shape)
    x = torch.randn((batch, steps, D) if shape[3] else (steps, batch, D), dtype=torch.float64, requires_grad=True)
    drawn, state = draw_states(kind, shape[0] * (1 + shape[1]), batch, hidden)
    our_outputs, our_states = ours(x, state)
    their_outputs, their_states = theirs(x, state)
    assert type(our_states) is type(their_states)
    compare(
        ours,
        theirs,
        (our_outputs, *as_tuple(our_states)),
        (their_outputs, *as_tuple(their_states)),
        (x, *drawn),
    )


@every_kind
@every_backend
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("sort", [True, False], ids=["sorted", "unsorted"])
def test_packed_sequences_go_in_and_come_out_as_torchs(kind, options, backend, shape, dtype, sort) -> None:
    torch.manual_seed(0)
    ours, theirs = pair(kind, options, backend, 5, shape, dtype)
    lengths = torch.tensor([7, 7, 4, 1] if sort else [4, 7, 1, 7])
    x = torch.randn((4, 7, D) if shape[3] else (7, 4, D), dtype=dtype, requires_grad=True)
    drawn, state = draw_states(kind, shape[0] * (1 + shape[1]), 4, 5, dtype)
    results = []
    for layer in (ours, theirs):
        packed = pack_padded_sequence(x, lengths, batch_first=shape[3], enforce_sorted=sort)
        outputs, states = layer(packed, state)
        results.append((outputs, states))
    (our_packed, our_states), (their_packed, their_states) = results
    assert torch.equal(our_packed.batch_sizes, their_packed.batch_sizes)
    for field in ("sorted_indices", "unsorted_indices"):
        mine, theirs_ = getattr(our_packed, field), getattr(their_packed, field)
        assert (mine is None and theirs_ is None) or torch.equal(mine, theirs_)
    compare(
        ours,
        theirs,
        (our_packed.data, *as_tuple(our_states)),
        (their_packed.data, *as_tuple(their_states)),
        (x, *drawn),
    )


@every_kind
@every_backend
@pytest.mark.parametrize("shape", SHAPES)
def test_lengths_do_what_packing_does(kind, options, backend, shape) -> None:
    torch.manual_seed(0)
    ours, theirs = pair(kind, options, backend, 5, shape)
    lengths = torch.tensor([4, 9, 1, 7])
    batch_first = shape[3]
    x = torch.randn(4, 9, D, dtype=torch.float64, requires_grad=True)
    poisoned = torch.where((torch.arange(9) < lengths.unsqueeze(1)).unsqueeze(-1), x, float("nan"))
    drawn, state = draw_states(kind, shape[0] * (1 + shape[1]), 4, 5)
    ours_in, theirs_in = (x if batch_first else x.transpose(0, 1) for x in (poisoned, x))
    our_outputs, our_states = ours(ours_in, state, lengths=lengths)
    packed, their_states = theirs(pack_padded_sequence(theirs_in, lengths, batch_first, enforce_sorted=False), state)
    their_outputs, _ = pad_packed_sequence(packed, batch_first)
    compare(
        ours,
        theirs,
        (our_outputs, *as_tuple(our_states)),
        (their_outputs, *as_tuple(their_states)),
        (x, *drawn),
    )
    assert torch.equal(ours(ours_in, state, lengths=lengths.tolist())[0], our_outputs)
    assert torch.equal(ours(ours_in, state, lengths=lengths.int())[0], our_outputs)


@every_kind
@pytest.mark.parametrize("batch_first", [False, True])
def test_one_sequence_needs_no_batch_axis(kind, options, batch_first) -> None:
    torch.manual_seed(0)
    ours, theirs = pair(kind, options, "auto", 5, (2, True, True, batch_first))
    x = torch.randn(6, D, dtype=torch.float64)
    drawn, _ = draw_states(kind, 4, 1, 5)
    state = tuple(s.squeeze(1) for s in drawn)
    state = state if kind == "LSTM" else state[0]
    for given in (None, state):
        (a, s), (b, t) = ours(x, given), theirs(x, given)
        for one, other in zip((a, *as_tuple(s)), (b, *as_tuple(t)), strict=True):
            assert_close(one, other)


@every_kind
def test_without_a_state_it_is_zero_and_hx_is_its_other_name(kind, options) -> None:
    torch.manual_seed(0)
    ours, theirs = pair(kind, options, "auto", 5)
    x = torch.randn(6, 2, D, dtype=torch.float64)
    _, state = draw_states(kind, 1, 2, 5)
    assert_close(ours(x)[0], theirs(x)[0])
    assert_close(ours(x, hx=state)[0], theirs(x, hx=state)[0])


@every_kind
@pytest.mark.parametrize("shape", SHAPES)
def test_state_dicts_go_both_ways_and_the_same_seed_gives_the_same_weights(kind, options, shape) -> None:
    built = []
    for package in (layers, torch.nn):
        torch.manual_seed(7)
        num_layers, bidirectional, bias, batch_first = shape
        given = {"bias": bias, "batch_first": batch_first, "bidirectional": bidirectional, **options}
        built.append(getattr(package, kind)(D, 5, num_layers, **given))
    ours, theirs = built
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
    theirs.load_state_dict(ours.state_dict())
    assert [[p.shape for p in row] for row in ours.all_weights] == [
        [p.shape for p in row] for row in theirs.all_weights
    ]


def test_positional_arguments_mean_what_they_mean_in_torch() -> None:
    for kind, arguments in [
        ("LSTM", (3, 5, 2, False, True, 0.25, True, 0)),
        ("GRU", (3, 5, 2, False, True, 0.25, True)),
        ("RNN", (3, 5, 2, "relu", False, True, 0.25, True)),
    ]:
        ours, theirs = getattr(layers, kind)(*arguments), getattr(torch.nn, kind)(*arguments)
        for name in ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"):
            assert getattr(ours, name) == getattr(theirs, name), (kind, name)
        assert list(ours.state_dict()) == list(theirs.state_dict())


def test_dropout_between_layers_is_off_in_evaluation_and_on_in_training() -> None:
    torch.manual_seed(0)
    ours, theirs = pair("LSTM", {"dropout": 0.5}, "auto", 64, (2, False, True, False), torch.float32)
    x = torch.randn(7, 2, D)
    assert_close(ours.eval()(x)[0], theirs.eval()(x)[0])
    once, twice = ours.train()(x)[0], ours(x)[0]
    assert not torch.allclose(once, twice)
    # The first layer's final state comes before the dropout, the last layer's outputs after none.
    assert_close(ours(x)[1][0][0], theirs(x)[1][0][0])
    assert (once != 0).all()
    ours.dropout = 1.0  # everything is dropped: the second layer sees zeros
    second = layers.LSTM(64, 64)
    second.load_state_dict({k.replace("l1", "l0"): v for k, v in ours.state_dict().items() if "l1" in k})
    assert_close(ours(x)[0], second(torch.zeros(7, 2, 64))[0])


def test_a_layer_can_be_copied_moved_and_called_with_other_parameters() -> None:
    ours = layers.LSTM(D, 5)
    x = torch.randn(3, 2, D)
    assert torch.equal(copy.deepcopy(ours)(x)[0], ours(x)[0])
    assert ours.double()(x.double())[0].dtype == torch.float64
    zeros = {name: torch.zeros_like(p) for name, p in ours.named_parameters()}
    assert (torch.func.functional_call(ours, zeros, (x.double(),))[0] == 0).all()
    ours.flatten_parameters()


def test_a_pack_of_one_and_of_equal_lengths() -> None:
    torch.manual_seed(0)
    ours, theirs = pair("GRU", {}, "auto", 5)
    for rows in ([3], [3, 3]):
        packed = pack_sequence([torch.randn(n, D, dtype=torch.float64) for n in rows])
        assert_close(ours(packed)[0].data, theirs(packed)[0].data)


def test_outputs_made_without_autograd_can_be_changed_in_place_with_it() -> None:
    layer, factor = layers.LSTM(4, 8), torch.ones(8, requires_grad=True)
    with torch.no_grad():
        outputs, _ = layer(torch.randn(3, 2, 4))
    outputs *= factor  # autograd refuses this for a view that was made without it
    outputs.backward(torch.randn_like(outputs))
    assert factor.grad is not None
    assert outputs.untyped_storage().nbytes() == outputs.nbytes
