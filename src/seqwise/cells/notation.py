"""The notation of cells: what `x`, `h`, `p` and the elementwise functions are while a cell is traced.

The symbols only record. Their own attributes start with an underscore, so that every other name can be a gate.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, NoReturn

from seqwise.errors import CellError

if TYPE_CHECKING:
    from seqwise.cells.trace import Trace

__all__ = ["absolute", "cos", "exp", "log", "relu", "sigmoid", "sin", "softplus", "sqrt", "tanh"]


class Symbol:
    """What every symbol refuses: whatever needs a number while there is none yet."""

    __slots__ = ("_trace",)
    __array_ufunc__ = None  # numpy then leaves `number * symbol` to us, and says no to np.tanh(symbol)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def _refuse_comparison(self, *_: object) -> NoReturn:
        raise CellError(
            "a symbol has no value to compare or to branch on while the cell is traced (no if, while, and, or, max, "
            "==); a cell is elementwise maths: relu, sigmoid and products can express a switch"
        )

    __bool__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __contains__ = _refuse_comparison

    def _refuse_number(self, *_: object) -> NoReturn:
        raise CellError("a symbol has no numeric value while the cell is traced; use the functions of seqwise.cells")

    __float__ = __int__ = __index__ = __complex__ = __round__ = _refuse_number

    def _refuse_container(self, *_: object) -> NoReturn:
        raise CellError("a symbol stands for one unit of a vector: it has no elements, length or order")

    __iter__ = __len__ = __getitem__ = _refuse_container

    def __call__(self, *_: object, **__: object) -> NoReturn:
        """Refuse `h.i()` and `h.tanh()`."""
        raise CellError("v.g is a projection, not a method: write tanh(v), not v.tanh()")


def _binary(operation: str, *, swap: bool = False) -> Any:
    def method(self: Vector, other: object) -> Vector:
        pair = (other, self) if swap else (self, other)
        return self._trace.apply(operation, *pair)

    return method


def _source_refusal(self: Source, *_: object) -> NoReturn:
    raise CellError(self._reason)


class Source(Symbol):
    """The input `x` or the vectors `p`: only `x.gate` and `p.name` mean something."""

    __slots__ = ("_operation", "_reason")

    def __init__(self, trace: Trace, operation: str, reason: str) -> None:
        super().__init__(trace)
        self._operation, self._reason = operation, reason

    def __getattr__(self, name: str) -> Vector:
        """The projection `x.name` or the learned vector `p.name`."""
        _check_name(name)
        return self._trace.leaf(self._operation, name)

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _source_refusal
    __neg__ = __abs__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = _source_refusal


class Vector(Symbol):
    """One unit of a state, a gate or any elementwise expression of them. `v.g` projects the whole vector for gate g."""

    __slots__ = ("_index",)

    def __init__(self, trace: Trace, index: int) -> None:
        super().__init__(trace)
        self._index = index

    def __getattr__(self, gate: str) -> Vector:
        """The recurrent projection U_gate v + b."""
        _check_name(gate)
        return self._trace.project(self, gate)

    __add__, __radd__ = _binary("add"), _binary("add", swap=True)
    __sub__, __rsub__ = _binary("subtract"), _binary("subtract", swap=True)
    __mul__, __rmul__ = _binary("multiply"), _binary("multiply", swap=True)
    __truediv__, __rtruediv__ = _binary("divide"), _binary("divide", swap=True)

    def __neg__(self) -> Vector:
        """-v."""
        return self._trace.apply("negative", self)

    def __abs__(self) -> Vector:
        """abs(v)."""
        return self._trace.apply("absolute", self)

    def __pow__(self, exponent: object) -> Vector:
        """v ** number."""
        if isinstance(exponent, bool) or not isinstance(exponent, Real):
            raise CellError("an exponent is a plain number, as in v ** 2")
        return self._trace.apply("power", self, value=float(exponent))

    def __rpow__(self, base: object) -> NoReturn:
        """Refuse number ** v."""
        raise CellError("an exponent is a plain number, as in v ** 2; write exp(v * log_of_the_base)")

    def __matmul__(self, other: object) -> NoReturn:
        """Refuse v @ w."""
        raise CellError("a matrix product is written as a projection, v.gate")

    __rmatmul__ = __matmul__


def _check_name(name: str) -> None:
    if name.startswith("_"):
        raise AttributeError(f"names of gates and vectors do not start with an underscore ({name})")


def _unary(operation: str, argument: object) -> Vector:
    if isinstance(argument, Source):
        _source_refusal(argument)
    if not isinstance(argument, Vector):
        raise CellError(f"{operation} takes an expression of the cell's symbols, not {type(argument).__name__}")
    return argument._trace.apply(operation, argument)


def sigmoid(v: Vector) -> Vector:
    """1 / (1 + exp(-v))."""
    return _unary("sigmoid", v)


def tanh(v: Vector) -> Vector:
    """Hyperbolic tangent."""
    return _unary("tanh", v)


def relu(v: Vector) -> Vector:
    """max(v, 0), with derivative 0 at 0."""
    return _unary("relu", v)


def exp(v: Vector) -> Vector:
    """e to the power of v."""
    return _unary("exp", v)


def log(v: Vector) -> Vector:
    """Natural logarithm."""
    return _unary("log", v)


def sqrt(v: Vector) -> Vector:
    """Square root."""
    return _unary("sqrt", v)


def softplus(v: Vector) -> Vector:
    """log(1 + exp(v)), without overflow."""
    return _unary("softplus", v)


def sin(v: Vector) -> Vector:
    """Sine."""
    return _unary("sin", v)


def cos(v: Vector) -> Vector:
    """Cosine."""
    return _unary("cos", v)


def absolute(v: Vector) -> Vector:
    """|v|, with derivative 0 at 0; also written abs(v)."""
    return _unary("absolute", v)
