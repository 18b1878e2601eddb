"""Word vectors trained on the training texts of a classifier, and on unlabelled ones, before it is fitted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqwise.embeddings import EmbeddingSettings, WordVectors
from seqwise.embeddings.training import run_training
from seqwise.errors import ConfigurationError, SeqwiseError
from seqwise.estimators.sections import Sections
from seqwise.text import TextPipeline, TextSettings, Tokenizer
from seqwise.text.settings import SUBWORDS

PRETRAINING: dict[str, Any] = {"epochs": 20, "min_count": 2, "threads": 1}
"""What differs from the defaults of `EmbeddingSettings`: labelled texts are few, so they are read more often and rarer words
count; and one thread, so that the same seed gives the same classifier."""
KEPT = "checkpoints"  # folder of the vectors inside that of the model: whoever begins anew removes it as a whole


def decide_pretraining(sections: Sections) -> EmbeddingSettings:
    """The settings of the vectors, with every value decided.

    Args:
        sections: as a person set them.

    Raises:
        ConfigurationError: `embedding_size` and the size of the vectors differ.
    """
    model = sections.model
    given = {} if model.pretraining is None else model.pretraining.model_dump(exclude_unset=True)
    if "embedding_size" in model.model_fields_set:
        if given.get("size", model.embedding_size) != model.embedding_size:
            raise ConfigurationError(
                f"embedding_size is {model.embedding_size}, and model.pretraining trains vectors of {given['size']} "
                "numbers: leave one of them out"
            )
        given["size"] = model.embedding_size
    return EmbeddingSettings(**{**PRETRAINING, "seed": sections.training.seed, **given})


def pretrain(
    settings: EmbeddingSettings,
    text: TextSettings,
    texts: Iterable[Any],
    unlabelled: Iterable[Any] | None = None,
    folder: Path | None = None,
) -> tuple[WordVectors, str]:
    """Train vectors of the symbols that the classifier reads: cleaned, without stop words, as stems, as `text` says.

    Args:
        settings: of the vectors.
        text: with the unit decided. Sub-words are those of `texts`, which the classifier learns too.
        texts: n texts, read once; with sub-words or a folder, once more each.
        unlabelled: further texts.
        folder: of the model; vectors that are already there, of the same texts and settings, are taken instead of trained
            again.

    Returns:
        The vectors, and their origin as `GivenVectors` has it.

    Raises:
        DataError: no symbol is there `settings.min_count` times.
        KeyboardInterrupt: it was interrupted.
    """
    path = None
    if folder is not None:
        path = folder / KEPT / f"vectors-{_key(settings, text, texts, unlabelled)}.safetensors"
        if (kept := _read(path)) is not None:
            return kept, _origin(settings, kept, unlabelled)
    tokenizer = Tokenizer(text) if text.unit not in SUBWORDS else TextPipeline(text).fit(texts).tokenizer
    corpus = _Symbols(tokenizer, texts if unlabelled is None else _Both(texts, unlabelled))
    training = run_training(corpus, settings)
    if not training.finished:
        raise KeyboardInterrupt
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        for older in path.parent.glob("vectors-*.safetensors"):
            older.unlink()
        training.vectors.save(path)
    return training.vectors, _origin(settings, training.vectors, unlabelled)


def _origin(settings: EmbeddingSettings, vectors: WordVectors, unlabelled: Iterable[Any] | None) -> str:
    assert vectors.counts is not None
    on = "the training texts" if unlabelled is None else "the training and the unlabelled texts"
    passes = "1 epoch" if settings.epochs == 1 else f"{settings.epochs} epochs"
    return f"trained on {vectors.counts.sum():,} words of {on} ({settings.describe()}; {passes}), they have"


@dataclass(frozen=True)
class _Both:
    first: Iterable[Any]
    second: Iterable[Any]

    def __iter__(self) -> Iterator[Any]:
        yield from self.first
        yield from self.second


@dataclass(frozen=True)
class _Symbols:
    """The symbols of every text; white space, which separates words in a corpus, is none."""

    tokenizer: Tokenizer
    texts: Iterable[Any]

    def __iter__(self) -> Iterator[list[str]]:
        for text in self.texts:
            yield [symbol for symbol in self.tokenizer(text) if len(symbol.split()) == 1 and not symbol[0].isspace()]


def _key(
    settings: EmbeddingSettings, text: TextSettings, texts: Iterable[Any], unlabelled: Iterable[Any] | None
) -> str:
    """A hash of everything that the vectors depend on."""
    digest = hashlib.sha256(json.dumps([settings.model_dump(), text.model_dump()]).encode())
    for one in _Both(texts, () if unlabelled is None else unlabelled):
        digest.update(json.dumps(one if isinstance(one, str) else list(one)).encode())
    return digest.hexdigest()[:16]


def _read(path: Path) -> WordVectors | None:
    try:
        return WordVectors.load(path, mmap=False) if path.exists() else None
    except SeqwiseError:  # damaged: they are trained again
        return None
