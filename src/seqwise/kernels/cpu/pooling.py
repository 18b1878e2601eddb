"""Totals and maxima over the steps of every row: one pass over the outputs of a layer, and nothing in between.

Axis letters: T steps, B batch, W numbers of an output.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from seqwise.kernels.cpu import compiler
from seqwise.kernels.cpu.elementwise import Block, Fields, for_blocks
from seqwise.kernels.cpu.target import Target, host
from seqwise.kernels.cpu.vector import Kind, Writer, new_module

_FIELDS = Fields(("rows", "width", "lengths", "outputs", "step", "row", "totals", "largest", "kept"))


def pool(outputs: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum and maximum over the steps of every row.

    Args:
        outputs: (T, B, W) float32 or float64, contiguous.
        lengths: (B,) int64, 1 to T.

    Returns:
        Sums (B, W), and maxima (B, W).
    """
    _, batch, width = outputs.shape
    size = outputs.itemsize
    totals = np.zeros((batch, width), outputs.dtype)
    largest = outputs[0].copy()
    fields = (
        *(batch, width, lengths.ctypes.data, outputs.ctypes.data, batch * width * size, width * size),
        *(totals.ctypes.data, largest.ctypes.data, width * size),
    )
    block = np.array(fields, np.int64)
    _find_kernel(outputs.dtype.name)(block.ctypes.data)
    return totals, largest


@cache
def _find_kernel(dtype: str) -> Callable[..., None]:
    target = host()
    return compiler.function(
        compiler.load(f"pooling {dtype}", lambda: _write(dtype, target), ("pool",), target)["pool"]
    )


def _write(dtype: str, target: Target) -> str:
    module = new_module(target)
    w = Writer(module, "pool", Kind(dtype, target), ("block",))
    f = {name: _FIELDS.read(w, name) for name in _FIELDS.names}
    with w.loop(0, f["rows"]) as row:
        own = w.add(f["outputs"], w.mul(row, f["row"]))
        total, largest = (w.add(f[name], w.mul(row, f["kept"])) for name in ("totals", "largest"))
        with w.loop(0, w.read(w.at(f["lengths"], row, 8))) as step:
            output = w.add(own, w.mul(step, f["step"]))

            def take(block: Block, output: object = output, total: object = total, largest: object = largest) -> None:
                value = w.load(w.add(output, block.offset), block.mask)
                place = w.add(total, block.offset)
                w.store(w.load(place, block.mask) + value, place, block.mask)
                place = w.add(largest, block.offset)
                before = w.load(place, block.mask)
                w.store(value.where(value.is_(">", before), before), place, block.mask)

            for_blocks(w, f["width"], take)
    w.finish()
    return str(module)
