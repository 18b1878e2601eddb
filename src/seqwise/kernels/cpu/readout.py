"""What a model reads off one sequence after every step: outputs pooled over the steps so far, and a linear layer above.

Fused: count, sums and maxima over time, the pooled vector, its product with the weights, the bias. Everything of a sequence
stands in one block of memory, so that a call has two arguments; weights are packed once. No torch.

Axis letters: H hidden units, K numbers of the pooled vector, C outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from seqwise.kernels.cpu import compiler, products
from seqwise.kernels.cpu.elementwise import Block, Fields, for_blocks
from seqwise.kernels.cpu.target import Target, host
from seqwise.kernels.cpu.vector import Kind, Value, Writer, new_module

_SUMS = 4
"""So many numbers of the pooled vector are multiplied at a time: one sum would wait for itself."""

POOLINGS = ("last", "mean", "max")
"""Of `seqwise.models.Pooling`: those that need no product of their own."""

_FIELDS = Fields(
    (
        *("hidden", "rounds", "registers", "weights", "bias"),
        # Where things stand in the memory of a sequence: the output of the step, what is kept, the results.
        *("output", "count", "total", "largest", "pooled", "result"),
    )
)


class Readout:
    """A linear layer above pooled outputs, ready to be read after every step; packs the weights when it is made.

    Args:
        poolings: In the order of the pooled vector, some of `POOLINGS`.
        weight: (C, K), K = H times their number.
        bias: (C,).

    Attributes:
        sizes: Bytes that a sequence needs for count, total, largest, pooled and result, at least.
    """

    def __init__(self, poolings: tuple[str, ...], weight: np.ndarray, bias: np.ndarray) -> None:
        columns, pooled = weight.shape
        dtype, target = str(weight.dtype), host()
        size, lanes = weight.itemsize, target.lanes(dtype)
        registers = -(-columns // lanes)
        self._kernel = _find_kernel(poolings, dtype)
        pack = compiler.function(products.addresses(dtype, target)["pack_transposed"], 5)
        rounds = -(-pooled // _SUMS)
        given = np.zeros((columns, rounds * _SUMS), dtype)
        given[:, :pooled] = weight
        depth = given.shape[1]
        self._weights = np.zeros((registers * depth + 1) * lanes, dtype)
        pack(given.ctypes.data, depth * size, depth, columns, self._weights.ctypes.data)
        self._bias = np.zeros(registers * lanes, dtype)
        self._bias[:columns] = bias
        row = pooled // len(poolings) * size
        self.sizes = {
            "count": 8,
            "total": row,
            "largest": row,
            "pooled": depth * size,
            "result": registers * lanes * size,
        }
        self._constants = {
            "hidden": pooled // len(poolings),
            "rounds": rounds,
            "registers": registers,
            "weights": self._weights.ctypes.data,
            "bias": self._bias.ctypes.data,
        }
        self._block = np.zeros(len(_FIELDS.names), np.int64)
        self._address = self._block.ctypes.data

    def place(self, places: dict[str, int]) -> None:
        """Say where things stand in the memory of every sequence: of output, and of what `sizes` names."""
        self._block[:] = [{**self._constants, **places}[name] for name in _FIELDS.names]

    def __call__(self, memory: int) -> None:
        """Take in the output of a step, and write the result.

        Args:
            memory: Address of a sequence's memory; before the first step all is 0, but largest, which is -infinity.
        """
        self._kernel(self._address, memory)


@cache
def _find_kernel(poolings: tuple[str, ...], dtype: str) -> Callable[..., None]:
    target = host()
    key = f"readout {poolings} {dtype}"
    found = compiler.load(key, lambda: _write(poolings, dtype, target), ("readout",), target)
    return compiler.function(found["readout"], 2)


def _write(poolings: tuple[str, ...], dtype: str, target: Target) -> str:
    module, kind = new_module(target), Kind(dtype, target)
    w = Writer(module, "readout", kind, ("block", "memory"))
    memory, f = w.arguments["memory"], {name: _FIELDS.read(w, name) for name in _FIELDS.names}
    at = {name: w.add(memory, f[name]) for name in ("output", "count", "total", "largest", "pooled", "result")}
    steps = w.add(w.read(at["count"]), 1)
    w.write(steps, at["count"])
    number = w.fill(w.b.sitofp(steps, kind.scalar))
    row = w.mul(f["hidden"], kind.size)

    def pool(block: Block) -> None:
        output = w.load(w.add(at["output"], block.offset), block.mask)
        for place, name in enumerate(poolings):
            found = output
            if name == "mean":
                found = w.load(w.add(at["total"], block.offset), block.mask) + output
                w.store(found, w.add(at["total"], block.offset), block.mask)
                found = found / number
            elif name == "max":
                before = w.load(w.add(at["largest"], block.offset), block.mask)
                found = output.where(output.is_(">", before), before)
                w.store(found, w.add(at["largest"], block.offset), block.mask)
            w.store(found, w.add(at["pooled"], w.mul(place, row), block.offset), block.mask)

    for_blocks(w, f["hidden"], pool)
    width = products.tile_shape(target)[1]
    whole = w.mul(w.divide(f["registers"], width), width)
    with w.loop(0, whole, width) as first:
        _write_panel(w, f, at, first, width)
    for left in range(1, width):
        with w.when(w.equal(w.sub(f["registers"], whole), left)):
            _write_panel(w, f, at, whole, left)
    w.finish()
    return str(module)


def _write_panel(w: Writer, f: dict[str, Value], at: dict[str, Value], first: Value, width: int) -> None:
    """The product with some registers' columns, from the first on; sums that do not wait for each other."""
    lanes, size = w.kind.lanes, w.kind.size
    begin = w.mul(first, lanes * size)
    panel = w.add(f["weights"], w.mul(begin, w.mul(f["rounds"], _SUMS)))
    with w.sums(f["rounds"], [w.constant(0.0)] * (_SUMS * width)) as (k, sums):
        for j in range(_SUMS):
            place = w.add(w.mul(k, _SUMS), j)
            number, row = w.spread(w.at(at["pooled"], place)), w.at(panel, w.mul(place, width * lanes))
            for v in range(width):
                weight = w.load(w.add(row, v * lanes * size))
                sums[j * width + v] = number.times_plus(weight, sums[j * width + v])
    for v in range(width):
        total = w.load(w.add(f["bias"], begin, v * lanes * size))
        for j in range(_SUMS):
            total = total + sums[j * width + v]
        w.store(total, w.add(at["result"], begin, v * lanes * size))
