"""What the CPU kernels save for the backward pass, and in which order they multiply."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from random_programs import programs
from recurrence_oracle import CELLS
from seqwise.cells import Program
from seqwise.kernels.cpu.plan import make_plan

SAVED = {
    "rnn": [],  # h' = tanh: 1 - h'^2
    "rnn_relu": [],
    "lstm": ["sigmoid x.i", "sigmoid x.f", "tanh x.g", "sigmoid x.o"],
    "gru_simplified": ["sigmoid x.z", "tanh x.n"],
    "gru": ["sigmoid x.r", "sigmoid x.z", "tanh x.n"],
    "gru_reset_after": ["sigmoid x.r", "sigmoid x.z", "h.n", "tanh x.n"],
    "min_gru": ["x.n", "sigmoid x.z"],
}
LEVELS = {
    "rnn": [(0,), ()],
    "lstm": [(0,), ()],
    "gru": [(0,), (1,), ()],
    "min_gru": [()],
    "two_stages": [(0,), (1,), ()],
}


def describe(program: Program, index: int) -> str:
    """The operation, and the first leaf that enters it: enough to tell the gates of a cell apart."""
    node, path = program.nodes[index], []
    while node.operation not in ("input", "recurrent", "state"):
        path += [node.operation] if node.operation != "add" else []
        node = program.nodes[node.arguments[0]]
    leaf = {"input": f"x.{node.name}", "state": node.name}.get(node.operation, f"h.{node.name}")
    return " ".join([*path, leaf])


@pytest.mark.parametrize("name", SAVED)
def test_only_what_takes_a_product_to_compute_is_saved(name: str) -> None:
    program = CELLS[name].program
    cell = make_plan(program, False, False)
    assert sorted(describe(program, index) for index in cell.saved) == sorted(SAVED[name])


@pytest.mark.parametrize("name", LEVELS)
def test_products_that_wait_for_each_other_are_in_levels(name: str) -> None:
    cell = make_plan(CELLS[name].program, False, False)
    assert list(cell.products) == LEVELS[name]
    assert [k for stages in cell.transposed for k in stages] == [k for stages in LEVELS[name][::-1] for k in stages]


def test_a_state_enters_its_product_without_a_copy_unless_it_is_masked() -> None:
    assert make_plan(CELLS["lstm"].program, False, False).direct == {0: 0}
    assert make_plan(CELLS["lstm"].program, False, True).direct == {}
    assert make_plan(CELLS["gru"].program, False, False).direct == {0: 0}  # the product of n takes r * h


def test_one_gradient_serves_gates_that_are_only_added() -> None:
    shared = {name: make_plan(cell.program, False, False).one_adjoint for name, cell in CELLS.items()}
    assert {name for name, one in shared.items() if one} == {
        "rnn", "rnn_relu", "gru_simplified", "gru", "lstm", "lstm_tanh_forget", "lstm_peephole"
    }  # fmt: skip


@settings(max_examples=30, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(programs())
def test_every_product_is_computed_once_and_after_what_enters_it(program: Program) -> None:
    for zoneout in (False, True):
        for mask in (False, True):
            cell = make_plan(program, zoneout, mask)
            gates: set[str] = set()
            for stages in cell.products:
                for k in stages:
                    assert find_gates(cell.program, cell.program.stages[k].operand) <= gates
                gates.update(gate for k in stages for gate in cell.program.stages[k].gates)
            assert gates == set(program.recurrent_gates)
            assert sorted(k for stages in cell.products for k in stages) == list(range(len(program.stages)))
            assert sorted(k for stages in cell.transposed for k in stages) == list(range(len(program.stages)))


def find_gates(program: Program, index: int) -> set[str]:
    """Recurrent gates that a node depends on."""
    node = program.nodes[index]
    found = {node.name} if node.operation == "recurrent" else set()
    return found.union(*(find_gates(program, a) for a in node.arguments))
