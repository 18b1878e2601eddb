"""The backward pass: lay out memory, pack weights, run the kernel on the threads, add up what they found.

Axis letters: B batch, T steps, D input features, H hidden units.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqwise.cells import Program
from seqwise.kernels.contract import Gradients, Result, Upstream, Variant, Weights
from seqwise.kernels.cpu.arguments import Call, Sizes, borrow
from seqwise.kernels.cpu.layout import Layout
from seqwise.kernels.cpu.threads import run

_PAIRS_GATHERED = 128  # rows behind a gradient of weights: enough that reading and writing the sums is small


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
    """Gradients of everything that `forward` read.

    Args:
        program: The cell.
        x: As given to `forward`; so the next three.
        initial: The same.
        weights: The same.
        variant: The same.
        result: What `forward` gave.
        saved: What it saved.
        upstream: Gradients of the result.
        needs_x: Whether the gradient of x is wanted.
    """
    call = Call(program, x, initial, weights, variant)
    layout, matrices = _make_layout(call.sizes, needs_x)
    memory, address = layout.take()
    dx = borrow(x, tuple(x.shape)) if needs_x else None
    d_initial = tuple(torch.empty_like(state) for state in call.initial)
    histories = [result.outputs, *(result.states[1:] if variant.all_states else saved[1:])]
    zeros = address + layout.places["zeros"]
    _clear(memory, layout)
    upstreams, fields = _find_upstream(call, upstream, zeros)
    fields |= call.common | {"saved": saved[0].data_ptr(), "dx": 0 if dx is None else dx.data_ptr()}
    for k, (start, history, gradient) in enumerate(zip(call.initial, histories, d_initial, strict=True)):
        fields[f"initial_{k}"], fields[f"d_initial_{k}"] = start.data_ptr(), gradient.data_ptr()
        fields[f"state_{k}"], fields[f"state_step_{k}"] = history.data_ptr(), call.batch * call.hidden * call.size
    for panels, of_input, above, depth, columns in matrices:
        matrix = call.weights.input if of_input else call.weights.recurrent
        assert matrix is not None
        source = matrix.data_ptr() + above * columns * call.size
        call.kernels.products["pack"](source, columns * call.size, depth, columns, address + layout.places[panels])
    shards = [
        own | {"lengths": shard.lengths.ctypes.data}
        for own, shard in zip(call.shard_fields(), call.shards, strict=True)
    ]
    run(call.kernels.backward, layout.blocks(address, fields, shards), call.threads)
    del upstreams  # the kernels had their addresses
    return Gradients(dx, d_initial, _add_up(call, layout, memory))


def _clear(memory: np.ndarray, layout: Layout) -> None:
    """Zero what is added up, and the zeros."""
    memory[layout.places["zeros"] :][: layout.sizes["zeros"]] = 0
    for own in layout.own:  # the sums of a thread lie side by side
        memory[own["d_input"] : own["gathered_x"]] = 0


def _find_upstream(call: Call, upstream: Upstream, zeros: int) -> tuple[list[Tensor], dict[str, int]]:
    """Gradients of all steps and of the final value of each state: their memory and their places."""
    memory: list[Tensor] = []
    fields: dict[str, int] = {}

    def place(tensors: list[Tensor | None]) -> tuple[int, int, int]:
        """Of the sum (T, B, H) or (B, H): address and strides in bytes; a row of zeros again and again for nothing."""
        given = [t for t in tensors if t is not None]
        if not given:
            return zeros, 0, 0
        total = sum(given[1:], given[0])
        total = total if total.stride(-1) == 1 else total.contiguous()
        memory.append(total)
        step = total.stride(0) * call.size if total.dim() == 3 else 0
        return total.data_ptr(), step, total.stride(-2) * call.size

    for k in range(len(call.initial)):
        tracks = [upstream.outputs] if k == 0 else []
        tracks += [upstream.states[k]] if upstream.states else []
        track, step, row = place(tracks)
        fields[f"upstream_{k}"], fields[f"upstream_step_{k}"], fields[f"upstream_row_{k}"] = track, step, row
        fields[f"d_final_{k}"], _, fields[f"d_final_row_{k}"] = place([upstream.finals[k]])
    return memory, fields


class _Matrix(NamedTuple):
    """Rows of W or U that are packed together.

    Attributes:
        panels: The field of the packed matrix.
        of_input: Whether they are of W.
        above: The first of the rows.
        depth: How many: the depth of the transposed product.
        columns: Columns.
    """

    panels: str
    of_input: bool
    above: int
    depth: int
    columns: int


@lru_cache(256)
def _make_layout(sizes: Sizes, needs_x: bool) -> tuple[Layout, list[_Matrix]]:
    cell, row, stages = sizes.kernels.plan, sizes.row, sizes.stages
    states, slots = range(len(cell.program.states)), len(cell.temporaries)
    of_x, of_state = sizes.padded(sizes.features), sizes.padded(sizes.hidden)
    inputs, recurrent = (sizes.padded(gates) for gates in sizes.gates)
    matrices = [_Matrix("input_weights", True, 0, sizes.gates[0], sizes.features)]
    for k, rows in enumerate(stages):
        matrices.append(_Matrix(f"weights_{k}", False, sum(stages[:k]), rows, sizes.hidden))
    shared = {m.panels: m.depth * sizes.padded(m.columns) for m in matrices} | {"zeros": max(of_x, of_state)}
    row_of_saved, row_of_x = len(cell.saved) * row, sizes.features * sizes.kernels.size
    constants = {
        "hidden": sizes.hidden, "features": sizes.features, "batch": sizes.batch,
        "saved_step": sizes.batch * row_of_saved, "saved_row": row_of_saved,
        "dx_step": sizes.batch * row_of_x, "dx_row": row_of_x,
        "gathered_x_row": of_x, "gathered_row": of_state, "d_recurrent_row": of_state,
        "input_adjoints_row": inputs, "recurrent_adjoints_row": recurrent, "temporary_row": slots * row,
    } | {f"state_row_{k}": row for k in states}  # fmt: skip
    own, threads = [], []
    for rows in sizes.rows:
        capacity = max(rows, _PAIRS_GATHERED)
        parts = {
            "d_input": sizes.gates[0] * of_x, "d_input_bias": inputs, "d_recurrent": sizes.gates[1] * of_state,
            "d_recurrent_bias": recurrent, "d_vectors": len(cell.program.vectors) * row,
            "gathered_x": capacity * of_x, "chunk_dx": capacity * of_x if needs_x else 0,
            "input_adjoints": capacity * inputs, "adjoint_table": 8 * capacity, "dx_table": 8 * capacity,
            "mask_table": 8 * capacity, "temporary": rows * slots * row,
        }  # fmt: skip
        parts |= {} if cell.one_adjoint else {"recurrent_adjoints": capacity * recurrent}
        parts |= {f"operand_{k}": capacity * of_state for k in range(len(stages))}
        parts |= {f"transposed_{k}": rows * of_state for k in range(len(stages))}
        parts |= {f"old_{k}": 8 * rows for k in states} | {f"carry_{k}": rows * row for k in states}
        own.append(parts)
        threads.append(constants | {"rows": rows, "capacity": capacity})
    layout = Layout(sizes.kernels.backward_fields, shared, own, threads)
    if cell.one_adjoint:
        layout.copy_field("input_adjoints", "recurrent_adjoints")
    return layout, matrices


def _add_up(call: Call, layout: Layout, memory: np.ndarray) -> Weights:
    """The gradients of the parameters, from what every thread found."""
    weights, (inputs, recurrent) = call.weights, call.sizes.gates
    padded = call.sizes.padded

    def total(name: str, rows: int, columns: int) -> Tensor:
        size = rows * padded(columns) if name != "d_vectors" else rows * columns * call.size
        whole, *others = (memory[own[name] :][:size].view(call.dtype) for own in layout.own)
        whole = sum(others, whole)
        return torch.from_numpy(whole.reshape(rows, -1)[:, :columns].copy())

    shared = "d_input_bias" if call.plan.one_adjoint else "d_recurrent_bias"
    return Weights(
        total("d_input", inputs, call.features),
        None if weights.recurrent is None else total("d_recurrent", recurrent, call.hidden),
        None if weights.input_bias is None else total("d_input_bias", 1, inputs)[0],
        None if weights.recurrent_bias is None else total(shared, 1, recurrent)[0],
        None if weights.vectors is None else total("d_vectors", len(call.program.vectors), call.hidden),
    )
