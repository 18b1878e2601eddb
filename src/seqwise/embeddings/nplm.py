"""The neural probabilistic language model (Bengio, Ducharme, Vincent and Jauvin 2003): word vectors below a hidden layer.

    x = [C(w_1), ..., C(w_P)]    the vectors of the context's words, beside each other
    a = tanh(x H + d)
    s_v = U_v . a + W_v . x + b_v    of every word v; W only with a direct connection

The scores go into one of the objectives of `seqwise.embeddings.objectives`, whose input is [a, x, 1] and whose output rows
are [U_v, W_v, b_v] (of the inner nodes for the hierarchical softmax). All gradients are in closed form, and only the rows
that a batch has touched are changed.

A batch of a thousand words holds "the" many times and a rare word once: one learning rate for the sum of their gradients is
too large for the first or too small for the second. So every row has its own, by AdaGrad.

Axis letters: B words of a batch, P places of a context, V vocabulary, D size of a vector, h hidden units,
E = h (+ P D) + 1 numbers of an output row.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqwise.embeddings import objectives
from seqwise.embeddings.adagrad import AdaGrad, RowAdaGrad
from seqwise.embeddings.contexts import Contexts, count_places, drop_frequent, find_end
from seqwise.embeddings.huffman import build_tree
from seqwise.embeddings.sampling import (
    alias_table,
    draw_words,
    keep_probabilities,
    keep_thresholds,
    noise_probabilities,
)
from seqwise.embeddings.settings import EmbeddingSettings
from seqwise.embeddings.slices import Progress
from seqwise.embeddings.workers import run_workers

BATCH = 2048
"""Words of a batch."""
BATCH_OF_SOFTMAX = 256
"""The same for the full softmax, which has V scores a word."""
FIRST_SQUARES = 1.0
"""Of the vectors: without it the first words that a rare one is seen with decide where it is."""
_LAST_RATE = 1e-4  # of the first one

Score = Callable[[Tensor, Tensor], objectives.Objective]
"""The objective of a batch, from its features [a, x, 1], (B, E), and the output rows."""


@dataclass
class Parameters:
    """What is learned.

    Attributes:
        vectors: C, (V + 1, D); the last row is that of a place beyond the sentence.
        hidden: H, (P D, h).
        bias: d, (h,).
        outputs: [U, W, b], (V, E); of the inner nodes (V - 1, E).
    """

    vectors: Tensor
    hidden: Tensor
    bias: Tensor
    outputs: Tensor


class Gradients(NamedTuple):
    """Of the sum of a batch's losses.

    Attributes:
        objective: losses, and the gradient of the output rows.
        vectors: of the vector in each place, (B, P, D).
        hidden: (P D, h).
        bias: (h,).
    """

    objective: objectives.Objective
    vectors: Tensor
    hidden: Tensor
    bias: Tensor


def differentiate(parameters: Parameters, contexts: Tensor, score: Score, *, direct: bool) -> Gradients:
    """Losses and gradients of a batch.

    Args:
        parameters: the model.
        contexts: (B, P) word numbers.
        score: the objective.
        direct: the output rows have a part W for x.
    """
    units = len(parameters.bias)
    x = parameters.vectors[contexts].flatten(1)  # (B, P D)
    a = torch.addmm(parameters.bias, x, parameters.hidden).tanh_()  # (B, h)
    one = x.new_ones(len(x), 1)
    objective = score(torch.cat([a, x, one] if direct else [a, one], 1), parameters.outputs)
    z = objective.inputs[:, :units] * (1 - a.square())  # undoes tanh
    into_x = z @ parameters.hidden.T
    if direct:
        into_x += objective.inputs[:, units:-1]
    return Gradients(objective, into_x.view(*contexts.shape, -1), x.T @ z, z.sum(0))


class NplmTrainer:
    """The parameters of the model and what it takes to train them.

    Args:
        tokens: (N,) int32 word numbers, -1 where a sentence ends; may be memory-mapped.
        counts: (V,) of each word, falling.
        settings: what to train.
        dtype: "float32"; "float64" for tests.

    Attributes:
        parameters: the model.
        interrupted: Ctrl-C ended the last call of `train`.
    """

    def __init__(
        self, tokens: NDArray[np.int32], counts: NDArray[np.int64], settings: EmbeddingSettings, dtype: str = "float32"
    ) -> None:
        self.tokens, self.counts, self.settings = tokens, counts, settings
        self.batch = BATCH_OF_SOFTMAX if settings.objective == "softmax" else BATCH
        keep = keep_probabilities(counts, settings.sample, settings.sample_formula)
        self.keep = keep_thresholds(keep)
        noise, kind = noise_probabilities(counts), getattr(torch, dtype)
        self.noise, self.alias = torch.tensor(noise, dtype=kind), alias_table(noise)
        self.tree = build_tree(counts) if settings.objective == "hierarchical" else None
        self.parameters = self._initialise(counts * keep, kind)
        self._vectors = RowAdaGrad(self.parameters.vectors, FIRST_SQUARES)
        self._outputs = RowAdaGrad(self.parameters.outputs)
        self._hidden, self._bias = AdaGrad(self.parameters.hidden), AdaGrad(self.parameters.bias)
        self.total = settings.epochs * len(tokens)
        self.interrupted = False
        self._lock = threading.Lock()
        self._epoch = self._start = self._first = (
            0  # the next batch: epoch, part of the text, words of the part before it
        )
        self._progress = self._count(0)

    def _initialise(self, kept: NDArray[np.float64], dtype: torch.dtype) -> Parameters:
        """Small vectors, a hidden layer that keeps their size, output rows at 0."""
        settings = self.settings
        random = torch.Generator().manual_seed(settings.seed)
        joined = count_places(settings.context, settings.window) * settings.size
        vectors = torch.empty(len(kept) + 1, settings.size, dtype=dtype)
        vectors.uniform_(-0.5 / settings.size, 0.5 / settings.size, generator=random)
        hidden = torch.empty(joined, settings.hidden, dtype=dtype)
        limit = (6 / (joined + settings.hidden)) ** 0.5  # Glorot and Bengio 2010
        hidden.uniform_(-limit, limit, generator=random)
        rows = len(kept) if self.tree is None else self.tree.inner
        outputs = torch.zeros(rows, settings.hidden + (joined if settings.direct else 0) + 1, dtype=dtype)
        if settings.objective in ("nce", "softmax"):  # the probabilities of words begin at their shares of the text
            outputs[:, -1] = torch.tensor(np.log(kept / kept.sum()), dtype=dtype)
        return Parameters(vectors, hidden, torch.zeros(settings.hidden, dtype=dtype), outputs)

    @property
    def inputs(self) -> NDArray[np.floating]:
        """The vectors of the words, (V, D): a view."""
        return np.asarray(self.parameters.vectors[:-1].numpy())

    def train(
        self, threads: int, report: Callable[[Progress], None] | None = None, seconds: float | None = None
    ) -> bool:
        """Run all epochs, or go on where the last call stopped.

        Args:
            threads: PyTorch's threads within an operation; with one the result depends on the arguments and on nothing else.
            report: called from this thread a few times a second.
            seconds: stop after about so many.

        Returns:
            Whether it went to the end. Where not, as after Ctrl-C, the batch that was begun is done.
        """
        self.interrupted = False
        before = torch.get_num_threads()
        deadline = float("inf") if seconds is None else time.monotonic() + seconds

        def work(_: int, stop: threading.Event) -> None:
            torch.set_num_threads(threads)  # is kept by each thread for itself
            while self._epoch < self.settings.epochs and not stop.is_set() and time.monotonic() < deadline:
                self._learn_part(stop, deadline)

        try:
            run_workers(work, 1, None if report is None else lambda: report(self._take_progress()))
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            torch.set_num_threads(before)
        return self._epoch >= self.settings.epochs

    def state(self) -> dict[str, NDArray | int]:
        """All that training changes, for `restore`; the arrays are those of the trainer."""
        arrays = {name: tensor.numpy() for name, tensor in self._tensors().items()}
        return arrays | {"epoch": self._epoch, "start": self._start, "first": self._first}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on, with the next call of `train`, where another trainer was; made with the same arguments."""
        for name, tensor in self._tensors().items():
            tensor.copy_(torch.tensor(state[name]))
        self._epoch, self._start, self._first = (int(state[name]) for name in ("epoch", "start", "first"))

    def _tensors(self) -> dict[str, Tensor]:
        adapted: dict[str, AdaGrad | RowAdaGrad] = {
            "vectors": self._vectors,
            "outputs": self._outputs,
            "hidden": self._hidden,
            "bias": self._bias,
        }
        return vars(self.parameters) | {f"{name}_squares": each.squares for name, each in adapted.items()}

    def _learn_part(self, stop: threading.Event, deadline: float) -> None:
        """Batches to the end of a part of the text, each of words from anywhere in it."""
        start, end = self._start, find_end(self.tokens, self._start)
        random = np.random.default_rng((self.settings.seed, self._epoch, start))
        part = drop_frequent(np.array(self.tokens[start:end]), self.keep, random)
        contexts = Contexts.of(part, self.settings.context, self.settings.window, len(self.counts))
        order = random.permutation(len(contexts))
        while self._first < len(order):
            if stop.is_set() or time.monotonic() >= deadline:
                return
            random = np.random.default_rng((self.settings.seed, self._epoch, start, self._first))
            chosen = order[self._first : self._first + self.batch]
            progress = self._count((end - start) * self._first // len(order))
            losses = self.step(*contexts.take(chosen, random), progress.rate, random)
            self._first += len(chosen)
            self._add(progress, losses)
        self._epoch, self._start, self._first = (
            (self._epoch, end, 0) if end < len(self.tokens) else (self._epoch + 1, 0, 0)
        )
        self._add(self._count(0))

    def step(
        self, contexts: NDArray[np.int32], words: NDArray[np.int32], rate: float, random: np.random.Generator
    ) -> Tensor:
        """Learn a batch.

        Args:
            contexts: (B, P).
            words: (B,).
            rate: of AdaGrad.
            random: draws the negatives.

        Returns:
            The losses before the step, (B,).
        """
        places = torch.from_numpy(contexts.astype(np.int64))
        gradients = differentiate(self.parameters, places, self.score(words, random), direct=self.settings.direct)
        objective = gradients.objective
        self._vectors.step_rows(places.flatten(), gradients.vectors.flatten(0, 1), rate)
        self._hidden.step(gradients.hidden, rate)
        self._bias.step(gradients.bias, rate)
        if objective.targets is None:
            self._outputs.step(objective.outputs, rate)
        else:
            self._outputs.step_rows(*objective.changes(), rate)
        return objective.losses

    def score(self, words: NDArray[np.int32], random: np.random.Generator) -> Score:
        """The objective of a batch of words, (B,), its negatives drawn."""
        right = torch.from_numpy(words.astype(np.int64))
        one = torch.ones(len(words), dtype=self.noise.dtype)
        if self.settings.objective == "softmax":
            return lambda h, outputs: objectives.full_softmax(h, outputs, right, one)
        if self.tree is not None:
            nodes, turns, counted = (torch.from_numpy(part) for part in self.tree.ways(words))
            return lambda h, outputs: objectives.hierarchical_softmax(h, outputs, nodes, turns, counted, one)
        drawn = torch.from_numpy(draw_words(self.alias, (len(words), self.settings.negatives), random))
        if self.settings.objective == "nce":
            return lambda h, outputs: objectives.noise_contrastive(h, outputs, right, drawn, self.noise, one)
        return lambda h, outputs: objectives.negative_sampling(h, outputs, right, drawn, one)

    def _count(self, words: int) -> Progress:
        """How far it is so many words behind the start of the part, and the learning rate there."""
        done = min(self._epoch * len(self.tokens) + self._start + words, self.total)
        rate = self.settings.first_rate * max(1 - done / max(self.total, 1), _LAST_RATE)
        return Progress(done, self.total, rate)

    def _add(self, progress: Progress, losses: Tensor | None = None) -> None:
        with self._lock:
            self._progress.words, self._progress.rate = progress.words, progress.rate
            if losses is not None:
                self._progress.losses += losses.sum().item()
                self._progress.pairs += len(losses)

    def _take_progress(self) -> Progress:
        """What happened since the last call."""
        with self._lock:
            result = self._progress
            self._progress = Progress(result.words, result.total, result.rate)
            return result
