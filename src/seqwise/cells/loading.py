"""Finding a cell by what a person types: the name of a built-in one, or FILE:NAME for one in a Python file."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seqwise.cells.cell import Cell
from seqwise.errors import CellError, FileError, nearest


def find_cell(name: str) -> Cell:
    """The built-in cell of this name, or the cell that FILE:NAME points to.

    Args:
        name: `lstm`, or `my_cells.py:leaky`.

    Raises:
        CellError: There is no such cell; or as `load_cell`.
        FileError: As `load_cell`.
    """
    from seqwise.cells import LIBRARY  # the package imports this file

    if ":" in name:
        return load_cell(name)
    if name not in LIBRARY:
        cells = f"there are {', '.join(LIBRARY)}, and FILE:NAME for your own"
        raise CellError(f"There is no cell {name!r}; {nearest(name, LIBRARY, cells)}")
    return LIBRARY[name]


def load_cell(reference: str) -> Cell:
    """The cell called NAME in a Python file. The file is run, as Python would run it when it is imported.

    Args:
        reference: FILE:NAME.

    Returns:
        The cell.

    Raises:
        FileError: The file is missing or cannot be read.
        CellError: The file fails (the message names the line), has no such name, or the name is no cell.
    """
    place, _, name = reference.rpartition(":")
    if not place or not name:
        raise CellError(f"{reference!r} is not of the form FILE:NAME, for example my_cells.py:leaky.")
    path = Path(place)
    if not path.is_file():
        raise FileError(f"{place} is not a file." if path.exists() else f"There is no file {place}.")
    found = _run(path)
    cells = [key for key, value in found.items() if isinstance(value, Cell)]
    if name not in found:
        others = f"it has the cells {', '.join(cells)}" if cells else "it has no cell at all"
        raise CellError(f"{place} has nothing called {name!r}; {others}.")
    if not isinstance(found[name], Cell):
        hint = "; put @cell above its def" if callable(found[name]) else ""
        raise CellError(f"{name!r} in {place} is not a cell but of type {type(found[name]).__name__}{hint}.")
    return found[name]


def _run(path: Path) -> dict[str, Any]:
    """The names that the file defines."""
    try:
        with _folder_first(path):
            return runpy.run_path(str(path), run_name=path.stem)
    except CellError:
        raise  # it names file and line already
    except SyntaxError as error:
        raise CellError(f"{error.filename or path}:{error.lineno}: {type(error).__name__}: {error.msg}.") from error
    except (Exception, SystemExit) as error:
        lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if _is_of(frame, path)]
        where = f"{path}:{lines[-1]}" if lines else str(path)
        said = f": {error}".rstrip(".") if str(error) else ""
        raise CellError(f"{where}: {type(error).__name__}{said}.") from error


def _is_of(frame: Any, path: Path) -> bool:
    return bool(frame.f_code.co_filename == str(path))


@contextmanager
def _folder_first(path: Path) -> Iterator[None]:
    """The file may import what lies beside it, as it may when it is run by itself."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
