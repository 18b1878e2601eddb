"""Every model of word vectors with every objective on the same 17.5 million words: speed and quality in one table."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seqwise.data import UnlabelledTexts, load_examples, resolve
from seqwise.embeddings import EmbeddingSettings
from seqwise.embeddings.evaluation import SETS, AnalogyResult, evaluate_vectors
from seqwise.embeddings.training import run_training
from seqwise.errors import ConfigurationError, FileError
from seqwise.experiments.configuration import parse_override
from seqwise.experiments.recipes import Reproduction, ReproductionRequest

DATA = "imdb"
WORD = re.compile(r"[a-z']+")
MODELS: dict[str, dict[str, Any]] = {  # name -> how it differs from skip-gram with negative sampling
    "skip-gram, negative sampling": {},
    "skip-gram, noise-contrastive": {"objective": "nce"},
    "skip-gram, hierarchical": {"objective": "hierarchical"},
    "CBOW, negative sampling": {"model": "cbow"},
    "CBOW, noise-contrastive": {"model": "cbow", "objective": "nce"},
    "CBOW, hierarchical": {"model": "cbow", "objective": "hierarchical"},
    "NPLM, negative sampling": {"model": "nplm"},
    "NPLM, noise-contrastive": {"model": "nplm", "objective": "nce"},
    "NPLM, hierarchical": {"model": "nplm", "objective": "hierarchical"},
    "GloVe": {"model": "glove", "epochs": 15},
    # Hours each: last, so that Ctrl-C leaves a table of all others.
    "skip-gram, full softmax": {"objective": "softmax"},
    "CBOW, full softmax": {"model": "cbow", "objective": "softmax"},
    "NPLM, full softmax": {"model": "nplm", "objective": "softmax"},
}
SOURCE = "gensim 4.4, skip-gram with negative sampling, one epoch (CBOW: .113 and .256)"
REFERENCE = {"source": SOURCE, "analogies": 0.144, "men": 0.311}


def reproduce_embedding_models(request: ReproductionRequest) -> Reproduction:
    """Train every model on the words of the 75,000 training and unlabelled reviews of IMDb, and judge the vectors.

    One epoch (GloVe 15), 100 numbers, window 5, minimum count 5. The seconds hold everything from the text on: vocabulary,
    training. Vectors and figures of each model are kept in the folder; with `resume` they are not trained again. Ctrl-C ends
    it with what there is.

    Args:
        request: overrides are `embedding.KEY=VALUE`, a setting of every model; `embedding.only=NAME` is one of `MODELS`.

    Raises:
        FileError: there are no unlabelled reviews here.
        ConfigurationError: an override is wrong.
    """
    started = time.perf_counter()
    given, only = _overrides(request)
    settings = {name: _settings(name, given) for name in only}
    folder = request.destination
    folder.mkdir(parents=True, exist_ok=True)
    corpus = folder / "corpus.txt"
    if not corpus.exists():
        request.say("writing the words of the reviews")
        _write_corpus(corpus)
    results: dict[str, dict[str, float | None]] = {}
    interrupted = False
    for name, one in settings.items():
        kept = folder / f"{re.sub(r'[^a-z]+', '-', name.lower())}.json"
        if request.resume and kept.exists():
            results[name] = json.loads(kept.read_text(encoding="utf-8"))
            continue
        request.say(f"{name}: {one.describe()}")
        begin = time.perf_counter()
        with corpus.open(encoding="ascii") as lines:  # a path would be read once, and then from the cache
            training = run_training(map(str.rstrip, lines), one)
        seconds = time.perf_counter() - begin
        if not training.finished:
            interrupted = True
            break
        training.vectors.save(kept.with_suffix(".safetensors"))
        speed = {"words_per_second": training.words * one.epochs / seconds, "seconds": seconds}
        results[name] = {**speed, **_quality(training.vectors, request)}
        kept.write_text(json.dumps(results[name]), encoding="utf-8")
    return Reproduction(
        recipe=request.name,
        reference=REFERENCE,
        test=dict(results),
        seconds=time.perf_counter() - started,
        folder=folder,
        interrupted=interrupted,
        table=_table(results),
    )


def _overrides(request: ReproductionRequest) -> tuple[dict[str, Any], list[str]]:
    given, only = {"seed": request.seed or 0}, list(MODELS)
    for override in request.overrides:
        section, key, value = parse_override(override)
        if section != "embedding":
            raise ConfigurationError(f"--set {override}: this recipe has the section embedding only")
        if key == "only":
            if value not in MODELS:
                raise ConfigurationError(f"--set {override}: the models are {'; '.join(MODELS)}")
            only = [value]
        else:
            given[key] = value
    return given, only


def _settings(name: str, given: dict[str, Any]) -> EmbeddingSettings:
    try:
        return EmbeddingSettings(**{"epochs": 1, **MODELS[name], **given})
    except ValidationError as error:
        raise ConfigurationError(f"{name}: {error.errors()[0]['msg']}") from None


def _write_corpus(path: Path) -> None:
    temporary = path.with_suffix(".part")
    with temporary.open("w", encoding="ascii") as file:
        for text in _reviews():
            file.write(" ".join(WORD.findall(text.lower().replace("<br />", " "))) + "\n")
    temporary.replace(path)


def _reviews() -> Iterator[str]:
    source = resolve(DATA)
    column = str(source.metadata.get("text", "text"))
    unlabelled = UnlabelledTexts(DATA, column)  # before the first is written: it may not be here
    for text in (*load_examples(source.table("train"), column).texts, *unlabelled):
        assert isinstance(text, str)
        yield text


def _quality(vectors: Any, request: ReproductionRequest) -> dict[str, float | None]:
    """Analogies of the 30,000 most frequent words, and Spearman's correlations, of the sets that are here."""
    found: dict[str, float | None] = {}
    for name in SETS:
        try:
            result = evaluate_vectors(vectors, [name])[name]
        except FileError as error:
            request.say(str(error))
            continue
        if isinstance(result, AnalogyResult):
            found["analogies"] = result.total.accuracy
        else:
            found[name] = result.spearman
    return found


def _table(results: dict[str, dict[str, float | None]]) -> tuple[list[str], list[list[str]]]:
    columns = list(dict.fromkeys(key for row in results.values() for key in row))
    header = ["model", *(column.replace("_per_", "/").replace("_", " ") for column in columns)]
    rows = [[name, *(_written(column, row.get(column)) for column in columns)] for name, row in results.items()]
    return header, rows


def _written(column: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if column in ("words_per_second", "seconds") else f"{value:.3f}"
