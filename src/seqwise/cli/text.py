"""`seqwise text`: what is made of a text before a model reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqwise.cli.console import print_json, print_table, say
from seqwise.cli.options import Json, Set

app = typer.Typer(name="text", no_args_is_help=True, help="What is made of a text before a model reads it.")


@app.command()
def show(
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="Texts.", show_default=False)],
    config: Annotated[Path | None, typer.Option(help="YAML file with the section text.", metavar="FILE")] = None,
    set_: Set = None,
    preset: Annotated[
        str | None, typer.Option(help="Settings for a kind of text or task: tweets, sentiment.", metavar="NAME")
    ] = None,
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
