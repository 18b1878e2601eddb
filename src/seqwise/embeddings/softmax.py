"""Skip-gram and CBOW with the full softmax: every word of the vocabulary is an output of every prediction.

Exact, and slow: 6 V D floating point operations a prediction, whereas negative sampling with K negatives takes 6 (K + 1) D.
Predictions are taken in batches, as three products of matrices; a step is down the sum of a batch's gradients. In skip-gram
all pairs of a batch with the same word as input have the same scores, which are computed once.

Axis letters: V vocabulary, D size of a vector, B predictions of a batch, U different input words among them, n window.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqwise.embeddings.contexts import Contexts, drop_frequent
from seqwise.embeddings.sampling import keep_probabilities, keep_thresholds
from seqwise.embeddings.settings import EmbeddingSettings
from seqwise.embeddings.slices import Schedule, SliceTrainer, slice_seed

_FEWEST, _MOST = 64, 256
"""Predictions of a batch: about V within these bounds, as few words meet often in a large batch, and their steps add up."""
_FEWEST_ROWS = 500  # of a thread: less is not worth waiting for each other
_SPEED = 50e9  # operations a second, of a common machine: only to tell minutes from days


class SoftmaxTrainer(SliceTrainer):
    """The parameters of skip-gram or CBOW with the full softmax.

    One batch follows the other, and each thread has its part of the outputs: no update is lost, and results repeat with the
    same number of threads.

    Args:
        tokens: (N,) int32 word numbers, -1 where a sentence ends; may be memory-mapped.
        counts: (V,) of each word, falling.
        settings: what to train.
        dtype: "float32"; "float64" for tests.

    Attributes:
        inputs: (V, D) vectors of the words.
        outputs: (V, D) of words as outputs.
    """

    slice = 500  # may take seconds

    def __init__(
        self, tokens: NDArray[np.int32], counts: NDArray[np.int64], settings: EmbeddingSettings, dtype: str = "float32"
    ) -> None:
        super().__init__(tokens, counts, settings)
        self.inputs, self.outputs = (np.zeros((len(counts), settings.size), dtype) for _ in range(2))
        self.first_vectors(self.inputs)
        self.batch = min(max(len(counts), _FEWEST), _MOST)
        keep = keep_probabilities(counts, settings.sample, settings.sample_formula)
        self._keep = keep_thresholds(keep)
        self._threads = 1
        _warn_if_long(settings, len(counts), float((counts * keep).sum() / counts.sum()) * self.total)

    def start_workers(self, threads: int) -> int:
        """One thread deals with all batches and has so many, itself among them, for the products."""
        self._threads = threads if len(self.counts) >= threads * _FEWEST_ROWS else 1
        return 1

    def learn(self, schedule: Schedule) -> None:
        """Slices until there are no more."""
        before = torch.get_num_threads()
        torch.set_num_threads(1)  # PyTorch's own threads wait for each other busily, thousands of times a second
        step = self._skipgram if self.settings.model == "skipgram" else self._cbow
        bounds = np.linspace(0, len(self.outputs), self._threads + 1).astype(int).tolist()
        parts = [_Part(torch.from_numpy(self.outputs[low:high]), low) for low, high in pairwise(bounds)]
        inputs = torch.from_numpy(self.inputs)
        try:
            with ThreadPoolExecutor(len(parts), initializer=torch.set_num_threads, initargs=(1,)) as pool:
                run = map if len(parts) == 1 else pool.map
                while (part := schedule.take()) is not None:
                    epoch, start, stop, rate = part
                    for around, words in self.batches(epoch, start, stop):
                        schedule.add(step(_Outputs(parts, run), inputs, around, words, rate), len(words))
        finally:
            torch.set_num_threads(before)

    def batches(self, epoch: int, start: int, stop: int) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]:
        """The predictions of a slice in batches.

        Returns:
            Of skip-gram the input words, (B,), of CBOW those around, (B, 2n) with V where there is none; and the words to
            predict, (B,).
        """
        window, vocabulary = self.settings.window, len(self.counts)
        random = np.random.default_rng(slice_seed(self.settings.seed, epoch, start))
        tokens = drop_frequent(np.asarray(self.tokens[start:stop]), self._keep, random)
        contexts = Contexts.of(tokens, "around", window, vocabulary)
        widths = random.integers(1, window + 1, len(contexts))
        distances = np.concatenate([np.arange(window, 0, -1), np.arange(1, window + 1)])
        windows = self.batch if self.settings.model == "cbow" else max(1, self.batch // (window + 1))
        for first in range(0, len(contexts), windows):
            around, words = contexts.take(np.arange(first, min(first + windows, len(contexts))), random)
            around = np.where(distances <= widths[first : first + windows, None], around, vocabulary)
            there = around != vocabulary
            if self.settings.model == "skipgram":
                around, words = around[there], np.repeat(words, there.sum(1))
            else:
                company = there.any(1)
                around, words = around[company], words[company]
            if len(words):
                yield around, words

    def _skipgram(
        self, outputs: _Outputs, inputs: Tensor, around: NDArray[np.int32], words: NDArray[np.int32], rate: float
    ) -> float:
        different, index, counts = np.unique(around, return_inverse=True, return_counts=True)
        rows, which, wanted = (torch.from_numpy(a.astype(np.int64)) for a in (different, index, words))
        changes, losses = outputs.step(inputs[rows], which, wanted, torch.from_numpy(counts), rate)
        inputs.index_add_(0, rows, changes)
        return losses

    def _cbow(
        self, outputs: _Outputs, inputs: Tensor, around: NDArray[np.int32], words: NDArray[np.int32], rate: float
    ) -> float:
        batch, places = np.nonzero(around < len(inputs))
        rows, examples, wanted = (torch.from_numpy(a.astype(np.int64)) for a in (around[batch, places], batch, words))
        counts = torch.bincount(examples, minlength=len(words))
        h = inputs.new_zeros(len(words), inputs.shape[1])  # (B, D), the means
        h.index_add_(0, examples, inputs[rows] / counts[examples, None])
        changes, losses = outputs.step(h, torch.arange(len(words)), wanted, torch.ones_like(wanted), rate)
        inputs.index_add_(0, rows, changes[examples])  # each word around takes the whole update of the mean: word2vec
        return losses


class _Part(NamedTuple):
    """The output rows of one thread, and the number of the first of them."""

    rows: Tensor
    first: int


class _Outputs(NamedTuple):
    """All output rows, in parts; `run` is `map`, or that of a pool of threads."""

    parts: list[_Part]
    run: Callable[..., Iterable[Any]]

    def step(self, h: Tensor, which: Tensor, words: Tensor, counts: Tensor, rate: float) -> tuple[Tensor, float]:
        """Change the output rows.

        Args:
            h: the different inputs, (U, D).
            which: the input of each prediction, (B,).
            words: what is predicted, (B,).
            counts: predictions of each input, (U,).
            rate: of learning.

        Returns:
            The changes of the inputs, (U, D), and the sum of the losses.
        """
        scores = list(self.run(lambda part: h @ part.rows.T, self.parts))  # (U, V) in parts
        logs = torch.stack(list(self.run(lambda s: s.logsumexp(1), scores)), 1).logsumexp(1)  # (U,)

        def change(part: _Part, errors: Tensor) -> tuple[Tensor, Tensor]:
            mine = (words >= part.first) & (words < part.first + len(part.rows))
            place = which[mine], words[mine] - part.first
            there = errors[place].sum()
            errors.sub_(logs[:, None]).exp_().mul_(counts[:, None])  # n p
            errors.index_put_(place, errors.new_full((), -1.0).expand(len(place[0])), accumulate=True)  # - onehot
            changes = (errors @ part.rows).mul_(-rate)
            part.rows.addmm_(errors.T, h, alpha=-rate)
            return changes, there

        changes, there = zip(*self.run(change, self.parts, scores), strict=True)
        return torch.stack(changes).sum(0), float(logs[which].sum() - torch.stack(there).sum())


def _warn_if_long(settings: EmbeddingSettings, vocabulary: int, words: float) -> None:
    predictions = words * (1 if settings.model == "cbow" else settings.window + 1)
    hours = 6 * vocabulary * settings.size * predictions / _SPEED / 3600
    if hours > 1:
        warnings.warn(
            f"the full softmax over {vocabulary:,} words will take about {hours:,.0f} hours (the progress tells it better); "
            "negative sampling takes minutes, and a larger min_count makes the vocabulary smaller",
            stacklevel=3,
        )
