"""Word vectors from a corpus: encode, train, return."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqwise.embeddings.corpus import encode
from seqwise.embeddings.settings import EmbeddingSettings
from seqwise.embeddings.sources import Corpus
from seqwise.embeddings.vectors import WordVectors
from seqwise.embeddings.windows import Progress, WindowTrainer


@dataclass(frozen=True)
class Training:
    """Vectors, and how they came about.

    Attributes:
        vectors: the words and their vectors.
        finished: False if it was interrupted (Ctrl-C).
        words: of the corpus, rare ones included.
        kept: of those, how many are in the vocabulary.
        threads: how many there were.
    """

    vectors: WordVectors
    finished: bool
    words: int
    kept: int
    threads: int


def train_vectors(corpus: Corpus, settings: EmbeddingSettings | None = None, **reading: Any) -> WordVectors:
    """The vectors of a corpus's words.

    Args:
        corpus: the path of a file, or several; or an iterable of sentences: see `seqwise.embeddings.corpus.encode`.
        settings: what to train.
        **reading: `running`, `column`, `errors`, `clean` of `encode`.

    Raises:
        FileError, DataError: as for `encode`.
    """
    return run_training(corpus, settings or EmbeddingSettings(), **reading).vectors


def run_training(
    corpus: Corpus,
    settings: EmbeddingSettings,
    *,
    reading: Callable[[int, int], None] | None = None,
    encoded: Callable[[int, int, int], None] | None = None,
    learning: Callable[[Progress], None] | None = None,
    **options: Any,
) -> Training:
    """As `train_vectors`, with everything there is to know; Ctrl-C while it learns ends it early.

    Args:
        corpus: as there.
        settings: as there.
        reading: called while the corpus is read, with bytes and words.
        encoded: called once, with the words of the corpus, those kept, and the size of the vocabulary.
        learning: called a few times a second.
        **options: of `encode`.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = settings.threads or cores
    with encode(corpus, min_count=settings.min_count, report=reading, **options) as text:
        if encoded is not None:
            encoded(text.total, text.kept, len(text.words))
        trainer = WindowTrainer(text.tokens, text.counts, settings)
        finished = trainer.train(threads, learning)
        vectors = WordVectors(text.words, np.ascontiguousarray(trainer.inputs), text.counts)
        return Training(vectors, finished, text.total, text.kept, threads)
