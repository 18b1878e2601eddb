"""One step at a time: for generation and streams. Everything but three addresses is prepared once. No torch.

Axis letters: B batch, D input features, H hidden units.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqwise.cells import Program
from seqwise.kernels.cpu.threads import run

if TYPE_CHECKING:
    from seqwise.kernels.contract import Weights
    from seqwise.kernels.cpu.cell_kernels import Kernels


class Stepper:
    """A recurrence with fixed weights and batch size, ready to take steps.

    Args:
        kernels: Of the cell.
        blocks: Argument blocks in which everything stands but x and the states.
        threads: How many run them.
        hidden: H.
        kept: What the blocks point to.
    """

    def __init__(self, kernels: Kernels, blocks: np.ndarray, threads: int, hidden: int, kept: Any) -> None:
        self._kernel, self._product = kernels.forward, kernels.products["product"]
        self._blocks, self._threads, self._kept = blocks, threads, kept
        self._last: list[int] | None = None
        # The fields that change with every step, as places in one flat array of integers.
        self._fields, self._address = blocks.data.cast("B").cast("q"), blocks.ctypes.data
        index, starts = kernels.forward_fields.index, range(0, blocks.size, blocks.shape[1])
        program = kernels.plan.program
        self._x = [start + index["x"] for start in starts]
        self._states = [
            [start + index[f"{name}_{k}"] for start in starts for name in ("initial", "final", "state")]
            for k in range(len(program.states))
        ]
        # Which product with the input is taken: that of x and the panels, or of the number 1 and a row that is known.
        names = ("input_weights", "input_bias", "features")
        self._plain, self._by_row = [int(blocks[0, index[name]]) for name in names], False
        self._chosen = [[start + index[name] for name in names] for start in starts]
        self._registers = -(-len(program.input_gates) * hidden // kernels.lanes)
        self.row_bytes = self._registers * kernels.lanes * kernels.size
        self._zeros, self._one = np.zeros(self.row_bytes, np.uint8), np.ones(1, f"float{8 * kernels.size}")

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


class Stack:
    """Layers that take a step one after the other; their memory serves one caller at a time.

    Args:
        steppers: Bottom first.
    """

    def __init__(self, steppers: Sequence[Stepper]) -> None:
        self._first, *self._others = steppers
        self._lock = threading.Lock()
        self.row_bytes, self.project = self._first.row_bytes, self._first.project

    def take(self, source: int, layers: list[list[int]]) -> None:
        """Take one step; nothing is checked.

        Args:
            source: Address of (B, D), contiguous.
            layers: Of each layer the addresses of its states, see `Stepper.step`.
        """
        with self._lock:
            self._first.step(source, layers[0])
            if self._others:
                self._go_up(layers)

    def take_row(self, row: int, layers: list[list[int]]) -> None:
        """The same with what `project` made of the input; of a batch of one."""
        with self._lock:
            self._first.step_row(row, layers[0])
            if self._others:
                self._go_up(layers)

    def _go_up(self, layers: list[list[int]]) -> None:
        for place, stepper in enumerate(self._others):
            stepper.step(layers[place][0], layers[place + 1])


def prepare_stepper(program: Program, weights: Weights, batch: int, hidden: int, zoneout: float = 0.0) -> Stepper:
    """Pack the weights.

    Args:
        program: The cell.
        weights: See `Weights`; later changes of them are not seen.
        batch: B.
        hidden: H.
        zoneout: Share of every state that stays (evaluation).
    """
    from seqwise.kernels.contract import Variant
    from seqwise.kernels.cpu.arguments import Call
    from seqwise.kernels.cpu.launch import prepare

    like = weights.input.detach()
    states = len(program.states)
    x = like.new_zeros(1, batch, like.shape[1])
    initial = tuple(like.new_zeros(batch, hidden) for _ in range(states))
    kept = like.new_full((states, 1, 1, 1), zoneout) if zoneout else None
    call = Call(program, x, initial, weights, Variant(zoneout=kept))
    fields = dict(call.common) | state_fields(states)
    memory, blocks = prepare(call, fields, save=False)
    return Stepper(call.kernels, blocks, call.threads, hidden, (call, memory))


def state_fields(states: int) -> dict[str, int]:
    """The fields of states that every step leaves in the place of the old ones."""
    names = ("initial", "final", "state", "state_step", "clear")
    return {f"{name}_{k}": 0 for k in range(states) for name in names}
