"""One block of memory for a whole call, and the argument blocks that point into it.

Where everything lies depends on sizes only, so it is worked out once for each and looked up afterwards: small recurrences
would otherwise spend more time here than in their kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seqwise.kernels.cpu.elementwise import Fields
from seqwise.kernels.cpu.memory import POOL

_LINE = 64  # bytes of a cache line: every part begins on one


class Layout:
    """Places of named parts, and the fields that are the same in every call of these sizes.

    Args:
        fields: The kernel's argument block.
        shared: Parts that all shards use: name -> bytes.
        own: For each shard its own parts.
        constants: For each shard the fields that depend on sizes only.
    """

    def __init__(
        self,
        fields: Fields,
        shared: Mapping[str, int],
        own: Sequence[Mapping[str, int]],
        constants: Sequence[Mapping[str, int]],
    ) -> None:
        self._index = fields.index
        self.sizes, self.places = dict(shared), {}
        self._template = np.zeros((len(own), len(fields.names)), np.int64)
        self._relative = np.zeros_like(self._template)  # 1 where the template holds a distance from the block's start
        self.bytes = 0
        for name, size in shared.items():
            self.places[name] = self._place(slice(None), name, size)
        self.own: list[dict[str, int]] = []
        for thread, sizes in enumerate(own):
            self.own.append({name: self._place(thread, name, size) for name, size in sizes.items()})
            for name, value in constants[thread].items():
                self._template[thread, self._index[name]] = value

    def _place(self, threads: int | slice, name: str, size: int) -> int:
        start, self.bytes = self.bytes, self.bytes + -(-size // _LINE) * _LINE + _LINE
        if name in self._index:
            self._template[threads, self._index[name]] = start
            self._relative[threads, self._index[name]] = 1
        return start

    def copy_field(self, source: str, target: str) -> None:
        """Let one field be what another one is."""
        for array in (self._template, self._relative):
            array[:, self._index[target]] = array[:, self._index[source]]

    def take(self) -> tuple[np.ndarray, int]:
        """Memory of this layout, content undefined, and its address."""
        memory = POOL.take(self.bytes)
        return memory, memory.ctypes.data

    def blocks(self, address: int, fields: Mapping[str, int], threads: Sequence[Mapping[str, int]]) -> np.ndarray:
        """The argument blocks (shards, fields).

        Args:
            address: Where the memory is.
            fields: The other fields, the same for all shards; they go before what the layout says.
            threads: The other fields of each shard.
        """
        values = self._template + self._relative * address
        values[:, [self._index[name] for name in fields]] = list(fields.values())
        for row, own in zip(values, threads, strict=True):
            for name, value in own.items():
                row[self._index[name]] = value
        return values
