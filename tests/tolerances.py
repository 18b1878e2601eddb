"""How closely two computations of the same number must agree. Loosening one needs a note in docs/decisions/."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Tolerance(NamedTuple):
    relative: float
    absolute: float


TOLERANCES = {
    # 52 bits: products of H = 17 and sums over T = 63 in another order differ by a few hundred units in the last place.
    torch.float64: Tolerance(1e-10, 1e-11),
    # 23 bits: the same with the vendors' sigmoid and tanh, which are polynomials good to about 1e-6.
    torch.float32: Tolerance(1e-4, 2e-5),
    # 8 bits, and a state that is rounded at every step.
    torch.bfloat16: Tolerance(5e-2, 5e-2),
}

UNITS_IN_THE_LAST_PLACE = {
    # Rounded once, by one instruction; a half, and the error of the comparison itself.
    "rounding": 0.501,
    # sin, cos and powers that are not whole are the C library's; no common one is worse.
    "library": 1.0,
    # A polynomial and its scale are rounded, then a quotient of both.
    "polynomial": 4.0,
    # The exponent is x times the rounded 1 / log(2), rounded: up to 1.5 |x| more, which are added to this.
    "sigmoid": 4.0,
    # Of |n| <= 16: four squarings, each of which doubles the relative error so far and rounds; then a reciprocal.
    "whole power": 17.0,
}
"""Of elementary functions, from the exact value. Results below the smallest normal number may lose all their digits."""


def assert_close(actual: Tensor, expected: Tensor, what: str = "value", dtype: torch.dtype | None = None) -> None:
    """Fail, naming `what`, unless both have one shape and agree within the tolerance of the dtype (of `actual`)."""
    tolerance = TOLERANCES[dtype or actual.dtype]
    torch.testing.assert_close(
        actual.to(torch.float64),
        expected.to(torch.float64),
        rtol=tolerance.relative,
        atol=tolerance.absolute,
        msg=lambda message: f"{what}: {message}",
    )
