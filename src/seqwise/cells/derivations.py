"""The pages of `docs/derivations`: one for each built-in cell, and their index. Generated, never edited."""

from __future__ import annotations

from pathlib import Path

from seqwise.cells import LIBRARY
from seqwise.cells.cell import Cell
from seqwise.cells.description import describe_cell

_NOTE = "<!-- Generated from the cell's equation by `make docs`. -->\n\n"
_INDEX = """# Derivations

One page for each built-in cell: its equations, and backpropagation through time as Seqwise derives it from them. The
pages are generated from the cells, and a test compares them; `seqwise cell show` prints the same for a cell of your own
(see [Writing a cell](../guides/cells.md)). D is the width of the input, H the number of hidden units.

| cell | states | recurrent products | parameters per unit | linear in its state |
|---|---|---|---|---|
"""


def make_pages() -> dict[str, str]:
    """The text of every page by file name."""
    rows = []
    pages = {}
    for cell in LIBRARY.values():
        described = describe_cell(cell)
        products = "; ".join(", ".join(gates) for gates in described["stages"]) or "none"
        linear = "yes" if described["linear"] else "no"
        states = ", ".join(described["states"])
        rows.append(
            f"| [{cell.name}]({cell.name}.md) | {states} | {products} | {described['parameters']} | {linear} |\n"
        )
        pages[f"{cell.name}.md"] = _make_page(cell)
    return {"README.md": _NOTE + _INDEX + "".join(rows)} | pages


def write_pages(folder: Path) -> None:
    """Write every page into a folder.

    Args:
        folder: Made if it is not there; a page of a cell that is gone is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pages = make_pages()
    for old in folder.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


def _make_page(cell: Cell) -> str:
    described = describe_cell(cell)
    answer = "linear" if described["linear"] else "not linear"
    return (
        f"{_NOTE}{cell.equations().to_markdown()}\n"
        f"## In figures\n\n"
        f"* Parameters per hidden unit: {described['parameters']} (D inputs, H hidden units).\n"
        f"* The cell is {answer} in its state: {described['reason']}\n\n"
        f"[All cells](README.md)\n"
    )
