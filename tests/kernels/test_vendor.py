"""The vendors' kernels: what they are asked to do, and the two devices' ways through ragged batches."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seqwise.cells import LIBRARY, gru_reset_after, lstm, rnn, rnn_relu
from seqwise.kernels import reference, vendor
from seqwise.kernels.contract import Variant, Weights
from tolerances import assert_close

THEIRS = [rnn, rnn_relu, gru_reset_after, lstm]
their_cells = pytest.mark.parametrize("cell", THEIRS, ids=lambda cell: cell.name)
both_directions = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])


def draw(cell, steps: int = 9, batch: int = 4, hidden: int = 6, features: int = 3, dtype=torch.float32):
    torch.manual_seed(0)
    rows = len(cell.program.gates) * hidden
    shapes = ((rows, features), (rows, hidden), (rows,), (rows,))
    weights = Weights(*(torch.randn(s, dtype=dtype).mul(0.5).requires_grad_() for s in shapes))
    initial = tuple(torch.randn(batch, hidden, dtype=dtype).requires_grad_() for _ in cell.program.states)
    return torch.randn(steps, batch, features, dtype=dtype).requires_grad_(), initial, weights


def flatten(result) -> tuple[Tensor, ...]:
    return (result.outputs, *result.finals)


def test_the_vendor_runs_four_cells_and_names_what_it_does_not() -> None:
    running = {name for name, cell in LIBRARY.items() if not vendor.find_obstacle(cell.program, Variant())}
    assert running == {cell.name for cell in THEIRS}
    some = torch.ones(1)
    assert vendor.find_obstacle(LIBRARY["gru"].program, Variant()) == "cell gru"
    for variant, name in [
        (Variant(resets=some), "resets"),
        (Variant(input_mask=some), "input dropout"),
        (Variant(recurrent_mask=some), "recurrent_dropout"),
        (Variant(zoneout=some), "zoneout"),
        (Variant(all_states=True), "all_states"),
    ]:
        assert vendor.find_obstacle(lstm.program, variant) == name
    assert vendor.find_obstacle(rnn.program, Variant(all_states=True)) == ""


@their_cells
@both_directions
def test_packed_and_padded_agree(cell, reverse: bool) -> None:
    """CUDA takes the packed way, the CPU the padded one; here both run on the CPU."""
    x, initial, weights = draw(cell)
    lengths = torch.tensor([3, 9, 1, 5])
    inputs = [x, *initial, *weights[:4]]
    results = []
    for run in (vendor._run_packed, vendor._run_padded):
        outputs, finals = run(cell.program, x, initial, weights, lengths, reverse)
        upstream = [
            torch.randn(t.shape, generator=torch.Generator().manual_seed(k)) for k, t in enumerate((outputs, *finals))
        ]
        results.append((outputs, *finals, *torch.autograd.grad([outputs, *finals], inputs, upstream)))
    for k, (packed, padded) in enumerate(zip(*results, strict=True)):
        assert_close(packed, padded, f"number {k}")


@their_cells
def test_packed_rows_shorter_than_the_batch_and_nan_on_padding(cell) -> None:
    x, initial, weights = draw(cell)
    lengths = torch.tensor([3, 7, 1, 5])  # nobody reaches T = 9
    poisoned = x.detach().clone()
    poisoned[torch.arange(9).unsqueeze(1) >= lengths] = float("nan")
    for reverse in (False, True):
        outputs, finals = vendor._run_packed(cell.program, poisoned, initial, weights, lengths, reverse)
        expected = reference.forward(cell.program, x, initial, weights, Variant(lengths, reverse=reverse))
        for actual, wanted in zip((outputs, *finals), flatten(expected), strict=True):
            assert_close(actual, wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_the_final_cell_state_passes_padding_unchanged(dtype: torch.dtype, scale: float) -> None:
    """Bit for bit, even where trained gates are saturated the other way, and so does its gradient."""
    x, initial, weights = draw(lstm, dtype=dtype)
    weights = Weights(*(w.detach().mul(scale).requires_grad_() for w in weights[:4]))
    lengths = torch.tensor([4, 9, 1, 4])
    with torch.no_grad():
        _, cut = vendor._call(lstm.program, x[:4], initial, weights)
        _, padded = vendor._run_padded(lstm.program, x, initial, weights, lengths, reverse=False)
    tolerance = {} if dtype is torch.float64 else {"rtol": 1e-6 if dtype is torch.float32 else 2e-2, "atol": 1e-6}
    torch.testing.assert_close(padded[1][0], cut[1][0], **tolerance)
    torch.testing.assert_close(padded[1][3], cut[1][3], **tolerance)

    # The gradient of c at the end, through 5 or through 500 steps of padding, is the same to the last bit.
    gradients = []
    for extra in (5, 500):
        longer = torch.cat([x[:4], x.new_zeros(extra, 4, 3)])
        _, finals = vendor._run_padded(
            lstm.program, longer, initial, weights, torch.tensor([4, 4 + extra, 1, 4]), False
        )
        row = finals[1][0].sum() + 3 * finals[1][2].sum()
        gradients.append(torch.autograd.grad(row, initial)[1][[0, 2]])
    assert torch.equal(*gradients)
    assert gradients[0].abs().max() > 0


@their_cells
def test_a_backward_pass_works_whether_or_not_anyone_is_training(cell) -> None:
    x, initial, weights = draw(cell)
    result = vendor.forward(cell.program, x, initial, weights, Variant())
    expected = reference.forward(cell.program, x, initial, weights, Variant())
    for a, b in zip(
        torch.autograd.grad(result.outputs.square().sum(), weights[:4]),
        torch.autograd.grad(expected.outputs.square().sum(), weights[:4]),
        strict=True,
    ):
        assert_close(a, b)
    with torch.no_grad():
        assert_close(vendor.forward(cell.program, x, initial, weights, Variant()).outputs, expected.outputs)


def test_two_forward_passes_before_a_backward_pass_do_not_disturb_each_other() -> None:
    x, initial, weights = draw(lstm)
    lengths = Variant(torch.tensor([3, 9, 1, 5]))
    alone = torch.autograd.grad(vendor.forward(lstm.program, x, initial, weights, lengths).outputs.sum(), x)[0]
    first = vendor.forward(lstm.program, x, initial, weights, lengths).outputs.sum()
    vendor.forward(lstm.program, 2 * x, initial, weights, lengths)
    assert torch.equal(torch.autograd.grad(first, x)[0], alone)


def test_all_states_of_a_cell_with_one_are_its_outputs() -> None:
    x, initial, weights = draw(rnn)
    result = vendor.forward(rnn.program, x, initial, weights, Variant(all_states=True))
    assert len(result.states) == 1
    assert torch.equal(result.states[0], result.outputs)
