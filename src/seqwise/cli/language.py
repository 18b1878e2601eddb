"""Language models: `seqwise train --task lm`, `score` and `generate`."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from seqwise.cli.console import describe_figure, print_json, print_table, say
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
    from seqwise.prediction.language import LanguagePredictor, Sampling

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


def refuse_options(task: str, given: Mapping[str, Any]) -> None:
    """Refuse options of classification for another task.

    Args:
        task: "lm".
        given: option -> its value; None or False where it was not given.

    Raises:
        ConfigurationError: there is no such task, or an option was given.
    """
    from seqwise.errors import ConfigurationError, nearest
    from seqwise.experiments.configuration import TASKS

    if task not in TASKS:
        raise ConfigurationError(f"there is no task {task!r}; {nearest(task, TASKS)}")
    if wrong := [option for option, value in given.items() if value]:
        raise ConfigurationError(f"{wrong[0]} is for classification, not for --task {task}")


def train_language_model(
    data: str,
    out: Path,
    flags: Mapping[str, Any],
    config: Path | None,
    overrides: list[str] | None,
    validation: str | None,
    test: str | None,
    *,
    overwrite: bool,
    resume: bool,
    started: float,
    json: bool,
) -> None:
    """Train a language model and print its figures; the arguments are those of `seqwise train`."""
    from seqwise.experiments.language import LanguageRequest, language_configuration, run_language_training

    configuration = language_configuration(config, overrides or (), flags)
    outcome = run_language_training(
        LanguageRequest(
            data, configuration, out, validation, test, overwrite=overwrite, resume=resume, started=started
        ),
        say=say,
    )
    if json:
        print_json(outcome.to_dict())
    else:
        for part, block in outcome.metrics.items():
            language_table(block, f"{part.capitalize()}: {block['tokens']:,} symbols, 95% intervals in brackets")
        print(outcome.verdict)
        print(f"\nReport:   {out / 'report.html'}")
        print(f'Score:    seqwise score {out} "a sentence of yours"')
        print(f"Generate: seqwise generate {out}")
    if outcome.interrupted:
        say(f"Interrupted: the best model so far is saved in {out}; add --resume to go on.")
        raise typer.Exit(130)


def evaluate_language_model(
    folder: Path, data: str, *, text: str | None, adapt: float | None, device: str, json: bool
) -> None:
    """Evaluate a language model and print its figures; the arguments are those of `seqwise evaluate`."""
    from seqwise.errors import ConfigurationError
    from seqwise.experiments.language import run_language_evaluation

    if adapt is not None and not 0 < adapt < 1000:
        raise ConfigurationError(f"--adapt is a learning rate above 0, not {adapt}")
    name, block = run_language_evaluation(folder, data, text=text, adapt=adapt, device=device)
    if json:
        print_json(block)
    else:
        language_table(block, f"{name}: {block['tokens']:,} symbols, 95% intervals in brackets")


def language_table(block: Mapping[str, Any], title: str) -> None:
    """Print the figures of a language model beside those of its baseline.

    Args:
        block: one block of `metrics.json`.
        title: what was evaluated on what.
    """
    names = {"perplexity": "perplexity", "log_loss": "nats a symbol", "bits_per_character": "bits a character"}
    baseline = block.get("baseline", {})
    rows = [
        [name, describe_figure(block[key]), *([describe_figure(baseline[key])] if key in baseline else [])]
        for key, name in names.items()
        if key in block
    ]
    print_table(title, ["lower is better", "model", *(["Kneser-Ney"] if baseline else [])], rows)


def _shown(symbol: str) -> str:
    return symbol if symbol.strip() and symbol.isprintable() else repr(symbol)


def _share(log_probability: float) -> str:
    return f"{math.exp(log_probability):.2g}"
