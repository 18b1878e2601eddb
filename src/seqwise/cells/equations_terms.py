"""What each node of a cell and of its derivative is called on paper, and the formula behind each name.

Gates are found again from the program's shape (see `gates`). The rest is named where it is used more than once and is more
than one operation long, and written out in place otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from seqwise.cells.derive import Derivative
from seqwise.cells.equations_writers import Term, make_number, make_product, make_sum, negate, symbol
from seqwise.cells.gates import PROJECTIONS, count_uses, find_gate_values
from seqwise.cells.program import Node

_INLINE = 1  # operations; what is longer and used again gets a name


class Naming:
    """Names the nodes of a derivative and turns nodes into terms.

    Attributes:
        derivative: The cell and its derived step.
        names: Node -> its name, in the order in which nodes are computed.
    """

    def __init__(self, derivative: Derivative) -> None:
        self.derivative = derivative
        self.program = derivative.program
        self.names: dict[int, Term] = {}
        self._given: set[Term] = set()
        self._count = len(self.program.nodes)
        self._forward_uses = count_uses(self.program) + [0] * (len(derivative.nodes) - self._count)
        self._backward_uses = self._count_backward_uses()
        self._name_forward()
        self._name_backward()

    @cached_property
    def letters(self) -> dict[str, str]:
        """Letters for what has no name in the program, none of them a gate or a state."""
        taken = {*self.program.gates, *self.program.states}
        wanted = {"input": "xuyζ", "W": "WMAΩ", "U": "URBΨ", "bias": "bdeβ", "vector": "pqwπ"}
        wanted |= {"operand": "qskκ", "auxiliary": "vwykη", "factor": "aedλ"}
        chosen: dict[str, str] = {}
        for use, candidates in wanted.items():
            free = [letter for letter in candidates if letter not in taken | set(chosen.values())]
            chosen[use] = free[0] if free else candidates[-1]
        return chosen

    def input(self) -> Term:
        """x_t."""
        return symbol(self.letters["input"], time="t")

    def matrix(self, gate: str, *, recurrent: bool) -> Term:
        """W_g or U_g."""
        return symbol(self.letters["U" if recurrent else "W"], gate)

    def bias(self, gate: str, *, recurrent: bool) -> Term:
        """b_g or b'_g."""
        return symbol(self.letters["bias"], gate, mark="primed" if recurrent else "")

    def vector(self, name: str) -> Term:
        """p_u."""
        return symbol(self.letters["vector"], name)

    def state(self, name: str, time: str = "t", mark: str = "") -> Term:
        """h_t, h_{t-1} and their adjoints."""
        return symbol(name, time=time, mark=mark)

    def delta(self, gate: str, *, recurrent: bool) -> Term:
        """δ_g: the adjoint of what the gate projects; δ'_g where the recurrent projection has another one."""
        program, derivative = self.program, self.derivative
        if recurrent and gate in program.input_gates:
            own = derivative.recurrent_gates[program.recurrent_gates.index(gate)]
            if own != derivative.input_gates[program.input_gates.index(gate)]:
                return symbol("δ", gate, "t", "primed")
        return symbol("δ", gate, "t")

    def term(self, index: int) -> Term:
        """The node as it appears inside a formula: its name, or its formula where it has none."""
        return self.names[index] if index in self.names else self.formula(index)

    def formula(self, index: int) -> Term:
        """What the node computes, in terms of named nodes."""
        node = self.derivative.nodes[index]
        parts = [self.term(a) for a in node.arguments]
        match node.operation:
            case "constant":
                return make_number(node.value)
            case "input":
                return make_sum([self._apply(node.name, self.input(), False), self.bias(node.name, recurrent=False)])
            case "recurrent":
                return make_sum([self._apply(node.name, parts[0], True), self.bias(node.name, recurrent=True)])
            case "transposed":
                gates = self.program.stages[int(node.value)].gates
                return make_sum([self._apply_back(gate, recurrent=True) for gate in gates])
            case "state":
                return self.state(node.name, "t-1")
            case "vector":
                return self.vector(node.name)
            case "upstream":
                return self.state(node.name, "t", "adjoint")
            case "add":
                total = make_sum(parts)
                return _factor_out(total) if index >= self._count else total
            case "subtract":
                return make_sum([parts[0], negate(parts[1])])
            case "negative":
                return negate(parts[0])
            case "multiply":
                return make_product(parts)
            case "divide":
                return _make_quotient(*parts)
            case "power":
                return Term("power", (parts[0],), f"{node.value:.12g}")
            case "masked":
                switch = parts[1]  # relu(v) is positive where v is
                bare = switch.parts[0] if switch.kind == "function" and switch.name == "relu" else switch
                return make_product([parts[0], Term("positive", (bare,))])
            case function:
                return Term("function", (parts[0],), function)

    def sent_down(self) -> Term:
        """The adjoint of x_t: the sum of W_g^T δ_g."""
        return make_sum([self._apply_back(gate, recurrent=False) for gate in self.program.input_gates])

    def needed(self) -> list[Term]:
        """Names of the values that the backward step reads from the forward step, in order."""
        found: set[int] = set()
        waiting = [a for node in self._backward_nodes() for a in node.arguments if a < self._count]
        while waiting:
            index = waiting.pop()
            if index in self.names or self.program.nodes[index].operation == "state":
                found.add(index)
            else:
                waiting += self.program.nodes[index].arguments
        return [self.term(index) for index in sorted(found)]

    def lines(self, *, backward: bool) -> list[tuple[Term, Term]]:
        """Name and formula of every named node of one direction, in the order of computation."""
        nodes = self.derivative.nodes
        wanted = (i for i in sorted(self.names) if (i >= self._count) == backward and nodes[i].operation != "upstream")
        return [(self.names[index], self.formula(index)) for index in wanted]

    def _apply(self, gate: str, operand: Term, recurrent: bool) -> Term:
        return Term("applied", (self.matrix(gate, recurrent=recurrent), operand))

    def _apply_back(self, gate: str, *, recurrent: bool) -> Term:
        matrix = Term("transposed", (self.matrix(gate, recurrent=recurrent),))
        return Term("applied", (matrix, self.delta(gate, recurrent=recurrent)))

    def _name(self, index: int, name: Term) -> None:
        """Give a name, unless the node has one."""
        if index not in self.names and name not in self._given:
            self.names[index] = name
            self._given.add(name)

    def _name_forward(self) -> None:
        program = self.program
        for state, out in zip(program.states, program.outputs, strict=True):
            if program.nodes[out].operation != "state":
                self._name(out, self.state(state))
        values = find_gate_values(program)
        for gate, index in values.items():
            if index is not None and list(values.values()).count(index) == 1:
                self._name(index, symbol(gate, time="t", mark="candidate" if gate in program.states else ""))
        operands = [s.operand for s in program.stages if s.operand not in self.names and self._cost(s.operand)]
        for number, index in enumerate(operands, 1):
            self._name(index, symbol(self.letters["operand"], str(number) if len(operands) > 1 else "", "t"))
        self._name_shared(range(self._count), "auxiliary")

    def _name_backward(self) -> None:
        program, derivative = self.program, self.derivative
        for index, node in enumerate(derivative.nodes):
            if node.operation == "upstream":
                self._name(index, self.state(node.name, "t", "adjoint"))
        for state, out in zip(program.states, program.outputs, strict=True):
            if program.nodes[out].operation != "state":
                self._name_adjoint(derivative.adjoints[out], self.state(state, "t", "whole"))
        for kind, gates in (("input", program.input_gates), ("recurrent", program.recurrent_gates)):
            for gate, index in zip(gates, getattr(derivative, f"{kind}_gates"), strict=True):
                self._name_adjoint(index, self.delta(gate, recurrent=kind == "recurrent"))
        for stage in program.stages:
            if stage.operand in self.names:
                self._name_adjoint(derivative.adjoints[stage.operand], self._adjoint_name(stage.operand))
        for state, index in zip(program.states, derivative.states, strict=True):
            self._name_adjoint(index, self.state(state, "t-1", "carried"))
        owners = {a: i for i, a in reversed(list(enumerate(derivative.adjoints))) if i in self.names}
        shared = range(self._count, len(derivative.nodes))
        for index in shared:
            if index in owners and self._is_shared(index):
                self._name_adjoint(index, self._adjoint_name(owners[index]))
        self._name_shared(shared, "factor")

    def _name_adjoint(self, index: int, name: Term) -> None:
        if index >= self._count and self.derivative.nodes[index].operation != "constant":
            self._name(index, name)

    def _adjoint_name(self, index: int) -> Term:
        return self.names[index]._replace(mark="adjoint")

    def _name_shared(self, indices: Iterable[int], letter: str) -> None:
        number = 0
        for index in indices:
            node = self.derivative.nodes[index]
            if index in self.names or not self._is_shared(index):
                continue
            if node.operation in PROJECTIONS:
                self._name(index, symbol(self.letters[letter], node.name, "t"))
            else:
                number += 1
                self._name(index, symbol(self.letters[letter], str(number), "t"))

    def _is_shared(self, index: int) -> bool:
        uses = self._forward_uses[index] + self._backward_uses[index]
        needed_later = index < self._count and self._backward_uses[index] > 0
        return (uses > 1 or needed_later) and self._cost(index) > _INLINE

    def _cost(self, index: int) -> int:
        """How many operations stand in the formula when the node is written out in place."""
        node = self.derivative.nodes[index]
        if index in self.names or (not node.arguments and node.operation != "input"):
            return 0
        own = 2 if node.operation in PROJECTIONS else int(node.operation != "negative")
        return own + sum(self._cost(a) for a in node.arguments)

    def _backward_nodes(self) -> list[Node]:
        """The adjoint nodes that something needs."""
        return [self.derivative.nodes[i] for i in self._find_backward()]

    def _find_backward(self) -> list[int]:
        d = self.derivative
        waiting: Sequence[int] = (*d.states, *d.input_gates, *d.recurrent_gates, *d.vectors)
        found: set[int] = set()
        stack = [index for index in waiting if index >= self._count]
        while stack:
            index = stack.pop()
            if index not in found:
                found.add(index)
                stack += [a for a in d.nodes[index].arguments if a >= self._count]
        return sorted(found)

    def _count_backward_uses(self) -> list[int]:
        d = self.derivative
        uses = [0] * len(d.nodes)
        for node in self._backward_nodes():
            # A projection's adjoint has a name of its own, under which U^T takes it.
            for argument in set(node.arguments) if node.operation != "transposed" else ():
                uses[argument] += 1
        for index in {*d.states, *d.vectors}:
            uses[index] += 1
        return uses


def _make_quotient(above: Term, below: Term) -> Term:
    """above / below, with sign and number in front."""
    bare = above.parts[0] if above.kind == "negative" else above
    if bare.kind == "product" and bare.parts[0].kind == "number":
        quotient = make_product([bare.parts[0], Term("quotient", (make_product(bare.parts[1:]), below))])
    else:
        quotient = Term("quotient", (bare, below))
    return negate(quotient) if above.kind == "negative" else quotient


def _factor_out(total: Term) -> Term:
    """a ⊙ (b - c) for a ⊙ b - a ⊙ c, where a is an adjoint."""
    bare = [part.parts[0] if part.kind == "negative" else part for part in total.parts]
    factors = [part.parts if part.kind == "product" else () for part in bare]
    adjoint = next((f for f in factors[0] if f.mark or f.name == "δ"), None) if factors else None
    if adjoint is None or not all(adjoint in several for several in factors):
        return total
    rest = []
    for part, several in zip(total.parts, factors, strict=True):
        position = several.index(adjoint)
        other = make_product([*several[:position], *several[position + 1 :]])
        rest.append(negate(other) if part.kind == "negative" else other)
    return make_product([adjoint, make_sum(rest)])
