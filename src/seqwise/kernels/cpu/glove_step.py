"""Steps of GloVe: cells of the co-occurrence matrix, one after the other, each a step of AdaGrad on two rows.

For a cell (i, j, X) with s = e_i . w_j + b_i + c_j - log X and f = min(1, (X / x_max)^alpha):

    g = rate * f * s,   e_i -= g w_j / sqrt(G_i),   G_i += (g w_j)^2,   and the same for w_j and both biases,

all right sides with the values before the cell; G begins at 1 and contains the rate, as in the published program, and g is
the gradient of f s^2 / 2. A row is the parameters, whole registers, then their G, so that one address finds both. Biases
cost nothing: a row of e ends in (b_i, 1) and one of w in (1, c_j), so that the product of the rows has them in it; the ones
never change because their G is infinite. Logarithms and weights are taken for a register of cells at once. The rows of a
later cell are asked for (prefetched) with every column: they are rarely in the cache. Nothing is atomic (Hogwild).
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from seqwise.kernels.cpu import compiler
from seqwise.kernels.cpu.elementwise import Fields
from seqwise.kernels.cpu.functions import exp, log, sqrt
from seqwise.kernels.cpu.target import Target
from seqwise.kernels.cpu.vector import I32, I64, POINTER, VOID, Kind, Value, Vector, Writer, new_module

FIELDS = Fields(
    (
        "cells",  # address of (row, column, value): int32, int32, float32
        "start",
        "stop",  # above start
        "rows",  # address of the rows e; of w where the cells are taken the other way round
        "contexts",  # address of the rows w; of e there
        "stride",  # bytes of a row, G included
        "columns",  # registers of the parameters of a row
        "constants",  # address of log(x_max), alpha, rate
        "diagonal",  # 0: cells with row = column are left out
        "room",  # address of two registers
        "loss",  # address of a register: f s^2 is added to all its lanes
    )
)

CELL = 12
"""Bytes of a cell."""
_AHEAD = 4


def load(dtype: str, target: Target) -> Callable[..., None]:
    """The compiled kernel; called with the address of its argument block."""
    address = compiler.load(f"glove {dtype}", lambda: write(dtype, target), ("glove",), target)["glove"]
    return compiler.function(address)


def write(dtype: str, target: Target) -> str:
    """The module with the function `glove(address of the argument block)`, in LLVM's text form."""
    module = new_module(target)
    w = Writer(module, "glove", Kind(dtype, target), ("block",))
    f = {name: FIELDS.read(w, name) for name in FIELDS.names}
    lanes, register = w.kind.lanes, w.kind.lanes * w.kind.size
    largest, alpha, rate = (w.spread(w.at(f["constants"], k)) for k in range(3))
    logarithms, weights = f["room"], w.add(f["room"], register)
    last = w.sub(f["stop"], 1)
    with w.loop(f["start"], f["stop"], lanes) as first:
        for lane in range(lanes):  # the last block repeats the last cell; what comes of that is not used
            value = _value(w, f, w.smaller(w.add(first, lane), last))
            w.b.store(value, w.b.inttoptr(w.at(logarithms, lane), POINTER), align=w.kind.size)
        logarithm = log(w.load(logarithms))
        w.store(logarithm, logarithms)
        w.store(exp((logarithm - largest).at_most(0.0) * alpha), weights)
        with w.loop(0, w.smaller(w.sub(f["stop"], first), lanes)) as n:
            row, column = _place(w, f, w.add(first, n))
            later = _place(w, f, w.smaller(w.add(first, n, _AHEAD), last))
            following = [_address(w, f, side, place) for side, place in zip(("rows", "contexts"), later, strict=True)]
            e, context = _address(w, f, "rows", row), _address(w, f, "contexts", column)
            s = _product(w, f, e, context, following) - w.spread(w.at(logarithms, n))
            left_out = w.b.and_(w.equal(row, column), w.equal(f["diagonal"], 0))
            weight = w.b.load(w.b.inttoptr(w.at(weights, n), POINTER), typ=w.kind.scalar, align=w.kind.size)
            weighted = w.fill(w.b.select(left_out, ir.Constant(w.kind.scalar, 0.0), weight)) * s
            w.store(w.load(f["loss"]) + weighted * s, f["loss"])
            _update(w, f, e, context, weighted * rate)
    w.finish()
    return str(module)


def _product(w: Writer, f: dict[str, Value], e: Value, context: Value, following: list[Value]) -> Vector:
    """e_i . w_j with the biases, in all lanes."""
    register = w.kind.lanes * w.kind.size
    behind = w.mul(f["columns"], register)
    fetch = w.declare("llvm.prefetch.p0", VOID, [POINTER, I32, I32, I32])
    with w.sums(f["columns"], [w.constant(0.0)]) as (column, total):
        offset = w.mul(column, register)
        for row in following:
            for address in (w.add(row, offset), w.add(row, behind, offset)):
                flags = [ir.Constant(I32, 1), ir.Constant(I32, 3), ir.Constant(I32, 1)]
                w.b.call(fetch, [w.b.inttoptr(address, POINTER), *flags])
        total[0] = w.load(w.add(e, offset)).times_plus(w.load(w.add(context, offset)), total[0])
    return _add_across(w, total[0])


def _update(w: Writer, f: dict[str, Value], e: Value, context: Value, g: Vector) -> None:
    register = w.kind.lanes * w.kind.size
    behind = w.mul(f["columns"], register)
    with w.loop(0, f["columns"]) as column:
        offset = w.mul(column, register)
        places = [w.add(row, offset) for row in (e, context)]
        old = [w.load(place) for place in places]
        for place, value, other in zip(places, old, reversed(old), strict=True):
            squares, gradient = w.load(w.add(place, behind)), g * other
            w.store(value - gradient / sqrt(squares), place)
            w.store(gradient.times_plus(gradient, squares), w.add(place, behind))


def _add_across(w: Writer, vector: Vector) -> Vector:
    """The sum of the lanes, in all lanes."""
    half = w.kind.lanes // 2
    while half:
        lanes = ir.Constant(ir.VectorType(I32, w.kind.lanes), [lane ^ half for lane in range(w.kind.lanes)])
        vector = vector + Vector(w, w.b.shuffle_vector(vector.value, vector.value, lanes))
        half //= 2
    return vector


def _place(w: Writer, f: dict[str, Value], cell: Value) -> tuple[Value, Value]:
    """Row and column of a cell."""
    base = w.at(f["cells"], cell, CELL)
    row, column = (w.b.load(w.b.inttoptr(w.add(base, d), POINTER), typ=I32, align=4) for d in (0, 4))
    return w.b.zext(row, I64), w.b.zext(column, I64)


def _value(w: Writer, f: dict[str, Value], cell: Value) -> Value:
    address = w.add(w.at(f["cells"], cell, CELL), 8)
    value = w.b.load(w.b.inttoptr(address, POINTER), typ=ir.FloatType(), align=4)
    return value if w.kind.bits == 32 else w.b.fpext(value, w.kind.scalar)


def _address(w: Writer, f: dict[str, Value], side: str, index: Value) -> Value:
    return w.add(f[side], w.mul(index, f["stride"]))
