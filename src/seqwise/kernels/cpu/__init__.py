"""Recurrences as machine code for this CPU, generated from the program and its derivative through LLVM.

`plan` decides what is computed when; `forward_kernel` and `backward_kernel` write the code with the help of `vector`,
`functions` and `products`; `compiler` makes and caches it; `launch`, `gradients` and `stepping` call it on the threads of
`threads` with memory of `memory`. LLVM is loaded at the first use, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # PyTorch takes longer to import than text takes to encode: kernels for words do without
    from torch import Tensor

    from seqwise.cells import Program
    from seqwise.kernels.contract import Gradients, Result, Upstream, Variant, Weights
    from seqwise.kernels.cpu.stepping import Stepper

_MOST_NODES = 2000  # code for more would take LLVM a minute


def find_obstacle(program: Program, variant: Variant, x: Tensor | None = None) -> str:
    """What keeps these kernels from computing this, or an empty string."""
    import torch

    if x is not None and x.device.type != "cpu":
        return f"on {x.device.type}"
    if x is not None and x.dtype not in (torch.float32, torch.float64):
        return f"dtype {x.dtype}"
    if len(program.nodes) > _MOST_NODES:
        return f"a cell of {len(program.nodes)} operations (more than {_MOST_NODES})"
    masks = {
        "input dropout": variant.input_mask,
        "recurrent_dropout": variant.recurrent_mask,
        "zoneout": variant.zoneout,
    }
    wanting = next((name for name, mask in masks.items() if mask is not None and mask.requires_grad), "")
    return f"a gradient of the mask of {wanting}" if wanting else ""


def saved_shapes(program: Program, variant: Variant, steps: int, batch: int, hidden: int) -> list[tuple[int, ...]]:
    """Shapes of what `forward` saves: values of gates, and the history of every state but the first."""
    from seqwise.kernels.cpu.plan import make_plan

    cell = make_plan(program, variant.zoneout is not None, variant.recurrent_mask is not None)
    histories = 0 if variant.all_states else len(program.states) - 1
    return [(steps, batch, len(cell.saved), hidden)] + [(steps, batch, hidden)] * histories


def forward(
    program: Program, x: Tensor, initial: tuple[Tensor, ...], weights: Weights, variant: Variant, save: bool
) -> tuple[Result, list[Tensor]]:
    """Run the recurrence; see `launch.forward`."""
    from seqwise.kernels.cpu import launch

    return launch.forward(program, x, initial, weights, variant, save)


def backward(
    program: Program,
    x: Tensor,
    initial: tuple[Tensor, ...],
    weights: Weights,
    variant: Variant,
    result: Result,
    saved: list[Tensor],
    upstream: Upstream,
    needs_x: bool,
) -> Gradients:
    """Gradients of everything that `forward` read; see `gradients.backward`."""
    from seqwise.kernels.cpu import gradients

    return gradients.backward(program, x, initial, weights, variant, result, saved, upstream, needs_x)


def make_stepper(program: Program, weights: Weights, batch: int, hidden: int, zoneout: float) -> Stepper:
    """Prepare single steps; see `stepping.prepare_stepper`."""
    from seqwise.kernels.cpu.stepping import prepare_stepper

    return prepare_stepper(program, weights, batch, hidden, zoneout)
