"""`seqwise generate`: texts, names, music; and what `predict` does for generators."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from seqwise.cli.asked import Asked
from seqwise.cli.console import describe_figure, print_json, print_table, say
from seqwise.cli.language import generate_texts
from seqwise.cli.options import Device, Json, ModelFolder

STEPS, SYMBOLS = 64, 100  # drawn at most where nobody says how many


def generate(
    folder: ModelFolder,
    prompt: Annotated[str, typer.Option(help="What the text begins with.", metavar="TEXT")] = "",
    condition: Annotated[
        str | None, typer.Option(help="The class to draw for; without it any.", metavar="CLASS", show_default=False)
    ] = None,
    temperature: Annotated[
        float, typer.Option(help="Below 1 more probable, above 1 more surprising; 0 always the most probable symbol.")
    ] = 1.0,
    top_k: Annotated[
        int | None, typer.Option(help="Draw from the K most probable symbols only.", metavar="K", show_default=False)
    ] = None,
    top_p: Annotated[
        float, typer.Option(help="Draw from the most probable symbols that together have P.", metavar="P")
    ] = 1.0,
    guidance: Annotated[
        float,
        typer.Option(
            help="Above 0: more of what tells the class from others (needs model.condition_dropout).", metavar="W"
        ),
    ] = 0.0,
    max_tokens: Annotated[
        int | None,
        typer.Option(help=f"Symbols of a text ({SYMBOLS}) or chords of a piece ({STEPS}) at most.", metavar="N"),
    ] = None,
    count: Annotated[int, typer.Option("--count", "--samples", min=1, help="How many.", metavar="N")] = 1,
    next_: Annotated[
        int | None,
        typer.Option(
            "--next",
            help="Language models: show the N most probable next symbols instead.",
            metavar="N",
            show_default=False,
        ),
    ] = None,
    judge: Annotated[
        Path | None,
        typer.Option(
            help="A classifier that says of each drawn text what class it is; without --condition they are drawn for all.",
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str,
        typer.Option("--by", help="With --judge: draw for every class alike, or by its share.", metavar="even|prior"),
    ] = "even",
    known: Annotated[
        str | None,
        typer.Option(help="With --judge: data of which copies are counted.", metavar="DATA", show_default=False),
    ] = None,
    seed_from: Annotated[
        Path | None,
        typer.Option(
            help="Music: go on from the first piece of this file (.mid, .parquet, .jsonl).",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    seed_steps: Annotated[int, typer.Option(help="How many of its first chords.", min=1, metavar="N")] = 16,
    out: Annotated[
        Path | None,
        typer.Option(help="Music: write a MIDI file, the seed included.", metavar="FILE", show_default=False),
    ] = None,
    tempo: Annotated[float, typer.Option(help="Music: quarter notes a minute in that file.", metavar="N")] = 80.0,
    struck: Annotated[
        bool, typer.Option("--struck", help="Music: strike every note anew at each step instead of holding it.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draws.", metavar="N")] = 0,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Draw texts or music from a model.

    Each symbol or chord is drawn from its distribution given all before it. <eos> ends a text; <unk> is rejected and drawn
    again. A language model draws texts; what --task generate made draws for a class, or chords.

    \b
    Examples:
      seqwise generate lm --prompt "The boy ate a" --max-tokens 20
      seqwise generate lm --temperature 0.7 --top-k 40 --count 3 --seed 1
      seqwise generate lm --prompt "The boy ate a" --next 10
      seqwise generate names --condition Italian --samples 10
      seqwise generate names --condition Italian --prompt Ma
      seqwise generate names --samples 1000 --judge names-classifier --known names_language
      seqwise generate chorales --seed-from chorale.mid --out song.mid
    """
    from seqwise.errors import ConfigurationError
    from seqwise.prediction import task_of
    from seqwise.prediction.sampling import Sampling

    task = task_of(folder)
    of_generators = {
        "--condition": condition,
        "--guidance": guidance,
        "--judge": judge,
        "--known": known,
        "--seed-from": seed_from,
        "--out": out,
        "--struck": struck,
    }
    if task == "lm":
        if wrong := [name for name, value in of_generators.items() if value]:
            raise ConfigurationError(
                f"{wrong[0]} is for models of --task generate, and {folder} holds a language model"
            )
        longest = SYMBOLS if max_tokens is None else max_tokens
        samplings = [Sampling(temperature, top_k, top_p, longest, seed + i) for i in range(count)]
        generate_texts(folder, prompt, samplings, top=next_, device=device, json=json)
        return
    if task != "generate":
        raise ConfigurationError(f"{folder} holds a model of the task {task!r}, which draws nothing")
    if next_ is not None:
        raise ConfigurationError("--next is for language models")
    if known is not None and judge is None:
        raise ConfigurationError("--known is for texts that are judged: give --judge too")
    if by not in ("even", "prior"):
        raise ConfigurationError(f"--by is even or prior, not {by!r}")
    from seqwise.prediction.generator import GeneratorPredictor

    predictor = GeneratorPredictor.load(folder, device)
    longest = max_tokens or (STEPS if predictor.makes_chords else SYMBOLS)
    sampling = Sampling(temperature, top_k, top_p, longest if max_tokens is None else max_tokens, seed)
    if predictor.makes_chords:
        if wrong := [name for name in ("--guidance", "--judge") if of_generators[name]]:
            raise ConfigurationError(f"{wrong[0]} is for texts, and {folder} makes chords")
        if prompt:
            raise ConfigurationError("--prompt is a text, and this model makes chords: give --seed-from FILE")
        options = {"tempo": tempo, "join": not struck}
        _generate_music(predictor, condition, sampling, count, seed_from, seed_steps, out, options, json)
        return
    if wrong := [name for name in ("--seed-from", "--out", "--struck") if of_generators[name]]:
        raise ConfigurationError(f"{wrong[0]} is for music, and {folder} makes texts")
    if judge is not None:
        _judge(predictor, judge, count, condition, sampling, guidance, by, known, device, json)
        return
    asked = _asked(predictor, condition, count)
    texts = predictor.sample(asked, sampling, count=count, prompt=prompt, guidance=guidance)
    if json:
        print_json({"condition": condition, "prompt": prompt, "texts": texts})
    else:
        print("\n".join(texts))


def write_sequences(asked: Asked) -> None:
    """Print the most probable sequence of each condition: classes that are given, or the rows of a file."""
    from seqwise.experiments.judging import read_conditions
    from seqwise.prediction.generator import GeneratorPredictor

    predictor = GeneratorPredictor.load(asked.folder, asked.device)
    conditions = list(asked.lines()) if asked.input is None else read_conditions(predictor, asked.input, asked.column)
    found = predictor.predict(conditions)
    if asked.json:
        print_json({"texts": found})
    else:
        print("\n".join(found))


def _asked(predictor: Any, condition: str | None, count: int) -> list[str | None] | None:
    from seqwise.errors import ConfigurationError

    if predictor.condition == "vector":
        raise ConfigurationError("this model writes from vectors: seqwise predict DIR --input FILE reads them")
    return None if predictor.condition == "none" and condition is None else [condition] * count


def _generate_music(
    predictor: Any,
    condition: str | None,
    sampling: Any,
    count: int,
    seed_from: Path | None,
    seed_steps: int,
    out: Path | None,
    options: Mapping[str, Any],
    json: bool,
) -> None:
    from seqwise.data.midi import write_midi
    from seqwise.errors import ConfigurationError
    from seqwise.experiments.judging import read_seed

    if out is not None and count > 1:
        raise ConfigurationError("--out writes one piece: leave --samples out")
    seed = [] if seed_from is None else read_seed(predictor, seed_from)[:seed_steps]
    asked = None if predictor.condition == "none" and condition is None else [condition] * count
    pieces = predictor.sample_pieces(asked, sampling, count=count, seed=seed)
    if out is not None:
        write_midi(out, [*seed, *pieces[0]], **options)
        say(f"{len(seed)} chords given and {len(pieces[0])} drawn are written to {out}")
    if json:
        print_json({"seed": seed, "pieces": pieces})
    elif out is None:
        for piece in pieces:
            print("\n".join(" ".join(map(str, chord)) or "-" for chord in piece))
            print()


def _judge(
    predictor: Any,
    judge: Path,
    count: int,
    condition: str | None,
    sampling: Any,
    guidance: float,
    by: str,
    known: str | None,
    device: str,
    json: bool,
) -> None:
    from seqwise.experiments.judging import Judgement, judge_samples

    request = Judgement(count, by, guidance, sampling, condition)
    block = judge_samples(predictor, judge, request, known, device=device)
    if json:
        print_json(block)
        return
    named = {
        "agreement": "judged to be of the asked class",
        "copied": "copied from the known texts",
        "distinct": "different",
    }
    rows = [[name, describe_figure(block[key])] for key, name in named.items() if key in block]
    print_table(f"{count:,} texts drawn {_drawn(by, condition)}, 95% intervals in brackets", ["", "share"], rows)
    listed = [[name, str(of["samples"]), f"{of['agreement']:.3f}"] for name, of in block["per_class"].items()]
    print_table("By class", ["", "drawn", "judged so"], listed)


def _drawn(by: str, condition: str | None) -> str:
    if condition is not None:
        return f"for {condition}"
    return "for all classes alike" if by == "even" else "by the shares of the classes"
