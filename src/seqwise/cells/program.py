"""A traced cell as data: a short list of nodes, each computed from earlier ones.

A program is immutable, comparable, hashable and has a text form, so that it can be a dictionary key, travel through an
operator's string argument and be saved. It holds no SymPy expression: SymPy reorders sums and folds `0*x`, and the
order in which a person wrote the additions is the order in which they are rounded. Symbolic work converts on demand.

Axis letters: B batch, H hidden units, G gates. Every node stands for a (B, H) tensor, except constants (scalars) and
vectors (H,).
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from seqwise.errors import CellError

UNARY = frozenset(
    ["negative", "sigmoid", "tanh", "relu", "exp", "log", "sqrt", "softplus", "sin", "cos", "absolute", "power"]
)
BINARY = frozenset(["add", "subtract", "multiply", "divide"])
LEAVES = frozenset(["input", "state", "vector", "constant"])
_MAX_NODES = 10_000
_SYMBOLS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}


class Node(NamedTuple):
    """One step of a program.

    Attributes:
        operation: `input` (W_g x + b for the gate `name`), `recurrent` (U_g v + b for the gate `name`, where v is the
            argument), `state`, `vector`, `constant`, or an elementwise function (`UNARY`, `BINARY`).
        arguments: Indices of earlier nodes.
        name: The gate, state or vector; empty for the rest.
        value: The number of a constant, the exponent of a power.
    """

    operation: str
    arguments: tuple[int, ...] = ()
    name: str = ""
    value: float = 0.0


class Stage(NamedTuple):
    """One recurrent matrix product: the node that enters it, and the gates that it yields, in the order of its rows."""

    operand: int
    gates: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """A recurrence, traced.

    Attributes:
        name: What people call it; not part of equality.
        states: Names of the states, in the order of the cell's arguments.
        nodes: Every node after all of its arguments.
        outputs: For each state the node that is its next value.

    Raises:
        CellError: The parts do not fit together (a damaged or hand-made program).
    """

    name: str = field(compare=False)
    states: tuple[str, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    # Written once: an operator takes it at every call, and a compiler that traces the call can read but not write it.
    _text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problem = _find_problem(self)
        if problem:
            raise CellError(f"Cell {self.name!r}: {problem}.")
        text = json.dumps({"name": self.name, **self._body()}, separators=(",", ":"))
        object.__setattr__(self, "_text", text)

    @cached_property
    def gates(self) -> tuple[str, ...]:
        """All gates in order of first appearance."""
        return tuple(dict.fromkeys(n.name for n in self.nodes if n.operation in ("input", "recurrent")))

    @cached_property
    def input_gates(self) -> tuple[str, ...]:
        """Gates that read the input: the row blocks of `weight_ih`, in order."""
        used = {n.name for n in self.nodes if n.operation == "input"}
        return tuple(g for g in self.gates if g in used)

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """Recurrent products in execution order: a stage needs only gates of the stages before it."""
        gates: dict[int, set[str]] = {}
        for node in self.nodes:
            if node.operation == "recurrent":
                gates.setdefault(node.arguments[0], set()).add(node.name)
        return tuple(Stage(v, tuple(g for g in self.gates if g in names)) for v, names in gates.items())

    @cached_property
    def recurrent_gates(self) -> tuple[str, ...]:
        """Gates that read a state: the row blocks of `weight_hh`, stage by stage."""
        return tuple(g for stage in self.stages for g in stage.gates)

    @cached_property
    def vectors(self) -> tuple[str, ...]:
        """Learned per-unit vectors: the rows of `vector`, in order of first appearance."""
        return tuple(dict.fromkeys(n.name for n in self.nodes if n.operation == "vector"))

    @cached_property
    def is_linear(self) -> bool:
        """Whether the next states are affine in the states, unit by unit; `find_linearity` gives the reason."""
        from seqwise.cells.linearity import find_linearity  # it needs this class

        return find_linearity(self).is_linear

    @cached_property
    def fingerprint(self) -> int:
        """A number that tells this recurrence from every other, whatever its name; the same on every machine."""
        text = json.dumps(self._body(), separators=(",", ":"))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")

    def to_string(self) -> str:
        """The program as one line of JSON; `from_string` reads it back."""
        return self._text

    @classmethod
    def from_string(cls, text: str) -> Program:
        """Read what `to_string` wrote.

        Raises:
            CellError: The text is not a valid program.
        """
        try:
            parts = json.loads(text)
            nodes = tuple(Node(o, tuple(a), name, float(value)) for o, a, name, value in parts["nodes"])
            return cls(str(parts["name"]), tuple(parts["states"]), nodes, tuple(parts["outputs"]))
        except CellError:
            raise
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise CellError(f"Not the text of a cell's program: {type(error).__name__}: {error}.") from error

    def __str__(self) -> str:
        """The program as people read it: its matrix products, then its equations, shared parts named once."""
        uses = [a for n in self.nodes for a in n.arguments] + list(self.outputs)
        texts: list[str] = []
        shared: list[str] = []
        for index, node in enumerate(self.nodes):
            text = _text(node, [texts[a] for a in node.arguments])
            if node.arguments and uses.count(index) > 1:
                shared.append(f"  v{len(shared) + 1} = {text}")
                text = f"v{len(shared)}"
            texts.append(text)
        lines = [f"{self.name}: states {', '.join(self.states)}"]
        lines += [f"  product {k}: {texts[s.operand]} -> {', '.join(s.gates)}" for k, s in enumerate(self.stages, 1)]
        lines += [f"  {name}' = {texts[out]}" for name, out in zip(self.states, self.outputs, strict=True)]
        return "\n".join(lines[:1] + shared + lines[1:])

    def _body(self) -> dict[str, Any]:
        return {
            "states": list(self.states),
            "nodes": [[n.operation, list(n.arguments), n.name, n.value] for n in self.nodes],
            "outputs": list(self.outputs),
        }


def _find_problem(program: Program) -> str:
    """What is wrong with the program, or an empty string. Complete: kernels rely on what is checked here."""
    if not program.states or len(program.outputs) != len(program.states):
        return f"{len(program.states)} states need as many outputs, not {len(program.outputs)}"
    if len(program.nodes) > _MAX_NODES:
        return f"{len(program.nodes)} nodes are more than {_MAX_NODES}"
    if len(set(program.states)) != len(program.states) or not all(_is_name(s) for s in program.states):
        return f"its states {program.states!r} are not distinct names"
    operands: dict[str, int] = {}
    seen: dict[Node, int] = {}
    varies: list[bool] = []  # with the batch, as opposed to learned vectors and numbers alone
    for index, node in enumerate(program.nodes):
        problem = _find_node_problem(node, index, program.states)
        if problem:
            return f"node {index}: {problem}"
        if node.name and seen.setdefault(node, index) != index:  # each would get a part of the adjoint
            return f"node {index} repeats node {seen[node]}"
        if node.operation == "recurrent" and operands.setdefault(node.name, node.arguments[0]) != node.arguments[0]:
            return f"gate {node.name!r} is projected from two operands"
        varies.append(node.operation in ("input", "state") or any(varies[a] for a in node.arguments))
        if node.operation == "recurrent" and not varies[-1]:
            return f"gate {node.name!r} is the projection of a constant"
    if not all(_is_index(out, len(program.nodes)) and varies[out] for out in program.outputs):
        return f"outputs {program.outputs!r} are not nodes that depend on the input or a state"
    unread = next((s for s in program.states if Node("state", name=s) not in seen), None)
    if unread is not None:
        return f"state {unread!r} is never read"
    if all(node.operation != "input" for node in seen):
        return "no gate reads the input"
    return ""


def _find_node_problem(node: Node, index: int, states: tuple[str, ...]) -> str:
    arity = {"recurrent": 1} | dict.fromkeys(LEAVES, 0) | dict.fromkeys(UNARY, 1) | dict.fromkeys(BINARY, 2)
    if node.operation not in arity:
        return f"unknown operation {node.operation!r}"
    if len(node.arguments) != arity[node.operation] or not all(_is_index(a, index) for a in node.arguments):
        return f"{node.operation} takes {arity[node.operation]} earlier nodes, not {node.arguments!r}"
    named = node.operation in ("input", "recurrent", "state", "vector")
    if named != _is_name(node.name) or (node.operation == "state" and node.name not in states):
        return f"{node.operation} with the name {node.name!r}"
    if not math.isfinite(node.value):
        return f"the number {node.value} is not finite"
    return ""


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier() and len(name) <= 64


def _is_index(value: object, below: int) -> bool:
    return type(value) is int and 0 <= value < below


def _text(node: Node, parts: list[str]) -> str:
    if node.operation == "constant":
        return f"{node.value:g}"
    if node.operation in ("input", "vector", "state"):
        return {"input": "x.", "vector": "p.", "state": ""}[node.operation] + node.name
    if node.operation == "recurrent":
        return f"{parts[0]}.{node.name}"
    if node.operation in _SYMBOLS:
        return f"({parts[0]} {_SYMBOLS[node.operation]} {parts[1]})"
    if node.operation == "power":
        return f"{parts[0]}**{node.value:g}"
    if node.operation == "negative":
        return f"-{parts[0]}"
    whole = parts[0].startswith("(") and parts[0].endswith(")")
    return node.operation + (parts[0] if whole else f"({parts[0]})")
