"""The backward pass: lay out memory, pack weights, run the kernel on the threads, add up what they found.

Axis letters: B batch, T steps, D input features, H hidden units.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from seqwise.cells import Program
from seqwise.kernels.contract import Gradients, Result, Upstream, Variant, Weights
from seqwise.kernels.cpu.arguments import Call, lay_out
from seqwise.kernels.cpu.threads import CREW

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
    steps, batch, hidden, features = call.steps, call.batch, call.hidden, call.features
    inputs, recurrent = len(program.input_gates) * hidden, len(program.recurrent_gates) * hidden
    states, lanes_row = len(program.states), call.padded
    histories = [result.outputs, *(result.states[1:] if variant.all_states else saved[1:])]
    dx = x.new_empty(steps, batch, features) if needs_x else None
    d_initial = tuple(x.new_empty(batch, hidden) for _ in range(states))
    row_of_saved = len(call.plan.saved) * call.row
    fields = call.common | {
        "saved": saved[0].data_ptr(), "saved_step": batch * row_of_saved, "saved_row": row_of_saved,
        "dx": 0 if dx is None else dx.data_ptr(), "dx_step": batch * features * call.size, "dx_row": features * call.size,
        "gathered_x_row": lanes_row(features), "gathered_row": lanes_row(hidden), "d_recurrent_row": lanes_row(hidden),
        "input_adjoints_row": lanes_row(inputs), "recurrent_adjoints_row": lanes_row(recurrent or 1),
    }  # fmt: skip
    borrowed = []
    for k in range(states):
        tracks = [] if k >= len(upstream.states) else [upstream.states[k]]
        tracks += [upstream.outputs] if k == 0 else []
        track, steps_of_track = call.gradient([t for t in tracks if t is not None])
        final, steps_of_final = call.gradient([t for t in (upstream.finals[k],) if t is not None])
        borrowed += [track, final]
        fields |= {f"initial_{k}": call.initial[k].data_ptr(), f"d_initial_{k}": d_initial[k].data_ptr()}
        fields |= {f"state_{k}": histories[k].data_ptr(), f"state_step_{k}": batch * call.row}
        fields |= {f"state_row_{k}": call.row, f"upstream_{k}": track.data_ptr()}
        fields |= {f"upstream_step_{k}": steps_of_track[0], f"upstream_row_{k}": steps_of_track[1]}
        fields |= {f"d_final_{k}": final.data_ptr(), f"d_final_row_{k}": steps_of_final[1]}
    packed, panels = _pack_weights(call)
    fields |= panels

    blocks, sums = [], []
    for shard in call.shards:
        rows = len(shard.rows)
        capacity = max(rows, _PAIRS_GATHERED)
        totals = {
            "d_input": inputs * lanes_row(features), "d_input_bias": lanes_row(inputs),
            "d_recurrent": recurrent * lanes_row(hidden), "d_recurrent_bias": lanes_row(recurrent or 1),
            "d_vectors": len(program.vectors) * call.row,
        }  # fmt: skip
        total_places, total = lay_out(totals)
        total.fill(0)
        sizes = {
            "gathered_x": capacity * lanes_row(features), "chunk_dx": capacity * lanes_row(features) if needs_x else 0,
            "input_adjoints": capacity * lanes_row(inputs),
            "recurrent_adjoints": 0 if call.plan.one_adjoint else capacity * lanes_row(recurrent or 1),
            "adjoint_table": 8 * capacity, "dx_table": 8 * capacity, "mask_table": 8 * capacity,
            "temporary": rows * len(call.plan.temporaries) * call.row,
        }  # fmt: skip
        sizes |= {f"operand_{k}": capacity * lanes_row(hidden) for k in range(len(program.stages))}
        sizes |= {f"transposed_{k}": rows * lanes_row(hidden) for k in range(len(program.stages))}
        sizes |= {f"old_{k}": 8 * rows for k in range(states)} | {f"carry_{k}": rows * call.row for k in range(states)}
        places, scratch = lay_out(sizes)
        if call.plan.one_adjoint:
            places |= {"recurrent_adjoints": places["input_adjoints"]}
        values = fields | places | total_places | call.shard_fields(shard) | {"capacity": capacity}
        values |= {"lengths": shard.lengths.ctypes.data, "temporary_row": len(call.plan.temporaries) * call.row}
        blocks.append((np.array(call.kernels.backward_fields.pack(values), np.int64), scratch))
        sums.append({n: (total, p - total.ctypes.data, totals[n]) for n, p in total_places.items()})
    CREW.run(call.kernels.backward, [block.ctypes.data for block, _ in blocks])
    del packed, borrowed

    def add_up(name: str, rows: int, columns: int) -> Tensor:
        parts = [memory[start : start + size].view(call.dtype) for memory, start, size in (s[name] for s in sums)]
        whole = parts[0] if len(parts) == 1 else np.add(parts[0], parts[1])
        for part in parts[2:]:
            whole += part
        return torch.from_numpy(whole.reshape(rows, -1)[:, :columns].copy())

    d_input_bias = add_up("d_input_bias", 1, inputs)[0] if weights.input_bias is not None else None
    d_recurrent_bias = None
    if weights.recurrent_bias is not None:
        source = "d_input_bias" if call.plan.one_adjoint else "d_recurrent_bias"
        d_recurrent_bias = add_up(source, 1, recurrent)[0]
    gradients = Weights(
        add_up("d_input", inputs, features),
        add_up("d_recurrent", recurrent, hidden) if weights.recurrent is not None else None,
        d_input_bias,
        d_recurrent_bias,
        add_up("d_vectors", len(program.vectors), hidden) if weights.vectors is not None else None,
    )
    return Gradients(dx, d_initial, gradients)


def _pack_weights(call: Call) -> tuple[np.ndarray, dict[str, int]]:
    """W and U as panels of the transposed products: their memory and their places."""
    matrices = {"input_weights": call.weights.input}
    for k, matrix in enumerate(call.split_recurrent(call.weights.recurrent)):
        assert matrix is not None
        matrices[f"weights_{k}"] = matrix
    places, memory = lay_out({name: len(m) * call.padded(m.shape[1]) for name, m in matrices.items()})
    for name, matrix in matrices.items():
        depth, columns = matrix.shape
        call.kernels.products["pack"](matrix.data_ptr(), columns * call.size, depth, columns, places[name])
    return memory, places
