"""`seqwise text`: what is made of a text before a model reads it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer

from seqwise.cli.console import print_json, print_table, say
from seqwise.cli.options import Json, Set

app = typer.Typer(name="text", no_args_is_help=True, help="What is made of a text before a model reads it.")


Config = Annotated[Path | None, typer.Option(help="YAML file with the section text.", metavar="FILE")]
Preset = Annotated[
    str | None, typer.Option(help="Settings for a kind of text or task: tweets, sentiment.", metavar="NAME")
]


@app.command()
def show(
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="Texts.", show_default=False)],
    config: Config = None,
    set_: Set = None,
    preset: Preset = None,
    json: Json = False,
) -> None:
    """Show what every step of cleaning makes of a text, and its tokens; then what is left of them, and in which form.

    A step that changes nothing is left out. text.unit decides what a token is; unless it is set, words.
    --json has the place of every token in the text as given, too.

    \b
    Examples:
      seqwise text show --preset tweets "ooooh.... LOL that leslie"
      seqwise text show --preset sentiment --set text.stems=porter "it was not running well"
      seqwise text show --set "text.clean=[urls,numbers]" "call 555-1234, or see https://example.org"
    """
    from seqwise.experiments.configuration import build_configuration
    from seqwise.text import describe_text

    settings = build_configuration(config, set_ or (), {"text.preset": preset}).text
    documents = [describe_text(text, settings) for text in texts]
    if json:
        print_json(documents)
        return
    for document in documents:
        rows = [[step["name"], step["text"]] for step in document["steps"]]
        words = document.get("words", []) or [{"name": "tokens", "tokens": document["tokens"]}]
        rows += [[step["name"], " · ".join(step["tokens"])] for step in words]
        print_table(document["text"], ["step", "text"], rows, numbers=False)
    for note in documents[0].get("notes", []):
        say(note)


@app.command()
def tokens(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Texts, one a line, also .gz .xz .zst; a table with --column; - is standard input.",
            show_default=False,
        ),
    ],
    config: Config = None,
    set_: Set = None,
    preset: Preset = None,
    column: Annotated[
        str | None, typer.Option(metavar="COL", help="Column of a table with the texts.", show_default=False)
    ] = None,
    spans: Annotated[
        bool, typer.Option("--spans", help="JSON lines, with where every token stands in its text.", show_default=False)
    ] = False,
) -> None:
    """Print the tokens of every text of a file, one line a text, with spaces between; the file may be of any length.

    text.unit decides what a token is; unless it is set, words. Sub-words are learned by a model, and are not known here.

    \b
    Examples:
      seqwise text tokens reviews.txt.gz > words.txt
      seqwise text tokens tweets.csv --column tweet --preset sentiment --set text.stems=porter
      cat lines.txt | seqwise text tokens - --spans
    """
    from seqwise.experiments.configuration import build_configuration
    from seqwise.text import Tokenizer, explain_text

    settings = build_configuration(config, set_ or (), {"text.preset": preset}).text
    if settings.unit == "auto":
        settings = settings.model_copy(update={"unit": "words"})
    tokenizer = Tokenizer(settings)
    for note in explain_text(settings):
        say(note)
    for texts in _texts(file, column):
        if spans:
            lines = [_placed(tokenizer.spans(text)) for text in texts]
        else:
            lines = [" ".join(tokenizer(text)) for text in texts]
        sys.stdout.write("".join([line + "\n" for line in lines]))
        sys.stdout.flush()


def _texts(file: Path, column: str | None) -> Iterator[Sequence[Any]]:
    from seqwise.data import open_table
    from seqwise.data.files import utf8_lines
    from seqwise.experiments.prediction import lines_of
    from seqwise.text.chunking import by_size

    if column is not None:
        for chunk in open_table(file).iter_chunks(columns=[column]):
            yield chunk[column]
    elif str(file) == "-":
        yield from lines_of(sys.stdin.buffer)
    else:
        yield from by_size(line.removesuffix("\n").removesuffix("\r") for line in utf8_lines(file))


def _placed(spans: Sequence[tuple[str, int, int]]) -> str:
    document = {"tokens": [token for token, _, _ in spans], "spans": [[start, end] for _, start, end in spans]}
    return dumps(document, ensure_ascii=False)
