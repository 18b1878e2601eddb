"""The program of a cell: layout, text form, refusal of damaged text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise import cell
from seqwise.cells import LIBRARY, Node, Program, gru, lstm, min_gru, sigmoid, tanh
from seqwise.errors import CellError


def test_the_stages_of_the_lstm_and_of_the_original_gru() -> None:
    assert [stage.gates for stage in lstm.program.stages] == [("i", "f", "g", "o")]
    assert [stage.gates for stage in gru.program.stages] == [("r", "z"), ("n",)]
    assert gru.program.recurrent_gates == ("r", "z", "n")
    assert min_gru.program.stages == ()


def test_gates_are_laid_out_by_first_appearance_over_both_projections() -> None:
    @cell
    def crossed(x, h):
        a = sigmoid(x.a + h.b)
        return tanh(x.b + h.a) * a + (a * h).z + h.y

    assert crossed.program.gates == ("a", "b", "z", "y")
    assert crossed.program.input_gates == ("a", "b")
    # Stage by stage: the second product's z comes after the first one's y, whatever was written first.
    assert [stage.gates for stage in crossed.program.stages] == [("a", "b", "y"), ("z",)]
    assert crossed.program.recurrent_gates == ("a", "b", "y", "z")


@pytest.mark.parametrize("name", LIBRARY)
def test_the_text_of_a_program_is_the_program(name: str) -> None:
    program = LIBRARY[name].program
    again = Program.from_string(program.to_string())
    assert again == program
    assert again.name == name
    assert hash(again) == hash(program)
    assert again.fingerprint == program.fingerprint


def test_equal_expressions_are_one_node() -> None:
    @cell
    def repeated(x, h):
        return tanh(x.a + h.a) * tanh(x.a + h.a) + 1.0 - 1

    assert sum(node.operation == "tanh" for node in repeated.program.nodes) == 1
    assert sum(node.operation == "constant" for node in repeated.program.nodes) == 1


def test_a_negative_zero_is_not_a_zero() -> None:
    @cell
    def zeros(x, h):
        return tanh(x.a + h.a) * 0.0 + h * -0.0

    assert sum(node.operation == "constant" for node in zeros.program.nodes) == 2


def test_fingerprints_stay_what_saved_models_hold() -> None:
    """A model folder names its cell by this number: a change makes every saved model of that cell unreadable."""
    assert {name: one.program.fingerprint for name, one in LIBRARY.items()} == {
        "rnn": 52897954151983620,
        "rnn_relu": 41427313531845339,
        "gru_simplified": 25701538024903404,
        "gru": 51972752612070984,
        "gru_reset_after": 57633163608440762,
        "lstm": 10483061105625904,
        "lstm_tanh_forget": 24443503278901700,
        "lstm_peephole": 925238884797450,
        "min_gru": 34363545458881548,
    }


def test_a_program_reads_as_equations() -> None:
    assert str(gru.program).splitlines() == [
        "gru: states h",
        "  v1 = sigmoid(x.z + h.z)",
        "  product 1: h -> r, z",
        "  product 2: (sigmoid(x.r + h.r) * h) -> n",
        "  h' = (((1 - v1) * h) + (v1 * tanh(x.n + (sigmoid(x.r + h.r) * h).n)))",
    ]


def damage(**changes: object) -> str:
    return json.dumps(json.loads(lstm.program.to_string()) | changes)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "JSONDecodeError"),
        ("[]", "TypeError"),
        ("{}", "KeyError"),
        ("[" * 100_000, "RecursionError"),
        (damage(nodes=[["state"]]), "ValueError"),
        (damage(nodes=7), "TypeError"),
        (damage(states=[]), "0 states need as many outputs, not 2"),
        (damage(states=["h", "h"]), "not distinct names"),
        (damage(states=["h", "h.data"]), "not distinct names"),
        (damage(outputs=[0, 999]), "are not nodes"),
        (damage(outputs=[0, True]), "are not nodes"),
        (damage(nodes=[["system", [], "ls", 0]], outputs=[0, 0]), "unknown operation 'system'"),
        (damage(nodes=[["tanh", [0], "", 0]], outputs=[0, 0]), "tanh takes 1 earlier nodes"),
        (damage(nodes=[["tanh", [-1], "", 0]], outputs=[0, 0]), "tanh takes 1 earlier nodes"),
        (damage(nodes=[["state", [], "q", 0]], outputs=[0, 0]), "state with the name 'q'"),
        (damage(nodes=[["input", [], "a b", 0]], outputs=[0, 0]), "input with the name 'a b'"),
        (damage(nodes=[["constant", [], "", 1e999]], outputs=[0, 0]), "not finite"),
        (damage(nodes=[["constant", [], "", 1]], outputs=[0, 0]), "depend on the input or a state"),
        (
            damage(nodes=[["vector", [], "u", 0], ["recurrent", [0], "a", 0]], outputs=[1, 1]),
            "projection of a constant",
        ),
        (damage(nodes=[["state", [], "h", 0]] * 10_001, outputs=[0, 0]), "more than 10000"),
    ],
)
def test_damaged_text_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(CellError, match=reason):
        Program.from_string(text)


def test_a_gate_of_two_operands_is_refused_in_text_too() -> None:
    nodes = (
        Node("state", name="h"),
        Node("state", name="c"),
        Node("recurrent", (0,), "a"),
        Node("recurrent", (1,), "a"),
    )
    with pytest.raises(CellError, match="gate 'a' is projected from two operands"):
        Program("bad", ("h", "c"), nodes, (2, 3))


@given(st.recursive(st.none() | st.integers() | st.text(max_size=9) | st.floats(), lambda s: st.lists(s, max_size=5)))
def test_arbitrary_nodes_never_escape_the_check(nodes: object) -> None:
    with pytest.raises(CellError):
        Program.from_string(damage(nodes=nodes))
