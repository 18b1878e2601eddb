"""Recurrent layers through onnxruntime are the layers themselves, on ragged batches whose padding is NaN."""

import pytest
import torch

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

import onnx
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from onnx_runs import expected_of, normal_, ragged, run

from random_programs import programs
from seqwise.cells import LIBRARY, Cell, cell, sigmoid, tanh
from seqwise.export.onnx_layers import layers_to_onnx
from seqwise.export.onnx_recurrent import OPERATORS
from seqwise.layers import Recurrent
from tolerances import assert_close

SIZES = [(1, 1), (1, 7), (5, 6), (3, 150)]  # examples, steps


def assert_same(layers, model, batch, steps, states=None):
    x, lengths = ragged(batch, steps, layers.input_size)
    count = layers.num_layers * (2 if layers.bidirectional else 1)
    names = layers.cell.program.states
    states = states or tuple(torch.zeros(count, batch, layers.hidden_size) for _ in names)
    given = {f"state_{name}": state for name, state in zip(names, states, strict=True)}
    if layers.batch_first:
        x = x.transpose(0, 1)
    found = run(model, input=x, lengths=lengths, **given)
    expected = expected_of(layers, x, lengths, states)
    for what, of_onnx, of_torch in zip(("outputs", *names), found, expected, strict=True):
        assert_close(of_onnx, of_torch, f"{what} of {batch} x {steps}")


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
@pytest.mark.parametrize("name", list(LIBRARY))
def test_every_cell_in_every_direction_and_depth_is_the_same_under_onnxruntime(name, bidirectional, depth):
    layers = normal_(Recurrent(LIBRARY[name], 5, 7, num_layers=depth, bidirectional=bidirectional), scale=0.3)
    model = layers_to_onnx(layers)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    for batch, steps in SIZES:
        assert_same(layers, model, batch, steps)


@pytest.mark.parametrize("name", list(LIBRARY))
def test_layers_without_biases_and_with_states_to_begin_with(name):
    layers = normal_(Recurrent(LIBRARY[name], 3, 4, num_layers=2, bidirectional=True, bias=False))
    count = len(layers.cell.program.states)
    states = tuple(torch.randn(4, 5, 4, generator=torch.Generator().manual_seed(k)) for k in range(count))
    assert_same(layers, layers_to_onnx(layers), 5, 6, states)


def test_batch_first_and_sequences_of_no_steps():
    layers = normal_(Recurrent(LIBRARY["gru"], 3, 4, num_layers=2, bidirectional=True, batch_first=True))
    assert_same(layers, layers_to_onnx(layers), 5, 6)
    for name in ("lstm_peephole", "min_gru", "lstm", "gru", "rnn"):
        layers = normal_(Recurrent(LIBRARY[name], 3, 4, num_layers=2, bidirectional=True))
        x, lengths = torch.randn(3, 4, 3), torch.tensor([2, 0, 3, 0])
        states = tuple(torch.randn(4, 4, 4) for _ in layers.cell.program.states)
        given = {f"state_{of}": state for of, state in zip(layers.cell.program.states, states, strict=True)}
        found = run(layers_to_onnx(layers), input=x, lengths=lengths, **given)
        for of_onnx, of_torch in zip(found, expected_of(layers, x, lengths, states), strict=True):
            assert_close(of_onnx, of_torch, name)


@pytest.mark.parametrize("name", ["lstm", "gru_reset_after", "lstm_peephole"])
def test_zoneout_moves_states_by_the_expected_share(name):
    layers = normal_(Recurrent(LIBRARY[name], 3, 4, num_layers=2, bidirectional=True, zoneout=0.2))
    model = layers_to_onnx(layers)
    assert any(node.op_type == "Scan" for node in model.graph.node)
    assert_same(layers, model, 5, 6)


@pytest.mark.parametrize(("name", "operator"), [("rnn", "RNN"), ("rnn_relu", "RNN"), ("gru", "GRU"), ("lstm", "LSTM")])
def test_standard_cells_use_the_operators_of_onnx(name, operator):
    model = layers_to_onnx(Recurrent(LIBRARY[name], 3, 4))
    kinds = [node.op_type for node in model.graph.node]
    assert operator in kinds
    assert "Scan" not in kinds


def test_the_reset_acts_where_each_gru_says():
    found = {}
    for name in ("gru", "gru_reset_after"):
        node = next(of for of in layers_to_onnx(Recurrent(LIBRARY[name], 3, 4)).graph.node if of.op_type == "GRU")
        found[name] = {of.name: of.i for of in node.attribute}.get("linear_before_reset", 0)
    assert found == {"gru": 0, "gru_reset_after": 1}
    assert len(OPERATORS) == 5


@pytest.mark.parametrize("opset", [17, 18, 20, 22, 24])
def test_every_opset_gives_the_same(opset):
    layers = normal_(Recurrent(LIBRARY["lstm_peephole"], 3, 4, bidirectional=True))
    assert_same(layers, layers_to_onnx(layers, opset), 4, 5)
    layers = normal_(Recurrent(LIBRARY["gru"], 3, 4, bidirectional=True))
    assert_same(layers, layers_to_onnx(layers, opset), 4, 5)


@cell
def two_memories(x, h, c, m, p):
    """A cell of somebody's own: three states, two products in a row, learned vectors, numbers, powers."""
    a = sigmoid(x.a + h.a + p.a * c)
    b = tanh(x.b + (a * h).b - 0.5 * m)
    c = a * c + (1 - a) * b
    m = 0.9 * m + 0.1 * c**2
    return b * tanh(c) / (1.5 + m), c, m


@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
def test_a_cell_of_somebodys_own_with_several_states_is_exported(bidirectional):
    layers = normal_(Recurrent(two_memories, 5, 6, num_layers=2, bidirectional=bidirectional))
    model = layers_to_onnx(layers)
    onnx.checker.check_model(model, full_check=True)
    for batch, steps in SIZES:
        assert_same(layers, model, batch, steps)


@hypothesis_settings(max_examples=25)
@given(programs())
def test_any_cell_that_can_be_written_is_exported(program):
    layers = normal_(Recurrent(Cell(program), 3, 4))
    assert_same(layers, layers_to_onnx(layers), 4, 5)
