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
from seqwise.kernels.cpu.schedule import Shard
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
    dx = torch.empty_like(call.x, memory_format=torch.contiguous_format) if needs_x else None
    d_initial = tuple(torch.empty_like(state) for state in call.initial)
    histories = [result.outputs, *(result.states[1:] if variant.all_states else saved[1:])]
    upstreams, fields = _find_upstream(call, upstream)
    for k, (start, history, gradient) in enumerate(zip(call.initial, histories, d_initial, strict=True)):
        fields |= {f"initial_{k}": start.data_ptr(), f"d_initial_{k}": gradient.data_ptr()}
        fields |= {f"state_{k}": history.data_ptr(), f"state_step_{k}": call.batch * call.row}
        fields[f"state_row_{k}"] = call.row
    packed, panels = _pack_weights(call)
    fields |= panels | {"saved": saved[0].data_ptr(), "dx": 0 if dx is None else dx.data_ptr()}
    shards = [_Shard(call, shard, fields) for shard in call.shards]
    CREW.run(call.kernels.backward, [shard.block.ctypes.data for shard in shards])
    del packed, upstreams  # the kernel had their addresses
    return Gradients(dx, d_initial, _add_up(call, shards))


def _find_upstream(call: Call, upstream: Upstream) -> tuple[list[Tensor], dict[str, int]]:
    """Gradients of all steps and of the final value of each state: their memory and their places."""
    memory: list[Tensor] = []
    fields: dict[str, int] = {}
    for k in range(len(call.initial)):
        tracks = [upstream.outputs] if k == 0 else []
        tracks += [upstream.states[k]] if upstream.states else []
        track, (step, row) = call.gradient(tracks)
        final, (_, final_row) = call.gradient([upstream.finals[k]])
        memory += [track, final]
        fields |= {f"upstream_{k}": track.data_ptr(), f"upstream_step_{k}": step, f"upstream_row_{k}": row}
        fields |= {f"d_final_{k}": final.data_ptr(), f"d_final_row_{k}": final_row}
    return memory, fields


class _Shard:
    """One thread's memory and argument block."""

    def __init__(self, call: Call, shard: Shard, fields: dict[str, int]) -> None:
        plan, program, size = call.plan, call.program, call.size
        rows, states, stages = len(shard.rows), len(call.initial), len(program.stages)
        capacity = max(rows, _PAIRS_GATHERED)
        inputs, recurrent = (call.padded(gates * call.hidden) for gates in call.gates)
        of_x, of_state = call.padded(call.features), call.padded(call.hidden)
        self.sizes = {
            "d_input": call.gates[0] * call.hidden * of_x, "d_input_bias": inputs,
            "d_recurrent": call.gates[1] * call.hidden * of_state, "d_recurrent_bias": recurrent,
            "d_vectors": len(program.vectors) * call.row,
        }  # fmt: skip
        self.places, self.sums = lay_out(self.sizes)
        self.sums.fill(0)
        sizes = {
            "gathered_x": capacity * of_x, "chunk_dx": capacity * of_x if fields["dx"] else 0,
            "input_adjoints": capacity * inputs, "recurrent_adjoints": 0 if plan.one_adjoint else capacity * recurrent,
            "adjoint_table": 8 * capacity, "dx_table": 8 * capacity, "mask_table": 8 * capacity,
            "temporary": rows * len(plan.temporaries) * call.row,
        }  # fmt: skip
        sizes |= {f"operand_{k}": capacity * of_state for k in range(stages)}
        sizes |= {f"transposed_{k}": rows * of_state for k in range(stages)}
        sizes |= {f"old_{k}": 8 * rows for k in range(states)} | {f"carry_{k}": rows * call.row for k in range(states)}
        places, self._scratch = lay_out(sizes)
        if plan.one_adjoint:
            places["recurrent_adjoints"] = places["input_adjoints"]
        row_of_saved = len(plan.saved) * call.row
        strides = {
            "saved_step": call.batch * row_of_saved, "saved_row": row_of_saved, "capacity": capacity,
            "dx_step": call.batch * call.features * size, "dx_row": call.features * size,
            "gathered_x_row": of_x, "gathered_row": of_state, "d_recurrent_row": of_state,
            "input_adjoints_row": inputs, "recurrent_adjoints_row": recurrent,
            "temporary_row": len(plan.temporaries) * call.row, "lengths": shard.lengths.ctypes.data,
        }  # fmt: skip
        values = call.common | fields | places | self.places | strides | call.shard_fields(shard)
        self.block = np.array(call.kernels.backward_fields.pack(values), np.int64)

    def read(self, name: str, dtype: str) -> np.ndarray:
        """One of the sums, flat."""
        start = self.places[name] - self.sums.ctypes.data
        return self.sums[start : start + self.sizes[name]].view(dtype)


def _add_up(call: Call, shards: list[_Shard]) -> Weights:
    """The gradients of the parameters, from what every thread found."""

    def total(name: str, rows: int, columns: int) -> Tensor:
        whole, *others = (shard.read(name, call.dtype) for shard in shards)
        whole = sum(others, whole)
        return torch.from_numpy(whole.reshape(rows, -1)[:, :columns].copy())

    weights, (inputs, recurrent) = call.weights, (gates * call.hidden for gates in call.gates)
    shared = "d_input_bias" if call.plan.one_adjoint else "d_recurrent_bias"
    return Weights(
        total("d_input", inputs, call.features),
        None if weights.recurrent is None else total("d_recurrent", recurrent, call.hidden),
        None if weights.input_bias is None else total("d_input_bias", 1, inputs)[0],
        None if weights.recurrent_bias is None else total(shared, 1, recurrent)[0],
        None if weights.vectors is None else total("d_vectors", len(call.program.vectors), call.hidden),
    )


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
