"""Writing a cell: what it becomes, and what is refused where."""

from __future__ import annotations

import copy
import math
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

import seqwise
from seqwise import cell
from seqwise.cells import LIBRARY, Cell, absolute, exp, gru, lstm, relu, sigmoid, softplus, tanh
from seqwise.errors import CellError

# The refused cells below are written without annotations and on one line each, as a person would type them.


def line_of(function) -> int:
    return function.__code__.co_firstlineno


def refuse(function, reason: str, offset: int = 0) -> None:
    where = f"{__file__}:{line_of(function) + offset}: cell {function.__name__!r}: "
    with pytest.raises(CellError, match=re.escape(where) + ".*" + reason):
        cell(function)


def test_a_cell_knows_its_name_source_and_program() -> None:
    assert isinstance(lstm, Cell)
    assert (lstm.name, lstm.program.states, lstm.program.gates) == ("lstm", ("h", "c"), ("i", "f", "g", "o"))
    assert lstm.source.startswith("Hochreiter & Schmidhuber 1997")
    assert repr(lstm) == "<cell lstm>"
    assert seqwise.cell is cell


def test_every_built_in_cell_names_its_source_in_one_line() -> None:
    names = "rnn rnn_relu gru_simplified gru gru_reset_after lstm lstm_tanh_forget lstm_peephole min_gru"
    assert list(LIBRARY) == names.split()
    for one in LIBRARY.values():
        assert one.source
        assert "\n" not in one.source


def test_the_names_of_python_attributes_are_free_for_gates() -> None:
    @cell
    def odd(x, h):
        return tanh(x.n + h.T + h.expr + x.trace + x.name + h.program)

    assert odd.program.input_gates == ("n", "trace", "name")
    assert odd.program.recurrent_gates == ("T", "expr", "program")


def test_a_cell_may_use_another_cell() -> None:
    @cell
    def residual(x, h, c):
        new, c = lstm(x, h, c)
        return new + h, c

    assert residual.program.gates == lstm.program.gates
    with pytest.raises(CellError, match="read from text"):
        Cell.from_string(lstm.program.to_string())(1, 2, 3)


def test_two_cells_are_equal_when_their_equations_are() -> None:
    @cell
    def mine(x, h, c):
        i, f = sigmoid(x.i + h.i), sigmoid(x.f + h.f)
        g = tanh(x.g + h.g)
        o = sigmoid(x.o + h.o)
        new = f * c + i * g
        return o * tanh(new), new

    assert mine != gru
    # The order of first appearance, and of the additions, is the same: so are the programs, whatever the name.
    assert mine == lstm
    assert hash(mine) == hash(lstm)
    assert {lstm: 1}[mine] == 1


def test_copies_and_pickles_of_a_cell_are_equal_to_it() -> None:
    assert copy.deepcopy(lstm) is lstm
    assert pickle.loads(pickle.dumps(gru)) == gru


def test_importing_cells_imports_neither_torch_nor_sympy() -> None:
    code = (
        "import sys, seqwise; from seqwise import cell; import seqwise.cells; "
        "print([m for m in ('torch', 'sympy', 'numpy', 'sklearn') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Cell'"):
        seqwise.Cell  # noqa: B018
    assert {"cell", "SequenceClassifier", "VectorClassifier", "__version__"} <= set(dir(seqwise))


def test_an_unused_argument_is_named_at_the_definition() -> None:
    def forgets(x, h, c):
        return tanh(x.h + h.h), tanh(x.c + h.c2)

    def deaf(x, h):
        return tanh(h.h)

    def dull(x, h, p):
        return tanh(x.h + h.h)

    refuse(forgets, "argument 'c' is never used")
    refuse(deaf, "argument 'x' is never used")
    refuse(dull, "argument 'p' is never used")


def test_a_decorated_definition_is_found_at_its_def() -> None:
    with pytest.raises(CellError) as caught:

        @cell
        def decorated(x, h):
            return tanh(x.h)

    line = int(re.search(r":(\d+): ", str(caught.value)).group(1))
    with open(__file__, encoding="utf-8") as source:
        assert source.read().splitlines()[line - 1].strip() == "def decorated(x, h):"


def test_a_gate_of_two_operands_is_named_at_the_second() -> None:
    def twice(x, h, c):
        a = tanh(x.a + h.a)
        b = tanh(x.b + c.a)
        return a, b

    refuse(twice, rf"gate 'a' is already the projection of another vector \(line {line_of(twice) + 1}\)", 2)


def test_a_wrong_number_of_states_is_named_at_the_return() -> None:
    def short(x, h, c):
        h = tanh(x.h + h.h + c) * h
        return h * c

    def long(x, h):
        h = tanh(x.h + h.h)
        return h, h

    refuse(short, r"it must return 2 next states \(h, c\), but returns 1", 2)
    refuse(long, r"it must return one next state \(h\), but returns 2", 2)


def test_control_flow_on_a_symbol_is_refused_where_it_stands() -> None:
    def branch(x, h):
        new = tanh(x.h + h.h)
        if x.i > 0:
            return new
        return h

    def truth(x, h):
        return x.h and h.h

    def largest(x, h):
        return max(x.h, h.h)

    def equal(x, h):
        return x.h if h.h == 0 else h

    def loop(x, h):
        for part in h:
            h = part
        return h

    refuse(branch, "no value to compare or to branch on", 2)
    for function in (truth, largest, equal):
        refuse(function, "no value to compare or to branch on", 1)
    refuse(loop, "no elements", 1)


def test_a_return_that_is_no_expression_is_refused() -> None:
    def number(x, h):
        return 1.0

    def nothing(x, h):
        tanh(x.h + h.h)

    def raw(x, h):
        return x

    def family(x, h, p):
        return p

    def constant(x, h, p):
        return tanh(p.u)

    def listed(x, h):
        return [tanh(x.h + h.h)]

    refuse(number, "the next h must be an expression of the arguments, not float", 1)
    refuse(nothing, "the next h must be an expression of the arguments, not NoneType", 1)
    refuse(raw, "the next h is not an expression: .* only through projections", 1)
    refuse(family, "the next h is not an expression: p is a family", 1)
    refuse(constant, "depends neither on the input nor on a state", 1)
    refuse(listed, "not list", 1)


def test_the_input_and_the_vectors_are_used_only_by_name() -> None:
    def bare_input(x, h):
        return tanh(x + h.h)

    def scaled_input(x, h):
        return tanh((2 * x).i + h.h)

    def bare_vectors(x, h, p):
        return tanh(x.h + h.h) * p

    def right_vectors(x, h, p):
        return tanh(x.h + h.h) - p

    def indexed_vectors(x, h, p):
        return tanh(x.h + h.h) * p[0]

    def called_vectors(x, h, p):
        return tanh(x.h + h.h) * p("u")

    def projected_vectors(x, h, p):
        return tanh(x.h + h.h) * p.u.v

    def misplaced_vectors(x, p, h):
        return tanh(x.h + h.h * p.u)

    refuse(bare_input, "only through projections", 1)
    refuse(scaled_input, "only through projections", 1)
    refuse(bare_vectors, r"use one of them \(p.u\)", 1)
    refuse(right_vectors, r"use one of them \(p.u\)", 1)
    refuse(indexed_vectors, "no elements", 1)
    refuse(called_vectors, "projection, not a method", 1)
    refuse(projected_vectors, "learned vectors alone is a constant", 1)
    refuse(misplaced_vectors, "must be the last argument")


def test_functions_of_other_libraries_are_refused() -> None:
    def by_math(x, h):
        return math.tanh(x.h + h.h)

    def by_numpy(x, h):
        return np.tanh(x.h + h.h)

    def by_method(x, h):
        return (x.h + h.h).tanh()

    def by_array(x, h):
        return tanh(x.h + h.h) * np.ones(3)

    def by_matrix(x, h):
        return x.h @ h

    def misspelled(x, h):
        return sigmoidd(x.h + h.h)  # noqa: F821

    refuse(by_math, "use the functions of seqwise.cells", 1)
    refuse(by_numpy, "TypeError", 1)
    refuse(by_method, r"write tanh\(v\)", 1)
    refuse(by_array, "plain numbers, not with ndarray", 1)
    refuse(by_matrix, "written as a projection", 1)
    refuse(misspelled, "NameError: name 'sigmoidd' is not defined", 1)
    with pytest.raises(CellError, match="sigmoid takes an expression of the cell's symbols, not float"):
        sigmoid(0.5)


def test_a_projection_that_goes_nowhere_is_named_where_it_stands() -> None:
    def lost(x, h):
        q = x.q  # noqa: F841
        return tanh(x.h + h.h)

    def lost_vector(x, h, p):
        u = p.u  # noqa: F841
        return tanh(x.h + h.h) * p.v

    refuse(lost, "the projection for gate 'q' reaches no returned state", 1)
    refuse(lost_vector, "the vector 'u' reaches no returned state", 1)


def test_numbers_must_be_finite_and_exponents_plain() -> None:
    def endless(x, h):
        return tanh(x.h + h.h) * float("inf")

    def power(x, h):
        return x.h**h.h

    def base(x, h):
        return 2 ** (x.h + h.h)

    refuse(endless, "the number inf is not finite", 1)
    refuse(power, "an exponent is a plain number", 1)
    refuse(base, "an exponent is a plain number", 1)


def test_arguments_are_plain_and_there_is_a_state() -> None:
    def stateless(x):
        return tanh(x.h)

    def default(x, h=None):
        return tanh(x.h + h.h)

    def starred(x, *h):
        return tanh(x.h)

    def only_vectors(x, p):
        return tanh(x.h * p.u)

    refuse(stateless, "needs an input and at least one state")
    refuse(default, "argument 'h' must be a plain one")
    refuse(starred, "argument 'h' must be a plain one")
    refuse(only_vectors, "needs an input and at least one state")
    with pytest.raises(CellError, match="A cell is a Python function"):
        cell("lstm")


def test_a_symbol_of_another_cell_is_refused() -> None:
    kept = []

    @cell
    def first(x, h):
        kept.append(h)
        return tanh(x.h + h.h)

    def second(x, h):
        return tanh(x.h + h.h + kept[0])

    refuse(second, "a symbol of another cell", 1)
    assert first.name == "first"


def test_nothing_is_folded_or_reordered() -> None:
    @cell
    def literal(x, h):
        return (h + x.a) * 0 + (x.a + h) * 1 - -relu(absolute(exp(softplus(x.b)) / 2) ** 2) + h.c

    text = str(literal.program)
    assert "((h + x.a) * 0)" in text
    assert "((x.a + h) * 1)" in text
    assert "--" not in text
    assert "- -relu" in text
