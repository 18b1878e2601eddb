"""The forward pass: lay out memory, pack weights, run the kernel on the threads.

Axis letters: B batch, T steps, D input features, H hidden units.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from seqwise.cells import Program
from seqwise.kernels.contract import Result, Variant, Weights
from seqwise.kernels.cpu.arguments import Call, borrow, lay_out
from seqwise.kernels.cpu.threads import CREW

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
    steps, batch, hidden = call.steps, call.batch, call.hidden
    states = len(program.states)
    outputs = x.new_empty(steps, batch, hidden)
    finals = tuple(x.new_empty(batch, hidden) for _ in range(states))
    saved: list[Tensor] = []
    histories: list[Tensor] = [outputs]
    if variant.all_states:
        histories += [torch.empty_like(outputs) for _ in range(states - 1)]
    elif save:
        histories += [borrow(x, (steps, batch, hidden)) for _ in range(states - 1)]
        saved = histories[1:]
    if save:
        saved = [borrow(x, (steps, batch, len(call.plan.saved), hidden)), *saved]
    fields: dict[str, int] = {}
    for k in range(states):
        kept = k < len(histories)  # otherwise only the last value of the state is, where the final one belongs
        track = histories[k] if kept else finals[k]
        fields |= {f"initial_{k}": call.initial[k].data_ptr(), f"final_{k}": finals[k].data_ptr()}
        fields |= {f"state_{k}": track.data_ptr(), f"state_step_{k}": batch * call.row if kept else 0}
        fields[f"clear_{k}"] = int(kept and (k == 0 or variant.all_states))
    packed, panels = pack_weights(call)
    blocks = make_blocks(call, fields | panels, saved[0] if save else None)
    CREW.run(call.kernels.forward, [block.ctypes.data for block, _ in blocks])
    del packed
    return Result(outputs, finals, tuple(histories) if variant.all_states else ()), saved


Blocks = list[tuple[np.ndarray, list[np.ndarray]]]
"""Argument blocks, one per thread, each with the memory that it points into."""


def make_blocks(call: Call, fields: dict[str, int], saved: Tensor | None) -> Blocks:
    """The argument blocks of the forward kernel.

    Args:
        call: The call.
        fields: Where states and weights are.
        saved: (T, B, saved values, H); None if nothing is to be saved: the kernel then has memory for one step.
    """
    hidden, row_of_saved = call.hidden, len(call.plan.saved) * call.row
    inputs = call.padded(len(call.program.input_gates) * hidden)
    products = [call.padded(len(stage.gates) * hidden) for stage in call.program.stages]
    one_step = [] if saved is not None else [lay_out({"saved": call.batch * row_of_saved})]
    fields = call.common | fields | {"saved_row": row_of_saved, "projected_row": inputs}
    fields |= {f"state_row_{k}": call.row for k in range(len(call.initial))}
    fields |= {f"product_row_{k}": size for k, size in enumerate(products)}
    if saved is not None:
        fields |= {"saved": saved.data_ptr(), "saved_step": call.batch * row_of_saved}
    else:
        fields |= one_step[0][0] | {"saved_step": 0}
    blocks: Blocks = []
    for shard in call.shards:
        rows = len(shard.rows)
        chunk = max(1, _PAIRS_AHEAD // rows)
        sizes = {"projected": chunk * rows * inputs, "x_table": 8 * chunk * rows}
        sizes["masked_x"] = chunk * rows * call.features * call.size if fields["input_mask"] else 0
        sizes |= {f"product_{k}": rows * size for k, size in enumerate(products)}
        for k in range(len(products)):
            copied = 0 if k in call.plan.direct else rows
            sizes |= {f"operand_{k}": copied * call.row, f"operand_table_{k}": 8 * copied}
        sizes |= {f"current_{k}": 8 * rows for k in range(len(call.initial))}
        places, scratch = lay_out(sizes)
        values = fields | places | call.shard_fields(shard) | {"chunk_steps": chunk}
        block = np.array(call.kernels.forward_fields.pack(values), np.int64)
        blocks.append((block, [scratch, *(memory for _, memory in one_step)]))
    return blocks


def pack_weights(call: Call) -> tuple[np.ndarray, dict[str, int]]:
    """W and U as panels, and biases padded to whole registers: their memory and their places."""
    weights = call.weights
    matrices = {"input_weights": weights.input}
    biases = {"input_bias": weights.input_bias}
    recurrent = zip(call.split_recurrent(weights.recurrent), call.split_recurrent(weights.recurrent_bias), strict=True)
    for k, (matrix, bias) in enumerate(recurrent):
        assert matrix is not None
        matrices[f"weights_{k}"], biases[f"bias_{k}"] = matrix, bias
    columns = {name: len(m) for name, m in zip(biases, matrices.values(), strict=True)}
    sizes = {name: m.shape[1] * call.padded(len(m)) for name, m in matrices.items()}
    sizes |= {name: call.padded(columns[name]) for name, bias in biases.items() if bias is not None}
    places, memory = lay_out(sizes)
    pack, pack_transposed = call.kernels.products["pack"], call.kernels.products["pack_transposed"]
    for name, matrix in matrices.items():
        rows, depth = matrix.shape
        pack_transposed(matrix.data_ptr(), depth * call.size, depth, rows, places[name])
    for name, bias in biases.items():
        if bias is None:
            places[name] = call.common["zeros"]
        else:
            pack(bias.data_ptr(), 0, 1, columns[name], places[name])
    return memory, places
