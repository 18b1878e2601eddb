"""What a first recurrent layer reads of symbols, for one sequence step by step.

The product of a symbol's vector and the layer's weights is half of the work of a step, and texts repeat their symbols: the
products of those that came first are kept. Steps with and without are the same to the last bit. No torch.

Axis letters: D numbers of a vector, V symbols.
"""

from __future__ import annotations

import threading

import numpy as np

from seqwise.kernels.cpu.stepping import Stack

LARGEST = 2**23
"""Bytes of the products that are kept, at most: of 4,096 symbols and an LSTM of 128 units, more than most texts have."""

_LINE = 64  # bytes of a cache line


class SymbolRows:
    """Vectors of symbols, and their products with a layer's weights.

    Args:
        table: the vectors, (V, D).
        stack: of the layer.
        positions: vectors that are added to those of the first steps, (places, D); None: none.
        given: further vectors (V, D), and by what those of the table are multiplied before these are added, (V, 1).
    """

    def __init__(
        self,
        table: np.ndarray,
        stack: Stack,
        positions: np.ndarray | None = None,
        given: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        self._table, self._positions, self._given = table, positions, given
        self._stack, self._bytes = stack, stack.row_bytes
        self._rows: dict[int, int] = {}
        self._most = 0 if positions is not None else min(len(self._table), LARGEST // self._bytes)
        self._room = np.empty(self._most * self._bytes + _LINE, np.uint8)
        self._first = self._room.ctypes.data + -self._room.ctypes.data % _LINE
        self._lock = threading.Lock()

    def find(self, symbol: int) -> int | None:
        """The address of the symbol's product, or None: then there is its vector."""
        row = self._rows.get(symbol)
        return self._add(symbol) if row is None and len(self._rows) < self._most else row

    def vector(self, symbol: int, step: int) -> np.ndarray:
        """What the layer reads of a symbol at a step, counted from 0: (D,)."""
        vector: np.ndarray = self._table[symbol]
        if self._given is not None:
            given, free = self._given
            vector = given[symbol] + free[symbol] * vector
        if self._positions is not None:
            vector = vector + self._positions[min(step, len(self._positions) - 1)]
        return vector

    def _add(self, symbol: int) -> int | None:
        vector = np.ascontiguousarray(self.vector(symbol, 0))
        with self._lock:
            if symbol not in self._rows and len(self._rows) < self._most:
                row = self._first + len(self._rows) * self._bytes
                self._stack.project(vector.ctypes.data, row)
                self._rows[symbol] = row  # only now may others read it
            return self._rows.get(symbol)
