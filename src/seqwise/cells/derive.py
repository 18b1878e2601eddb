"""Backpropagation through time, derived from a program: reverse accumulation over its nodes, symbolically.

The result is a program of the same kind. Its first nodes are those of the forward step; the adjoints follow, each
computed from forward values and from earlier adjoints. A stage is undone by one more matrix product: the adjoint of its
operand is U^T times the adjoints of its gates. So the stages come in reverse order by construction.

An adjoint is written with the value that the forward pass has at hand (sigmoid' = s (1 - s), tanh' = 1 - t^2), so that
a kernel need not keep what entered the function.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from seqwise.cells.program import Node, Program

DERIVED_LEAVES = frozenset(["upstream", "transposed"])
"""`upstream`: dL / d(next state `name`). `transposed`: U_s^T times its arguments, for the stage s = `value`."""
DERIVED_FUNCTIONS = frozenset(["masked", "sign"])
"""`masked(v, w)`: v, but 0 where w <= 0. `sign(v)`: -1, 0 or 1."""


@dataclass(frozen=True)
class Derivative:
    """One step of BPTT: the adjoint d(v) = dL / dv of everything that a step reads.

    Attributes:
        program: The cell that was derived.
        nodes: The program's nodes under their own numbers, then the adjoints; every node after its arguments.
        states: For each old state the node of its adjoint.
        input_gates: For each of `program.input_gates` the adjoint of x.g.
        recurrent_gates: For each of `program.recurrent_gates` the adjoint of its projection.
        vectors: For each of `program.vectors` its adjoint, to be summed over rows and steps.
        adjoints: For each node of the program its adjoint; -1 where no gradient reaches it.
    """

    program: Program
    nodes: tuple[Node, ...]
    states: tuple[int, ...]
    input_gates: tuple[int, ...]
    recurrent_gates: tuple[int, ...]
    vectors: tuple[int, ...]
    adjoints: tuple[int, ...]


@cache
def derive(program: Program) -> Derivative:
    """Differentiate one step of a program with respect to everything that it reads."""
    return _Accumulation(program).run()


class _Accumulation:
    """Walks the program from its end and adds to each node's adjoint; equal expressions become one node."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.nodes = list(program.nodes)
        self._known = {_key(node): index for index, node in enumerate(program.nodes)}
        self._adjoints: dict[int, int] = {}

    def run(self) -> Derivative:
        program = self.program
        for name, out in zip(program.states, program.outputs, strict=True):
            self._add_to(out, self._node(Node("upstream", name=name)))
        stages = {stage.operand: (k, stage) for k, stage in enumerate(program.stages)}
        gate_nodes = {n.name: i for i, n in enumerate(program.nodes) if n.operation == "recurrent"}
        for index in reversed(range(len(program.nodes))):
            if index in stages:  # every gate of this stage comes after its operand, and has its whole adjoint by now
                number, stage = stages[index]
                gates = tuple(self._adjoint(gate_nodes[g]) for g in stage.gates)
                self._add_to(index, self._node(Node("transposed", gates, value=float(number))))
            if index in self._adjoints:
                self._undo(program.nodes[index], index, self._adjoints[index])
        find = {(n.operation, n.name): i for i, n in enumerate(program.nodes) if n.name}
        states, inputs, recurrent, vectors = (
            tuple(self._adjoint(find[operation, name]) for name in names)
            for operation, names in (
                ("state", program.states),
                ("input", program.input_gates),
                ("recurrent", program.recurrent_gates),
                ("vector", program.vectors),
            )
        )
        adjoints = tuple(self._adjoints.get(index, -1) for index in range(len(program.nodes)))
        return Derivative(program, tuple(self.nodes), states, inputs, recurrent, vectors, adjoints)

    def _undo(self, node: Node, y: int, dy: int) -> None:
        """Hand the adjoint `dy` of y = operation(a, b) on to a and b."""
        a, b = (*node.arguments, -1, -1)[:2]
        match node.operation:
            case "add":
                self._add_to(a, dy)
                self._add_to(b, dy)
            case "subtract":
                self._add_to(a, dy)
                self._add_to(b, self._apply("negative", dy))
            case "multiply":
                self._add_to(a, self._apply("multiply", dy, b))
                self._add_to(b, self._apply("multiply", dy, a))
            case "divide":  # y = a / b: da = dy / b, db = -y da
                da = self._apply("divide", dy, b)
                self._add_to(a, da)
                self._add_to(b, self._apply("negative", self._apply("multiply", da, y)))
            case "negative":
                self._add_to(a, self._apply("negative", dy))
            case "sigmoid":
                slope = self._apply("multiply", y, self._apply("subtract", self._constant(1.0), y))
                self._add_to(a, self._apply("multiply", dy, slope))
            case "tanh":
                slope = self._apply("subtract", self._constant(1.0), self._apply("multiply", y, y))
                self._add_to(a, self._apply("multiply", dy, slope))
            case "relu":
                self._add_to(a, self._apply("masked", dy, y))
            case "exp":
                self._add_to(a, self._apply("multiply", dy, y))
            case "log":
                self._add_to(a, self._apply("divide", dy, a))
            case "sqrt":
                self._add_to(a, self._apply("divide", self._apply("multiply", dy, self._constant(0.5)), y))
            case "softplus":
                self._add_to(a, self._apply("multiply", dy, self._apply("sigmoid", a)))
            case "sin":
                self._add_to(a, self._apply("multiply", dy, self._apply("cos", a)))
            case "cos":
                self._add_to(a, self._apply("negative", self._apply("multiply", dy, self._apply("sin", a))))
            case "absolute":
                self._add_to(a, self._apply("multiply", dy, self._apply("sign", a)))
            case "power":
                if node.value != 0:
                    raised = self._power(a, node.value - 1)
                    slope = self._apply("multiply", self._constant(node.value), raised)
                    self._add_to(a, self._apply("multiply", dy, slope))

    def _adjoint(self, index: int) -> int:
        return self._adjoints[index] if index in self._adjoints else self._constant(0.0)

    def _add_to(self, index: int, term: int) -> None:
        if self.program.nodes[index].operation != "constant":
            known = self._adjoints.get(index)
            self._adjoints[index] = term if known is None else self._apply("add", known, term)

    def _power(self, base: int, exponent: float) -> int:
        if exponent == 0:
            return self._constant(1.0)
        return base if exponent == 1 else self._node(Node("power", (base,), value=exponent))

    def _constant(self, value: float) -> int:
        return self._node(Node("constant", value=value))

    def _apply(self, operation: str, *arguments: int) -> int:
        first, last = self.nodes[arguments[0]], self.nodes[arguments[-1]]
        if operation == "multiply" and _is_one(first):
            return arguments[1]
        if operation == "multiply" and _is_one(last):
            return arguments[0]
        if operation == "negative" and first.operation == "negative":
            return first.arguments[0]
        return self._node(Node(operation, arguments))

    def _node(self, node: Node) -> int:
        key = _key(node)
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes.append(node)
        return self._known[key]


def _key(node: Node) -> tuple[object, ...]:
    return (*node[:3], node.value.hex())  # 0.0 == -0.0, but they do not compute the same


def _is_one(node: Node) -> bool:
    return node.operation == "constant" and node.value == 1.0
