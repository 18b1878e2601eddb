"""Pairs of words that stand near each other, counted in a table of bounded size.

A pair is one number, the smaller word in the upper half, and is known by its key: that number mixed with a seed, one to one
(the finaliser of SplitMix64; Steele, Lea and Flood 2014). Keys look random, which is used three times: their upper halves
spread over the table, ranges of them are equal shares for threads, and their order is the order in which GloVe learns.

The table has open addresses with linear probing; slots rise with the keys, so that what `drain` finds is nearly sorted and
insertion sorts it. A slot is a key and the sum of 1/distance, 0 where it is free. The slots of a whole window are asked for
(prefetched) before the first is changed, because most of them are not in the cache.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from seqwise.kernels.cpu import compiler
from seqwise.kernels.cpu.elementwise import Fields
from seqwise.kernels.cpu.target import Target
from seqwise.kernels.cpu.vector import I32, I64, POINTER, VOID, Kind, Value, Writer, new_module

FIELDS = Fields(
    (
        "tokens",  # address of int32 word numbers; below 0 where a sentence ends
        "position",  # in, out: the next token
        "stop",  # behind the last one
        "window",
        "shares",  # address of 2 * (window + 1) float64: 1 / distance, then the same for two words that are equal
        "seed",
        "part",  # keys of this share are counted
        "parts",  # of so many
        "table",  # address of slots: key, then float64
        "slots",
        "used",  # in, out
        "most",  # slots that may be used: the kernel stops at a window that might need more
        "keys",  # address of room for `window` keys
        "places",  # address of room for `window` slots
        "weights",  # address of room for `window` float64
        "written",  # out of `drain`
    )
)

SLOT = 16
"""Bytes of a slot."""
MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))
"""Of a key: shifts of an exclusive or, and the factors behind them."""
_LOW = (1 << 32) - 1


def load(target: Target) -> dict[str, Callable[..., None]]:
    """The compiled `count` and `drain`; called with the address of their argument block.

    `count` adds pairs until the tokens end or the table is full. `drain` moves what is in the table to its front, sorted by
    key as an unsigned number; the slots behind `written` are left as they are.
    """
    addresses = compiler.load("word pairs", lambda: write(target), ("count", "drain"), target)
    return {name: compiler.function(address) for name, address in addresses.items()}


def write(target: Target) -> str:
    """The module with both functions, in LLVM's text form."""
    module = new_module(target)
    _write_count(module, target)
    _write_drain(module, target)
    return str(module)


def _write_count(module: ir.Module, target: Target) -> None:
    w = Writer(module, "count", Kind("float64", target), ("block",))
    f = {name: FIELDS.read(w, name) for name in FIELDS.names}
    position, used, listed = w.variable(f["position"]), w.variable(f["used"]), w.variable(0)

    def more() -> Value:
        enough = w.less(w.add(w.get(used), f["window"]), f["most"])
        return w.b.and_(w.less(w.get(position), f["stop"]), enough)

    with w.loop_while(more):
        here = w.get(position)
        token = _token(w, f, here)
        with w.when(w.b.icmp_signed(">=", token, ir.Constant(I64, 0))):
            w.set(listed, 0)
            _list_window(w, f, here, token, listed)
            with w.loop(0, w.get(listed)) as n:
                _add(w, f, n, used)
        w.set(position, w.add(here, 1))
    for name, variable in (("position", position), ("used", used)):
        w.write(w.get(variable), w.add(w.arguments["block"], 8 * FIELDS.index[name]))
    w.finish()


def _list_window(w: Writer, f: dict[str, Value], here: Value, token: Value, listed: Value) -> None:
    """Keys, slots and weights of the word and those before it, as far as they are of this part."""
    distance = w.variable(1)

    def inside() -> Value:
        d = w.get(distance)
        there = w.b.and_(w.b.icmp_signed("<=", d, f["window"]), w.b.icmp_signed("<=", d, here))
        place = w.select(there, w.sub(here, d), here)  # the first token has none before it that might be read
        return w.b.and_(there, w.b.icmp_signed(">=", _token(w, f, place), ir.Constant(I64, 0)))

    fetch = w.declare("llvm.prefetch.p0", VOID, [POINTER, I32, I32, I32])
    with w.loop_while(inside):
        d = w.get(distance)
        other = _token(w, f, w.sub(here, d))
        low, high = w.smaller(token, other), w.select(w.less(token, other), other, token)
        key = _mix(w, w.add(w.b.or_(w.b.shl(low, ir.Constant(I64, 32)), high), f["seed"]))
        scaled = w.mul(w.b.lshr(key, ir.Constant(I64, 32)), f["parts"])
        within = w.mul(w.b.and_(scaled, ir.Constant(I64, _LOW)), f["slots"])
        slot = w.b.lshr(within, ir.Constant(I64, 32))
        ours = w.equal(w.b.lshr(scaled, ir.Constant(I64, 32)), f["part"])
        n = w.get(listed)
        share = w.add(d, w.select(w.equal(token, other), w.add(f["window"], 1), 0))
        # Written in any case, counted if it is ours: a branch would be mispredicted.
        w.write(key, w.at(f["keys"], n, 8))
        w.write(slot, w.at(f["places"], n, 8))
        w.write(w.read(w.at(f["shares"], share, 8)), w.at(f["weights"], n, 8))
        address = w.b.inttoptr(w.at(f["table"], slot, SLOT), POINTER)
        w.b.call(fetch, [address, ir.Constant(I32, 1), ir.Constant(I32, 3), ir.Constant(I32, 1)])
        w.set(listed, w.add(n, w.b.zext(ours, I64)))
        w.set(distance, w.add(d, 1))


def _add(w: Writer, f: dict[str, Value], n: Value, used: Value) -> None:
    """Entry n of the list goes into the table."""
    key, weight = w.read(w.at(f["keys"], n, 8)), _number(w, w.at(f["weights"], n, 8))
    slot, searching = w.variable(w.read(w.at(f["places"], n, 8))), w.variable(1)
    with w.loop_while(lambda: w.equal(w.get(searching), 1)):
        place = w.at(f["table"], w.get(slot), SLOT)
        value = _number(w, w.add(place, 8))
        free = w.b.fcmp_ordered("==", value, ir.Constant(ir.DoubleType(), 0.0))
        with w.b.if_else(w.b.or_(free, w.equal(w.read(place), key))) as (found, other):
            with found:
                w.write(key, place)
                w.b.store(w.b.fadd(value, weight), w.b.inttoptr(w.add(place, 8), POINTER))
                w.set(used, w.add(w.get(used), w.b.zext(free, I64)))
                w.set(searching, 0)
            with other:
                following = w.add(w.get(slot), 1)
                w.set(slot, w.select(w.equal(following, f["slots"]), 0, following))


def _write_drain(module: ir.Module, target: Target) -> None:
    w = Writer(module, "drain", Kind("float64", target), ("block",))
    f = {name: FIELDS.read(w, name) for name in ("table", "slots")}
    written, here = w.variable(0), w.variable(0)

    def entry(index: Value) -> Value:
        return w.at(f["table"], index, SLOT)

    with w.loop(0, f["slots"]) as slot:
        key, value = w.read(entry(slot)), _number(w, w.add(entry(slot), 8))
        with w.when(w.b.fcmp_ordered("!=", value, ir.Constant(ir.DoubleType(), 0.0))):
            w.set(here, w.get(written))

            def larger(key: Value = key) -> Value:
                before = w.get(here)
                some = w.less(0, before)
                place = entry(w.select(some, w.sub(before, 1), 0))
                return w.b.and_(some, w.b.icmp_unsigned(">", w.read(place), key))

            with w.loop_while(larger):
                place, before = entry(w.get(here)), entry(w.sub(w.get(here), 1))
                w.write(w.read(before), place)
                w.write(w.read(w.add(before, 8)), w.add(place, 8))
                w.set(here, w.sub(w.get(here), 1))
            w.write(key, entry(w.get(here)))
            w.b.store(value, w.b.inttoptr(w.add(entry(w.get(here)), 8), POINTER))
            w.set(written, w.add(w.get(written), 1))
    w.write(w.get(written), w.add(w.arguments["block"], 8 * FIELDS.index["written"]))
    w.finish()


def _mix(w: Writer, z: Value) -> Value:
    for shift, factor in MIX:
        z = w.b.xor(z, w.b.lshr(z, ir.Constant(I64, shift)))
        z = w.b.mul(z, ir.Constant(I64, factor)) if factor != 1 else z
    return z


def _token(w: Writer, f: dict[str, Value], index: Value) -> Value:
    return w.b.sext(w.read(w.at(f["tokens"], index, 4), I32), I64)


def _number(w: Writer, address: Value) -> Value:
    return w.b.load(w.b.inttoptr(address, POINTER), typ=ir.DoubleType(), align=8)
