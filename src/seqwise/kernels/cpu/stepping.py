"""One step at a time: for generation and streams. Everything but three addresses is prepared once.

Axis letters: B batch, D input features, H hidden units.
"""

from __future__ import annotations

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
        for place in self._x:
            fields[place] = x
        if states is not self._last:  # a stream hands in the same list with every step
            for places, address in zip(self._states, states, strict=True):
                for place in places:
                    fields[place] = address
            self._last = states
        if len(self._x) == 1:
            self._kernel(self._address)
        else:
            run(self._kernel, self._blocks, self._threads)
