"""Run the Python of every lecture page and put the pictures that it draws where the pages show them.

python docs/lectures/figures.py
"""

import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
PICTURES = FOLDER.parent / "images" / "lectures"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    """The pages that have Python in them."""
    return [page for page in sorted(FOLDER.glob("*.md")) if BLOCK.search(page.read_text(encoding="utf-8"))]


def run(page: Path, folder: Path) -> dict[str, Any]:
    """Run the blocks of a page from top to bottom in one namespace, in a folder; return the namespace."""
    text = page.read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": page.stem}
    with contextlib.chdir(folder):
        for match in BLOCK.finditer(text):
            line = text[: match.start(1)].count("\n")  # empty lines before it: a traceback names the line of the page
            exec(compile("\n" * line + match[1], str(page), "exec"), namespace)
    return namespace


def main() -> None:
    """Draw them all."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for page in pages():
        with tempfile.TemporaryDirectory() as folder:
            run(page, Path(folder))
            for picture in sorted(Path(folder).glob("*.png")):
                os.replace(picture, PICTURES / picture.name)
                print(f"{page.name}: {picture.name}")


if __name__ == "__main__":
    main()
