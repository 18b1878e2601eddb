"""The recurrence in PyTorch's own operators, the number of steps free: what the operator becomes in an exported program.

The operator `seqwise::recurrence` is opaque: a program that keeps it needs this package where it runs. A `scan` over
`kernels.reference` needs PyTorch alone, and AOTInductor compiles it to a loop that writes each step's output in place.

Axis letters: B batch, T steps, D input features, H hidden units, G gates, S states.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._higher_order_ops.scan import scan_op
from torch.nn import functional as F
from torch.utils._pytree import tree_flatten, tree_unflatten

from seqwise.cells import Program
from seqwise.errors import ConfigurationError
from seqwise.kernels.contract import Weights
from seqwise.kernels.reference import Product, evaluate_step, split_stages

OPERATOR = torch.ops.seqwise.recurrence.default


def scan_recurrence(
    x: Tensor,
    initial: Sequence[Tensor],
    weights: Sequence[Tensor | None],
    variant: Sequence[Tensor | None],
    program: str,
    reverse: bool,
    all_states: bool,
    save: bool,
    backend: str,
) -> list[Tensor]:
    """Run the recurrence; the arguments are those of the operator.

    Args:
        x: (T, B, D).
        initial: for each state (B, H).
        weights: see `Weights`.
        variant: lengths, resets, input mask, recurrent mask, zoneout; of these lengths and zoneout may be there.
        program: the cell.
        reverse: from the last step to the first.
        all_states: False.
        save: False: nothing is kept for a backward pass.
        backend: says nothing here.

    Returns:
        Outputs (T, B, H), zero on padding, and for each state (B, H).

    Raises:
        ConfigurationError: resets, masks or the states of every step are asked for, which no saved model needs.
    """
    lengths, resets, input_mask, recurrent_mask, zoneout = variant
    if all_states or any(part is not None for part in (resets, input_mask, recurrent_mask)):
        raise ConfigurationError("resets, masks and the states of every step have no place in an exported program")
    cell, given = Program.from_string(program), Weights(*weights)  # type: ignore[arg-type]
    steps, batch, hidden = *x.shape[:2], initial[0].shape[1]
    valid = []  # (T, B, 1), if anything says that some steps do not exist
    if lengths is not None:
        valid.append((torch.arange(steps, device=x.device).unsqueeze(1) < lengths).unsqueeze(-1))
        x = torch.where(valid[0], x, 0.0)  # not a product: 0 * NaN is NaN
    projected = F.linear(x, given.input, given.input_bias)  # (T, B, G*H)
    changing = [part.flip(0) if reverse else part for part in (projected, *valid)]
    products = split_stages(cell, given, hidden)
    # What every step reads goes in beside what changes. The size of the batch is known from the shapes, and is said because
    # AOTInductor finds it only there.
    fixed, layout = tree_flatten(
        (
            {place: [part for part in product[1:] if part is not None] for place, product in products.items()},
            {} if given.vectors is None else dict(zip(cell.vectors, given.vectors.unbind(0), strict=True)),
            [] if zoneout is None else [zoneout[:, 0]],  # (S, 1, 1), the same share at every step
            batch,
        )
    )
    states = len(initial)

    def step(*now: Any) -> list[Tensor]:
        old, (projection, *exists) = now[:states], now[states : states + len(changing)]
        parts, vectors, zoned, rows = tree_unflatten(now[states + len(changing) :], layout)
        here = {place: Product(products[place].gates, *of, *[None] * (2 - len(of))) for place, of in parts.items()}
        width = len(cell.input_gates) * hidden
        values = evaluate_step(cell, projection.reshape(rows, width), old, here, vectors)
        new = [values[place] for place in cell.outputs]
        for kept in zoned:
            new = [
                kept[k] * before + (1 - kept[k]) * after for k, (before, after) in enumerate(zip(old, new, strict=True))
            ]
        if not exists:
            return [*new, new[0].clone()]  # two results of the loop may not be the same tensor
        new = [torch.where(exists[0], after, before) for before, after in zip(old, new, strict=True)]
        return [*new, torch.where(exists[0], new[0], 0.0)]

    # A state that is an input of the program may not come out of the loop as the same tensor.
    found = scan_op(step, [state.clone() for state in initial], changing, tuple(fixed))
    return [found[states].flip(0) if reverse else found[states], *found[:states]]


def open_recurrences(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """The same program with every recurrence in PyTorch's own operators."""
    table: dict[Any, Any] = {OPERATOR: scan_recurrence}
    return program.run_decompositions(table)
