"""Writing LLVM code: addresses and counts as integers, numbers as whole vector registers.

A `Writer` is one function in the making. Addresses are plain integers in bytes, so that strides, tables of rows and the
argument block are all the same thing. Loops are context managers. A `Vector` is one register of numbers with Python's
operators; nothing is reassociated or contracted, so that results are those of the written expression.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from seqwise.kernels.cpu.target import Target

I64, I32, I8, BIT, VOID, POINTER = (
    ir.IntType(64),
    ir.IntType(32),
    ir.IntType(8),
    ir.IntType(1),
    ir.VoidType(),
    ir.PointerType(),
)
Value = Any  # llvmlite's values have no useful types


class Kind:
    """A number type on a target: what a register of it looks like."""

    def __init__(self, dtype: str, target: Target) -> None:
        self.dtype, self.target = dtype, target
        self.bits = int(dtype.removeprefix("float"))
        self.size = self.bits // 8
        self.bias, self.fraction = (127, 23) if self.bits == 32 else (1023, 52)  # of the exponent; bits below it
        self.lanes = target.lanes(dtype)
        self.scalar = ir.FloatType() if self.bits == 32 else ir.DoubleType()
        self.integer = ir.IntType(self.bits)
        self.vector = ir.VectorType(self.scalar, self.lanes)
        self.integers = ir.VectorType(self.integer, self.lanes)
        self.flags = ir.VectorType(BIT, self.lanes)

    def constant(self, value: float) -> Value:
        """A register full of one number."""
        return ir.Constant(self.vector, [_exact(value, self.bits)] * self.lanes)

    def whole(self, value: int) -> Value:
        """A register full of one integer."""
        return ir.Constant(self.integers, [value] * self.lanes)


def _exact(value: float, bits: int) -> float:
    """A value that prints as this type: LLVM refuses a decimal that float32 cannot hold."""
    if bits == 64 or not math.isfinite(value):
        return value
    import struct

    return float(struct.unpack("f", struct.pack("f", value))[0])


def new_module(target: Target) -> ir.Module:
    """An empty module for this target."""
    module = ir.Module(name="seqwise")
    module.triple = target.triple
    return module


class Writer:
    """One function in the making.

    Args:
        module: Where it goes.
        name: What it is called.
        kind: The numbers it works on.
        arguments: Names of its integer arguments; their values are in the dictionary `arguments`.
        local: Only for its own module, and called there: neither exported nor inlined.
    """

    def __init__(
        self, module: ir.Module, name: str, kind: Kind, arguments: Sequence[str], *, local: bool = False
    ) -> None:
        self.module, self.kind = module, kind
        self.function = ir.Function(module, ir.FunctionType(VOID, [I64] * len(arguments)), name)
        self.function.attributes.add("nounwind")
        if local:
            self.function.linkage = "internal"
            self.function.attributes.add("noinline")
        for argument, label in zip(self.function.args, arguments, strict=True):
            argument.name = label
        self.arguments = dict(zip(arguments, self.function.args, strict=True))
        self.b = ir.IRBuilder(self.function.append_basic_block("entry"))

    def finish(self) -> None:
        """End the function."""
        self.b.ret_void()

    # Integers ------------------------------------------------------------------------------------------------------

    def add(self, *terms: Value) -> Value:
        """Sum of integers."""
        total = integer(terms[0])
        for term in terms[1:]:
            total = self.b.add(total, integer(term))
        return total

    def sub(self, a: Value, b: Value) -> Value:
        """Difference of integers."""
        return self.b.sub(integer(a), integer(b))

    def mul(self, a: Value, b: Value) -> Value:
        """Product of integers."""
        return self.b.mul(integer(a), integer(b))

    def at(self, base: Value, index: Value, size: int | None = None) -> Value:
        """Address of the element `index` of an array of `size` bytes each (the kind's numbers if not given)."""
        return self.add(base, self.mul(index, self.kind.size if size is None else size))

    def divide(self, a: Value, b: Value) -> Value:
        """Quotient of non-negative integers, rounded down."""
        return self.b.udiv(integer(a), integer(b))

    def remainder(self, a: Value, b: Value) -> Value:
        """Remainder of non-negative integers."""
        return self.b.urem(integer(a), integer(b))

    def less(self, a: Value, b: Value) -> Value:
        """Bit: a < b."""
        return self.b.icmp_signed("<", integer(a), integer(b))

    def equal(self, a: Value, b: Value) -> Value:
        """Bit: a == b."""
        return self.b.icmp_signed("==", integer(a), integer(b))

    def select(self, condition: Value, yes: Value, no: Value) -> Value:
        """One of two integers."""
        return self.b.select(condition, integer(yes), integer(no))

    def smaller(self, a: Value, b: Value) -> Value:
        """The minimum of two integers."""
        return self.select(self.less(a, b), a, b)

    # Memory --------------------------------------------------------------------------------------------------------

    def variable(self, initial: Value) -> Value:
        """An integer that can change; its address."""
        with self.b.goto_entry_block():
            slot = self.b.alloca(I64)
        self.b.store(integer(initial), slot)
        return slot

    def get(self, variable: Value) -> Value:
        """What a variable holds."""
        return self.b.load(variable, typ=I64)

    def set(self, variable: Value, value: Value) -> None:
        """Change a variable."""
        self.b.store(integer(value), variable)

    def read(self, address: Value, kind: ir.Type = I64) -> Value:
        """The integer at an address."""
        return self.b.load(self.b.inttoptr(address, POINTER), typ=kind)

    def write(self, value: Value, address: Value) -> None:
        """Put an integer at an address."""
        self.b.store(integer(value), self.b.inttoptr(address, POINTER))

    def load(self, address: Value, mask: Value | None = None) -> Vector:
        """A register from any address; lanes that the mask excludes are 0 and not touched."""
        pointer = self.b.inttoptr(address, POINTER)
        if mask is None:
            value = self.b.load(pointer, typ=self.kind.vector, align=self.kind.size)
        else:
            zero = self.kind.constant(0.0)
            value = self.b.call(self._masked("load"), [pointer, mask, zero], arg_attrs=_aligned(0, self.kind.size))
        return Vector(self, value)

    def store(self, value: Vector, address: Value, mask: Value | None = None) -> None:
        """A register to any address; lanes that the mask excludes are not touched."""
        pointer = self.b.inttoptr(address, POINTER)
        if mask is None:
            self.b.store(value.value, pointer, align=self.kind.size)
        else:
            arguments = [value.value, pointer, mask]
            self.b.call(self._masked("store"), arguments, arg_attrs=_aligned(1, self.kind.size))

    def spread(self, address: Value) -> Vector:
        """A register full of the number at an address."""
        scalar = self.b.load(self.b.inttoptr(address, POINTER), typ=self.kind.scalar, align=self.kind.size)
        return Vector(self, self._spread(scalar, self.kind.vector))

    def fill(self, scalar: Value) -> Vector:
        """A register full of one number that is in a register already."""
        return Vector(self, self._spread(scalar, self.kind.vector))

    def constant(self, value: float) -> Vector:
        """A register full of one number."""
        return Vector(self, self.kind.constant(value))

    def first_lanes(self, count: Value) -> Value:
        """The mask of the first `count` lanes."""
        lanes = ir.Constant(ir.VectorType(I64, self.kind.lanes), list(range(self.kind.lanes)))
        return self.b.icmp_signed("<", lanes, self._spread(integer(count), lanes.type))

    def _spread(self, scalar: Value, vector: ir.VectorType) -> Value:
        undefined = ir.Constant(vector, ir.Undefined)
        one = self.b.insert_element(undefined, scalar, ir.Constant(I32, 0))
        return self.b.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(I32, vector.count), [0] * vector.count))

    def _masked(self, way: str) -> Value:
        kind = self.kind
        name = f"llvm.masked.{way}.v{kind.lanes}f{kind.bits}.p0"
        shapes = {
            "load": (kind.vector, [POINTER, kind.flags, kind.vector]),
            "store": (VOID, [kind.vector, POINTER, kind.flags]),
        }
        return self.declare(name, *shapes[way])

    # Control -------------------------------------------------------------------------------------------------------

    @contextmanager
    def loop(self, start: Value, stop: Value, step: Value = 1) -> Iterator[Value]:
        """For index = start, start + step, ... while it is below stop."""
        before = self.b.block
        head, body, after = (self.function.append_basic_block(n) for n in ("head", "body", "after"))
        self.b.branch(head)
        self.b.position_at_end(head)
        index = self.b.phi(I64)
        index.add_incoming(integer(start), before)
        self.b.cbranch(self.less(index, stop), body, after)
        self.b.position_at_end(body)
        yield index
        index.add_incoming(self.add(index, step), self.b.block)
        self.b.branch(head)
        self.b.position_at_end(after)

    @contextmanager
    def loop_while(self, condition: Callable[[], Value]) -> Iterator[None]:
        """As long as a condition holds; `condition` writes the code that computes it."""
        head, body, after = (self.function.append_basic_block(n) for n in ("while", "do", "done"))
        self.b.branch(head)
        self.b.position_at_end(head)
        self.b.cbranch(condition(), body, after)
        self.b.position_at_end(body)
        yield
        self.b.branch(head)
        self.b.position_at_end(after)

    @contextmanager
    def sums(self, count: Value, initial: list[Vector]) -> Iterator[tuple[Value, list[Vector]]]:
        """For index = 0, 1, ... below a count of at least 1: a list to update, kept in registers; holds the result."""
        before = self.b.block
        body, after = self.function.append_basic_block("sum"), self.function.append_basic_block("summed")
        self.b.branch(body)
        self.b.position_at_end(body)
        index = self.b.phi(I64)
        index.add_incoming(integer(0), before)
        carried = [self.b.phi(self.kind.vector) for _ in initial]
        current = [Vector(self, phi) for phi in carried]
        for phi, vector in zip(carried, initial, strict=True):
            phi.add_incoming(vector.value, before)
        yield index, current
        following = self.add(index, 1)
        index.add_incoming(following, self.b.block)
        for phi, vector in zip(carried, current, strict=True):
            phi.add_incoming(vector.value, self.b.block)
        self.b.cbranch(self.less(following, count), body, after)
        self.b.position_at_end(after)

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Only if the condition holds."""
        with self.b.if_then(condition):
            yield

    # Functions -----------------------------------------------------------------------------------------------------

    def declare(self, name: str, result: ir.Type, arguments: Sequence[ir.Type]) -> Value:
        """A function from elsewhere (an LLVM intrinsic, the C library)."""
        known = self.module.globals.get(name)
        return known if known is not None else ir.Function(self.module, ir.FunctionType(result, arguments), name)

    def intrinsic(self, name: str, *arguments: Vector) -> Vector:
        """An LLVM intrinsic on whole registers, such as `fma` or `sqrt`."""
        kind = self.kind
        function = self.declare(f"llvm.{name}.v{kind.lanes}f{kind.bits}", kind.vector, [kind.vector] * len(arguments))
        return Vector(self, self.b.call(function, [a.value for a in arguments]))

    def call(self, name: str, *arguments: Value) -> None:
        """Another function of this module, or one at an address, on integers."""
        self.b.call(self.module.globals[name], [integer(a) for a in arguments])


class Vector:
    """One register of numbers."""

    def __init__(self, writer: Writer, value: Value) -> None:
        self.writer, self.value = writer, value

    def _with(self, instruction: str, other: Vector | float, *, swap: bool = False) -> Vector:
        pair = (self.value, self._lift(other).value)
        return Vector(self.writer, getattr(self.writer.b, instruction)(*(reversed(pair) if swap else pair)))

    def _lift(self, other: Vector | float) -> Vector:
        return other if isinstance(other, Vector) else self.writer.constant(float(other))

    def __add__(self, other: Vector | float) -> Vector:
        return self._with("fadd", other)

    def __radd__(self, other: float) -> Vector:
        return self._with("fadd", other, swap=True)

    def __sub__(self, other: Vector | float) -> Vector:
        return self._with("fsub", other)

    def __rsub__(self, other: float) -> Vector:
        return self._with("fsub", other, swap=True)

    def __mul__(self, other: Vector | float) -> Vector:
        return self._with("fmul", other)

    def __rmul__(self, other: float) -> Vector:
        return self._with("fmul", other, swap=True)

    def __truediv__(self, other: Vector | float) -> Vector:
        return self._with("fdiv", other)

    def __rtruediv__(self, other: float) -> Vector:
        return self._with("fdiv", other, swap=True)

    def __neg__(self) -> Vector:
        return Vector(self.writer, self.writer.b.fneg(self.value))

    def times_plus(self, factor: Vector | float, term: Vector | float) -> Vector:
        """self * factor + term, rounded once."""
        return self.writer.intrinsic("fma", self, self._lift(factor), self._lift(term))

    def is_(self, relation: str, other: Vector | float) -> Value:
        """Flags of an ordered comparison, false where either is NaN."""
        return self.writer.b.fcmp_ordered(relation, self.value, self._lift(other).value)

    def where(self, flags: Value, other: Vector | float) -> Vector:
        """self where the flags are set, other elsewhere."""
        return Vector(self.writer, self.writer.b.select(flags, self.value, self._lift(other).value))

    def at_least(self, low: float) -> Vector:
        """The larger of self and a number; NaN stays."""
        return self._lift(low).where(self.is_("<", low), self)

    def at_most(self, high: float) -> Vector:
        """The smaller of self and a number; NaN stays."""
        return self._lift(high).where(self.is_(">", high), self)

    def bits(self) -> Value:
        """The register as integers."""
        return self.writer.b.bitcast(self.value, self.writer.kind.integers)

    def from_bits(self, value: Value) -> Vector:
        """Integers as a register of numbers."""
        return Vector(self.writer, self.writer.b.bitcast(value, self.writer.kind.vector))


def integer(value: Value) -> Value:
    """A Python int as an LLVM integer; others as they are."""
    return ir.Constant(I64, value) if isinstance(value, int) else value


def _aligned(index: int, size: int) -> dict[int, Any]:
    attributes = ir.values.ArgumentAttributes()
    attributes.align = size
    return {index: attributes}
