"""Language models: `seqwise score`, and what `generate` does for them."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqwise.cli.console import print_json, print_table
from seqwise.cli.options import Device, Json, ModelFolder

if TYPE_CHECKING:
    from seqwise.prediction.sampling import Sampling

DECISIVE = 5  # symbols named for each text


def score(
    folder: ModelFolder,
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT...", help="Texts; without any, the lines of standard input.")
    ] = None,
    tokens: Annotated[bool, typer.Option("--tokens", help="Show every symbol with its probability.")] = False,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Say how probable texts are to a language model.

    log P(text) is the sum over its symbols of the log probability given all before it, in nats, the end of the text
    included. Several texts are compared: those symbols are shown on which they differ most.

    \b
    Examples:
      seqwise score lm "She will bring flowers." "She will bring flours."
      seqwise score lm "the dogs in the park sleep" "the dogs in the park sleeps" --tokens
    """
    from seqwise.prediction.language import LanguagePredictor

    predictor = LanguagePredictor.load(folder, device)
    given = list(texts) if texts else [line.rstrip("\n") for line in sys.stdin]
    scored = predictor.score(given)
    if json:
        print_json({"texts": [of.to_dict() for of in scored]})
        return
    rows = []
    for of in scored:
        hardest = sorted(zip(of.log_probabilities, of.tokens, strict=True))[:DECISIVE]
        decide = ", ".join(f"{_shown(token)} {_share(value)}" for value, token in hardest)
        rows.append([of.text, f"{of.log_probability:.2f}", f"{of.perplexity:,.1f}", decide])
    print_table("Log probability", ["text", "log P", "perplexity", "least probable symbols"], rows)
    if tokens:
        for of in scored:
            pairs = zip(of.tokens, of.log_probabilities, strict=True)
            listed = [[_shown(token), f"{value:.2f}", _share(value)] for token, value in pairs]
            print_table(of.text, ["symbol", "log P", "P"], listed)
    if len(scored) > 1:
        best = max(scored, key=lambda of: of.log_probability)
        print(f"Most probable: {best.text}")


def generate_texts(
    folder: Path, prompt: str, samplings: Sequence[Sampling], *, top: int | None, device: str, json: bool
) -> None:
    """Draw texts from a language model, or show what may come next; the arguments are those of `seqwise generate`.

    Args:
        folder: of the model.
        prompt: what every text begins with.
        samplings: how each text is drawn.
        top: show so many of the most probable next symbols instead.
        device: where it runs.
        json: print one document.
    """
    from seqwise.prediction.language import LanguagePredictor

    predictor = LanguagePredictor.load(folder, device)
    if top is not None:
        found = predictor.next_symbols(prompt, top)
        if json:
            print_json({"prompt": prompt, "next": [[symbol, probability] for symbol, probability in found]})
        else:
            rows = [[_shown(symbol), f"{probability:.4f}"] for symbol, probability in found]
            print_table(f"After {prompt!r}", ["symbol", "P"], rows)
        return
    if json:
        drawn = ["".join(predictor.generate(prompt, sampling)) for sampling in samplings]
        print_json({"prompt": prompt, "texts": drawn})
        return
    for sampling in samplings:
        print(prompt, end="", flush=True)
        for piece in predictor.generate(prompt, sampling):
            print(piece, end="", flush=True)
        print()


def _shown(symbol: str) -> str:
    return symbol if symbol.strip() and symbol.isprintable() else repr(symbol)


def _share(log_probability: float) -> str:
    return f"{math.exp(log_probability):.2g}"
