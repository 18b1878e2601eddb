"""AdaGrad in place: the rate by the root of the sum of the squared gradients so far (Duchi, Hazan and Singer 2011).

Axis letters: R rows of a table, E numbers of a row, M changes.
"""

from __future__ import annotations

import torch
from torch import Tensor

_TINY = 1e-10  # no step where the gradient was 0 all along


class AdaGrad:
    """Of a small tensor: each number has its own rate.

    Args:
        values: changed by every step.

    Attributes:
        values: the same.
        squares: sums of squared gradients, of the shape of `values`.
    """

    def __init__(self, values: Tensor) -> None:
        self.values, self.squares = values, torch.zeros_like(values)

    def step(self, gradient: Tensor, rate: float) -> None:
        """Down a gradient of the shape of `values`."""
        self.squares += gradient.square()
        self.values.addcdiv_(gradient, (self.squares + _TINY).sqrt_(), value=-rate)


class RowAdaGrad:
    """Of a table: each row has its own rate, from the means over its numbers. Rows whose gradient is 0 need not be touched.

    Args:
        table: (R, E), changed by every step.
        first: what `squares` begin with; the larger, the smaller are the first steps of a row.

    Attributes:
        table: the same.
        squares: (R,) sums of mean squared gradients.
    """

    def __init__(self, table: Tensor, first: float = 0.0) -> None:
        self.table, self.squares = table, table.new_full((len(table),), first)

    def step(self, gradient: Tensor, rate: float) -> None:
        """Down a gradient of all rows, (R, E)."""
        self.squares += gradient.square().mean(1)
        self.table.addcmul_(gradient, (self.squares + _TINY).rsqrt_()[:, None], value=-rate)

    def step_rows(self, rows: Tensor, changes: Tensor, rate: float) -> None:
        """Down a gradient that is a sum of changes, (M, E), of some rows, (M,), which may repeat."""
        chosen, place = rows.unique(return_inverse=True)
        gradient = changes.new_zeros(len(chosen), changes.shape[1]).index_add_(0, place, changes)
        squares = self.squares[chosen] + gradient.square().mean(1)
        self.squares[chosen] = squares
        self.table.index_add_(0, chosen, gradient.mul_((squares + _TINY).rsqrt_()[:, None]), alpha=-rate)
