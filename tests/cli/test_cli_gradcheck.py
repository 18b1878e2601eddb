"""`seqwise gradcheck`."""

import pytest
from program import call

from seqwise.cells import LIBRARY
from seqwise.losses import CLOSED_FORMS

OWN = """\
from seqwise import cell
from seqwise.cells import log, sigmoid, tanh

@cell
def leaky(x, h):
    '''A state that leaks.'''
    z = sigmoid(x.z + h.z)
    return (1 - z) * h + z * tanh(x.n)

@cell
def undefined(x, h):
    '''Not a number.'''
    return log(-1 - (x.n + h.n) ** 2)
"""


def test_everything_is_listed_and_passes():
    answer = call("gradcheck")
    assert answer.code == 0
    rows = [line.split() for line in answer.out.splitlines()]
    assert [row[0] for row in rows if row and row[-1] == "pass"] == [*LIBRARY, *CLOSED_FORMS]
    document = call("gradcheck", "--json").document
    assert document["passed"] is True
    assert document["tolerances"] == {"autograd": 1e-10, "finite_differences": 1e-6}
    assert [one["name"] for one in document["checks"]] == [*LIBRARY, *CLOSED_FORMS]
    assert all(0 <= one["against_autograd"] < 1e-10 for one in document["checks"])
    assert all(0 < one["against_finite_differences"] < 1e-6 for one in document["checks"])


def test_a_wrong_gradient_is_told_by_the_exit_code(monkeypatch):
    form = CLOSED_FORMS["logistic"]
    wrong = form._replace(gradient=lambda *arguments: tuple(1.01 * part for part in form.gradient(*arguments)))
    monkeypatch.setitem(CLOSED_FORMS, "logistic", wrong)
    answer = call("gradcheck", "rnn", "logistic")
    assert answer.code == 1
    rows = {line.split()[0]: line.split() for line in answer.out.splitlines() if line.strip()}
    assert rows["rnn"][-1] == "pass"
    assert rows["logistic"][-1] == "FAIL"
    answer = call("gradcheck", "rnn", "logistic", "--json")
    assert answer.code == 1
    assert answer.document["passed"] is False
    assert [one["passed"] for one in answer.document["checks"]] == [True, False]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lsmt", "There is no cell or loss 'lsmt'; did you mean lstm?"),
        ("none.py:leaky", "There is no file none.py."),
    ],
)
def test_an_unknown_name_is_one_sentence_and_exit_code_2(name, message):
    answer = call("gradcheck", "lstm", name)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err == f"Error: {message}\n"


def test_a_cell_of_ones_own_is_checked(tmp_path):
    path = tmp_path / "my_cells.py"
    path.write_text(OWN)
    answer = call("gradcheck", f"{path}:leaky")
    assert answer.code == 0, answer.err
    answer = call("gradcheck", f"{path}:undefined")
    assert answer.code == 1
    assert "not finite" in answer.out
    (one,) = call("gradcheck", f"{path}:undefined", "--json").document["checks"]
    assert one["against_autograd"] is None
    assert one["passed"] is False
