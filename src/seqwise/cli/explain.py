"""`seqwise explain`: why a model answers as it does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqwise.cli.console import print_json, print_table, say
from seqwise.cli.options import Device, Json, ModelFolder
from seqwise.errors import ConfigurationError

if TYPE_CHECKING:
    from seqwise.experiments.explaining import Alike
    from seqwise.explanation import Explanation, StateTrace

TOKENS_SHOWN = 30
STEPS_SHOWN = 60
TEXT_SHOWN = 70
BAR = 12  # characters on either side
FOR = ("#e2f0ef", "#bfe0dd", "#8fcac4", "#5cb3aa")  # from weak to strong
AGAINST = ("#fbeee6", "#f5d6c2", "#ecb491", "#e08f5c")
MEANINGS = {"lm": "log-probability", "regress": "number of the network"}


def explain(
    folder: ModelFolder,
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT",
            help="What the model reads; of a model of frames a .wav or .npy file, or a table with --row.",
            show_default=False,
        ),
    ],
    method: Annotated[
        str,
        typer.Option(metavar="METHOD", help="integrated_gradients, occlusion or gradient_x_input."),
    ] = "integrated_gradients",
    target: Annotated[
        str | None,
        typer.Option(
            help="Class, label, tag or symbol to explain, if not the model's own answer.",
            metavar="CLASS",
            show_default=False,
        ),
    ] = None,
    position: Annotated[
        int | None,
        typer.Option(
            help="Taggers: number of the token whose tag is explained; language models: of the symbol. From 0.",
            metavar="N",
            show_default=False,
        ),
    ] = None,
    row: Annotated[
        int | None, typer.Option(help="Models of frames: row of the table, from 1.", metavar="N", show_default=False)
    ] = None,
    nearest: Annotated[
        int | None, typer.Option(help="Show so many of the nearest training examples.", metavar="K", show_default=False)
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="The training data, for --nearest.", metavar="DATA", show_default=False)
    ] = None,
    states: Annotated[bool, typer.Option("--states", help="Show what the state holds over time.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="Write a page with shaded tokens and the state as heat maps.", metavar="FILE.html"),
    ] = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Say what each token contributes to an answer.

    Positive values speak for the class, negative ones against it. Those of integrated gradients add up to what the text
    changes, against one of which every token is covered.

    \b
    Examples:
      seqwise explain my-model "what a waste of time"
      seqwise explain my-model "what a waste of time" --target good --method occlusion --output why.html
      seqwise explain ner "Angela Merkel met John Smith ." --position 0
      seqwise explain my-model "what a film" --nearest 5 --data reviews.csv --states
    """
    if (nearest is None) != (data is None):
        raise ConfigurationError(
            "--nearest says how many examples to show, and --data from where: give both or neither"
        )
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise ConfigurationError(f"--output writes an HTML page: give a name that ends in .html, not {output.name}")
    from seqwise.experiments.explaining import nearest_examples, open_explained, read_input
    from seqwise.explanation import explain as explain_tokens

    predictor = open_explained(folder, device)
    given = read_input(predictor, text, row)
    explanation = explain_tokens(predictor, given, method=method, target=target, position=position)
    traced = _trace(predictor, given) if states else None
    alike = [] if nearest is None or data is None else nearest_examples(predictor, given, data, nearest)
    meaning = MEANINGS.get(predictor.config["task"], "log-odds")
    if output is not None:
        _write_page(output, explanation, traced, alike, model=folder.name, meaning=meaning)
    if json:
        document: dict[str, Any] = {"model": folder.name, **explanation.to_dict()}
        document |= {} if traced is None else {"states": traced.to_dict()}
        document |= {} if nearest is None else {"neighbours": [of._asdict() for of in alike]}
        print_json(document)
        return
    _print_tokens(explanation, meaning)
    if traced is not None:
        _print_states(traced)
    if alike:
        rows = [[_one_line(of.text), of.label, f"{of.row:,}", f"{of.similarity:.3f}"] for of in alike]
        print_table("The nearest training examples", ["text", "label", "row", "cosine"], rows)
    if output is not None:
        say(f"Page written to {output}")


def _trace(predictor: Any, given: Any) -> StateTrace:
    from seqwise.explanation import trace  # with torch, which an exported model does without

    return trace(predictor, given)


def _write_page(
    output: Path, explanation: Explanation, traced: StateTrace | None, alike: list[Alike], **named: str
) -> None:
    from seqwise.explanation import explanation_page
    from seqwise.prediction.plain_files import write_files

    neighbours = [(of.similarity, of.text, of.label) for of in alike]
    page = explanation_page(explanation, states=traced, neighbours=neighbours, **named)
    write_files(output.parent, {output.name: page.encode("utf-8", "replace")})


def _print_tokens(explanation: Explanation, meaning: str) -> None:
    from seqwise.explanation.shading import strongest

    about = f" at {explanation.position}" if explanation.position is not None else ""
    compared = "" if explanation.baseline is None else f", {explanation.baseline:+.3f} with every token covered"
    title = f"{explanation.target}{about}: {meaning} {explanation.output:+.3f}{compared}"
    _print_text(explanation)
    largest = max(map(abs, explanation.values.tolist()), default=0.0)
    rows = []
    for number in strongest(explanation, TOKENS_SHOWN):
        value = float(explanation.values[number])
        rows.append([_one_line(explanation.tokens[number].text), f"{value:+.3f}", _bar(value, largest)])
    hidden = len(explanation.tokens) - len(rows)
    if hidden:
        title += f" (the {len(rows)} strongest of {len(explanation.tokens)} tokens)"
    print_table(title, ["token", "contribution", f"{'against':>{BAR}}|for"], rows, numbers=(1,))
    if explanation.delta is not None:
        say(f"The values miss the change of the output by {explanation.delta:+.4f}.")


def _print_text(explanation: Explanation) -> None:
    """The text in colours, where there are any."""
    from rich.console import Console
    from rich.text import Text

    from seqwise.explanation.shading import shaded

    console = Console(highlight=False)
    if not explanation.text or not sys.stdout.isatty() or console.no_color:
        return  # the table says the same
    line = Text()
    for piece in shaded(explanation):
        colours = FOR if piece.level > 0 else AGAINST
        line.append(piece.text, style=f"black on {colours[abs(piece.level) - 1]}" if piece.level else "")
    console.print(line)


def _bar(value: float, largest: float) -> str:
    """A bar to the left of the middle for what speaks against, to the right for what speaks for it."""
    length = round(BAR * abs(value) / largest) if largest else 0
    left, right = ("", "█" * length) if value > 0 else ("█" * length, "")
    return f"{left:>{BAR}}|{right}"


def _print_states(traced: StateTrace) -> None:
    shown = len(traced.symbols[:STEPS_SHOWN])
    more = f" (the first {shown} of {traced.steps} steps; a page and --json have more)" if shown < traced.steps else ""
    for layer in traced.layers:
        names = [*(f"|{name}|" for name in layer.states), *layer.gates]
        tracks = [*(abs(of) for of in layer.states.values()), *layer.gates.values()]
        rows = [
            [_one_line(symbol), *(f"{track[step].mean():.3f}" for track in tracks)]
            for step, symbol in enumerate(traced.symbols[:shown])
        ]
        title = f"{layer.name}, {layer.direction}: means of {len(layer.units)} units{more}"
        print_table(title.capitalize(), ["", *names], rows)


def _one_line(text: str) -> str:
    words = " ".join(text.split()) or repr(text)[1:-1]
    return words if len(words) <= TEXT_SHOWN else words[: TEXT_SHOWN - 1] + "…"
