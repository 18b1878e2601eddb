"""One step at a time: for generation and streams. Everything but three addresses is prepared once.

Axis letters: B batch, D input features, H hidden units.
"""

from __future__ import annotations

import numpy as np

from seqwise.cells import Program
from seqwise.kernels.contract import Variant, Weights
from seqwise.kernels.cpu.arguments import Call
from seqwise.kernels.cpu.launch import prepare
from seqwise.kernels.cpu.threads import run


class Stepper:
    """A recurrence with fixed weights and batch size, ready to take steps; packs the weights when it is made.

    Args:
        program: The cell.
        weights: See `Weights`; later changes of them are not seen.
        batch: B.
        hidden: H.
        zoneout: Share of every state that stays (evaluation).
    """

    def __init__(self, program: Program, weights: Weights, batch: int, hidden: int, zoneout: float = 0.0) -> None:
        like = weights.input.detach()
        states = len(program.states)
        x = like.new_zeros(1, batch, like.shape[1])
        initial = tuple(like.new_zeros(batch, hidden) for _ in range(states))
        kept = like.new_full((states, 1, 1, 1), zoneout) if zoneout else None
        call = Call(program, x, initial, weights, Variant(zoneout=kept))
        fields = dict(call.common)
        for k in range(states):  # every step leaves the new state in the place of the old one
            fields |= {f"initial_{k}": 0, f"final_{k}": 0, f"state_{k}": 0, f"state_step_{k}": 0, f"clear_{k}": 0}
        memory, self._blocks = prepare(call, fields, save=False)
        self._memory = (call, memory)
        self._kernel, self._threads = call.kernels.forward, call.threads
        self._last: list[int] | None = None
        # The fields that change with every step, as places in one flat array of integers.
        self._fields, self._address = self._blocks.data.cast("B").cast("q"), self._blocks.ctypes.data
        index, starts = call.kernels.forward_fields.index, range(0, self._blocks.size, self._blocks.shape[1])
        self._x = [start + index["x"] for start in starts]
        self._product = call.kernels.products["product"]
        self._registers = -(-len(program.input_gates) * hidden // call.kernels.lanes)
        self.row_bytes = self._registers * call.kernels.lanes * call.size
        self._zeros, self._one = np.zeros(self.row_bytes, np.uint8), np.ones(1, call.dtype)
        # Which product with the input is taken: that of x and the panels, or of the number 1 and a row that is known.
        names = ("input_weights", "input_bias", "features")
        self._plain, self._by_row = [int(self._blocks[0, index[name]]) for name in names], False
        self._chosen = [[start + index[name] for name in names] for start in starts]
        self._states = [
            [start + index[f"{name}_{k}"] for start in starts for name in ("initial", "final", "state")]
            for k in range(states)
        ]

    def step(self, x: int, states: list[int]) -> None:
        """Take one step.

        Args:
            x: Address of (B, D), contiguous.
            states: For each state the address of (B, H), contiguous; the new state takes its place. The
                list is not to be changed afterwards.
        """
        fields = self._fields
        if self._by_row:
            self._by_row = False
            for places in self._chosen:
                for place, value in zip(places, self._plain, strict=True):
                    fields[place] = value
        for place in self._x:
            fields[place] = x
        self._run(states)

    def step_row(self, row: int, states: list[int]) -> None:
        """Take one step with what `project` made of its input, of a batch of one: to the last bit what `step` does.

        Args:
            row: Address of `row_bytes` bytes.
            states: As for `step`.
        """
        fields = self._fields
        ((weights, bias, depth),) = self._chosen
        if not self._by_row:
            self._by_row = True
            fields[self._x[0]], fields[bias], fields[depth] = self._one.ctypes.data, self._zeros.ctypes.data, 1
        fields[weights] = row
        self._run(states)

    def project(self, x: int, row: int) -> None:
        """Write the product of an input and the weights, with the bias: all that a step reads of it.

        Args:
            x: Address of (D,).
            row: Address of room for `row_bytes` bytes.
        """
        table, (panels, bias, depth) = np.array([x]), self._plain
        self._product(table.ctypes.data, 1, depth, panels, bias, row, 0, self._registers)

    def _run(self, states: list[int]) -> None:
        fields = self._fields
        if states is not self._last:  # a stream hands in the same list with every step
            for places, address in zip(self._states, states, strict=True):
                for place in places:
                    fields[place] = address
            self._last = states
        if len(self._x) == 1:
            self._kernel(self._address)
        else:
            run(self._kernel, self._blocks, self._threads)
