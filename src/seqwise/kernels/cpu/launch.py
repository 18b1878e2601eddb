"""Calling the kernels: compile or find them, lay out their memory, fill in their arguments, run them on the threads.

Axis letters: B batch, T steps, D input features, H hidden units, S states, Gx input gates, Gh recurrent gates.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqwise.cells import Program
from seqwise.kernels import reference
from seqwise.kernels.contract import Gradients, Result, Upstream, Variant, Weights
from seqwise.kernels.cpu import backward as backward_kernel
from seqwise.kernels.cpu import compiler, products
from seqwise.kernels.cpu import forward as forward_kernel
from seqwise.kernels.cpu.elementwise import Fields
from seqwise.kernels.cpu.memory import POOL
from seqwise.kernels.cpu.plan import Plan, plan
from seqwise.kernels.cpu.schedule import Shard, make_shards
from seqwise.kernels.cpu.target import host
from seqwise.kernels.cpu.threads import CREW

_PAIRS_AHEAD = 96  # rows of the input projection: enough that a panel of weights is read once for many
_PAIRS_GATHERED = 128  # rows behind a gradient of weights: enough that reading and writing the sums is small


class Kernels(NamedTuple):
    """What is compiled for one cell, type, and set of options."""

    plan: Plan
    forward: Callable[[int], None]
    forward_fields: Fields
    backward: Callable[[int], None]
    backward_fields: Fields
    products: dict[str, Callable[..., None]]
    lanes: int


@cache
def find_kernels(program: Program, dtype: str, zoneout: bool, recurrent_mask: bool) -> Kernels:
    """The kernels of a cell, compiled if they are neither in memory nor in the cache."""
    target, cell = host(), plan(program, zoneout, recurrent_mask)
    parts = products.addresses(dtype, target)
    key = f"{program.to_string()} {dtype} zoneout={zoneout} mask={recurrent_mask}"
    pair = []
    for name, write in (("forward", forward_kernel.write), ("backward", backward_kernel.write)):
        text = partial(write, cell, dtype, target, recurrent_mask)
        pair.append(compiler.load(f"{name} {key}", text, (name,), target, parts)[name])
    return Kernels(
        cell,
        compiler.function(pair[0]),
        forward_kernel.fields(cell),
        compiler.function(pair[1]),
        backward_kernel.fields(cell),
        {name: compiler.function(parts[name], len(products.SIGNATURES[name])) for name in parts},
        target.lanes(dtype),
    )


def saved_shapes(program: Program, variant: Variant, steps: int, batch: int, hidden: int) -> list[tuple[int, ...]]:
    """Shapes of what `forward` saves: values of gates, and the history of every state but the first."""
    cell = plan(program, variant.zoneout is not None, variant.recurrent_mask is not None)
    histories = 0 if variant.all_states else len(program.states) - 1
    return [(steps, batch, len(cell.saved), hidden)] + [(steps, batch, hidden)] * histories


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
    call = _Call(program, x, initial, weights, variant)
    steps, batch, hidden = call.steps, call.batch, call.hidden
    states = len(program.states)
    outputs = x.new_empty(steps, batch, hidden)
    finals = tuple(x.new_empty(batch, hidden) for _ in range(states))
    saved: list[Tensor] = []
    histories: list[Tensor] = [outputs]
    if variant.all_states:
        histories += [torch.empty_like(outputs) for _ in range(states - 1)]
    elif save:
        histories += [_borrow(x, (steps, batch, hidden)) for _ in range(states - 1)]
        saved = histories[1:]
    if save:
        saved = [_borrow(x, (steps, batch, len(call.plan.saved), hidden)), *saved]
    fields = call.common | {"saved": saved[0].data_ptr() if save else 0}
    for k in range(states):
        kept = k < len(histories)  # otherwise only the last value of the state is, where the final one belongs
        track = histories[k] if kept else finals[k]
        fields |= {f"initial_{k}": call.initial[k].data_ptr(), f"final_{k}": finals[k].data_ptr()}
        fields |= {f"state_{k}": track.data_ptr(), f"state_step_{k}": batch * call.row if kept else 0}
        fields |= {f"state_row_{k}": call.row, f"clear_{k}": int(kept and (k == 0 or variant.all_states))}
    row_of_saved = len(call.plan.saved) * call.row
    fields |= {"saved_step": batch * row_of_saved if save else 0, "saved_row": row_of_saved if save else 0}

    lanes_row, inputs = call.padded, len(program.input_gates) * hidden
    packed = _pack_forward(call, fields)
    blocks = []
    for shard in call.shards:
        chunk = max(1, _PAIRS_AHEAD // len(shard.rows))
        sizes = {"projected": chunk * len(shard.rows) * lanes_row(inputs), "x_table": 8 * chunk * len(shard.rows)}
        sizes["masked_x"] = 0 if variant.input_mask is None else chunk * len(shard.rows) * call.features * call.size
        sizes |= {} if save else {"saved": row_of_saved}
        for k, stage in enumerate(program.stages):
            sizes[f"product_{k}"] = len(shard.rows) * lanes_row(len(stage.gates) * hidden)
            copied = 0 if k in call.plan.direct else len(shard.rows)
            sizes |= {f"operand_{k}": copied * call.row, f"operand_table_{k}": 8 * copied}
        sizes |= {f"current_{k}": 8 * len(shard.rows) for k in range(states)}
        places, scratch = _lay_out(sizes)
        values = fields | places | call.shard_fields(shard) | {"chunk_steps": chunk}
        values |= {"projected_row": lanes_row(inputs)}
        values |= {f"product_row_{k}": lanes_row(len(s.gates) * hidden) for k, s in enumerate(program.stages)}
        blocks.append((np.array(call.kernels.forward_fields.pack(values), np.int64), scratch))
    CREW.run(call.kernels.forward, [block.ctypes.data for block, _ in blocks])
    del packed
    return Result(outputs, finals, tuple(histories) if variant.all_states else ()), saved


def _pack_forward(call: _Call, fields: dict[str, int]) -> np.ndarray:
    """W and U as panels, and biases padded to whole registers; returns their memory."""
    weights, hidden = call.weights, call.hidden
    matrices: list[tuple[str, str, Tensor, Tensor | None]] = [
        ("input_weights", "input_bias", weights.input, weights.input_bias)
    ]
    above = 0
    for k, stage in enumerate(call.program.stages):
        rows = slice(above, above + len(stage.gates) * hidden)
        bias = None if weights.recurrent_bias is None else weights.recurrent_bias[rows]
        assert weights.recurrent is not None
        matrices.append((f"weights_{k}", f"bias_{k}", weights.recurrent[rows], bias))
        above = rows.stop
    sizes: dict[str, int] = {}
    for panels, bias_name, matrix, _ in matrices:
        sizes |= {panels: matrix.shape[1] * call.padded(matrix.shape[0]), bias_name: call.padded(matrix.shape[0])}
    places, memory = _lay_out(sizes)
    for panels, bias_name, matrix, bias in matrices:
        columns, depth = matrix.shape
        call.kernels.products["pack_transposed"](matrix.data_ptr(), depth * call.size, depth, columns, places[panels])
        start = places[bias_name] - memory.ctypes.data
        padded = memory[start : start + call.padded(columns)].view(call.dtype)
        padded[columns:] = 0
        padded[:columns] = 0 if bias is None else bias.detach().numpy()
    fields |= places
    return memory


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
    call = _Call(program, x, initial, weights, variant)
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
    packed = _pack_backward(call, fields)

    blocks, sums = [], []
    for shard in call.shards:
        rows = len(shard.rows)
        capacity = max(rows, _PAIRS_GATHERED)
        totals = {
            "d_input": inputs * lanes_row(features), "d_input_bias": lanes_row(inputs),
            "d_recurrent": recurrent * lanes_row(hidden), "d_recurrent_bias": lanes_row(recurrent or 1),
            "d_vectors": len(program.vectors) * call.row,
        }  # fmt: skip
        total_places, total = _lay_out(totals)
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
        places, scratch = _lay_out(sizes)
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


def _pack_backward(call: _Call, fields: dict[str, int]) -> np.ndarray:
    """W and U as panels of the transposed products; returns their memory."""
    matrices = {"input_weights": call.weights.input}
    above = 0
    for k, stage in enumerate(call.program.stages):
        assert call.weights.recurrent is not None
        matrices[f"weights_{k}"] = call.weights.recurrent[above : above + len(stage.gates) * call.hidden]
        above += len(stage.gates) * call.hidden
    places, memory = _lay_out({name: len(m) * call.padded(m.shape[1]) for name, m in matrices.items()})
    for name, matrix in matrices.items():
        depth, columns = matrix.shape
        call.kernels.products["pack"](matrix.data_ptr(), columns * call.size, depth, columns, places[name])
    fields |= places
    return memory


class _Call:
    """What forward and backward have in common: contiguous tensors, the schedule, most of the argument block."""

    def __init__(
        self, program: Program, x: Tensor, initial: tuple[Tensor, ...], weights: Weights, variant: Variant
    ) -> None:
        self.program = program
        self.steps, self.batch, self.features = x.shape
        self.hidden = initial[0].shape[1]
        self.dtype = str(x.dtype).removeprefix("torch.")
        self.size = x.element_size()
        self.row = self.hidden * self.size
        self.x = x if x.stride(-1) == 1 or self.features == 1 else x.contiguous()
        self.initial = tuple(s.contiguous() for s in initial)
        self.weights = Weights(*(None if w is None else w.contiguous() for w in weights))  # type: ignore[arg-type]
        self.kernels = find_kernels(
            program, self.dtype, variant.zoneout is not None, variant.recurrent_mask is not None
        )
        self.plan = self.kernels.plan
        self.masks = [None if m is None else m.contiguous() for m in (variant.input_mask, variant.recurrent_mask)]
        lengths = None if variant.lengths is None else variant.lengths.numpy()
        multiplications = self.steps * self.batch * (self.features + self.hidden) * self.hidden
        work = multiplications * len(program.input_gates)
        self.shards = make_shards(self.steps, self.batch, lengths, torch.get_num_threads(), work)
        self.alive = _find_alive(variant, self.steps)
        self.kept = None if variant.zoneout is None else variant.zoneout.expand(-1, -1, -1, self.hidden).contiguous()
        self.zeros = POOL.take(self.padded(max(self.features, self.hidden)))
        self.zeros.fill(0)
        self.common = self._common_fields(variant)

    def padded(self, columns: int) -> int:
        """Bytes of a row of whole registers."""
        return -(-columns // self.kernels.lanes) * self.kernels.lanes * self.size

    def shard_fields(self, shard: Shard) -> dict[str, int]:
        """The rows of one thread."""
        return {"rows": len(shard.rows), "row_ids": shard.rows.ctypes.data, "active": shard.active.ctypes.data}

    def gradient(self, tensors: list[Tensor]) -> tuple[Tensor, tuple[int, int]]:
        """The sum of upstream gradients (T, B, H) or (B, H), and its strides in bytes; zeros if there is none."""
        if not tensors:
            zeros = torch.from_numpy(self.zeros[: self.row].view(self.dtype))
            return zeros, (0, 0)
        total = tensors[0] if len(tensors) == 1 else sum(tensors[1:], tensors[0])
        if total.stride(-1) != 1:
            total = total.contiguous()
        step = total.stride(0) if total.dim() == 3 else 0
        return total, (step * self.size, total.stride(-2) * self.size)

    def _common_fields(self, variant: Variant) -> dict[str, int]:
        size, kept = self.size, self.kept
        strides = (0, 0, 0) if kept is None else tuple(
            0 if n == 1 else s * size for n, s in zip(kept.shape[:3], kept.stride()[:3], strict=True)
        )  # fmt: skip
        return {
            "steps": self.steps, "hidden": self.hidden, "features": self.features, "batch": self.batch,
            "reverse": int(variant.reverse), "alive": 0 if self.alive is None else self.alive.data_ptr(),
            "x": self.x.data_ptr(), "x_step": self.x.stride(0) * size, "x_row": self.x.stride(1) * size,
            "input_mask": 0 if self.masks[0] is None else self.masks[0].data_ptr(),
            "recurrent_mask": 0 if self.masks[1] is None else self.masks[1].data_ptr(),
            "kept": 0 if kept is None else kept.data_ptr(),
            "kept_state": strides[0], "kept_step": strides[1], "kept_row": strides[2],
            "vectors": 0 if self.weights.vectors is None else self.weights.vectors.data_ptr(),
            "zeros": self.zeros.ctypes.data,
        }  # fmt: skip


def _find_alive(variant: Variant, steps: int) -> Tensor | None:
    """(T, B) uint8: 0 where a reset zeroes the states before this step, in the direction of running."""
    if variant.resets is None:
        return None
    valid = None
    if variant.lengths is not None:
        valid = torch.arange(steps).unsqueeze(1) < variant.lengths
    survives = reference.find_survivors(variant, valid)
    assert survives is not None
    return survives.squeeze(-1).to(torch.uint8).contiguous()


def _borrow(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A tensor in pooled memory; the memory returns to the pool when the tensor is gone."""
    count = int(np.prod(shape))
    block = POOL.take(max(1, count) * like.element_size())
    flat = torch.from_numpy(block).view(like.dtype)
    return flat[:count].view(shape)


def _lay_out(sizes: dict[str, int]) -> tuple[dict[str, int], np.ndarray]:
    """Addresses of named parts of one pooled block, each on a cache line, and the block."""
    offsets, total = {}, 0
    for name, size in sizes.items():
        offsets[name] = total
        total += -(-size // 64) * 64 + 64
    block = POOL.take(max(total, 64))
    base = block.ctypes.data
    return {name: base + offset for name, offset in offsets.items()}, block
