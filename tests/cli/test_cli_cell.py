"""`seqwise cell`: list, show and check."""

import math
from dataclasses import replace

import pytest
from program import call

from seqwise.cells import LIBRARY

OWN = """\
from seqwise import cell
from seqwise.cells import sigmoid, tanh

@cell
def leaky(x, h, p):
    '''A state that leaks.'''
    z = sigmoid(x.z + p.bias)
    return (1 - z) * h + z * tanh(x.n + (z * h).n)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my_cells.py"
    path.write_text(OWN)
    return path


def test_list_names_every_cell_with_its_source():
    listed = call("cell", "list", "--json").document
    assert [one["name"] for one in listed] == list(LIBRARY)
    by_name = {one["name"]: one for one in listed}
    assert by_name["gru"]["stages"] == [["r", "z"], ["n"]]
    assert by_name["lstm_peephole"]["parameters"] == "4 D + 4 H + 11"
    assert by_name["rnn"]["parameters"] == "D + H + 2"
    assert [name for name, one in by_name.items() if one["linear"]] == ["min_gru"]
    out = call("cell", "list").out
    assert all(name in out for name in LIBRARY)
    assert "Elman 1990" in out


@pytest.mark.parametrize("name", LIBRARY)
def test_the_parameters_per_unit_are_those_of_the_layer(name):
    from seqwise.layers import Recurrent

    D, H = 3, 5
    layer = Recurrent(LIBRARY[name], D, H)
    formula = call("cell", "show", name, "--json").document["parameters"]
    sizes = {"D": D, "H": H}
    per_unit = sum(math.prod(sizes.get(word) or int(word) for word in part.split()) for part in formula.split(" + "))
    assert H * per_unit == sum(parameter.numel() for parameter in layer.parameters())


def test_show_prints_equations_figures_and_the_reason():
    out = call("cell", "show", "min_gru").out
    assert "  h_t = (1 - z_t) ⊙ h_{t-1} + z_t ⊙ n_t\n" in out
    assert "linear in its state: yes: no gate projects a state" in out
    out = call("cell", "show", "gru").out
    assert "linear in its state: no: gates r and z project the state h;" in out
    assert "  recurrent products: 2: r z, n\n" in out
    assert "  parameters: 3 D + 3 H + 6; for D = H 6 H + 6\n" in out
    assert "  elementwise operations, forward: 11 (" in out


def test_show_writes_latex_a_page_and_json(tmp_path, file):
    assert call("cell", "show", "lstm", "--latex").out == LIBRARY["lstm"].equations().to_latex()
    page = tmp_path / "page.html"
    answer = call("cell", "show", f"{file}:leaky", "--html", page, "--json")
    assert answer.code == 0
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    document = answer.document
    assert document["vectors"] == ["bias"]
    assert "∂q_t = U_nᵀ δ_{n,t}" in document["text"]
    assert document["latex"].startswith(r"\section*{leaky}")


@pytest.mark.parametrize("command", ["show", "check"])
def test_what_is_wrong_is_one_sentence_and_exit_code_2(command, tmp_path, file):
    broken = tmp_path / "broken.py"
    broken.write_text(OWN.replace("p.bias", "p"))
    for reference, message in (
        ("lsmt", "There is no cell 'lsmt'; did you mean lstm?"),
        (f"{tmp_path / 'none.py'}:leaky", f"There is no file {tmp_path / 'none.py'}."),
        (f"{file}:other", f"{file} has nothing called 'other'; it has the cells leaky."),
        (f"{broken}:leaky", f"{broken}:7: cell 'leaky': p is a family of learned vectors: use one of them"),
    ):
        answer = call("cell", command, reference)
        assert answer.code == 2
        assert answer.out == ""
        assert answer.err.startswith(f"Error: {message}")
        assert answer.err.count("\n") == 1


def test_check_compares_the_backends_that_can_run_the_cell(file):
    document = call("cell", "check", "lstm", "--json").document
    assert document["passed"] is True
    compared = {one["name"]: one for one in document["comparisons"]}
    assert compared["backend vendor, whole rows, reversed, ragged rows"]["passed"] is True
    of_derived = {name: compared.pop(f"derived gradient against {name}") for name in ("autograd", "finite differences")}
    assert all(0 <= one["difference"] < 1e-9 for one in compared.values())
    assert of_derived["autograd"]["difference"] < of_derived["autograd"]["tolerance"] == 1e-10
    assert of_derived["finite differences"]["difference"] < of_derived["finite differences"]["tolerance"] == 1e-6
    out = call("cell", "check", "lstm").out
    assert "backend vendor" in out
    assert "agrees" in out
    answer = call("cell", "check", f"{file}:leaky")
    assert answer.code == 0, answer.err
    assert "  recurrent products: 1: n\n" in answer.out
    assert "backend vendor" not in answer.out


@pytest.mark.parametrize("wrong", ["output", "gradient", "nan"])
def test_check_fails_when_a_backend_computes_something_else(monkeypatch, wrong):
    from seqwise.kernels import reference
    from seqwise.ops import BACKENDS

    def forward(program, x, initial, weights, variant):
        result = reference.forward(program, x, initial, weights, variant)
        if wrong == "output":
            return result._replace(outputs=result.outputs * 1.0001)
        if wrong == "nan":
            return result._replace(outputs=result.outputs * float("nan"))
        x = x.detach()  # the right values and no gradient of x
        return reference.forward(program, x, initial, weights, variant)

    monkeypatch.setitem(BACKENDS, "vendor", BACKENDS["vendor"]._replace(forward=forward))
    answer = call("cell", "check", "lstm")
    assert answer.code == 1
    assert "DIFFERS" in answer.out
    document = call("cell", "check", "lstm", "--json").document
    assert document["passed"] is False


def test_check_fails_when_the_derived_gradient_is_wrong(monkeypatch, file):
    from seqwise.cells import derive
    from seqwise.kernels import derived

    def swapped(program):
        right = derive(program)
        return replace(right, input_gates=tuple(reversed(right.input_gates)))

    monkeypatch.setattr(derived, "derive", swapped)
    answer = call("cell", "check", f"{file}:leaky", "--json")
    assert answer.code == 1
    failed = [one["name"] for one in answer.document["comparisons"] if not one["passed"]]
    assert failed == ["derived gradient against autograd", "derived gradient against finite differences"]
