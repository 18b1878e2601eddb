"""`seqwise embed`: word vectors from a corpus."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqwise.cli.console import print_json, say
from seqwise.cli.options import Json

if TYPE_CHECKING:
    from seqwise.embeddings.corpus import EncodedCorpus
    from seqwise.embeddings.slices import Progress


def embed(
    ctx: typer.Context,
    corpus: Annotated[
        list[Path],
        typer.Argument(
            metavar="CORPUS...",
            help="Text files, one sentence a line, also .gz .xz .zst; Parquet files with --column; - is standard input.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="Vectors: .safetensors .vec .txt .bin.", show_default=False),
    ],
    model: Annotated[
        str,
        typer.Option(
            metavar="skipgram|cbow|nplm|glove",
            help="Word predicts context, or context word: by its mean, or a hidden layer; glove: counts of pairs.",
        ),
    ] = "skipgram",
    objective: Annotated[
        str,
        typer.Option(
            metavar="negative|hierarchical|nce|softmax",
            help="Negative sampling, hierarchical softmax, noise-contrastive estimation, full softmax.",
        ),
    ] = "negative",
    size: Annotated[int, typer.Option(metavar="N", help="Numbers in a vector.")] = 100,
    window: Annotated[int, typer.Option(metavar="N", help="Words on either side at most (glove: 15).")] = 5,
    context: Annotated[
        str,
        typer.Option(
            metavar="previous|around|nearby",
            help="nplm: the words before, those on either side, or one of those.",
        ),
    ] = "previous",
    hidden: Annotated[int, typer.Option(metavar="N", help="nplm: units of the hidden layer.")] = 100,
    direct: Annotated[
        bool, typer.Option("--direct", help="nplm: connect the context with the words directly, too.")
    ] = False,
    x_max: Annotated[float, typer.Option(metavar="X", help="glove: a count that has its full weight.")] = 10.0,
    alpha: Annotated[float, typer.Option(metavar="A", help="glove: below, the weight is (count / x-max)^A.")] = 0.75,
    min_count: Annotated[int, typer.Option(metavar="N", help="A word seen less often is left out.")] = 5,
    negatives: Annotated[int, typer.Option(metavar="N", help="Negatives for each positive.")] = 5,
    negatives_for: Annotated[
        str, typer.Option(metavar="window|pair", help="Skip-gram: negatives for a whole window, or each pair.")
    ] = "window",
    ngrams: Annotated[
        str | None,
        typer.Option(
            metavar="M-N",
            help="Skip-gram, cbow: words consist of character n-grams too, such as 3-6; unknown words have vectors.",
            show_default=False,
        ),
    ] = None,
    buckets: Annotated[int, typer.Option(metavar="N", help="Buckets of n-grams.")] = 2_000_000,
    sample: Annotated[float, typer.Option(metavar="T", help="Threshold of sub-sampling; 0: none.")] = 1e-3,
    sample_formula: Annotated[
        str, typer.Option(metavar="word2vec|paper", help="Formula of sub-sampling: the program's or the paper's.")
    ] = "word2vec",
    epochs: Annotated[
        int,
        typer.Option(metavar="N", help="Passes over the corpus; glove: over the counts.", show_default="5; glove 15"),
    ] = 5,
    rate: Annotated[
        float | None,
        typer.Option(metavar="R", help="First learning rate (.025; others .05).", show_default=False),
    ] = None,
    threads: Annotated[
        int, typer.Option(metavar="N", help="Threads, 0: one a core. Results repeat only with one.")
    ] = 0,
    seed: Annotated[int, typer.Option(metavar="N", help="Of everything random.")] = 0,
    running: Annotated[bool, typer.Option("--running", help="Running text: lines are no sentences.")] = False,
    lowercase: Annotated[bool, typer.Option("--lowercase", help="Lower-case the text.")] = False,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="YAML file: words as its section text has them.", show_default=False),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="text.KEY=VALUE", help="Words as a model has them; may be repeated."),
    ] = None,
    phrases: Annotated[int, typer.Option(metavar="N", min=0, help="Passes that join phrases: new_york.")] = 0,
    phrase_threshold: Annotated[
        float, typer.Option(metavar="T", help="Score of a phrase in the last pass; twice as high in the one before.")
    ] = 100.0,
    column: Annotated[
        str | None, typer.Option(metavar="COL", help="Column of Parquet files.", show_default=False)
    ] = None,
    errors: Annotated[
        str, typer.Option(metavar="strict|replace", help="Bytes that are not UTF-8: an error, or replace them.")
    ] = "strict",
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on where an interrupted run stopped: from OUT.checkpoint.", show_default=False
        ),
    ] = False,
    checkpoint_seconds: Annotated[
        float, typer.Option(metavar="S", min=0.1, help="Seconds between checkpoints, in OUT.checkpoint.")
    ] = 60.0,
    json: Json = False,
) -> None:
    """Train word vectors on text.

    Words are separated by white space; with --config or --set, they are those that a model makes of the same text. Several
    threads update the same vectors without locks: as good, and faster, but no two runs are equal. Ctrl-C while it learns
    keeps what is there, and --resume goes on.

    \b
    Examples:
      seqwise embed reviews.txt --out reviews.safetensors
      seqwise embed part1.txt.gz part2.txt.gz --model cbow --size 300 --lowercase --out words.bin
      seqwise embed reviews.txt --model glove --out reviews.txt.gz
      seqwise embed reviews.txt --ngrams 3-6 --out reviews.safetensors
      zcat big.gz | seqwise embed - --objective hierarchical --threads 1 --seed 3 --out words.vec
      seqwise embed reviews.txt --out reviews.safetensors --resume
      seqwise embed tweets.txt --set text.clean=tweets --set text.stop_words=en --phrases 2 --out tweets.vec
    """
    from pydantic import ValidationError

    from seqwise.embeddings.checkpoints import Checkpoint, checkpoint_path
    from seqwise.embeddings.formats import TENSORS, check_writable
    from seqwise.embeddings.settings import EmbeddingSettings
    from seqwise.embeddings.training import run_training
    from seqwise.errors import ConfigurationError

    begin = time.perf_counter()
    kind = check_writable(out)
    if errors not in ("strict", "replace"):
        raise ConfigurationError(f'errors is "strict" or "replace", not {errors!r}')
    try:
        settings = EmbeddingSettings.model_validate(
            {name: ctx.params[name] for name in EmbeddingSettings.model_fields if _given(ctx, name)}
        )
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:  # of options that do not go together
            raise ConfigurationError(first["msg"].removeprefix("Value error, ")) from None
        option = "--" + str(first["loc"][0]).replace("_", "-")
        raise ConfigurationError(
            f"{option}: {first['msg'].removeprefix('Value error, ').lower()}, not {first['input']!r}"
        ) from None
    checkpoint = Checkpoint(checkpoint_path(out), checkpoint_seconds)
    clean, text = _cleaning(config, set_ or (), lowercase)
    say(settings.describe())
    say(f"Text: {text}.")
    if resume:
        say(
            f"Going on from {checkpoint.path}."
            if checkpoint.path.exists()
            else f"There is no checkpoint {checkpoint.path}: training begins at the beginning."
        )
    elif checkpoint.path.exists():
        say(f"{checkpoint.path}, which --resume would go on from, is of an interrupted run: this one replaces it.")
    lost = settings.ngrams is not None and kind != TENSORS
    if lost:
        say(f"{out} has no room for n-grams, so unknown words will have no vectors: .safetensors keeps them.")
    with _Bar() as bar, _saying_warnings():
        training = run_training(
            corpus,
            settings,
            reading=bar.read,
            encoded=bar.encoded,
            learning=bar.learn,
            checkpoint=checkpoint,
            resume=resume,
            running=running,
            column=column,
            errors=errors,
            clean=clean,
            phrases=phrases,
            phrase_threshold=phrase_threshold,
        )
    if lost:
        training.vectors.ngrams = None
    training.vectors.save(out)
    if training.finished:
        checkpoint.delete()
    whole = training.finished and not training.resumed
    passes = 1 if model == "glove" else settings.epochs  # GloVe reads the corpus once, and then its counts
    seconds = time.perf_counter() - begin
    result: dict[str, Any] = {
        "file": str(out),
        "algorithm": settings.describe(),
        "text": text,
        "words": training.words,
        "vocabulary": len(training.vectors),
        "size": settings.size,
        "threads": training.threads,
        "finished": training.finished,
        "resumed": training.resumed,
        "seconds": round(seconds, 2),
        "words_per_second": round(training.words * passes / seconds) if whole else None,
    }
    if json:
        print_json(result)
    else:
        rate_text = f", {result['words_per_second']:,} words/s" if whole else ""
        print(f"{out}: {len(training.vectors):,} vectors of {settings.size} numbers, {seconds:.1f} s{rate_text}")
    if not training.finished:
        say(f"Interrupted: the vectors as they were then are in {out}. The same command with --resume goes on.")
        raise typer.Exit(130)


def _cleaning(
    config: Path | None, overrides: Sequence[str], lowercase: bool
) -> tuple[Callable[[str], str] | None, str]:
    """What is done to the text, and the same in words."""
    if config is None and not overrides:
        plain = "words between white space"
        return (str.lower, f"{plain}; lower case") if lowercase else (None, plain)
    from seqwise.embeddings.cleaning import UNUSED, TextCleaner
    from seqwise.errors import ConfigurationError
    from seqwise.experiments.configuration import build_configuration

    for override in overrides:  # a file may be that of a model, and have more
        section, _, key = override.partition("=")[0].strip().partition(".")
        if section != "text" or key in UNUSED:
            raise ConfigurationError(f"--set {section}.{key} is for models; words depend on the other keys of text")
    clean = TextCleaner(build_configuration(config, overrides, {"text.lowercase": lowercase or None}).text)
    return clean, clean.name


@contextmanager
def _saying_warnings() -> Iterator[None]:
    """Print warnings as sentences."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: say(f"Warning: {message}.")
        yield


def _given(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line: what does not is left to the settings."""
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


class _Bar:
    """One line on standard error that tells how far it is; nothing but the end of each part where that is no terminal."""

    def __enter__(self) -> _Bar:
        from rich.console import Console
        from rich.status import Status

        self._console = Console(stderr=True, highlight=False)
        self._status = Status("reading", console=self._console, spinner="line")
        if self._console.is_terminal:
            self._status.start()
        self._start = time.perf_counter()
        self._before: int | None = None
        self._unit = ""
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def read(self, size: int, words: int) -> None:
        """While the corpus is read."""
        self._status.update(f"reading: {size / 1e6:,.0f} MB, {words:,} words")

    def encoded(self, corpus: EncodedCorpus) -> None:
        """The corpus is read."""
        cached = ", read from the cache" if corpus.cached else ""
        say(f"{corpus.total:,} words, {corpus.kept:,} of them in a vocabulary of {len(corpus.words):,}{cached}")
        self._start = time.perf_counter()

    def learn(self, progress: Progress) -> None:
        """While it learns."""
        if self._before is None or progress.unit != self._unit:
            self._unit = progress.unit
            self._before, self._start = progress.words, time.perf_counter()
        speed = (progress.words - self._before) / max(time.perf_counter() - self._start, 1e-9)
        left = (progress.total - progress.words) / speed if speed else float("nan")
        learned = f"loss {progress.loss:.3f}, rate {progress.rate:.5f}, " if progress.pairs else ""
        self._status.update(
            f"{progress.stage}: {progress.words / progress.total:.1%}, {speed:,.0f} {progress.unit}/s, "
            f"{learned}{left:,.0f} s left"
        )
