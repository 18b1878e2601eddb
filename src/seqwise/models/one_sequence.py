"""One sequence that comes step by step, on the CPU: everything of it in one block of memory, a step in a few microseconds.

For the usual models: recurrent layers that have compiled steps; above them the last output, the mean or the maximum, and one
linear layer. What else there is takes the steps of its module, which are the same to rounding. No torch.

Axis letters: L layers, H hidden units, D numbers of a step, K numbers of the pooled vector, C outputs, V symbols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from seqwise.errors import DataError
from seqwise.kernels.cpu.readout import Readout
from seqwise.kernels.cpu.stepping import Stack
from seqwise.models.symbol_rows import SymbolRows

MOST_STEPS = 2**53
_LINE = 64  # bytes of a cache line


@dataclass(frozen=True)
class OneSequence:
    """Where a model is in one sequence. Steps write to it.

    Attributes:
        memory: all of it, bytes.
        address: of the memory.
        layers: addresses of the states of every layer, for each recurrent module.
        outputs: what the last step gave, (C,): a view of the memory.
        kept: by name, views of what the next step needs.
    """

    memory: np.ndarray
    address: int = field(repr=False)
    layers: list[list[list[int]]] = field(repr=False)
    outputs: np.ndarray
    kept: dict[str, np.ndarray] = field(repr=False)

    def parts(self) -> dict[str, np.ndarray]:
        """What makes the state, for who stores it."""
        return self.kept

    def check(self, growing: Mapping[str, int]) -> None:
        """Refuse a count that no sequence has; nothing of it grows.

        Raises:
            DataError: it is negative, or beyond all counting.
        """
        if not 0 <= int(self.kept["count"][0]) < MOST_STEPS:
            raise DataError("the state is damaged: the count of its steps is none")


class Sizes(NamedTuple):
    """Of a stack: how many layers and states, and units of each."""

    layers: int
    states: int
    hidden: int


class SequenceSteps:
    """Steps of one sequence, with the weights of this moment.

    Args:
        symbols: what symbols are read as; None reads frames.
        stacks: of recurrent layers, the lowest first.
        sizes: of each.
        poolings: see `Readout`.
        weight: of the last layer, (C, K).
        bias: (C,).
    """

    def __init__(
        self,
        symbols: SymbolRows | None,
        stacks: Sequence[Stack],
        sizes: Sequence[Sizes],
        poolings: tuple[str, ...],
        weight: np.ndarray,
        bias: np.ndarray,
    ) -> None:
        self._dtype, self._outputs, self._size = str(weight.dtype), len(weight), weight.itemsize
        self._symbols, self._stacks, self._sizes = symbols, list(stacks), list(sizes)
        self._readout = Readout(poolings, weight, bias)
        self._places: dict[str, int] = {}
        self._layers: list[list[list[int]]] = []
        self._length = self._lay_out()
        self._readout.place(self._places)

    def start(self) -> OneSequence:
        """Where a sequence begins."""
        block = np.zeros(self._length + _LINE, np.uint8)
        begin = -block.ctypes.data % _LINE
        sequence = self._over(block[begin : begin + self._length])
        sequence.kept["largest"][:] = -np.inf
        return sequence

    def copied(self, sequence: OneSequence) -> OneSequence:
        """The same place, which steps from the given one do not change."""
        return self._over(sequence.memory.copy())

    def step(self, x: int | np.ndarray, sequence: OneSequence) -> np.ndarray:
        """Read one step.

        Args:
            x: a symbol, from 0 to V - 1; or a frame (D,).
            sequence: which is written to.

        Returns:
            (C,): a view that holds until the next step.
        """
        stacks, layers, row = self._stacks, sequence.layers, None
        if not isinstance(x, np.ndarray):
            assert self._symbols is not None
            row = self._symbols.find(x)
            x = self._symbols.vector(x, self.count(sequence)) if row is None else x
        if row is None:
            vector = np.ascontiguousarray(x, self._dtype)  # alive as long as its address is used
            stacks[0].take(vector.ctypes.data, layers[0])
        else:
            stacks[0].take_row(row, layers[0])
        for place in range(1, len(stacks)):
            stacks[place].take(layers[place - 1][-1][0], layers[place])
        self._readout(sequence.address)
        return sequence.outputs

    def count(self, sequence: OneSequence) -> int:
        """How many steps have been read."""
        return int(sequence.kept["count"][0])

    def _lay_out(self) -> int:
        """Give everything its place, on lines of the cache, and return how many bytes there are."""
        length = 0

        def take(size: int) -> int:
            nonlocal length
            place, length = length, length + -(-size // _LINE) * _LINE
            return place

        for sizes in self._sizes:
            of_layers = [[take(sizes.hidden * self._size) for _ in range(sizes.states)] for _ in range(sizes.layers)]
            self._layers.append(of_layers)
        self._places = {name: take(size) for name, size in self._readout.sizes.items()}
        self._places["output"] = self._layers[-1][-1][0]
        return length

    def _over(self, memory: np.ndarray) -> OneSequence:
        address, result = memory.ctypes.data, self._places["result"]
        layers = [[[address + place for place in own] for own in module] for module in self._layers]
        outputs = memory[result : result + self._outputs * self._size].view(self._dtype)
        places, sizes = self._places, self._readout.sizes
        kept = {"count": memory[places["count"] :][:8].view(np.int64)}
        for name in ("total", "largest"):
            kept[name] = memory[places[name] :][: sizes[name]].view(self._dtype)
        for number, (module, size) in enumerate(zip(self._layers, self._sizes, strict=True)):
            for layer, own in enumerate(module):
                for state, place in enumerate(own):
                    kept[f"states.{number}.{layer}.{state}"] = memory[place:][: size.hidden * self._size].view(
                        self._dtype
                    )
        return OneSequence(memory, address, layers, outputs, kept)
