"""Matrix products of a recurrence: small left sides, packed right sides, sums kept in registers.

One module per type and CPU, shared by all cells. A tile is as many sums as the registers hold (6 rows times 4 registers
where there are 32), so that two multiply-adds a cycle have their operands; rows are spread evenly over the tiles, since a
last tile of one row would be bound by loads.

* `product`: C = A B + bias. The rows of A are anywhere (a table of addresses), which costs nothing and spares all copies
  for ragged batches, resets and strided inputs. B is packed: panels of up to 4 registers' columns, each panel row by row.
* `accumulate`: C += A^T B, both row by row: the gradient of weights.
* `sum_columns`: the gradient of biases.
* `pack`, `pack_transposed`: a matrix (rows K, columns N), or its transpose, into panels.

All arguments are addresses, counts, and strides in bytes. Columns are padded to whole registers: C must have room.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from llvmlite import ir

from seqwise.kernels.cpu import compiler
from seqwise.kernels.cpu.target import Target
from seqwise.kernels.cpu.vector import I32, I64, Kind, Value, Vector, Writer, new_module

SIGNATURES = {
    "product": ("rows_of_a", "rows", "depth", "b", "bias", "c", "c_stride", "registers"),
    "accumulate": ("a", "a_stride", "rows", "depth", "b", "b_stride", "c", "c_stride", "registers"),
    "sum_columns": ("a", "a_stride", "depth", "sums", "registers"),
    "pack": ("matrix", "stride", "depth", "columns", "panels"),
    "pack_transposed": ("matrix", "stride", "depth", "columns", "panels"),
}


@cache
def addresses(dtype: str, target: Target) -> dict[str, int]:
    """Where the compiled functions are."""
    return compiler.load(f"products {dtype}", lambda: write(dtype, target), tuple(SIGNATURES), target)


def write(dtype: str, target: Target) -> str:
    """The module in LLVM's text form."""
    kind, module = Kind(dtype, target), new_module(target)
    height, width = tile_shape(target)
    for h in range(1, height + 1):
        for w in range(1, width + 1):
            _write_product_tile(module, kind, h, w)
            _write_accumulate_tile(module, kind, h, w)
    _write_product(module, kind, height, width)
    _write_accumulate(module, kind, height, width)
    _write_sum_columns(module, kind)
    _write_pack(module, kind, width)
    _write_pack_transposed(module, kind, width)
    return str(module)


def tile_shape(target: Target) -> tuple[int, int]:
    """Rows and registers of the largest tile: its sums, one row of B and one number of A fill the registers."""
    return (6, 4) if target.registers >= 32 else (6, 2)


def _write_product_tile(module: ir.Module, kind: Kind, height: int, width: int) -> None:
    w = Writer(
        module, f"product_{height}_{width}", kind, ("rows_of_a", "depth", "b", "bias", "c", "c_stride"), local=True
    )
    a = w.arguments
    rows = [w.read(w.at(a["rows_of_a"], i, 8)) for i in range(height)]
    bias = [w.load(w.add(a["bias"], _bytes(kind, v))) for v in range(width)]
    with w.sums(a["depth"], [bias[v] for _ in range(height) for v in range(width)]) as (k, sums):
        row_of_b = w.at(a["b"], w.mul(k, width * kind.lanes))
        b = [w.load(w.add(row_of_b, _bytes(kind, v))) for v in range(width)]
        for i in range(height):
            number = w.spread(w.at(rows[i], k))
            for v in range(width):
                sums[i * width + v] = number.times_plus(b[v], sums[i * width + v])
    for i in range(height):
        for v in range(width):
            w.store(sums[i * width + v], w.add(a["c"], w.mul(i, a["c_stride"]), _bytes(kind, v)))
    w.finish()


def _write_accumulate_tile(module: ir.Module, kind: Kind, height: int, width: int) -> None:
    names = ("a", "a_stride", "depth", "b", "b_stride", "c", "c_stride")
    w = Writer(module, f"accumulate_{height}_{width}", kind, names, local=True)
    a = w.arguments
    places = [w.add(a["c"], w.mul(i, a["c_stride"]), _bytes(kind, v)) for i in range(height) for v in range(width)]
    with w.sums(a["depth"], [w.constant(0.0) for _ in places]) as (k, sums):
        row_of_a, row_of_b = w.add(a["a"], w.mul(k, a["a_stride"])), w.add(a["b"], w.mul(k, a["b_stride"]))
        b = [w.load(w.add(row_of_b, _bytes(kind, v))) for v in range(width)]
        for i in range(height):
            number = w.spread(w.at(row_of_a, i))
            for v in range(width):
                sums[i * width + v] = number.times_plus(b[v], sums[i * width + v])
    for place, total in zip(places, sums, strict=True):
        w.store(w.load(place) + total, place)
    w.finish()


def _write_product(module: ir.Module, kind: Kind, height: int, width: int) -> None:
    w = Writer(module, "product", kind, SIGNATURES["product"])
    a = w.arguments
    with w.loop(0, a["registers"], width) as first:
        wide = w.smaller(w.sub(a["registers"], first), width)
        column = w.mul(first, kind.lanes * kind.size)
        b, bias, c = w.add(a["b"], w.mul(column, a["depth"])), w.add(a["bias"], column), w.add(a["c"], column)
        with _tiles(w, a["rows"], height) as (row, high):
            table, place = w.at(a["rows_of_a"], row, 8), w.add(c, w.mul(row, a["c_stride"]))
            _choose_tile(w, "product", high, wide, height, width, (table, a["depth"], b, bias, place, a["c_stride"]))
    w.finish()


def _write_accumulate(module: ir.Module, kind: Kind, height: int, width: int) -> None:
    w = Writer(module, "accumulate", kind, SIGNATURES["accumulate"])
    a = w.arguments
    with w.loop(0, a["registers"], width) as first:
        wide = w.smaller(w.sub(a["registers"], first), width)
        column = w.mul(first, kind.lanes * kind.size)
        b, c = w.add(a["b"], column), w.add(a["c"], column)
        with _tiles(w, a["rows"], height) as (row, high):
            left, place = w.at(a["a"], row), w.add(c, w.mul(row, a["c_stride"]))
            arguments = (left, a["a_stride"], a["depth"], b, a["b_stride"], place, a["c_stride"])
            _choose_tile(w, "accumulate", high, wide, height, width, arguments)
    w.finish()


def _write_sum_columns(module: ir.Module, kind: Kind) -> None:
    w = Writer(module, "sum_columns", kind, SIGNATURES["sum_columns"])
    a = w.arguments
    whole = w.mul(w.divide(a["registers"], 4), 4)
    for start, stop, width in ((0, whole, 4), (whole, a["registers"], 1)):
        with w.loop(start, stop, width) as first:
            column = w.mul(first, kind.lanes * kind.size)
            places = [w.add(a["sums"], column, _bytes(kind, v)) for v in range(width)]
            with w.sums(a["depth"], [w.load(p) for p in places]) as (k, sums):
                row = w.add(a["a"], w.mul(k, a["a_stride"]), column)
                for v in range(width):
                    sums[v] = sums[v] + w.load(w.add(row, _bytes(kind, v)))
            for place, total in zip(places, sums, strict=True):
                w.store(total, place)
    w.finish()


def _write_pack(module: ir.Module, kind: Kind, width: int) -> None:
    w = Writer(module, "pack", kind, SIGNATURES["pack"])
    a = w.arguments
    with _registers_of_panels(w, width) as (register, place, panel_row):
        column = w.mul(register, kind.lanes)
        mask = w.first_lanes(w.sub(a["columns"], column))
        with w.loop(0, a["depth"]) as k:
            row = w.add(a["matrix"], w.mul(k, a["stride"]))
            w.store(w.load(w.at(row, column), mask), w.add(place, w.mul(k, panel_row)))
    w.finish()


def _write_pack_transposed(module: ir.Module, kind: Kind, width: int) -> None:
    w = Writer(module, "pack_transposed", kind, SIGNATURES["pack_transposed"])
    a = w.arguments
    lanes = kind.lanes
    with _registers_of_panels(w, width) as (register, place, panel_row):
        column = w.mul(register, lanes)
        last = w.sub(a["columns"], 1)  # what stands in padded columns means nothing: the last row again
        rows = [w.add(a["matrix"], w.mul(w.smaller(w.add(column, i), last), a["stride"])) for i in range(lanes)]
        with w.loop(0, a["depth"], lanes) as k:
            mask = w.first_lanes(w.sub(a["depth"], k))
            block = _transpose([w.load(w.at(row, k), mask) for row in rows])
            for i, vector in enumerate(block):
                with w.when(w.less(w.add(k, i), a["depth"])):
                    w.store(vector, w.add(place, w.mul(w.add(k, i), panel_row)))
    w.finish()


@contextmanager
def _registers_of_panels(w: Writer, width: int) -> Iterator[tuple[Value, Value, Value]]:
    """For every register of columns of a packed matrix: its number, where its first row goes, the bytes between rows."""
    a, lanes, size = w.arguments, w.kind.lanes, w.kind.lanes * w.kind.size
    registers = w.divide(w.add(a["columns"], lanes - 1), lanes)
    with w.loop(0, registers) as register:
        first = w.mul(w.divide(register, width), width)
        panel_row = w.mul(w.smaller(w.sub(registers, first), width), size)
        panel = w.add(a["panels"], w.mul(w.mul(first, size), a["depth"]))
        yield register, w.add(panel, w.mul(w.sub(register, first), size)), panel_row


def _transpose(rows: list[Vector]) -> list[Vector]:
    """A square block of registers, transposed in log2(lanes) rounds of exchanging halves."""
    w, lanes = rows[0].writer, len(rows)
    distance = lanes // 2
    while distance:
        low = [i if not i & distance else i - distance + lanes for i in range(lanes)]
        high = [i + distance if not i & distance else i + lanes for i in range(lanes)]
        exchanged = list(rows)
        for i in range(lanes):
            if not i & distance:
                pair = rows[i].value, rows[i + distance].value
                for row, order in ((i, low), (i + distance, high)):
                    mask = ir.Constant(ir.VectorType(I32, lanes), order)
                    exchanged[row] = Vector(w, w.b.shuffle_vector(*pair, mask))
        rows, distance = exchanged, distance // 2
    return rows


@contextmanager
def _tiles(w: Writer, rows: Value, height: int) -> Iterator[tuple[Value, Value]]:
    """For tiles of at most `height` rows, as even as can be: the first row and how many."""
    count = w.divide(w.add(rows, height - 1), height)
    divisor = w.select(w.less(0, count), count, 1)
    each, more = w.divide(rows, divisor), w.remainder(rows, divisor)
    with w.loop(0, count) as tile:
        yield w.add(w.mul(tile, each), w.smaller(tile, more)), w.add(each, w.b.zext(w.less(tile, more), I64))


def _choose_tile(
    w: Writer, name: str, high: Value, wide: Value, height: int, width: int, arguments: tuple[Value, ...]
) -> None:
    """Call the tile of this size."""
    after = w.function.append_basic_block("tiled")
    number = w.add(w.mul(w.sub(high, 1), width), w.sub(wide, 1))
    impossible = w.function.append_basic_block("impossible")
    switch = w.b.switch(number, impossible)
    for h in range(1, height + 1):
        for v in range(1, width + 1):
            block = w.function.append_basic_block("tile")
            switch.add_case(ir.Constant(I64, (h - 1) * width + v - 1), block)
            w.b.position_at_end(block)
            w.call(f"{name}_{h}_{v}", *arguments)
            w.b.branch(after)
    w.b.position_at_end(impossible)
    w.b.unreachable()
    w.b.position_at_end(after)


def _bytes(kind: Kind, registers: int) -> int:
    return registers * kind.lanes * kind.size
