"""Language models: `seqwise score` and `generate`."""

from __future__ import annotations

import math
import sys
from typing import Annotated

import typer

from seqwise.cli.console import print_json, print_table
from seqwise.cli.options import Device, Json, ModelFolder

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


def generate(
    folder: ModelFolder,
    prompt: Annotated[str, typer.Option(help="What the text begins with.", metavar="TEXT")] = "",
    temperature: Annotated[
        float, typer.Option(help="Below 1 more probable, above 1 more surprising; 0 always the most probable symbol.")
    ] = 1.0,
    top_k: Annotated[
        int | None, typer.Option(help="Draw from the K most probable symbols only.", metavar="K", show_default=False)
    ] = None,
    top_p: Annotated[
        float, typer.Option(help="Draw from the most probable symbols that together have P.", metavar="P")
    ] = 1.0,
    max_tokens: Annotated[int, typer.Option(help="Symbols of a text at most.", metavar="N")] = 100,
    count: Annotated[int, typer.Option("--count", min=1, help="How many texts.", metavar="N")] = 1,
    next_: Annotated[
        int | None,
        typer.Option("--next", help="Show the N most probable next symbols instead.", metavar="N", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draws.", metavar="N")] = 0,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Draw texts from a language model, or show what may come next.

    Each symbol is drawn from its distribution given all before it. <eos> ends a text; <unk> is rejected and drawn again.

    \b
    Examples:
      seqwise generate lm --prompt "The boy ate a" --max-tokens 20
      seqwise generate lm --temperature 0.7 --top-k 40 --count 3 --seed 1
      seqwise generate lm --prompt "The boy ate a" --next 10
    """
    from seqwise.prediction.language import LanguagePredictor
    from seqwise.prediction.sampling import Sampling

    samplings = [Sampling(temperature, top_k, top_p, max_tokens, seed + i) for i in range(count)]
    predictor = LanguagePredictor.load(folder, device)
    if next_ is not None:
        found = predictor.next_symbols(prompt, next_)
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
