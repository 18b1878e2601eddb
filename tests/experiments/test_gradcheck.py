"""The gradient check passes for what is right, and fails for what is wrong."""

import math
from dataclasses import replace

import pytest
import torch

from recurrence_oracle import OWN
from seqwise.cells import LIBRARY, derive
from seqwise.cells.program import Node
from seqwise.errors import ConfigurationError
from seqwise.experiments.gradcheck import Problem, check_gradients, check_problem, pose
from seqwise.kernels import derived
from seqwise.losses import CLOSED_FORMS


def test_everything_that_seqwise_has_passes():
    checks = check_gradients()
    assert [check.name for check in checks] == [*LIBRARY, *CLOSED_FORMS]
    for check in checks:
        assert check.passed, check
        assert 0 <= check.against_autograd < 1e-13
        assert 0 < check.against_differences < 1e-8


@pytest.mark.parametrize("name", OWN)
def test_cells_of_ones_own_pass(name):
    assert check_problem(name, pose(OWN[name])).passed


def test_a_problem_reaches_every_input_of_the_cell():
    problem = pose(LIBRARY["lstm_peephole"])
    assert list(problem.inputs) == [
        *("x", "initial h", "initial c", "input", "recurrent", "input_bias", "recurrent_bias", "vectors"),
    ]
    assert all(bool((gradient != 0).all()) for gradient in problem.gradient(problem.inputs).values())
    assert "recurrent" not in pose(LIBRARY["min_gru"]).inputs


def test_only_what_is_named_is_checked_and_once():
    assert [check.name for check in check_gradients(["softmax", "rnn", "softmax"])] == ["softmax", "rnn"]


@pytest.mark.parametrize("wrong", ["order of the states", "order of the gates", "missing term"])
def test_a_wrong_derivation_fails(monkeypatch, wrong):
    right = derive(LIBRARY["lstm"].program)
    if wrong == "order of the states":
        changed = replace(right, states=tuple(reversed(right.states)))
    elif wrong == "order of the gates":
        changed = replace(right, input_gates=(*right.input_gates[1:], right.input_gates[0]))
    else:  # 1 - y^2 becomes y^2
        nodes = [Node("multiply", (n.arguments[1],) * 2) if _is_slope(right, n) else n for n in right.nodes]
        changed = replace(right, nodes=tuple(nodes))
    monkeypatch.setattr(derived, "derive", lambda program: changed)
    (check,) = check_gradients(["lstm"])
    assert not check.passed
    assert check.against_autograd > 1e-3
    assert check.against_differences > 1e-3


def _is_slope(derivative, node):
    return node.operation == "subtract" and derivative.nodes[node.arguments[0]].operation == "constant"


@pytest.mark.parametrize("name", CLOSED_FORMS)
@pytest.mark.parametrize("factor", [1 + 1e-5, -1.0, 0.0, math.nan])
def test_a_wrong_closed_form_fails(name, factor):
    form = CLOSED_FORMS[name]
    wrong = form._replace(gradient=lambda *arguments: tuple(factor * part for part in form.gradient(*arguments)))
    check = check_problem(name, pose(wrong))
    assert not check.passed
    assert check.against_autograd > 1e-6
    assert check.against_differences > 1e-6


def test_both_comparisons_count():
    """Differences catch a value that autograd misreads; autograd catches an error too small for differences."""
    inputs = {"v": torch.tensor([0.5, 2.0], dtype=torch.float64)}

    def half_hidden(given):
        return (given["v"] * given["v"].detach()).sum()

    check = check_problem("half hidden", Problem(inputs, half_hidden, lambda given: {"v": given["v"]}))
    assert check.against_autograd == 0
    assert check.against_differences == pytest.approx(0.5)
    assert not check.passed
    coarse = Problem(inputs, lambda given: given["v"].square().sum(), lambda given: {"v": given["v"] * 2 * (1 + 1e-8)})
    check = check_problem("coarse", coarse)
    assert check.against_differences < 1e-6
    assert not check.passed


@pytest.mark.parametrize("gradient", [{}, {"v": torch.zeros(3)}, {"v": torch.zeros(2), "w": torch.zeros(2)}])
def test_a_gradient_of_another_shape_or_name_fails(gradient):
    inputs = {"v": torch.zeros(2, dtype=torch.float64)}
    check = check_problem("empty", Problem(inputs, lambda given: (0 * given["v"]).sum(), lambda given: gradient))
    assert check.against_autograd == math.inf
    assert not check.passed


def test_an_unknown_name_is_refused_before_anything_is_computed():
    with pytest.raises(ConfigurationError, match=r"no cell or loss 'lsmt'; did you mean lstm\?"):
        check_gradients(["rnn", "lsmt"])
    with pytest.raises(ConfigurationError, match=r"'zzz'; there are rnn, .*, balanced_softmax$"):
        check_gradients(["zzz"])
