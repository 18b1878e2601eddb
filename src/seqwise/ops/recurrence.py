"""The recurrence as one operation: choose a backend, and run it in the open or inside PyTorch's operator.

Axis letters: B batch, T steps, D input features, H hidden units, S states, Gx input gates, Gh recurrent gates.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqwise.cells import Cell, Program
from seqwise.errors import ConfigurationError
from seqwise.kernels.contract import Result, Variant, Weights
from seqwise.ops.backends import choose_backend
from seqwise.ops.checks import check_lengths, check_tensors
from seqwise.ops.operator import call_operator


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

    Under `torch.compile` and `torch.export` it is one node of the graph, the operator `seqwise::recurrence`, with the
    numbers of steps and rows free. Inside transformations of `torch.func` only the reference runs, which "auto" takes.

    Args:
        cell: What to run.
        x: (T, B, D).
        initial: For each state (B, H).
        weights: Parameters; shapes in `Weights`.
        variant: Lengths, resets, direction, masks; shapes in `Variant`.
        backend: "auto", or a key of `BACKENDS`. Second derivatives of a kernel are the reference's; those of "vendor"
            are not always there.

    Returns:
        Outputs (T, B, H), final states, and the states of every step if asked for.

    Raises:
        InputError: A tensor has the wrong shape, dtype or device; the message gives its name, the expected and the
            actual one.
        ConfigurationError: No such backend, or it cannot do what is asked; the message names the option.
    """
    program = cell.program if isinstance(cell, Cell) else cell
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        with torch.autocast(x.device.type, enabled=False):
            return _run(program, *_cast(dtype, x, initial, weights, variant), backend)
    return _run(program, x, initial, weights, variant, backend)


def _run(
    program: Program, x: Tensor, initial: tuple[Tensor, ...], weights: Weights, variant: Variant, backend: str
) -> Result:
    if torch.compiler.is_compiling():  # what follows depends on values, which do not exist yet
        return call_operator(program, x, initial, weights, variant, backend)
    if torch._C._functorch.peek_interpreter_stack() is not None:
        backend = _choose_inside_transformation(backend)
    chosen = choose_backend(backend, program, variant, x)
    if chosen.is_kernel:
        return call_operator(program, x, initial, weights, variant, backend)
    check_tensors(program, x, initial, weights, variant)
    if variant.lengths is not None and not check_lengths(variant.lengths, x.shape[0]):
        variant = variant._replace(lengths=None)  # nothing is masked then
    result: Result = chosen.forward(program, x, initial, weights, variant)
    return result


def _choose_inside_transformation(backend: str) -> str:
    """Inside `torch.func` the reference runs; the vendors' code can be differentiated there, but not under vmap."""
    if backend in ("auto", "reference"):
        return "reference"
    raise ConfigurationError(f"backend={backend!r} cannot run inside torch.func; use backend='auto' or 'reference'.")


def _cast(
    dtype: torch.dtype, x: Tensor, initial: tuple[Tensor, ...], weights: Weights, variant: Variant
) -> tuple[Tensor, tuple[Tensor, ...], Weights, Variant]:
    def cast(tensor: Tensor | None) -> Tensor | None:
        return tensor.to(dtype) if tensor is not None and tensor.is_floating_point() else tensor

    variant = variant._replace(
        input_mask=cast(variant.input_mask),
        recurrent_mask=cast(variant.recurrent_mask),
        zoneout=cast(variant.zoneout),
    )
    parameters = Weights(weights.input.to(dtype), *(cast(w) for w in weights[1:]))
    return x.to(dtype), tuple(s.to(dtype) for s in initial), parameters, variant
