"""Every snippet of the documentation runs, and every command in it parses.

The Python blocks of a page share one namespace and run from top to bottom in an empty folder with `reviews.csv`
(columns review, sentiment) and `names.tsv` (name, sex). Of ```console blocks every `seqwise` command is parsed: a command
or option that does not exist fails here.
"""

import csv
import re
import shlex
from pathlib import Path

import pytest
import typer.main

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)#\s]+)")

REVIEWS = [
    ("what a film", "good"),
    ("a joy from start to end", "good"),
    ("two hours of my life", "bad"),
    ("dull", "bad"),
]
NAMES = [("Anna", "female"), ("Maria", "female"), ("Peter", "male"), ("Igor", "male")]


def blocks(page, language):
    """(line, text) of every block in a language."""
    text = page.read_text(encoding="utf-8")
    return [
        (text[: match.start(2)].count("\n") + 1, match[2]) for match in BLOCK.finditer(text) if match[1] == language
    ]


def commands(block):
    """The words of every seqwise command in a console block, pipes and redirections taken apart."""
    for line in block.replace("\\\n", " ").splitlines():
        if not line.lstrip().startswith(("$ ", "> ")):
            continue
        words = shlex.split(line.lstrip()[2:].replace("\\", "/"), comments=True)
        part: list[str] = []
        for word in [*words, "|"]:
            if word in {"|", "&&", ";", ">", "<"}:
                if part and part[0].rsplit("/", 1)[-1] == "seqwise":
                    yield part[1:]
                part = []
            else:
                part.append(word)


def identifier(page):
    return str(page.relative_to(ROOT))


@pytest.fixture
def small_data(tmp_path, monkeypatch):
    for name, delimiter, header, rows in (
        ("reviews.csv", ",", ("review", "sentiment"), REVIEWS),
        ("names.tsv", "\t", ("name", "sex"), NAMES),
    ):
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=delimiter).writerows([header, *rows * 15])
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=identifier)
def test_python_snippets_run(page, small_data):
    namespace = {"__name__": "snippet"}
    for line, text in blocks(page, "python"):
        # Empty lines before it, so that a traceback names the line of the page.
        exec(compile("\n" * (line - 1) + text, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "console")], ids=identifier)
def test_commands_parse(page):
    from seqwise.cli import app

    root = typer.main.get_command(app)
    for line, block in blocks(page, "console"):
        for words in commands(block):
            place = f"{page.name}, block at line {line}: seqwise {shlex.join(words)}"
            parse(root, words, place)


def parse(root, words, place):
    command, name, rest = root, "seqwise", list(words)
    if not rest or rest[0].startswith("-"):
        assert rest in (["--help"], ["--version"]), place
        return
    while hasattr(command, "commands"):
        assert rest, f"{place}: a command is missing"
        name, *rest = rest
        assert name in command.commands, f"{place}: there is no command {name}"
        command = command.commands[name]
    try:
        command.make_context(name, rest)
    except Exception as error:
        if type(error).__name__ != "Exit":  # --help, --list and --schema have done their work
            pytest.fail(f"{place}: {error}")


@pytest.mark.parametrize("page", PAGES, ids=identifier)
def test_links_lead_somewhere(page):
    broken = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert not broken


def test_every_guide_and_decision_is_in_its_index():
    docs = ROOT / "docs"
    for index, pages in (
        (docs / "README.md", {*docs.glob("*.md"), *docs.glob("guides/*.md")}),
        (docs / "decisions" / "README.md", set(docs.glob("decisions/*.md"))),
    ):
        linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text(encoding="utf-8"))}
        assert pages - linked == {index}


def test_the_checks_see_commands_and_blocks():
    assert list(commands("$ cat x | seqwise predict m - > y  # so\n> .venv\\Scripts\\seqwise demo\n")) == [
        ["predict", "m", "-"],
        ["demo"],
    ]
    assert sum(len(list(commands(block))) for page in PAGES for _, block in blocks(page, "console")) > 20
