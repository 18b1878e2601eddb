"""What our layers do beyond torch.nn's: any cell, ragged batches, resets, recurrent dropout, zoneout; and refusals."""

from __future__ import annotations

import copy
import io
import pickle
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence

from recurrence_oracle import CELLS, run_by_hand
from seqwise.cells import LIBRARY, gru, lstm, lstm_peephole, min_gru, rnn
from seqwise.errors import ConfigurationError, InputError
from seqwise.layers import GRU, IRNN, LSTM, RNN, MinGRU, Recurrent, SimplifiedGRU
from seqwise.ops import Variant, Weights
from tolerances import assert_close

D, H = 3, 5
every_cell = pytest.mark.parametrize("name", CELLS)


def oracle_pass(layer: Recurrent, name: str, x, suffix: str, initial, variant: Variant):
    get = dict(layer.named_parameters()).get
    fields = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "vector")
    return run_by_hand(name, x, initial, Weights(*(get(f + suffix) for f in fields)), variant)


@every_cell
def test_stacked_bidirectional_layers_of_any_cell(name: str) -> None:
    torch.manual_seed(0)
    layer = Recurrent(CELLS[name], D, H, 2, batch_first=True, bidirectional=True, dtype=torch.float64)
    x = torch.randn(3, 7, D, dtype=torch.float64)
    count = len(CELLS[name].program.states)
    states = tuple(torch.randn(4, 3, H, dtype=torch.float64) for _ in range(count))
    lengths, resets = torch.tensor([4, 7, 1]), torch.rand(3, 7) < 0.3
    outputs, finals = layer(x, states if count > 1 else states[0], lengths=lengths, resets=resets)

    below, expected = x.transpose(0, 1), []
    for k in range(2):
        parts = []
        for direction, suffix in enumerate((f"_l{k}", f"_l{k}_reverse")):
            initial = tuple(s[2 * k + direction] for s in states)
            tracks, ends = oracle_pass(
                layer, name, below, suffix, initial, Variant(lengths, resets.t(), direction == 1)
            )
            parts.append(tracks[0])
            expected.append(ends)
        below = torch.cat(parts, -1)
    assert_close(outputs, below.transpose(0, 1))
    for k, final in enumerate(finals if count > 1 else (finals,)):
        assert_close(final, torch.stack([ends[k] for ends in expected]))


def test_named_layers_have_their_cells() -> None:
    for layer, name in [
        (RNN(D, H), "rnn"),
        (RNN(D, H, nonlinearity="relu"), "rnn_relu"),
        (IRNN(D, H), "rnn_relu"),
        (SimplifiedGRU(D, H), "gru_simplified"),
        (GRU(D, H), "gru_reset_after"),
        (GRU(D, H, reset_after=False), "gru"),
        (LSTM(D, H), "lstm"),
        (MinGRU(D, H), "min_gru"),
    ]:
        assert layer.cell is LIBRARY[name]


def test_parameters_exist_only_where_the_cell_uses_them() -> None:
    def shapes(layer):
        return {name: tuple(p.shape) for name, p in layer.named_parameters()}

    assert shapes(MinGRU(D, H)) == {"weight_ih_l0": (10, 3), "bias_ih_l0": (10,)}
    assert shapes(Recurrent(lstm_peephole, D, H, bias=False)) == {
        "weight_ih_l0": (20, 3),
        "weight_hh_l0": (20, 5),
        "vector_l0": (3, 5),
    }
    assert shapes(Recurrent(CELLS["every_function"], D, H))["weight_hh_l0"] == (15, 5)


def test_irnn_starts_at_the_identity_with_zero_biases() -> None:
    layer = IRNN(D, H, num_layers=2, bidirectional=True)
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_hh"):
            assert torch.equal(parameter, torch.eye(H))
        elif name.startswith("bias"):
            assert (parameter == 0).all()
        else:
            assert parameter.abs().max() > 0
    x = torch.randn(2, 1, D)
    layer = IRNN(D, H)
    steps = torch.nn.functional.linear(x, layer.weight_ih_l0)
    assert_close(layer(x)[0][1], (steps[0].relu() + steps[1]).relu())
    torch.nn.RNN(D, H, nonlinearity="relu").load_state_dict(layer.state_dict())


def test_the_original_gru_and_torchs_refuse_each_others_weights() -> None:
    theirs, ours = torch.nn.GRU(D, H), GRU(D, H, reset_after=False)
    before = copy.deepcopy(ours.state_dict())
    for strict in (True, False):
        with pytest.raises(RuntimeError, match=r"saved for another equation than cell 'gru'.*GRU\(reset_after=True\)"):
            ours.load_state_dict(theirs.state_dict(), strict=strict)
    assert all(torch.equal(before[name], value) for name, value in ours.state_dict().items())
    with pytest.raises(RuntimeError, match="cell_id"):
        theirs.load_state_dict(ours.state_dict())
    with pytest.raises(RuntimeError, match="another equation than cell 'gru_reset_after'"):
        GRU(D, H).load_state_dict(ours.state_dict(), strict=False)
    GRU(D, H, reset_after=False).load_state_dict(ours.state_dict())
    GRU(D, H).load_state_dict(theirs.state_dict())


def test_weights_of_another_cell_are_refused_inside_a_model_too() -> None:
    def model(cell):
        return torch.nn.ModuleDict({"encoder": Recurrent(cell, D, H)})

    with pytest.raises(RuntimeError, match=r"encoder\.: these weights were saved for another equation"):
        model(LIBRARY["lstm_tanh_forget"]).load_state_dict(model(lstm).state_dict())
    with pytest.raises(RuntimeError, match="Missing key"):  # an unrelated state dict gets torch's own words
        model(gru).load_state_dict({})


def test_a_layer_survives_copies_pickles_and_saved_tensors() -> None:
    x = torch.randn(4, 2, D)
    for layer in (GRU(D, H, reset_after=False), Recurrent(CELLS["two_stages"], D, H)):
        expected = layer(x)[0]
        assert torch.equal(copy.deepcopy(layer)(x)[0], expected)
        assert torch.equal(pickle.loads(pickle.dumps(layer))(x)[0], expected)
        saved = io.BytesIO()
        torch.save(layer.state_dict(), saved)
        saved.seek(0)
        again = Recurrent(layer.cell, D, H)
        again.load_state_dict(torch.load(saved, weights_only=True))
        assert torch.equal(again(x)[0], expected)
        assert layer.half().cell_id.dtype == torch.int64


@pytest.mark.parametrize("name", [name for name in CELLS if name != "min_gru"])
def test_recurrent_dropout_is_one_mask_per_sequence_on_what_enters_the_product(name: str, monkeypatch) -> None:
    layer = Recurrent(CELLS[name], D, H, recurrent_dropout=0.4, dtype=torch.float64)
    drawn = []
    draw = layer._draw_recurrent_mask

    def remember(x):
        drawn.append(draw(x))
        return drawn[-1]

    monkeypatch.setattr(layer, "_draw_recurrent_mask", remember)
    torch.manual_seed(1)
    x = torch.randn(6, 2, D, dtype=torch.float64)
    zeros = tuple(torch.zeros(2, H, dtype=torch.float64) for _ in CELLS[name].program.states)
    outputs, _ = layer(x)
    mask = drawn[0]
    assert mask.shape == (2, H)
    assert set(mask.unique().tolist()) <= {0.0, 1 / 0.6}
    tracks, _ = oracle_pass(layer, name, x, "_l0", zeros, Variant(recurrent_mask=mask))
    assert_close(outputs, tracks[0])
    layer.eval()
    assert_close(layer(x)[0], oracle_pass(layer, name, x, "_l0", zeros, Variant())[0][0])


def test_recurrent_dropout_keeps_the_share_that_it_says() -> None:
    torch.manual_seed(0)
    mask = LSTM(D, 1000, recurrent_dropout=0.3)._draw_recurrent_mask(torch.zeros(1, 100, D))
    assert abs((mask == 0).float().mean() - 0.3) < 0.01
    assert abs(mask.mean() - 1) < 0.01


@every_cell
def test_zoneout_keeps_units_in_training_and_moves_by_the_share_in_evaluation(name: str) -> None:
    layer = Recurrent(CELLS[name], D, H, zoneout=0.3, dtype=torch.float64)
    x = torch.randn(6, 2, D, dtype=torch.float64)
    count = len(CELLS[name].program.states)
    initial = tuple(torch.randn(2, H, dtype=torch.float64) for _ in range(count))
    state = tuple(s.unsqueeze(0) for s in initial)
    state = state if count > 1 else state[0]
    layer.eval()
    share = torch.full((count, 1, 1, 1), 0.3, dtype=torch.float64)
    tracks, _ = oracle_pass(layer, name, x, "_l0", initial, Variant(zoneout=share))
    assert_close(layer(x, state)[0], tracks[0])
    layer.train()
    layer.zoneout = 0.5
    outputs = torch.cat([initial[0].unsqueeze(0), layer(x, state)[0]])
    kept = (outputs[1:] == outputs[:-1]).double().mean()
    assert 0.2 < kept < 0.8
    assert not torch.equal(layer(x, state)[0], layer(x, state)[0])


def test_zoneout_draws_every_state_step_row_and_unit_on_its_own() -> None:
    torch.manual_seed(0)
    mask = LSTM(D, 50, zoneout=0.2)._draw_zoneout(torch.zeros(30, 20, D))
    assert mask.shape == (2, 30, 20, 50)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert abs(mask.mean() - 0.2) < 0.01
    assert mask[0].ne(mask[1]).any()


@given(
    lengths=st.lists(st.integers(0, 8), min_size=1, max_size=5),
    name=st.sampled_from(["lstm", "gru_reset_after", "gru", "rnn", "min_gru"]),
    batch_first=st.booleans(),
    num_layers=st.integers(1, 2),
    bidirectional=st.booleans(),
)
def test_any_ragged_batch_is_its_rows_one_by_one(lengths, name, batch_first, num_layers, bidirectional) -> None:
    layer = Recurrent(
        LIBRARY[name], D, H, num_layers, batch_first=batch_first, bidirectional=bidirectional, dtype=torch.float64
    )
    steps = max(*lengths, 1)
    x = torch.full((len(lengths), steps, D), float("nan"), dtype=torch.float64)
    for row, length in enumerate(lengths):
        x[row, :length] = torch.randn(length, D)
    outputs, finals = layer(x if batch_first else x.transpose(0, 1), lengths=lengths)
    outputs = outputs if batch_first else outputs.transpose(0, 1)
    finals = finals if isinstance(finals, tuple) else (finals,)
    for row, length in enumerate(lengths):
        assert (outputs[row, length:] == 0).all()
        if length:
            alone, ends = layer(x[row, :length])
            assert_close(outputs[row, :length], alone)
            for final, end in zip(finals, ends if isinstance(ends, tuple) else (ends,), strict=True):
                assert_close(final[:, row], end)
        else:
            assert all((final[:, row] == 0).all() for final in finals)


def test_resets_follow_the_layout_of_the_input() -> None:
    layer = LSTM(D, H)
    x, resets = torch.randn(6, 2, D), torch.rand(6, 2) < 0.5
    expected = layer(x, resets=resets)[0]
    first = LSTM(D, H, batch_first=True)
    first.load_state_dict(layer.state_dict())
    assert_close(first(x.transpose(0, 1), resets=resets.t())[0].transpose(0, 1), expected)
    assert_close(layer(x[:, 1], resets=resets[:, 1])[0], expected[:, 1])
    packed = pack_padded_sequence(x, torch.tensor([6, 3]))
    whole = layer(x, lengths=[6, 3], resets=resets)[0]
    assert_close(layer(packed, resets=resets)[0].data, pack_padded_sequence(whole, torch.tensor([6, 3])).data)


def test_a_second_derivative_goes_through_the_reference() -> None:
    layer = LSTM(D, H, backend="reference")
    x = torch.randn(4, 2, D, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x)[0].square().sum(), x, create_graph=True)
    gradient.square().sum().backward()
    assert layer.weight_hh_l0.grad.abs().max() > 0


def test_layers_read_as_what_they_are() -> None:
    assert (
        repr(LSTM(3, 5, 2, batch_first=True, zoneout=0.1)) == "LSTM(3, 5, num_layers=2, batch_first=True, zoneout=0.1)"
    )
    assert repr(Recurrent(gru, 3, 5)) == "Recurrent(gru, 3, 5)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_size": 0}, "input_size=0: expected a whole number above zero"),
        ({"hidden_size": 2.0}, "hidden_size=2.0: expected a whole number"),
        ({"num_layers": True}, "num_layers=True: expected a whole number"),
        ({"dropout": 1.5}, "dropout=1.5: expected a number from 0 to 1"),
        ({"recurrent_dropout": 1.0}, "recurrent_dropout=1.0: expected a number from 0 to 1, 1 excluded"),
        ({"zoneout": -0.1}, "zoneout=-0.1: expected a number from 0 to 1, 1 excluded"),
        ({"zoneout": float("nan")}, "zoneout=nan: expected a number"),
        ({"proj_size": 2}, "proj_size=2: projected states are not supported"),
        ({"backend": "cuda"}, "backend='cuda': expected one of auto, cpu, vendor, reference"),
        ({"backend": "vendor", "zoneout": 0.1}, "backend='vendor' cannot run zoneout"),
        ({"backend": "vendor", "recurrent_dropout": 0.1}, "backend='vendor' cannot run recurrent_dropout"),
        ({"cell": gru, "backend": "vendor"}, "backend='vendor' cannot run cell gru"),
        ({"cell": min_gru, "recurrent_dropout": 0.1}, "recurrent_dropout: cell min_gru has no recurrent product"),
        ({"cell": "lstm"}, "cell: expected a cell made with @cell, got str"),
    ],
)
def test_wrong_options_are_named(options: dict, message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        Recurrent(**({"cell": rnn, "input_size": D, "hidden_size": H} | options))


def test_other_wrong_options() -> None:
    with pytest.raises(ConfigurationError, match="nonlinearity='sigmoid': expected one of tanh, relu"):
        RNN(D, H, nonlinearity="sigmoid")
    with pytest.warns(UserWarning, match="dropout=0.5 acts between layers, and there is one layer"):
        LSTM(D, H, dropout=0.5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"input": torch.zeros(4, 2, D + 1)}, "input: expected 2 or 3 dimensions, the last of size 3 (input_size)"),
        ({"input": torch.zeros(D)}, "input: expected 2 or 3 dimensions"),
        ({"state": torch.zeros(1, 2, H)}, "state: expected a tuple (h, c), got Tensor of 1"),
        ({"state": (torch.zeros(1, 2, H), torch.zeros(2, 2, H))}, "state c: expected shape (1, 2, 5), got (2, 2, 5)"),
        ({"input": torch.zeros(4, D), "state": (torch.zeros(1, 1, H),) * 2}, "state h: expected shape (1, 5), got (1, 1"),
        ({"lengths": [1, 5]}, "lengths: expected values from 0 to T = 4, got 1 to 5"),
        ({"lengths": [1.0, 2.0]}, "lengths: expected whole numbers, got torch.float32"),
        ({"lengths": [1, 2, 3]}, "lengths: expected shape (2,), got (3,)"),
        ({"input": torch.zeros(4, D), "lengths": [4]}, "lengths: an unbatched input has no padding"),
        ({"resets": torch.zeros(2, 4, dtype=torch.bool)}, "resets: expected bool (4, 2), got torch.bool (2, 4)"),
        ({"resets": torch.zeros(4, 2)}, "resets: expected bool (4, 2), got torch.float32 (4, 2)"),
        ({"input": pack_padded_sequence(torch.zeros(4, 2, D), [4, 1]), "lengths": [4, 1]}, "a packed sequence has its own"),
        ({"state": (), "hx": ()}, "hx is another name of state"),
        ({"input": torch.zeros(4, 2, D).double()}, "expected dtype torch.float64, got torch.float32"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named_with_both_shapes(given: dict, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        LSTM(D, H)(**({"input": torch.zeros(4, 2, D)} | given))
