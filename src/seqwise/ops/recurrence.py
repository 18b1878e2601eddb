"""The recurrence as one operation: check the arguments, choose a backend, run it.

Axis letters: B batch, T steps, D input features, H hidden units, S states, Gx input gates, Gh recurrent gates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from seqwise.cells import Cell, Program
from seqwise.errors import ConfigurationError, InputError
from seqwise.kernels import reference, vendor
from seqwise.kernels.contract import Result, Variant, Weights


class Backend(NamedTuple):
    """A way to run a program.

    Attributes:
        find_obstacle: What keeps it from running this program in this variant, in words; empty if nothing does.
        forward: Runs it.
    """

    find_obstacle: Callable[[Program, Variant], str]
    forward: Callable[[Program, Tensor, tuple[Tensor, ...], Weights, Variant], Result]


# `auto` takes the first that has no obstacle. The vendor's fused loop is 3 to 20 times faster than the reference.
BACKENDS: dict[str, Backend] = {
    "vendor": Backend(vendor.find_obstacle, vendor.forward),
    "reference": Backend(lambda program, variant: "", reference.forward),
}


def recurrence(
    cell: Cell | Program,
    x: Tensor,
    initial: tuple[Tensor, ...],
    weights: Weights,
    variant: Variant = Variant(),  # noqa: B008  (immutable)
    *,
    backend: str = "auto",
) -> Result:
    """Run a cell over time: one layer, one direction.

    Args:
        cell: What to run.
        x: (T, B, D).
        initial: For each state (B, H).
        weights: Parameters; shapes in `Weights`.
        variant: Lengths, resets, direction, masks; shapes in `Variant`.
        backend: "auto", or a key of `BACKENDS`. Second derivatives are certain only with "reference".

    Returns:
        Outputs (T, B, H), final states, and the states of every step if asked for.

    Raises:
        InputError: A tensor has the wrong shape, dtype or device; the message gives its name, the expected and the
            actual one.
        ConfigurationError: No such backend, or it cannot do what is asked; the message names the option.
    """
    program = cell.program if isinstance(cell, Cell) else cell
    check_backend(backend, program, variant)
    _check(program, x, initial, weights, variant)
    variant = _simplify(variant, x.shape[0])
    run = _choose(program, variant, backend).forward
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        with torch.autocast(x.device.type, enabled=False):
            return run(program, *_cast(dtype, x, initial, weights, variant))
    return run(program, x, initial, weights, variant)


def check_backend(backend: str, program: Program, variant: Variant) -> None:
    """Raise ConfigurationError unless this is "auto", or the name of a backend that can run the program so."""
    if backend == "auto":
        return
    if backend not in BACKENDS:
        raise ConfigurationError(f"backend={backend!r}: expected one of auto, {', '.join(BACKENDS)}.")
    obstacle = BACKENDS[backend].find_obstacle(program, variant)
    if obstacle:
        raise ConfigurationError(f"backend={backend!r} cannot run {obstacle}; use backend='auto' or 'reference'.")


def _choose(program: Program, variant: Variant, backend: str) -> Backend:
    if backend != "auto":
        return BACKENDS[backend]
    return next(b for b in BACKENDS.values() if not b.find_obstacle(program, variant))


def _simplify(variant: Variant, steps: int) -> Variant:
    """Lengths that say nothing are dropped: nothing is masked then."""
    if variant.lengths is not None and bool((variant.lengths == steps).all()):
        return variant._replace(lengths=None)
    return variant


def _cast(
    dtype: torch.dtype, x: Tensor, initial: tuple[Tensor, ...], weights: Weights, variant: Variant
) -> tuple[Tensor, tuple[Tensor, ...], Weights, Variant]:
    def cast(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor.to(dtype)

    variant = variant._replace(
        input_mask=cast(variant.input_mask),
        recurrent_mask=cast(variant.recurrent_mask),
        zoneout=cast(variant.zoneout),
    )
    parameters = Weights(weights.input.to(dtype), *(cast(w) for w in weights[1:]))
    return x.to(dtype), tuple(s.to(dtype) for s in initial), parameters, variant


def _check(program: Program, x: Tensor, initial: tuple[Tensor, ...], weights: Weights, variant: Variant) -> None:
    if x.dim() != 3 or 0 in x.shape:
        raise InputError(f"x: expected a shape (T, B, D) without zeros, got {tuple(x.shape)}.")
    if len(initial) != len(program.states):
        states = ", ".join(program.states)
        raise InputError(f"initial: expected {len(program.states)} tensors ({states}), got {len(initial)}.")
    steps, batch, features = x.shape
    hidden = initial[0].shape[-1] if initial[0].dim() == 2 else -1
    if hidden < 1:
        raise InputError(f"initial[0]: expected a shape ({batch}, H), got {tuple(initial[0].shape)}.")
    rows, recurrent_rows = len(program.input_gates) * hidden, len(program.recurrent_gates) * hidden
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
        fits = len(shape) == 4 and shape[0] == full[0] and all(n in (1, m) for n, m in zip(shape, full, strict=True))
        _check_tensor("zoneout", variant.zoneout, shape if fits else full, x)
    _check_tensor("lengths", variant.lengths, (batch,), x, torch.int64)
    _check_tensor("resets", variant.resets, (steps, batch), x, torch.bool)
    if variant.lengths is not None:
        low, high = (int(v) for v in variant.lengths.aminmax())
        if low < 0 or high > steps:
            raise InputError(f"lengths: expected values from 0 to T = {steps}, got {low} to {high}.")


def _check_tensor(
    name: str, tensor: Tensor | None, shape: tuple[int, ...], like: Tensor, dtype: torch.dtype | None = None
) -> None:
    if tensor is None:
        return
    if tuple(tensor.shape) != shape:
        raise InputError(f"{name}: expected shape {shape}, got {tuple(tensor.shape)}.")
    if tensor.device != like.device:
        raise InputError(f"{name}: expected device {like.device}, where x is, got {tensor.device}.")
    # Under autocast every floating tensor is cast to one dtype anyway.
    mixed = dtype is None and torch.is_autocast_enabled(like.device.type)
    if tensor.dtype != (dtype or like.dtype) and not (mixed and tensor.is_floating_point()):
        raise InputError(f"{name}: expected dtype {dtype or like.dtype}, got {tensor.dtype}.")
