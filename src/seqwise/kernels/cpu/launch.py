"""The forward pass: lay out memory, pack weights, run the kernel on the threads.

Axis letters: B batch, T steps, D input features, H hidden units.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from torch import Tensor

from seqwise.cells import Program
from seqwise.kernels.contract import Result, Variant, Weights
from seqwise.kernels.cpu.arguments import Call, Sizes, borrow
from seqwise.kernels.cpu.layout import Layout
from seqwise.kernels.cpu.threads import run

_PAIRS_AHEAD = 96  # rows of the input projection: enough that a panel of weights is read once for many


def forward(
    program: Program,
    x: Tensor,
    initial: tuple[Tensor, ...],
    weights: Weights,
    variant: Variant,
    save: bool,
) -> tuple[Result, list[Tensor]]:
    """Run the recurrence; arguments and result as in `reference.forward`.

    Args:
        program: The cell.
        x: (T, B, D) float32 or float64.
        initial: For each state (B, H).
        weights: See `Weights`.
        variant: See `Variant`.
        save: Whether `backward` will follow.

    Returns:
        The result, and what `backward` wants back (nothing without `save`).
    """
    call = Call(program, x, initial, weights, variant)
    shape, states = (call.steps, call.batch, call.hidden), len(initial)
    outputs = borrow(x, shape)
    finals = tuple(x.new_empty(shape[1:]) for _ in initial)
    saved: list[Tensor] = []
    histories: list[Tensor] = [outputs]
    if variant.all_states or save:
        histories += [borrow(x, shape) for _ in range(states - 1)]
    if save and not variant.all_states:
        saved = histories[1:]
    if save:
        saved = [borrow(x, (*shape[:2], len(call.plan.saved), call.hidden)), *saved]
    fields = call.common | ({"saved": saved[0].data_ptr()} if save else {})
    for k, (start, final) in enumerate(zip(call.initial, finals, strict=True)):
        kept = k < len(histories)  # otherwise only the last value of the state is, where the final one belongs
        fields[f"initial_{k}"], fields[f"final_{k}"] = start.data_ptr(), final.data_ptr()
        fields[f"state_{k}"] = (histories[k] if kept else final).data_ptr()
        fields[f"state_step_{k}"] = call.batch * call.hidden * call.size if kept else 0
        fields[f"clear_{k}"] = int(kept and (k == 0 or variant.all_states))
    memory, blocks = prepare(call, fields, save)
    run(call.kernels.forward, blocks, call.threads)
    del memory  # the kernels had its address
    return Result(outputs, finals, tuple(histories) if variant.all_states else ()), saved


def prepare(call: Call, fields: dict[str, int], save: bool) -> tuple[np.ndarray, np.ndarray]:
    """Pack the weights and fill in the argument blocks.

    Args:
        call: The call.
        fields: Where states are, and what is saved.
        save: Whether there is memory for what is saved; otherwise the kernel gets some for one step.

    Returns:
        Memory that must outlive the kernel, and the argument blocks (shards, fields).
    """
    layout, matrices = _make_layout(call.sizes, save)
    memory, address = layout.take()
    start = layout.places["zeros"]
    memory[start : start + layout.sizes["zeros"]] = 0
    pack, pack_transposed = call.kernels.products["pack"], call.kernels.products["pack_transposed"]
    for panels, bias, of_input, above, rows, depth in matrices:
        matrix, vector = call.weights[0 if of_input else 1], call.weights[2 if of_input else 3]
        assert matrix is not None
        source = matrix.data_ptr() + above * depth * call.size
        pack_transposed(source, depth * call.size, depth, rows, address + layout.places[panels])
        if vector is None:
            fields[bias] = address + start
        else:
            pack(vector.data_ptr() + above * call.size, 0, 1, rows, address + layout.places[bias])
    return memory, layout.blocks(address, fields, call.shard_fields())


class _Matrix(NamedTuple):
    """Rows of W or U, and their bias, that are packed together.

    Attributes:
        panels: The field of the packed matrix.
        bias: The field of the bias.
        of_input: Whether they are of W.
        above: The first of the rows.
        rows: How many.
        depth: Columns.
    """

    panels: str
    bias: str
    of_input: bool
    above: int
    rows: int
    depth: int


@lru_cache(256)
def _make_layout(sizes: Sizes, save: bool) -> tuple[Layout, list[_Matrix]]:
    cell, padded, row = sizes.kernels.plan, sizes.padded, sizes.row
    inputs, recurrent = sizes.gates
    matrices = [_Matrix("input_weights", "input_bias", True, 0, inputs, sizes.features)]
    above = 0
    for k, rows in enumerate(sizes.stages):
        matrices.append(_Matrix(f"weights_{k}", f"bias_{k}", False, above, rows, sizes.hidden))
        above += rows
    shared = {"zeros": padded(max(inputs, recurrent, sizes.features))}
    for matrix in matrices:
        shared[matrix.panels] = matrix.depth * padded(matrix.rows)
        if sizes.biases[0 if matrix.of_input else 1]:
            shared[matrix.bias] = padded(matrix.rows)
    row_of_saved = len(cell.saved) * row
    if not save:
        shared["saved"] = sizes.batch * row_of_saved
    constants = {
        "hidden": sizes.hidden, "features": sizes.features, "batch": sizes.batch, "projected_row": padded(inputs),
        "saved_row": row_of_saved, "saved_step": sizes.batch * row_of_saved if save else 0,
    }  # fmt: skip
    constants |= {f"product_row_{k}": padded(rows) for k, rows in enumerate(sizes.stages)}
    constants |= {f"state_row_{k}": row for k in range(len(cell.program.states))}
    own = []
    for rows in sizes.rows:
        pairs = max(1, _PAIRS_AHEAD // rows) * rows
        parts = {"projected": pairs * padded(inputs), "x_table": 8 * pairs}
        parts["masked_x"] = pairs * sizes.features * sizes.kernels.size if sizes.masked else 0
        for k, gates in enumerate(sizes.stages):
            copied = 0 if k in cell.direct else rows
            parts |= {f"product_{k}": rows * padded(gates), f"operand_{k}": copied * row}
            parts[f"operand_table_{k}"] = 8 * copied
        own.append(parts | {f"current_{k}": 8 * rows for k in range(len(cell.program.states))})
    threads = [constants | {"rows": rows, "chunk_steps": max(1, _PAIRS_AHEAD // rows)} for rows in sizes.rows]
    return Layout(sizes.kernels.forward_fields, shared, own, threads), matrices
