"""The forward pass: lay out memory, pack weights, run the kernel on the threads.

Axis letters: B batch, T steps, D input features, H hidden units.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from seqwise.cells import Program
from seqwise.kernels.contract import Result, Variant, Weights
from seqwise.kernels.cpu.arguments import Call, borrow
from seqwise.kernels.cpu.forward_layout import find_matrices, make_layout
from seqwise.kernels.cpu.threads import run


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
    layout, matrices = make_layout(call.sizes, save), find_matrices(call.sizes)
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
