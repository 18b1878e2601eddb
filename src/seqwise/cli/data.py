"""`seqwise data`: the named data sets, and what is in a file."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from seqwise.cli.console import print_json, print_table
from seqwise.cli.options import Json

CLASSES_SHOWN = 20
CELL_SHOWN = 60  # characters of a value

app = typer.Typer(no_args_is_help=True, help="List, fetch and look into data.", rich_markup_mode=None)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a data set.", show_default=False)]


@app.command("list")
def list_(json: Json = False) -> None:
    """List the named data sets, and where they are.

    \b
    Example:
      seqwise data list
    """
    from seqwise.data import list_data

    listed = list_data()
    if json:
        print_json(listed)
        return
    places = {"SEQWISE_DATA": "here", "cache": "here", "hub": "seqwise data get"}
    rows = [
        [entry["name"], entry["task"] or "", places.get(entry["place"]) or entry["where"] or "", entry["source"] or ""]
        for entry in listed
    ]
    print_table("Data sets", ["name", "task", "where", "source"], rows, numbers=False)


@app.command()
def get(name: Name, json: Json = False) -> None:
    """Fetch a named data set, unless it is here.

    It comes from its public home and is checked against a checksum.

    \b
    Example:
      seqwise data get sms_spam
    """
    from seqwise.data import get_data

    result = get_data(name)
    if json:
        print_json(result)
    else:
        print(f"{name} {'was fetched to' if result['fetched'] else 'is in'} {result['path']}")


@app.command()
def show(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A file, a folder, or a named data set.", show_default=False)
    ],
    rows: Annotated[int, typer.Option(min=0, metavar="N", help="How many rows of each part to show.")] = 5,
    label: Annotated[str | None, typer.Option(metavar="COL", help="Column whose classes are counted.")] = None,
    json: Json = False,
) -> None:
    """Show the columns, the classes and the first rows of some data.

    \b
    Examples:
      seqwise data show reviews.csv --label sentiment
      seqwise data show sms_spam --rows 3
    """
    from seqwise.data import show_data

    shown = show_data(data, rows, label)
    if json:
        print_json(_plain(shown))
        return
    for key in ("source", "license", "note"):
        if shown["metadata"].get(key):
            print(f"{key}: {shown['metadata'][key]}")
    for part, content in shown["splits"].items():
        columns = [[name, kind] for name, kind in content["columns"].items()]
        print_table(f"{part}: {content['rows']:,} rows, {content['path']}", ["column", "type"], columns, numbers=False)
        if content["classes"]:
            classes = [
                [name, f"{count:,}", f"{count / content['rows']:.1%}"] for name, count in content["classes"].items()
            ]
            hidden = len(classes) - CLASSES_SHOWN
            title = f"{len(classes)} classes" + (f", the {CLASSES_SHOWN} most frequent" if hidden > 0 else "")
            print_table(title, ["class", "rows", "share"], classes[:CLASSES_SHOWN])
        if content["first"]:
            first = [[_cell(value) for value in row.values()] for row in content["first"]]
            print_table("First rows", list(content["first"][0]), first, numbers=False)


def _cell(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= CELL_SHOWN else text[: CELL_SHOWN - 1] + "…"


def _plain(value: Any) -> Any:
    """Values that JSON knows: what a column holds may be a date or bytes."""
    if isinstance(value, dict):
        return {str(key): _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
