"""The generated pages of docs/derivations are those that the cells give today."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqwise.cells import LIBRARY
from seqwise.cells.derivations import make_pages, write_pages

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "derivations"


@pytest.mark.parametrize("name", ["README.md", *(f"{name}.md" for name in LIBRARY)])
def test_a_page_is_what_make_docs_writes(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == make_pages()[name], "run `make docs`"


def test_there_is_a_page_for_every_cell_and_no_other() -> None:
    assert {page.name for page in FOLDER.iterdir()} == set(make_pages())


def test_pages_of_cells_that_are_gone_are_removed(tmp_path: Path) -> None:
    (tmp_path / "gone.md").write_text("old")
    write_pages(tmp_path)
    assert {page.name for page in tmp_path.iterdir()} == set(make_pages())
