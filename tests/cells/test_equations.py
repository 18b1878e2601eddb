"""The written equations: that they compute what the cell computes, and that each way of writing is well-formed."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser
from torch import Tensor

import recurrence_oracle as oracle
from random_programs import programs
from seqwise import cell
from seqwise.cells import Program, gru, gru_reset_after, lstm, lstm_peephole, min_gru, rnn, sigmoid, tanh
from seqwise.cells.equations import Equations, write_equations
from seqwise.cells.equations_writers import Term, symbol
from tolerances import assert_close

B, D, H = 3, 5, 4
FUNCTIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "softplus": lambda v: torch.log1p(torch.exp(v)),
    "sin": torch.sin,
    "cos": torch.cos,
    "absolute": torch.abs,
    "sign": torch.sign,
}


class Reader:
    """Computes written equations line by line, as a student would: every symbol is looked up by how it is written."""

    def __init__(self, known: dict[Term, Tensor]) -> None:
        self.known = known

    def read(self, equations: Equations) -> None:
        for section in equations.sections:
            for line in section.lines:
                for equation in line:
                    value = self.value(equation.right)
                    for left in equation.left:
                        self.known[left] = value

    def value(self, term: Term) -> Any:
        match term.kind:
            case "symbol":
                return self.known[term]
            case "number":
                return float(term.name)
            case "negative":
                return -self.value(term.parts[0])
            case "sum":
                return sum(self.value(part) for part in term.parts)
            case "product":
                product: Any = 1.0
                for part in term.parts:
                    product = product * self.value(part)
                return product
            case "applied":
                first, second = term.parts
                if second.kind == "transposed":  # an outer product, summed over the rows of the batch
                    return torch.einsum("bi,bj->ij", self.value(first).expand(B, H), self.value(second.parts[0]))
                matrix = self.value(first.parts[0]).T if first.kind == "transposed" else self.value(first)
                vector = self.value(second)
                return (
                    vector @ matrix.T
                    if isinstance(vector, Tensor)
                    else torch.full((1, len(matrix.T)), vector) @ matrix.T
                )
            case "quotient":
                return self.value(term.parts[0]) / self.value(term.parts[1])
            case "power":
                return self.value(term.parts[0]) ** float(term.name)
            case "function":
                return FUNCTIONS[term.name](self.value(term.parts[0]))
            case "positive":
                return (self.value(term.parts[0]) > 0).double()
            case "total":
                return self.value(term.parts[0])
        raise AssertionError(term)


def check_by_reading(program: Program, new_states, seed: int = 0) -> None:
    """Give the written page numbers and compare every gradient with autograd of `new_states(W, U, b..., states)`."""
    equations = write_equations(program)
    letters = find_letters(program)
    draw = torch.Generator().manual_seed(seed)

    def leaf(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64).requires_grad_()

    leaves: dict[Term, Tensor] = {symbol(letters["input"], time="t"): leaf(B, D)}
    for gate in program.input_gates:
        leaves[symbol(letters["W"], gate)], leaves[symbol(letters["bias"], gate)] = leaf(H, D), leaf(H)
    for gate in program.recurrent_gates:
        leaves[symbol(letters["U"], gate)] = leaf(H, H)
        leaves[symbol(letters["bias"], gate, mark="primed")] = leaf(H)
    leaves |= {symbol(letters["vector"], name): leaf(H) for name in program.vectors}
    leaves |= {symbol(state, time="t-1"): leaf(B, H) for state in program.states}
    arriving = {s: torch.randn(B, H, generator=draw, dtype=torch.float64) for s in program.states}

    new = new_states(letters, leaves)
    loss = sum((n * arriving[s]).sum() for s, n in zip(program.states, new, strict=True))
    expected = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)

    known = {term: value.detach() for term, value in leaves.items()}
    for state, upstream in arriving.items():  # from both sides
        known[symbol("ε", state, "t")] = 0.25 * upstream
        known[symbol(state, time="t", mark="carried")] = 0.75 * upstream
    reader = Reader(known)
    reader.read(equations)
    for state, value in zip(program.states, new, strict=True):
        assert_close(reader.known[symbol(state, time="t")], value.detach(), f"{state}_t of {program}")
    for term, gradient in zip(leaves, expected, strict=True):
        name = term._replace(mark="carried") if term.time == "t-1" else Term("partial", (term,))
        ours = torch.as_tensor(reader.known[name], dtype=torch.float64)
        if gradient.ndim == 1:  # what the Σ leaves out: the rows of the batch
            ours = ours.expand(B, H).sum(0)
        elif gradient.shape[0] == B:
            ours = ours.expand_as(gradient)
        assert_close(ours, gradient, f"gradient of {term} in {program}")


def find_letters(program: Program) -> dict[str, str]:
    from seqwise.cells import derive
    from seqwise.cells.equations_terms import Naming

    return Naming(derive(program)).letters


@pytest.mark.parametrize("name", oracle.CELLS)
def test_the_written_page_computes_the_cell_by_hand_and_its_gradients(name: str) -> None:
    program = oracle.CELLS[name].program

    def by_hand(letters, leaves):
        def project(letter, gate, mark):
            matrix = leaves[symbol(letters[letter], gate)]
            bias = leaves[symbol(letters["bias"], gate, mark=mark)]
            return lambda v: v @ matrix.T + bias

        W = {gate: project("W", gate, "") for gate in program.input_gates}
        U = {gate: project("U", gate, "primed") for gate in program.recurrent_gates}
        p = {vector: leaves[symbol(letters["vector"], vector)] for vector in program.vectors}
        states = [leaves[symbol(state, time="t-1")] for state in program.states]
        return oracle.STEPS[name](W, U, p, leaves[symbol(letters["input"], time="t")], *states)

    check_by_reading(program, by_hand)


def run_reference(program: Program):
    from seqwise.kernels import reference
    from seqwise.kernels.contract import Variant, Weights

    def run(letters, leaves):
        def stack(letter, names, mark=""):
            return torch.cat([leaves[symbol(letters[letter], name, mark=mark)] for name in names]) if names else None

        vectors = [leaves[symbol(letters["vector"], name)] for name in program.vectors]
        weights = Weights(
            stack("W", program.input_gates),
            stack("U", program.recurrent_gates),
            stack("bias", program.input_gates),
            stack("bias", program.recurrent_gates, "primed"),
            torch.stack(vectors) if vectors else None,
        )
        states = tuple(leaves[symbol(state, time="t-1")] for state in program.states)
        x = leaves[symbol(letters["input"], time="t")].unsqueeze(0)
        return reference.forward(program, x, states, weights, Variant()).finals

    return run


@given(program=programs(), seed=st.integers(0, 3))
def test_the_written_page_of_a_drawn_cell_computes_its_gradients(program: Program, seed: int) -> None:
    check_by_reading(program, run_reference(program), seed)


@cell
def shifted(x, h, c):
    """A state that is handed on as it is, one that is a bare sum, gates called like letters and like a state."""
    W = sigmoid(x.W + h.U)
    return W * h + 0.5 * tanh(x.c + h.c) - x.x * c, h


@cell
def twins(x, h, c):
    """Two states with one next value, negative numbers, a gate that nothing squashes."""
    new = h * -0.5 + x.a + h.a - -2 * c
    return new, new


@pytest.mark.parametrize("own", [shifted, twins], ids=str)
def test_the_written_page_of_an_odd_cell_computes_its_gradients(own) -> None:
    check_by_reading(own.program, run_reference(own.program))


def lines_of(one) -> str:
    return one.equations().to_text()


def test_the_lstm_is_written_as_in_a_lecture() -> None:
    text = lines_of(lstm)
    for line in (
        "  i_t = \u03c3(W_i x_t + b_i + U_i h_{t-1} + b'_i)\n",
        "  g_t = tanh(W_g x_t + b_g + U_g h_{t-1} + b'_g)\n",
        "  c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t\n",
        "  h_t = o_t ⊙ tanh(c_t)\n",
        "  ∂h_t = ε_{h,t} + ←h_t\n",
        "  ∂c*_t = ∂c_t + ∂h_t ⊙ o_t ⊙ (1 - tanh(c_t)²)\n",
        "  δ_{o,t} = ∂h_t ⊙ tanh(c_t) ⊙ o_t ⊙ (1 - o_t)\n",
        "  δ_{f,t} = ∂c*_t ⊙ c_{t-1} ⊙ f_t ⊙ (1 - f_t)\n",
        "  ←c_{t-1} = ∂c*_t ⊙ f_t\n",
        "  ←h_{t-1} = U_iᵀ δ_{i,t} + U_fᵀ δ_{f,t} + U_gᵀ δ_{g,t} + U_oᵀ δ_{o,t}\n",
        "∂L/∂W_i = Σ_t δ_{i,t} x_tᵀ,   ∂L/∂U_i = Σ_t δ_{i,t} h_{t-1}ᵀ,   ∂L/∂b_i = ∂L/∂b'_i = Σ_t δ_{i,t}\n",
        "One step backward reads c_{t-1}, i_t, f_t, g_t, o_t and c_t of the forward pass.",
    ):
        assert line in text
    assert text.startswith("lstm: Hochreiter & Schmidhuber 1997")


def test_stages_are_written_in_order_and_undone_in_reverse_order() -> None:
    text = lines_of(gru)
    assert "There are 2 recurrent products, one after the other: r, z; then n." in text
    assert "the last product first: n; then r, z." in " ".join(text.split())
    order = [
        "q_t = r_t ⊙ h_{t-1}",
        "n_t = tanh(W_n x_t + b_n + U_n q_t + b'_n)",
        "δ_{n,t} = ∂h_t ⊙ z_t ⊙ (1 - n_t²)",
        "∂q_t = U_nᵀ δ_{n,t}",
        "δ_{z,t} = ∂h_t ⊙ (n_t - h_{t-1}) ⊙ z_t ⊙ (1 - z_t)",
        "δ_{r,t} = ∂q_t ⊙ h_{t-1} ⊙ r_t ⊙ (1 - r_t)",
        "←h_{t-1} = ∂h_t ⊙ (1 - z_t) + ∂q_t ⊙ r_t + U_rᵀ δ_{r,t} + U_zᵀ δ_{z,t}",
    ]
    positions = [text.index(f"  {line}\n") for line in order]
    assert positions == sorted(positions)


def test_what_differs_between_the_projections_of_one_gate_is_told_apart() -> None:
    text = lines_of(gru_reset_after)
    assert "  v_{n,t} = U_n h_{t-1} + b'_n\n" in text
    assert "  δ'_{n,t} = δ_{n,t} ⊙ r_t\n" in text
    assert "∂L/∂b_n = Σ_t δ_{n,t},   ∂L/∂b'_n = Σ_t δ'_{n,t}" in text


def test_vectors_and_cells_without_a_recurrent_product() -> None:
    assert "  ∂L/∂p_o = Σ_t δ_{o,t} ⊙ c_t\n" in lines_of(lstm_peephole)
    text = lines_of(min_gru)
    assert "  n_t = W_n x_t + b_n\n" in text
    assert "U_" not in text
    assert "  h_t = tanh(W_h x_t + b_h + U_h h_{t-1} + b'_h)\n" in lines_of(rnn)


def test_letters_never_clash_with_gates_and_states() -> None:
    text = lines_of(shifted)
    assert "\u03c3(M_W u_t + b_W + R_U h_{t-1} + b'_U)" in text
    assert "x_t = M_x u_t + b_x" in text
    assert "c~_t = tanh(" in text


def formulas(latex: str) -> list[str]:
    """Every formula of a LaTeX fragment."""
    blocks = re.findall(r"\\begin\{align\*\}\n(.*?)\n\\end\{align\*\}", latex, re.DOTALL)
    inline = re.findall(r"\$([^$]+)\$", latex)
    return inline + [line.replace("&=", "=") for block in blocks for line in block.split(" \\\\\n")]


@pytest.mark.parametrize("name", [*oracle.CELLS, "shifted"])
def test_every_formula_is_latex_that_another_program_reads(name: str) -> None:
    one = (oracle.CELLS | {"shifted": shifted})[name]
    found = formulas(one.equations().to_latex())
    assert len(found) > 8
    parser = MathTextParser("path")
    for formula in found:
        parser.parse(f"${formula.replace(chr(92) + 'top', 'T')}$")  # mathtext spells the sign differently


@pytest.mark.parametrize("name", oracle.CELLS)
def test_the_page_is_well_formed_and_loads_nothing(name: str) -> None:
    page = oracle.CELLS[name].equations().to_html()
    ElementTree.fromstring(re.sub(r"<meta[^>]*>|<!DOCTYPE html>", "", page))
    assert not re.search(r"https?:|src=|href=|url\(|<script|@import", page)
    assert page.count("<math") > 10
    assert "{" not in page.split("<body>")[1]


@pytest.mark.parametrize("name", oracle.CELLS)
def test_markdown_and_latex_hold_the_same_formulas(name: str) -> None:
    equations = oracle.CELLS[name].equations()
    latex, markdown = equations.to_latex(), equations.to_markdown()
    blocks = re.findall(r"\\begin\{align\*\}\n(.*?)\n\\end", latex, re.DOTALL)
    assert blocks == re.findall(r"\$\$\n\\begin\{aligned\}\n(.*?)\n\\end\{aligned\}\n\$\$", markdown, re.DOTALL)
    assert max(len(line) for line in equations.to_text().splitlines()) <= 120


@given(programs())
def test_every_way_of_writing_takes_any_cell(program: Program) -> None:
    equations = write_equations(program)
    assert str(equations) == equations.to_text()
    latex = equations.to_latex()
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\left") - latex.count(r"\leftarrow") == latex.count(r"\right")
    ElementTree.fromstring(re.sub(r"<meta[^>]*>|<!DOCTYPE html>", "", equations.to_html()))
