"""Tracing: call the equation once with symbols, record what it does, and say which line breaks a rule."""

from __future__ import annotations

import dis
import inspect
import math
import sys
import traceback
from collections.abc import Callable
from numbers import Real
from tokenize import TokenError
from typing import Any

from seqwise.cells.notation import Source, Symbol, Vector
from seqwise.cells.program import Node, Program
from seqwise.errors import CellError

_INPUT_REASON = "the input has a width of its own, so {name} enters the maths only through projections ({name}.gate)"
_VECTORS_REASON = "{name} is a family of learned vectors: use one of them ({name}.u), not {name} itself"


class Trace:
    """Records nodes; equal expressions become one node, which changes no rounding and saves work."""

    def __init__(self, file: str) -> None:
        self.nodes: list[Node] = []
        self.first_line: dict[tuple[str, str], int] = {}  # (operation, name) -> where it appeared first
        self._known: dict[tuple[object, ...], int] = {}
        self._varies: list[bool] = []  # does the node depend on the input or on a state?
        self._operand: dict[str, int] = {}
        self._file = file

    def leaf(self, operation: str, name: str) -> Vector:
        """A state, an input projection or a learned vector."""
        self.first_line.setdefault((operation, name), self._line())
        return Vector(self, self._add(Node(operation, name=name)))

    def project(self, operand: Vector, gate: str) -> Vector:
        """The recurrent projection of `operand` for `gate`."""
        index = operand._index
        if not self._varies[index]:
            raise CellError(
                f"the projection .{gate} of learned vectors alone is a constant: use a vector p.{gate} instead"
            )
        line = self.first_line.setdefault(("recurrent", gate), self._line())
        if self._operand.setdefault(gate, index) != index:
            raise CellError(
                f"gate {gate!r} is already the projection of another vector (line {line}); "
                "each recurrent projection needs a gate name of its own"
            )
        return Vector(self, self._add(Node("recurrent", (index,), gate)))

    def apply(self, operation: str, *arguments: object, value: float = 0.0) -> Vector:
        """An elementwise function of vectors and numbers."""
        return Vector(self, self._add(Node(operation, tuple(self._lift(a) for a in arguments), value=value)))

    def _lift(self, value: object) -> int:
        if isinstance(value, Vector):
            if value._trace is not self:
                raise CellError("a symbol of another cell is used here")
            return value._index
        if isinstance(value, Source):
            raise CellError(value._reason)
        if isinstance(value, bool) or not isinstance(value, Real):
            raise CellError(f"a cell combines its symbols with plain numbers, not with {type(value).__name__}")
        if not math.isfinite(value):
            raise CellError(f"the number {value} is not finite")
        return self._add(Node("constant", value=float(value)))

    def _add(self, node: Node) -> int:
        # The sign of a zero is part of the key: 0.0 == -0.0, but they do not compute the same.
        key = (*node[:3], node.value.hex())
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes.append(node)
            varies = node.operation in ("input", "state") or any(self._varies[a] for a in node.arguments)
            self._varies.append(varies)
        return self._known[key]

    def _line(self) -> int:
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_filename != self._file:
            frame = frame.f_back
        return frame.f_lineno


def trace(equation: Callable[..., Any]) -> Program:
    """Trace a cell's equation.

    Args:
        equation: `f(x, state, ..., [p])`, written in the notation of `seqwise.cells`.

    Returns:
        The program: every node that reaches a returned state.

    Raises:
        CellError: The equation breaks a rule; the message names file, line and reason.
    """
    if not inspect.isfunction(equation):
        raise CellError(f"A cell is a Python function f(x, h, ...), not {type(equation).__name__}.")
    try:
        return _trace(equation, Trace(equation.__code__.co_filename))
    except _Located as located:
        line = located.line or _definition_line(equation)
        where = f"{equation.__code__.co_filename}:{line}: cell {equation.__name__!r}"
        raise CellError(f"{where}: {located.reason.rstrip('.')}.") from located.__cause__


class _Located(Exception):
    """A broken rule and the line that breaks it; line 0 stands for the definition."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.reason = line, reason


def _trace(equation: Callable[..., Any], recorder: Trace) -> Program:
    first, names, vectors = _read_arguments(equation)
    states = [recorder.leaf("state", name) for name in names]
    arguments: list[Symbol] = [Source(recorder, "input", _INPUT_REASON.format(name=first)), *states]
    if vectors:
        arguments.append(Source(recorder, "vector", _VECTORS_REASON.format(name=vectors)))
    try:
        returned = equation(*arguments)
    except Exception as error:
        file = equation.__code__.co_filename
        lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
        if isinstance(error, CellError):
            raise _Located(lines[-1], str(error)) from None
        raise _Located(lines[-1] if lines else 0, f"{type(error).__name__}: {error}") from error
    outputs = _read_returned(equation, recorder, names, returned)

    alive = _reachable(recorder.nodes, outputs)
    used = {(recorder.nodes[i].operation, recorder.nodes[i].name) for i in alive}
    kinds = {operation for operation, _ in used}
    unused = [name for name in names if ("state", name) not in used]
    unused += [first] if "input" not in kinds else []
    unused += [vectors] if vectors and "vector" not in kinds else []
    if unused:
        raise _Located(0, f"argument {unused[0]!r} is never used in what it returns")
    for index, node in enumerate(recorder.nodes):
        if index not in alive and node.operation in ("input", "recurrent", "vector"):
            what = "vector" if node.operation == "vector" else "projection for gate"
            line = recorder.first_line[node.operation, node.name]
            raise _Located(line, f"the {what} {node.name!r} reaches no returned state")
    return _prune(equation.__name__, names, recorder.nodes, outputs, alive)


def _read_returned(equation: Callable[..., Any], recorder: Trace, names: list[str], returned: Any) -> list[int]:
    """The nodes of the next states."""
    returned = returned if isinstance(returned, tuple) else (returned,)
    line = _return_line(equation)
    if len(returned) != len(names):
        wanted = f"{len(names)} next states ({', '.join(names)})" if len(names) > 1 else f"one next state ({names[0]})"
        raise _Located(line, f"it must return {wanted}, but returns {len(returned)}")
    for name, value in zip(names, returned, strict=True):
        if isinstance(value, Source):
            raise _Located(line, f"the next {name} is not an expression: {value._reason}")
        if not isinstance(value, Vector) or value._trace is not recorder:
            kind = type(value).__name__
            raise _Located(line, f"the next {name} must be an expression of the arguments, not {kind}")
        if not recorder._varies[value._index]:
            raise _Located(line, f"the next {name} depends neither on the input nor on a state")
    return [value._index for value in returned]


def _read_arguments(equation: Callable[..., Any]) -> tuple[str, list[str], str]:
    """Names of the input, of the states, and of the vectors (empty when there are none)."""
    parameters = list(inspect.signature(equation).parameters.values())
    for parameter in parameters:
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD or parameter.default is not parameter.empty:
            raise _Located(0, f"argument {parameter.name!r} must be a plain one, without a default, * or **")
    names = [p.name for p in parameters]
    vectors = "p" if names and names[-1] == "p" else ""
    if "p" in names[: len(names) - 1]:
        raise _Located(0, "p, the family of learned vectors, must be the last argument")
    states = names[1 : len(names) - bool(vectors)]
    if not states or names[0] == vectors:
        raise _Located(0, "it needs an input and at least one state: def f(x, h)")
    return names[0], states, vectors


def _reachable(nodes: list[Node], outputs: list[int]) -> set[int]:
    alive, waiting = set(outputs), list(outputs)
    while waiting:
        fresh = set(nodes[waiting.pop()].arguments) - alive
        alive |= fresh
        waiting += fresh
    return alive


def _prune(name: str, states: list[str], nodes: list[Node], outputs: list[int], alive: set[int]) -> Program:
    number = {old: new for new, old in enumerate(sorted(alive))}
    kept = (nodes[old]._replace(arguments=tuple(number[a] for a in nodes[old].arguments)) for old in sorted(alive))
    return Program(name, tuple(states), tuple(kept), tuple(number[out] for out in outputs))


def _definition_line(equation: Callable[..., Any]) -> int:
    """The line of `def`, which is not the function's first line when it is decorated."""
    first = equation.__code__.co_firstlineno
    try:
        lines = inspect.getsourcelines(equation)[0]
    except (OSError, TypeError, SyntaxError, TokenError):  # typed into a console, or a snippet of a page
        return first
    return next((first + k for k, text in enumerate(lines) if text.lstrip().startswith("def ")), first)


def _return_line(equation: Callable[..., Any]) -> int:
    returns = [
        i.positions.lineno for i in dis.get_instructions(equation) if i.opname.startswith("RETURN") and i.positions
    ]
    return next((line for line in reversed(returns) if line), equation.__code__.co_firstlineno)
