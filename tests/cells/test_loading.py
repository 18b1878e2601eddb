"""Finding a cell by name and in a person's own file: what is found, and what is said when it is not."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from seqwise.cells import lstm
from seqwise.cells.loading import find_cell, load_cell
from seqwise.errors import CellError, FileError

CELLS = """\
from seqwise import cell
from seqwise.cells import sigmoid, tanh

@cell
def leaky(x, h):
    '''A state that leaks.'''
    z = sigmoid(x.z)
    return (1 - z) * h + z * tanh(x.n + h.n)

def plain(x, h):
    return tanh(x.h + h.h)

number = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_cells.py"
    path.write_text(CELLS)
    return path


def refuse(reference: object, message: str, error: type[Exception] = CellError) -> None:
    with pytest.raises(error, match=re.escape(message)) as caught:
        find_cell(str(reference))
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)


def test_a_built_in_cell_is_found_by_name() -> None:
    assert find_cell("lstm") is lstm
    refuse("lsmt", "There is no cell 'lsmt'; did you mean lstm?")
    refuse("transformer", "There is no cell 'transformer'; there are rnn, rnn_relu,")


def test_a_cell_of_a_persons_own_is_loaded(file: Path) -> None:
    found = find_cell(f"{file}:leaky")
    assert (found.name, found.source) == ("leaky", "A state that leaks.")
    assert found.program.gates == ("z", "n")
    assert not list(file.parent.glob("__pycache__"))


def test_a_file_may_import_what_lies_beside_it(file: Path) -> None:
    before = list(sys.path)
    other = file.with_name("others.py")
    other.write_text(f"from {file.stem} import leaky as mine\n")
    dont_write, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        assert load_cell(f"{other}:mine").name == "leaky"
    finally:
        sys.dont_write_bytecode = dont_write
        sys.modules.pop(file.stem, None)
    assert sys.path == before


def test_what_is_missing_is_named(file: Path) -> None:
    refuse(f"{file.parent / 'none.py'}:leaky", f"There is no file {file.parent / 'none.py'}.", FileError)
    refuse(f"{file.parent}:leaky", "is not a file.", FileError)
    refuse(f"{file}:leeky", "has nothing called 'leeky'; it has the cells leaky.")
    refuse(f"{file}:", "is not of the form FILE:NAME")
    refuse(":leaky", "is not of the form FILE:NAME")
    file.write_text("")
    refuse(f"{file}:leaky", "has nothing called 'leaky'; it has no cell at all.")


def test_what_is_no_cell_is_named_with_its_type(file: Path) -> None:
    refuse(f"{file}:plain", "is not a cell but of type function; put @cell above its def.")
    refuse(f"{file}:number", "is not a cell but of type int.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ny = x / 0\n", ":2: ZeroDivisionError: division by zero."),
        ("def fail():\n    raise KeyError\nfail()\n", ":2: KeyError."),
        ("x = 1\nx = (\n", ":2: SyntaxError: '(' was never closed."),
        ("import no_such_module_at_all\n", ":1: ModuleNotFoundError: No module named 'no_such_module_at_all'."),
        ("import sys\nsys.exit(3)\n", ":2: SystemExit: 3."),
        ("import json\n\njson.loads('')\n", ":3: JSONDecodeError: "),
    ],
)
def test_a_failing_file_is_named_with_its_line(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    refuse(f"{file}:leaky", f"{file}{message}")


def test_the_rules_of_the_notation_are_reported_with_file_and_line(file: Path) -> None:
    file.write_text(CELLS.replace("x.n + h.n", "x + h.n"))
    refuse(f"{file}:leaky", f"{file}:8: cell 'leaky': the input has a width of its own")
