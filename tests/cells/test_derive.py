"""The derived step of BPTT against autograd of equations by hand, against SymPy, and for cells drawn at random."""

from __future__ import annotations

import operator

import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import recurrence_oracle as oracle
from random_programs import programs
from seqwise import cell
from seqwise.cells import Derivative, Node, Program, derive, tanh
from seqwise.errors import CellError
from tolerances import assert_close

B, H = 3, 4

ARITHMETIC = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "negative": operator.neg,
}
TORCH = ARITHMETIC | {
    "sigmoid": lambda v: 1 / (1 + torch.exp(-v)),
    "tanh": torch.tanh,
    "relu": lambda v: v.clamp(min=0),
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "softplus": lambda v: torch.log1p(torch.exp(v)),
    "sin": torch.sin,
    "cos": torch.cos,
    "absolute": torch.abs,
    "sign": torch.sign,
    "masked": lambda v, w: torch.where(w > 0, v, 0.0),
}
SYMPY = ARITHMETIC | {
    "sigmoid": lambda v: 1 / (1 + sympy.exp(-v)),
    "tanh": sympy.tanh,
    "relu": lambda v: sympy.Piecewise((v, v > 0), (0, True)),
    "exp": sympy.exp,
    "log": sympy.log,
    "sqrt": sympy.sqrt,
    "softplus": lambda v: sympy.log(1 + sympy.exp(v)),
    "sin": sympy.sin,
    "cos": sympy.cos,
    "absolute": sympy.Abs,
    "sign": sympy.sign,
    "masked": lambda v, w: sympy.Piecewise((v, w > 0), (0, True)),
}


def evaluate(nodes: tuple[Node, ...], leaves: dict, project, undo, functions: dict, number=float) -> list:
    """The value of every node.

    Args:
        nodes: Of a program or of a derivative.
        leaves: (operation, name) -> value, for inputs, states, vectors and upstream gradients.
        project: project(gate, v): the recurrent projection of v.
        undo: undo(stage, adjoints): U_stage^T times the adjoints of its gates.
        functions: Elementwise operation -> function.
        number: What a constant becomes.
    """
    values: list = []
    for node in nodes:
        arguments = [values[a] for a in node.arguments]
        match node.operation:
            case "constant":
                value = number(node.value)
            case "recurrent":
                value = project(node.name, *arguments)
            case "transposed":
                value = undo(int(node.value), arguments)
            case "power":
                value = arguments[0] ** (int(node.value) if node.value.is_integer() else node.value)
            case function if arguments:
                value = functions[function](*arguments)
            case leaf:
                value = leaves[leaf, node.name]
        values.append(value)
    return values


class Step:
    """One step of a cell with drawn numbers, every projection with a zero added whose gradient is that of the projection."""

    def __init__(self, program: Program, seed: int = 0, silent: tuple[str, ...] = ()) -> None:
        self.program = program
        self.generator = torch.Generator().manual_seed(seed)
        self.inputs = {g: self.draw(B, H).requires_grad_() for g in program.input_gates}
        self.states = {s: self.draw(B, H).requires_grad_() for s in program.states}
        self.vectors = {p: self.draw(H).requires_grad_() for p in program.vectors}
        self.matrices = {g: self.draw(H, H) / 2 for g in program.recurrent_gates}
        self.biases = {g: self.draw(H) for g in program.recurrent_gates}
        self.added = {g: torch.zeros(B, H, dtype=torch.float64, requires_grad=True) for g in program.recurrent_gates}
        self.upstream = {s: self.draw(B, H) * (s not in silent) for s in program.states}

    def draw(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator, dtype=torch.float64)

    def project(self, gate: str, v: Tensor) -> Tensor:
        return v @ self.matrices[gate].T + self.biases[gate] + self.added[gate]

    def run(self, nodes: tuple[Node, ...]) -> list:
        leaves = {("input", g): v for g, v in self.inputs.items()}
        leaves |= {("state", s): v for s, v in self.states.items()}
        leaves |= {("vector", p): v for p, v in self.vectors.items()}
        leaves |= {("upstream", s): v for s, v in self.upstream.items()}

        def undo(stage: int, adjoints: list) -> Tensor:
            gates = self.program.stages[stage].gates
            return sum(torch.as_tensor(d).expand(B, H).to(v) @ v for v, d in zip(self.of(gates), adjoints, strict=True))

        return evaluate(nodes, leaves, self.project, undo, TORCH)

    def of(self, gates: tuple[str, ...]) -> list[Tensor]:
        return [self.matrices[g] for g in gates]

    def check(self, derivative: Derivative, new: tuple[Tensor, ...], what: str) -> None:
        """Compare every adjoint with autograd of `new`, the next states."""
        loss = sum((n * self.upstream[s]).sum() for n, s in zip(new, self.program.states, strict=True))
        leaves = [*self.states.values(), *self.inputs.values(), *self.added.values(), *self.vectors.values()]
        # A state that every path multiplies by zero has no gradient in autograd's eyes.
        theirs = torch.autograd.grad(loss, leaves, materialize_grads=True)
        with torch.no_grad():
            values = self.run(derivative.nodes)
        d = derivative
        ours = [values[k] for k in (*d.states, *d.input_gates, *d.recurrent_gates, *d.vectors)]
        names = [
            *(f"state {s}" for s in self.states),
            *(f"x.{g}" for g in self.inputs),
            *(f"U.{g}" for g in self.added),
            *(f"p.{p}" for p in self.vectors),
        ]
        for name, leaf, mine, expected in zip(names, leaves, ours, theirs, strict=True):
            mine = torch.as_tensor(mine, dtype=torch.float64).expand(B, H)
            assert_close(mine.sum(0) if leaf.ndim == 1 else mine, expected, f"{what}: {name}")


@pytest.mark.parametrize("name", oracle.CELLS)
def test_the_derivative_agrees_with_autograd_of_the_equation_by_hand(name: str) -> None:
    program = oracle.CELLS[name].program
    for silent in ((), program.states[:1], program.states[-1:]):
        step = Step(program, silent=silent)
        W = {g: (lambda _, v=v: v) for g, v in step.inputs.items()}
        U = {g: (lambda v, g=g, step=step: step.project(g, v)) for g in step.matrices}
        new = oracle.STEPS[name](W, U, step.vectors, None, *step.states.values())
        step.check(derive(program), new, f"{name} without a gradient of {silent}")


@given(program=programs(), seed=st.integers(0, 9), data=st.data())
def test_the_derivative_of_a_drawn_cell_agrees_with_autograd(program: Program, seed: int, data: st.DataObject) -> None:
    silent = tuple(data.draw(st.sets(st.sampled_from(program.states))))
    step = Step(program, seed, silent)
    values = step.run(program.nodes)
    step.check(derive(program), tuple(values[out] for out in program.outputs), str(program))


@pytest.mark.parametrize("name", ["lstm_peephole", "gru", "gru_reset_after", "two_stages", "every_function"])
def test_the_derivative_agrees_with_sympy(name: str) -> None:
    # One unit: every matrix is a number, so that SymPy sees through the recurrent products.
    program = oracle.CELLS[name].program
    derivative = derive(program)
    real = {}

    def symbol(kind: str, name: str) -> sympy.Symbol:
        return real.setdefault((kind, name), sympy.Symbol(f"{kind}_{name}", real=True))

    leaves = {(n.operation, n.name): symbol(n.operation, n.name) for n in derivative.nodes if n.name}
    added = {g: symbol("added", g) for g in program.recurrent_gates}
    values = evaluate(
        derivative.nodes,
        leaves,
        lambda gate, v: symbol("matrix", gate) * v + added[gate],
        lambda stage, d: sum(symbol("matrix", g) * v for g, v in zip(program.stages[stage].gates, d, strict=True)),
        SYMPY,
        sympy.Rational,
    )
    loss = sum(leaves["upstream", s] * values[out] for s, out in zip(program.states, program.outputs, strict=True))
    rationals = {s: sympy.Rational(2 * (17 * k % 23) - 23, 26) for k, s in enumerate(real.values(), 1)}
    checked = [
        *((leaves["state", s], k) for s, k in zip(program.states, derivative.states, strict=True)),
        *((leaves["input", g], k) for g, k in zip(program.input_gates, derivative.input_gates, strict=True)),
        *((added[g], k) for g, k in zip(program.recurrent_gates, derivative.recurrent_gates, strict=True)),
        *((leaves["vector", p], k) for p, k in zip(program.vectors, derivative.vectors, strict=True)),
    ]
    for with_respect_to, node in checked:
        expected = sympy.N(sympy.diff(loss, with_respect_to).subs(rationals), 30)
        ours = sympy.N(sympy.sympify(values[node]).subs(rationals), 30)
        assert expected != 0
        assert abs(ours - expected) < 1e-25, with_respect_to


@given(programs())
def test_every_node_comes_after_its_arguments_and_none_is_computed_twice(program: Program) -> None:
    nodes = derive(program).nodes
    assert nodes[: len(program.nodes)] == program.nodes
    assert all(a < index for index, node in enumerate(nodes) for a in node.arguments)
    assert len({(*node[:3], node.value.hex()) for node in nodes}) == len(nodes)


@given(programs())
def test_every_stage_is_undone_once_and_in_reverse_order(program: Program) -> None:
    undone = [node for node in derive(program).nodes if node.operation == "transposed"]
    numbers = [int(node.value) for node in undone]
    assert sorted(numbers) == list(range(len(program.stages)))
    assert all(len(node.arguments) == len(program.stages[k].gates) for node, k in zip(undone, numbers, strict=True))
    operands = [program.stages[k].operand for k in numbers]
    assert operands == sorted(operands, reverse=True)


def test_relu_and_absolute_have_derivative_zero_at_zero() -> None:
    program = oracle.every_function.program
    step = Step(program)
    for leaf in (*step.inputs.values(), *step.states.values()):
        leaf.data.zero_()
    values = step.run(derive(program).nodes)
    masked = [values[k] for k, n in enumerate(derive(program).nodes) if n.operation in ("masked", "sign")]
    assert masked
    signs = [values[k] for k, n in enumerate(derive(program).nodes) if n.operation == "sign"]
    assert all((v == 0).all() for v in signs)


def test_what_reaches_no_loss_has_the_adjoint_zero() -> None:
    @cell
    def zeroth(x, h):
        return tanh(x.h) + h**0

    derivative = derive(zeroth.program)
    assert derivative.nodes[derivative.states[0]] == Node("constant", value=0.0)


def test_a_program_that_cannot_be_derived_is_refused_when_it_is_read() -> None:
    # The tracer never makes these; a text may. Their second node would silently lose its gradient.
    def program(*nodes: Node, outputs: tuple[int, ...], states: tuple[str, ...] = ("h",)) -> None:
        Program("damaged", states, nodes, outputs)

    x, h, total = Node("input", name="a"), Node("state", name="h"), Node("add", (0, 1))
    program(x, h, total, outputs=(2,))
    with pytest.raises(CellError, match="node 2 repeats node 1"):
        program(x, h, h, total, outputs=(3,))
    with pytest.raises(CellError, match="state 'c' is never read"):
        program(x, h, total, outputs=(2, 0), states=("h", "c"))
    with pytest.raises(CellError, match="reads the input"):
        program(h, outputs=(0,))
