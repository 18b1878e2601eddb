"""Words become numbers: white space is found, words are looked up, new ones are added, all are counted.

Words are the runs of bytes above 32 (so space and all control characters separate them); one byte, `newline`, also ends
a sentence, for which -1 is written once. New words get the next number. They are found by a 64-bit FNV-1a hash in an open
table with linear probing: an entry is the hash's upper half beside the number + 1, and 0 where it is free; the bytes are
compared too, so that no two words are ever taken for one.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from seqwise.kernels.cpu import compiler
from seqwise.kernels.cpu.elementwise import Fields
from seqwise.kernels.cpu.target import Target
from seqwise.kernels.cpu.vector import I8, I32, I64, POINTER, Kind, Value, Writer, new_module

FIELDS = Fields(
    (
        "text",  # address of bytes
        "position",  # in, out: the next byte
        "end",  # a word may not go on behind it
        "newline",  # the byte that ends a sentence; above 255: none does
        "inside",  # in, out: 1 if the sentence has words
        "table",  # address of int64 entries
        "mask",  # entries - 1, a power of two - 1
        "hashes",  # address of int64, one a word
        "places",  # address of int64: where each word begins in `spellings`, and behind the last one
        "spellings",  # address of bytes; has room for all that is left of the text
        "counts",  # address of int64
        "words",  # in, out: how many there are
        "most",  # at this many words the kernel stops
        "numbers",  # address of int32: the result
        "written",  # in, out
        "room",  # of `numbers`; at one less the kernel stops
    )
)

_BASIS, _PRIME = 0xCBF29CE484222325, 0x100000001B3
_SPACE = 32


def load(target: Target) -> Callable[..., None]:
    """The compiled kernel; called with the address of its argument block."""
    return compiler.function(compiler.load("words", lambda: write(target), ("number",), target)["number"])


def write(target: Target) -> str:
    """The module with the function `number(address of the argument block)`, in LLVM's text form."""
    module = new_module(target)
    w = Writer(module, "number", Kind("float32", target), ("block",))
    f = {name: FIELDS.read(w, name) for name in FIELDS.names}
    changing = {name: w.variable(f[name]) for name in ("position", "inside", "words", "written")}
    position, words, written = changing["position"], changing["words"], changing["written"]
    full = w.sub(f["room"], 1)

    def more() -> Value:
        room = w.b.and_(w.less(w.get(written), full), w.less(w.get(words), f["most"]))
        return w.b.and_(room, w.less(w.get(position), f["end"]))

    def put(number: Value) -> None:
        w.b.store(w.b.trunc(number, I32), w.b.inttoptr(w.at(f["numbers"], w.get(written), 4), POINTER))
        w.set(written, w.add(w.get(written), 1))

    with w.loop_while(more):
        byte = _byte(w, f["text"], w.get(position))
        with w.b.if_else(w.less(_SPACE, byte)) as (word, space):
            with word:
                put(_look_up(w, f, position, words))
                w.set(changing["inside"], 1)
            with space:
                w.set(position, w.add(w.get(position), 1))
                with w.when(w.b.and_(w.equal(byte, f["newline"]), w.equal(w.get(changing["inside"]), 1))):
                    put(ir.Constant(I64, -1))
                    w.set(changing["inside"], 0)
    for name, variable in changing.items():
        w.write(w.get(variable), w.add(w.arguments["block"], 8 * FIELDS.index[name]))
    w.finish()
    return str(module)


def _look_up(w: Writer, f: dict[str, Value], position: Value, words: Value) -> Value:
    """The number of the word at the position, which moves behind it."""
    start = w.get(position)
    hashed = w.variable(ir.Constant(I64, _BASIS))

    def inside() -> Value:
        # Short-circuit: the byte behind the end is not ours.
        at_end = w.less(w.get(position), f["end"])
        place = w.select(at_end, w.get(position), start)
        return w.b.and_(at_end, w.less(_SPACE, _byte(w, f["text"], place)))

    with w.loop_while(inside):
        mixed = w.b.xor(w.get(hashed), _byte(w, f["text"], w.get(position)))
        w.set(hashed, w.mul(mixed, ir.Constant(I64, _PRIME)))
        w.set(position, w.add(w.get(position), 1))
    length = w.sub(w.get(position), start)
    whole = w.get(hashed)
    whole = w.b.xor(whole, w.b.lshr(whole, ir.Constant(I64, 29)))  # the low bits of FNV alone are poor
    upper = w.b.and_(whole, ir.Constant(I64, -(1 << 32)))
    slot = w.variable(w.b.and_(whole, f["mask"]))
    found = w.variable(-1)

    def searching() -> Value:
        return w.less(w.get(found), 0)

    with w.loop_while(searching):
        place = w.at(f["table"], w.get(slot), 8)
        entry = w.read(place)
        with w.b.if_else(w.equal(entry, 0)) as (free, taken):
            with free:
                number = w.get(words)
                w.write(w.b.or_(upper, w.add(number, 1)), place)
                w.write(whole, w.at(f["hashes"], number, 8))
                begin = w.read(w.at(f["places"], number, 8))
                with w.loop(0, length) as j:
                    byte = w.b.trunc(_byte(w, f["text"], w.add(start, j)), I8)
                    w.b.store(byte, w.b.inttoptr(w.add(f["spellings"], begin, j), POINTER))
                w.write(w.add(begin, length), w.at(f["places"], w.add(number, 1), 8))
                w.set(words, w.add(number, 1))
                w.set(found, number)
            with taken:
                number = w.sub(w.b.and_(entry, ir.Constant(I64, (1 << 32) - 1)), 1)
                same = w.variable(0)
                with w.when(w.equal(w.b.and_(entry, ir.Constant(I64, -(1 << 32))), upper)):
                    w.set(same, w.b.zext(_same_bytes(w, f, number, start, length), I64))
                with w.b.if_else(w.equal(w.get(same), 1)) as (yes, no):
                    with yes:
                        w.set(found, number)
                    with no:
                        w.set(slot, w.b.and_(w.add(w.get(slot), 1), f["mask"]))
    place = w.at(f["counts"], w.get(found), 8)
    w.write(w.add(w.read(place), 1), place)
    return w.get(found)


def _same_bytes(w: Writer, f: dict[str, Value], number: Value, start: Value, length: Value) -> Value:
    """Bit: the word with this number is spelled like the bytes at `start`."""
    begin = w.read(w.at(f["places"], number, 8))
    stop = w.read(w.at(f["places"], w.add(number, 1), 8))
    j = w.variable(w.select(w.equal(w.sub(stop, begin), length), 0, w.add(length, 1)))  # another length: never equal

    def alike() -> Value:
        there = w.less(w.get(j), length)
        k = w.select(there, w.get(j), 0)
        equal = w.equal(_byte(w, f["text"], w.add(start, k)), _byte(w, f["spellings"], w.add(begin, k)))
        return w.b.and_(there, equal)

    with w.loop_while(alike):
        w.set(j, w.add(w.get(j), 1))
    return w.equal(w.get(j), length)


def _byte(w: Writer, base: Value, index: Value) -> Value:
    return w.b.zext(w.read(w.add(base, index), I8), I64)
