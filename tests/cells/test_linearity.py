"""Which cells are linear in their state, and the reason that is given."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given

from random_programs import programs
from recurrence_oracle import CELLS
from seqwise import cell
from seqwise.cells import Program, find_linearity, sigmoid, tanh
from seqwise.kernels import reference
from seqwise.kernels.contract import Variant, Weights
from tolerances import assert_close


@cell
def decay(x, h, c, p):
    """Two states that mix, vectors, a product that reads no state, a division."""
    a = sigmoid(x.a)
    return a * h - c / (2 + p.d), p.e * c + (x.b * a).m - 0.5 * (h - 1) ** 1 + tanh(x.n) + c**0 * h


@cell
def forgets(x, h):
    """The state on the left of its factor, which reads no state."""
    return h * sigmoid(x.f) + x.a


@cell
def squares(x, h):
    return 0.1 * h * (1 - h) + x.a


@cell
def divides(x, h):
    return x.a / (2 + h)


@cell
def saturates(x, h, c):
    return 0.5 * h + x.a, tanh(0.5 * c + h + x.b)


@cell
def raises(x, h):
    return x.a + (0.1 * h) ** 2


OWN = {c.name: c for c in (decay, forgets, squares, divides, saturates, raises)}
LINEAR = {"min_gru", "decay", "forgets"}


@pytest.mark.parametrize("name", CELLS | OWN)
def test_only_min_gru_and_its_kind_are_linear_in_the_state(name: str) -> None:
    assert (CELLS | OWN)[name].program.is_linear == (name in LINEAR)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("min_gru", "no gate projects a state, and h is only added to and multiplied by what no state enters."),
        ("decay", "no gate projects a state, and h and c are only added to and multiplied by what no state enters."),
        ("lstm", "gates i, f, g and o project the state h: every unit depends on every other one."),
        ("gru", "gates r and z project the state h; gate n projects an expression of the state h: "),
        ("two_stages", "gate s projects the state h; gate m projects an expression of the states h and c: "),
        ("squares", "no gate projects a state, but two expressions that read a state (h and h) are multiplied."),
        ("divides", "no gate projects a state, but an expression of h stands below a division."),
        ("saturates", "no gate projects a state, but tanh is applied to an expression of h and c."),
        ("raises", "no gate projects a state, but an expression of h is raised to the power 2."),
    ],
)
def test_the_reason_names_the_gates_or_the_expression(name: str, reason: str) -> None:
    assert find_linearity((CELLS | OWN)[name].program).reason.startswith(reason)


def respond(program: Program, scale: float) -> torch.Tensor:
    """How far the next states move when the old ones are scaled, all states one after the other."""
    B, D, H = 2, 3, 4
    draw = torch.Generator().manual_seed(0)
    rows = [len(names) * H for names in (program.input_gates, program.recurrent_gates)]
    shapes = [(rows[0], D), (rows[1], H), (rows[0],), (rows[1],), (len(program.vectors), H)]
    parts = [torch.randn(*shape, generator=draw, dtype=torch.float64) for shape in shapes]
    weights = Weights(*(part if part.numel() else None for part in parts))
    x = torch.randn(1, B, D, generator=draw, dtype=torch.float64)
    states = tuple(torch.randn(B, H, generator=draw, dtype=torch.float64) for _ in program.states)
    new, rest = (
        torch.stack(reference.forward(program, x, tuple(k * s for s in states), weights, Variant()).finals)
        for k in (scale, 0.0)
    )
    return new - rest


@pytest.mark.parametrize("name", sorted(LINEAR))
def test_a_linear_cell_answers_twice_the_state_with_twice_the_change(name: str) -> None:
    program = (CELLS | OWN)[name].program
    assert_close(respond(program, 2.0), 2 * respond(program, 1.0))


@given(programs())
def test_a_drawn_cell_that_is_called_linear_is(program: Program) -> None:
    if program.is_linear:
        assert_close(respond(program, 2.0), 2 * respond(program, 1.0), str(program))
    assert find_linearity(program).reason.endswith(".")
