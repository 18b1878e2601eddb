"""One step at a time: for generation and streams. Everything but three addresses is prepared once.

Axis letters: B batch, D input features, H hidden units.
"""

from __future__ import annotations

from seqwise.cells import Program
from seqwise.kernels.contract import Variant, Weights
from seqwise.kernels.cpu.arguments import Call
from seqwise.kernels.cpu.launch import make_blocks, pack_weights
from seqwise.kernels.cpu.threads import CREW


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
        packed, panels = pack_weights(call)
        fields = dict(panels)
        for k in range(states):  # every step leaves the new state in the place of the old one
            fields |= {f"initial_{k}": 0, f"final_{k}": 0, f"state_{k}": 0, f"state_step_{k}": 0, f"clear_{k}": 0}
        self._blocks = make_blocks(call, fields, None)
        names = call.kernels.forward_fields.names
        self._x = names.index("x")
        self._states = [[names.index(f"{name}_{k}") for name in ("initial", "final", "state")] for k in range(states)]
        self._memory = (call, packed)
        self._kernel = call.kernels.forward
        self._addresses = [block.ctypes.data for block, _ in self._blocks]
        self._bytes_of_x = x.shape[2] * x.element_size()

    def step(self, x: int, states: list[int]) -> None:
        """Take one step.

        Args:
            x: Address of (B, D), contiguous.
            states: For each state the address of (B, H), contiguous; the new state takes its place.
        """
        for block, _ in self._blocks:
            block[self._x] = x
            for places, address in zip(self._states, states, strict=True):
                block[places] = address
        CREW.run(self._kernel, self._addresses)
