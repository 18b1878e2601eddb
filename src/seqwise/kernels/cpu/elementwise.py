"""The elementwise parts of a step: loops over rows and units in which a node is computed when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from seqwise.cells import Node
from seqwise.kernels.cpu.functions import FUNCTIONS, power
from seqwise.kernels.cpu.vector import Value, Vector, Writer


class Block(NamedTuple):
    """One register's worth of units: how far into a row they begin, in bytes, and which lanes exist (None: all)."""

    offset: Value
    mask: Value | None


class Fields:
    """The argument block of a kernel: named 64-bit integers, in this order."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.index = {name: k for k, name in enumerate(self.names)}

    def read(self, w: Writer, name: str) -> Value:
        """Load one field."""
        return w.read(w.add(w.arguments["block"], 8 * self.index[name]))


def for_blocks(w: Writer, hidden: Value, write: Callable[[Block], None]) -> None:
    """Call `write` for whole registers of units, and once more for the rest."""
    lanes, size = w.kind.lanes, w.kind.size
    whole = w.mul(w.divide(hidden, lanes), lanes)
    with w.loop(0, whole, lanes) as unit:
        write(Block(w.mul(unit, size), None))
    with w.when(w.less(whole, hidden)):
        write(Block(w.mul(whole, size), w.first_lanes(w.sub(hidden, whole))))


def copy_row(w: Writer, source: Value, target: Value, count: Value, mask_row: Value | None = None) -> None:
    """Copy a row of numbers, multiplied by another one if there is a mask."""

    def copy(block: Block) -> None:
        value = w.load(w.add(source, block.offset), block.mask)
        if mask_row is not None:
            value = value * w.load(w.add(mask_row, block.offset), block.mask)
        w.store(value, w.add(target, block.offset), block.mask)

    for_blocks(w, count, copy)


def clear_row(w: Writer, target: Value, count: Value) -> None:
    """Fill a row with zeros."""
    zero = w.constant(0.0)
    for_blocks(w, count, lambda block: w.store(zero, w.add(target, block.offset), block.mask))


class Registers:
    """The values of nodes within one block of units.

    Args:
        w: Where code goes.
        nodes: A program's nodes or a derivative's.
        read: Loads what is in memory: a leaf, a saved value, a temporary; None for what is not.
    """

    def __init__(self, w: Writer, nodes: Sequence[Node], read: Callable[[int, Node], Vector | None]) -> None:
        self._w, self._nodes, self._read = w, nodes, read
        self.computed: dict[int, Vector] = {}

    def __getitem__(self, index: int) -> Vector:
        """The value of a node; computed at first use, its arguments before it."""
        waiting = [index]
        while waiting:  # not recursion: a program may be deeper than Python's stack
            top = waiting[-1]
            if top in self.computed:
                waiting.pop()
                continue
            node = self._nodes[top]
            value = self._w.constant(node.value) if node.operation == "constant" else self._read(top, node)
            if value is None:
                missing = [a for a in node.arguments if a not in self.computed]
                if missing:
                    waiting += reversed(missing)
                    continue
                arguments = [self.computed[a] for a in node.arguments]
                function = FUNCTIONS.get(node.operation)
                value = function(*arguments) if function else power(arguments[0], node.value)
            self.computed[top] = value
            waiting.pop()
        return self.computed[index]
