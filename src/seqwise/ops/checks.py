"""What the arguments of a recurrence must be.

Shapes, types and devices are checked without reading a value, so that they can be checked while PyTorch traces, where
sizes are symbolic and values do not exist.

Axis letters: B batch, T steps, D input features, H hidden units, S states, Gx input gates, Gh recurrent gates.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqwise.cells import Program
from seqwise.errors import InputError
from seqwise.kernels.contract import Variant, Weights


def check_tensors(program: Program, x: Tensor, initial: tuple[Tensor, ...], weights: Weights, variant: Variant) -> None:
    """Raise InputError, naming the tensor, unless every shape, dtype and device is what the program needs."""
    if x.dim() != 3 or 0 in x.shape:
        raise InputError(f"x: expected a shape (T, B, D) without zeros, got {tuple(x.shape)}.")
    if len(initial) != len(program.states):
        states = ", ".join(program.states)
        raise InputError(f"initial: expected {len(program.states)} tensors ({states}), got {len(initial)}.")
    steps, batch, features = x.shape
    hidden = initial[0].shape[-1] if initial[0].dim() == 2 else -1
    if hidden < 1:
        raise InputError(f"initial[0]: expected a shape ({batch}, H), got {tuple(initial[0].shape)}.")
    _check_parts(program, weights)
    rows, recurrent_rows = len(program.input_gates) * hidden, len(program.recurrent_gates) * hidden
    for k, state in enumerate(initial):
        _check_tensor(f"initial[{k}]", state, (batch, hidden), x)
    _check_tensor("weights.input", weights.input, (rows, features), x)
    _check_tensor("weights.recurrent", weights.recurrent, (recurrent_rows, hidden), x)
    _check_tensor("weights.input_bias", weights.input_bias, (rows,), x)
    _check_tensor("weights.recurrent_bias", weights.recurrent_bias, (recurrent_rows,), x)
    _check_tensor("weights.vectors", weights.vectors, (len(program.vectors), hidden), x)
    _check_tensor("input_mask", variant.input_mask, (batch, features), x)
    _check_tensor("recurrent_mask", variant.recurrent_mask, (batch, hidden), x)
    if variant.zoneout is not None:
        full = (len(initial), steps, batch, hidden)
        shape = tuple(variant.zoneout.shape)
        fits = len(shape) == 4 and shape[0] == full[0] and all(n in (m, 1) for n, m in zip(shape, full, strict=True))
        _check_tensor("zoneout", variant.zoneout, shape if fits else full, x)
    _check_tensor("lengths", variant.lengths, (batch,), x, torch.int64)
    _check_tensor("resets", variant.resets, (steps, batch), x, torch.bool)


def check_lengths(lengths: Tensor | None, steps: int) -> bool:
    """Raise InputError unless lengths (B,) are from 0 to T; tell whether they say anything: one is less than T."""
    if lengths is None:
        return False
    low, high = (int(v) for v in lengths.aminmax())
    if low < 0 or high > steps:
        raise InputError(f"lengths: expected values from 0 to T = {steps}, got {low} to {high}.")
    return low < steps


def _check_parts(program: Program, weights: Weights) -> None:
    needs_recurrent, needs_vectors = bool(program.recurrent_gates), bool(program.vectors)
    if needs_recurrent != (weights.recurrent is not None):
        raise InputError(
            f"weights.recurrent: cell {program.name} {'needs' if needs_recurrent else 'has no'} recurrent weights."
        )
    if needs_vectors != (weights.vectors is not None):
        raise InputError(
            f"weights.vectors: cell {program.name} {'needs' if needs_vectors else 'has no'} learned vectors."
        )
    if not needs_recurrent and weights.recurrent_bias is not None:
        raise InputError(f"weights.recurrent_bias: cell {program.name} has no recurrent weights.")


def _check_tensor(
    name: str, tensor: Tensor | None, shape: tuple[int, ...], like: Tensor, dtype: torch.dtype | None = None
) -> None:
    if tensor is None:
        return
    if tensor.shape != shape:
        raise InputError(f"{name}: expected shape {shape}, got {tuple(tensor.shape)}.")
    if tensor.device != like.device:
        raise InputError(f"{name}: expected device {like.device}, where x is, got {tensor.device}.")
    if tensor.dtype != (dtype or like.dtype):
        raise InputError(f"{name}: expected dtype {dtype or like.dtype}, got {tensor.dtype}.")
