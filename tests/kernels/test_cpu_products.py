"""Matrix products of the CPU kernels against numpy, at every size of a last tile and a last register."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch

from seqwise.kernels.cpu import compiler, products
from seqwise.kernels.cpu.target import host
from tolerances import assert_close

SIZES = [1, 3, 5, 6, 7, 13, 16, 17, 33, 65, 130]


class Products(NamedTuple):
    dtype: str
    lanes: int
    call: dict[str, Callable[..., None]]

    def registers(self, columns: int) -> int:
        return -(-columns // self.lanes)

    def random(self, rows: int, columns: int, *, padded: bool = False) -> np.ndarray:
        """A matrix; padded to whole registers, its last columns are NaN."""
        width = self.registers(columns) * self.lanes if padded else columns
        matrix = np.full((rows, width), np.nan, self.dtype)
        matrix[:, :columns] = np.random.default_rng(rows * 1000 + columns).normal(size=(rows, columns))
        return matrix

    def empty(self, rows: int, columns: int) -> np.ndarray:
        """Room for a result, and a guard behind it."""
        return np.full((rows + 1, self.registers(columns) * self.lanes), 7.0, self.dtype)

    def pack(self, name: str, matrix: np.ndarray, depth: int, columns: int) -> np.ndarray:
        panels = np.full(depth * self.registers(columns) * self.lanes + self.lanes, 7.0, self.dtype)
        self.call[name](matrix.ctypes.data, matrix.strides[0], depth, columns, panels.ctypes.data)
        assert (panels[-self.lanes :] == 7.0).all()
        return panels

    def check(self, actual: np.ndarray, exact: np.ndarray) -> None:
        assert_close(torch.from_numpy(np.ascontiguousarray(actual)), torch.from_numpy(exact), "product")


@pytest.fixture(scope="module", params=["float32", "float64"])
def compiled(request: pytest.FixtureRequest) -> Products:
    addresses = products.addresses(request.param, host())
    calls = {name: compiler.function(a, len(products.SIGNATURES[name])) for name, a in addresses.items()}
    return Products(request.param, host().lanes(request.param), calls)


@pytest.mark.parametrize("columns", SIZES)
@pytest.mark.parametrize("transposed", [False, True], ids=["pack", "pack_transposed"])
def test_a_product_has_rows_from_anywhere_and_a_packed_right_side(
    compiled: Products, columns: int, transposed: bool
) -> None:
    for rows, depth in zip(SIZES, SIZES[3:] + SIZES[:3], strict=True):
        a = compiled.random(2 * rows + 1, depth)
        order = np.random.default_rng(columns).permutation(2 * rows + 1)[:rows]
        b = compiled.random(depth, columns)
        stored = np.ascontiguousarray(b.T) if transposed else b
        panels = compiled.pack("pack_transposed" if transposed else "pack", stored, depth, columns)
        bias = compiled.random(1, columns, padded=True)
        table = a.ctypes.data + order * a.strides[0]
        c = compiled.empty(rows, columns)
        compiled.call["product"](
            table.ctypes.data, rows, depth, panels.ctypes.data, bias.ctypes.data, c.ctypes.data, c.strides[0],
            compiled.registers(columns),
        )  # fmt: skip
        compiled.check(c[:rows, :columns], a[order].astype(float) @ b.astype(float) + bias[0, :columns])
        assert (c[rows] == 7.0).all()


def test_a_matrix_is_packed_from_a_part_of_a_larger_one(compiled: Products) -> None:
    whole = compiled.random(50, 50)
    part = whole[3:24, 5:42]
    for name, matrix in (("pack", part), ("pack_transposed", whole[5:42, 3:24])):
        b = part if name == "pack" else matrix.T
        panels = compiled.pack(name, matrix, 21, 37)
        a, c = compiled.random(2, 21), compiled.empty(2, 37)
        table = a.ctypes.data + np.arange(2) * a.strides[0]
        bias = np.zeros(compiled.registers(37) * compiled.lanes, compiled.dtype)
        compiled.call["product"](
            table.ctypes.data, 2, 21, panels.ctypes.data, bias.ctypes.data, c.ctypes.data, c.strides[0],
            compiled.registers(37),
        )  # fmt: skip
        compiled.check(c[:2, :37], a.astype(float) @ b.astype(float))


@pytest.mark.parametrize("columns", SIZES)
def test_gradients_of_weights_are_added_to_what_is_there(compiled: Products, columns: int) -> None:
    for rows, depth in zip(SIZES, SIZES[3:] + SIZES[:3], strict=True):
        a, b = compiled.random(depth, rows, padded=True), compiled.random(depth, columns, padded=True)
        c = compiled.empty(rows, columns)
        compiled.call["accumulate"](
            a.ctypes.data, a.strides[0], rows, depth, b.ctypes.data, b.strides[0], c.ctypes.data, c.strides[0],
            compiled.registers(columns),
        )  # fmt: skip
        compiled.check(c[:rows, :columns], 7.0 + a[:, :rows].T.astype(float) @ b[:, :columns].astype(float))
        assert (c[rows] == 7.0).all()


@pytest.mark.parametrize("columns", SIZES)
def test_columns_are_added_to_what_is_there(compiled: Products, columns: int) -> None:
    for depth in SIZES:
        a, sums = compiled.random(depth, columns, padded=True), compiled.empty(1, columns)
        compiled.call["sum_columns"](
            a.ctypes.data, a.strides[0], depth, sums.ctypes.data, compiled.registers(columns)
        )  # fmt: skip
        compiled.check(sums[0, :columns], 7.0 + a[:, :columns].astype(float).sum(0))
        assert (sums[1] == 7.0).all()


def test_a_product_of_no_rows_writes_nothing(compiled: Products) -> None:
    b, c = compiled.random(5, 17), compiled.empty(0, 17)
    panels, bias = compiled.pack("pack", b, 5, 17), compiled.random(1, 17, padded=True)
    compiled.call["product"](
        0, 0, 5, panels.ctypes.data, bias.ctypes.data, c.ctypes.data, c.strides[0], compiled.registers(17)
    )
    assert (c == 7.0).all()
