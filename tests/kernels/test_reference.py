"""The reference loop, beyond the laws of every cell: precision, and cells whose padding could explode."""

from __future__ import annotations

import pytest
import torch

from seqwise import cell
from seqwise.cells import log, lstm, softplus, sqrt, tanh
from seqwise.kernels import reference
from seqwise.kernels.contract import Variant, Weights
from tolerances import assert_close


@cell
def fragile(x, h):
    """Infinite with an infinite derivative where the input is zero, as it is on padding."""
    return tanh(log(x.a**2) / x.b + sqrt(x.a**2) + h.h)


def test_a_cell_that_divides_by_its_input_survives_padding() -> None:
    x = torch.rand(6, 3, 4, dtype=torch.float64) + 0.5
    lengths = torch.tensor([6, 2, 0])
    x[torch.arange(6).unsqueeze(1) >= lengths] = float("nan")
    x.requires_grad_()
    weights = Weights(torch.rand(10, 4, dtype=torch.float64).requires_grad_(), torch.rand(5, 5, dtype=torch.float64))
    initial = (torch.rand(3, 5, dtype=torch.float64).requires_grad_(),)
    for reverse in (False, True):
        result = reference.forward(fragile.program, x, initial, weights, Variant(lengths, reverse=reverse))
        gradients = torch.autograd.grad(
            [result.outputs, *result.finals],
            [x, *initial, weights.input],
            [torch.randn_like(result.outputs), initial[0]],
        )
        for value in (result.outputs, *result.finals, *gradients):
            assert value.isfinite().all()


def test_softplus_is_exact_in_double_precision() -> None:
    v = torch.tensor([-50.0, 0.0, 20.5, 30.0, 800.0], dtype=torch.float64, requires_grad=True)
    result = reference.FUNCTIONS["softplus"](v)
    assert_close(result, torch.logaddexp(v, torch.zeros(()).double()))
    assert_close(torch.autograd.grad(result.sum(), v)[0], torch.sigmoid(v))

    @cell
    def smooth(x, h):
        return softplus(x.a + h.a)

    assert "softplus" in str(smooth.program)


def test_relu_and_absolute_have_the_derivative_zero_at_zero() -> None:
    for name in ("relu", "absolute"):
        v = torch.zeros(1, requires_grad=True)
        assert torch.autograd.grad(reference.FUNCTIONS[name](v), v)[0] == 0


@pytest.mark.parametrize("value", [1e4, -1e4, float("inf"), float("nan")])
def test_numbers_that_overflow_behave_as_in_torch(value: float) -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 2, 3)
    x[2, 1, 0] = value
    theirs = torch.nn.LSTM(3, 4)
    parameters = theirs.weight_ih_l0, theirs.weight_hh_l0, theirs.bias_ih_l0, theirs.bias_hh_l0
    zeros = (torch.zeros(2, 4), torch.zeros(2, 4))
    result = reference.forward(lstm.program, x, zeros, Weights(*parameters), Variant())
    expected, (h, c) = theirs(x)
    for actual, wanted in zip((result.outputs, *result.finals), (expected, h[0], c[0]), strict=True):
        torch.testing.assert_close(actual, wanted, equal_nan=True, rtol=2e-4, atol=2e-5)


def test_bfloat16_follows_float32_within_its_precision() -> None:
    torch.manual_seed(0)
    x = torch.randn(20, 3, 4)
    weights = Weights(torch.randn(32, 4) / 2, torch.randn(32, 8) / 3, torch.randn(32), torch.randn(32))
    initial = (torch.randn(3, 8), torch.randn(3, 8))
    full = reference.forward(lstm.program, x, initial, weights, Variant())
    half = reference.forward(
        lstm.program,
        x.bfloat16(),
        tuple(s.bfloat16() for s in initial),
        Weights(*(None if w is None else w.bfloat16() for w in weights)),
        Variant(),
    )
    assert half.outputs.dtype == torch.bfloat16
    assert_close(half.outputs, full.outputs)
