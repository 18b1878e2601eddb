"""Word vectors from a corpus: encode, train, return."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seqwise.embeddings.checkpoints import Checkpoint
from seqwise.embeddings.corpus import EncodedCorpus, encode
from seqwise.embeddings.glove import GloveTrainer
from seqwise.embeddings.settings import EmbeddingSettings
from seqwise.embeddings.slices import Progress, SliceTrainer
from seqwise.embeddings.sources import Corpus
from seqwise.embeddings.subwords import NgramVectors, Subwords
from seqwise.embeddings.vectors import WordVectors
from seqwise.embeddings.windows import WindowTrainer

if TYPE_CHECKING:
    from seqwise.embeddings.nplm import NplmTrainer


@dataclass(frozen=True)
class Training:
    """Vectors, and how they came about.

    Attributes:
        vectors: the words and their vectors.
        finished: False if it was interrupted (Ctrl-C).
        words: of the corpus, rare ones included.
        kept: of those, how many are in the vocabulary.
        threads: how many there were.
        resumed: whether it went on from a checkpoint.
    """

    vectors: WordVectors
    finished: bool
    words: int
    kept: int
    threads: int
    resumed: bool = False


def train_vectors(corpus: Corpus, settings: EmbeddingSettings | None = None, **reading: Any) -> WordVectors:
    """The vectors of a corpus's words.

    Args:
        corpus: the path of a file, or several; or an iterable of sentences: see `seqwise.embeddings.corpus.encode`.
        settings: what to train.
        **reading: `running`, `column`, `errors`, `clean`, `phrases`, `phrase_threshold` of `encode`.

    Raises:
        FileError, DataError: as for `encode`.
    """
    return run_training(corpus, settings or EmbeddingSettings(), **reading).vectors


def run_training(
    corpus: Corpus,
    settings: EmbeddingSettings,
    *,
    reading: Callable[[int, int], None] | None = None,
    encoded: Callable[[EncodedCorpus], None] | None = None,
    learning: Callable[[Progress], None] | None = None,
    checkpoint: Checkpoint | None = None,
    resume: bool = False,
    **options: Any,
) -> Training:
    """As `train_vectors`, with everything there is to know; Ctrl-C while it learns ends it early.

    With one thread, a training that was interrupted and resumed gives the same vectors as one that was not.

    Args:
        corpus: as there.
        settings: as there.
        reading: called while the corpus is read, with bytes and words.
        encoded: called once, when the corpus is.
        learning: called a few times a second.
        checkpoint: is written now and then, and after Ctrl-C; whoever saves the vectors deletes it then.
        resume: go on from the checkpoint, if there is one.
        **options: of `encode`.

    Raises:
        ConfigurationError: the checkpoint is of other settings or another corpus.
        FileError: the checkpoint is damaged.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = settings.threads or cores
    with encode(corpus, min_count=settings.min_count, report=reading, **options) as text:
        if encoded is not None:
            encoded(text)
        trainer = _make_trainer(text, settings)
        resumed = resume and checkpoint is not None and checkpoint.restore(trainer, settings, text)
        finished = interrupted = False
        while not finished and not interrupted:
            try:
                finished = trainer.train(threads, learning, checkpoint.seconds if checkpoint else None)
                interrupted = trainer.interrupted
            except KeyboardInterrupt:  # as threads were started: they may run still, and the last checkpoint stays
                break
            if checkpoint is None or finished:
                continue
            try:
                checkpoint.write(trainer, settings, text)
            except KeyboardInterrupt:
                if interrupted:  # the second one insists
                    raise
                interrupted = True
                checkpoint.write(trainer, settings, text)
        vectors = _vectors_of(text, trainer)
        return Training(vectors, finished, text.total, text.kept, threads, resumed)


def _make_trainer(text: EncodedCorpus, settings: EmbeddingSettings) -> SliceTrainer | NplmTrainer | GloveTrainer:
    # PyTorch takes longer to import than a small corpus to learn: only where it is used.
    if settings.model == "nplm":
        from seqwise.embeddings.nplm import NplmTrainer

        return NplmTrainer(text.tokens, text.counts, settings)
    if settings.model == "glove":
        return GloveTrainer(text.tokens, text.counts, settings)
    if settings.objective == "softmax":
        from seqwise.embeddings.softmax import SoftmaxTrainer

        return SoftmaxTrainer(text.tokens, text.counts, settings)
    subwords = None if settings.ngrams is None else Subwords.of(text.words, settings.ngrams, settings.buckets)
    return WindowTrainer(text.tokens, text.counts, settings, subwords=subwords)


def _vectors_of(text: EncodedCorpus, trainer: SliceTrainer | NplmTrainer | GloveTrainer) -> WordVectors:
    if not isinstance(trainer, WindowTrainer) or (subwords := trainer.subwords) is None:
        return WordVectors(text.words, np.ascontiguousarray(trainer.inputs), text.counts)
    rows = np.ascontiguousarray(trainer.inputs[len(text.words) :])
    ngrams = NgramVectors(subwords.lengths, subwords.buckets, subwords.used, rows)
    return WordVectors(text.words, subwords.average(trainer.inputs), text.counts, ngrams=ngrams)
