"""Skip-gram and CBOW by the compiled kernel: each thread runs it on slices of the encoded corpus.

Axis letters: V vocabulary, D size of a vector.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqwise.embeddings.huffman import build_tree
from seqwise.embeddings.sampling import (
    alias_table,
    keep_probabilities,
    keep_thresholds,
    noise_probabilities,
    noise_shifts,
)
from seqwise.embeddings.settings import EmbeddingSettings
from seqwise.embeddings.slices import LONGEST, Schedule, SliceTrainer, slice_seed
from seqwise.embeddings.subwords import Subwords
from seqwise.errors import ConfigurationError
from seqwise.kernels.cpu import word_windows
from seqwise.kernels.cpu.memory import aligned_zeros
from seqwise.kernels.cpu.target import host


class WindowTrainer(SliceTrainer):
    """The parameters of skip-gram or CBOW and what it takes to train them.

    Args:
        tokens: (N,) int32 word numbers, -1 where a sentence ends; may be memory-mapped.
        counts: (V,) of each word, falling.
        settings: what to train.
        dtype: "float32"; "float64" for tests.
        subwords: the rows of each word, where words have n-grams (settings.ngrams).

    Raises:
        ConfigurationError: n-grams are set, but there are no subwords, or the other way round.

    Attributes:
        inputs: (V, D) vectors of the words; (V + M, D) rows of words and n-grams where words have those.
        outputs: (V, D) of words as outputs, or (V - 1, D) of the inner nodes.
    """

    def __init__(
        self,
        tokens: NDArray[np.int32],
        counts: NDArray[np.int64],
        settings: EmbeddingSettings,
        dtype: str = "float32",
        subwords: Subwords | None = None,
    ) -> None:
        super().__init__(tokens, counts, settings)
        self.dtype, self.subwords = dtype, subwords
        if (subwords is None) != (settings.ngrams is None):
            raise ConfigurationError("ngrams: the rows of each word and the setting belong together")
        vocabulary, target = len(counts), host()
        self.variant = word_windows.Variant(
            settings.model,
            settings.objective,
            0 if settings.objective == "hierarchical" else settings.negatives,
            not settings.draws_for_each_pair,
            dtype,
            subwords is not None,
        )
        self.kernel = word_windows.load(self.variant, target)
        self.shape = self.variant.shape(target)
        self.lanes = target.lanes(dtype)
        self.columns = -(-settings.size // self.lanes)
        width = self.columns * self.lanes
        rows = vocabulary + (len(subwords.used) if subwords is not None else 0)
        self._inputs, self._outputs = (aligned_zeros((n, width), dtype) for n in (rows, vocabulary))
        self.inputs, self.outputs = self._inputs[:, : settings.size], self._outputs[:, : settings.size]
        self.first_vectors(self.inputs)
        keep = keep_probabilities(counts, settings.sample, settings.sample_formula)
        self.keep = keep_thresholds(keep)
        if self.variant.negatives:
            noise = noise_probabilities(counts)
            self.alias = alias_table(noise)
            self.shift = noise_shifts(counts, keep, noise, settings.negatives).astype(dtype)
            self.outputs_of_a_word = settings.negatives + 1
        else:
            self.tree = build_tree(counts)
            self.outputs = self.outputs[: self.tree.inner]
            self.outputs_of_a_word = max(1, int(np.diff(self.tree.offsets).max()))

    def learn(self, schedule: Schedule) -> None:
        """In one thread: slices until there are no more."""
        scratch = self.make_scratch()
        block = self.arguments(scratch)
        index = word_windows.FIELDS.index
        while (part := schedule.take()) is not None:
            epoch, start, stop, rate = part
            scratch["loss"][:] = 0
            scratch["rate"][0] = rate
            block[index["start"]], block[index["stop"]] = start, stop
            block[index["state"]] = _state(self.settings.seed, epoch, start)
            self.kernel(block.ctypes.data)
            schedule.add(float(scratch["loss"].sum(dtype=np.float64)), int(block[index["pairs"]]))

    def arguments(self, scratch: dict[str, NDArray]) -> NDArray[np.int64]:
        """The kernel's argument block, what changes from slice to slice left at 0."""
        fields = {
            "tokens": self.tokens.ctypes.data,
            "inputs": self._inputs.ctypes.data,
            "outputs": self._outputs.ctypes.data,
            "stride": self._inputs.strides[0],
            "columns": self.columns,
            "keep": self.keep.ctypes.data,
            "vocabulary": len(self.counts),
            "window": self.settings.window,
            "longest": LONGEST,
            **{name: array.ctypes.data for name, array in scratch.items()},
        }
        if self.variant.negatives:
            fields["alias"], fields["shift"] = self.alias.ctypes.data, self.shift.ctypes.data
        else:
            fields["paths"] = self.tree.offsets.ctypes.data
            fields["nodes"], fields["turns"] = self.tree.nodes.ctypes.data, self.tree.turns.ctypes.data
        if self.subwords is not None:
            fields["row_ends"], fields["row_numbers"] = (
                self.subwords.offsets.ctypes.data,
                self.subwords.rows.ctypes.data,
            )
        return np.array([fields.get(name, 0) for name in word_windows.FIELDS.names], np.int64)

    def make_scratch(self) -> dict[str, NDArray]:
        """The memory of one thread."""
        around = 2 * self.settings.window
        rows = around * (1 if self.subwords is None else self.subwords.longest)
        groups = groups_of_a_word = -(-self.outputs_of_a_word // self.shape.targets)
        if not self.variant.shared:
            groups *= around
        scratch: dict[str, NDArray] = {
            "sentence": np.zeros(LONGEST + 1, np.int32),
            "rows": np.zeros(rows, np.int64),
            "around": np.zeros(around, np.int64),
            "mean": np.zeros(2, np.int64),
            "means": aligned_zeros((2, self.columns * self.lanes), self.dtype),
            "targets": np.zeros(groups * self.shape.targets, np.int64),
            "labels": aligned_zeros((groups, self.lanes), self.dtype),
            "rates": aligned_zeros((groups, self.lanes), self.dtype),
            "shifts": aligned_zeros((groups, self.lanes), self.dtype),
            "scores": aligned_zeros((around * self.shape.places + 2 * self.lanes,), self.dtype),
            "loss": aligned_zeros((self.lanes,), self.dtype),
            "rate": np.zeros(1, self.dtype),
        }
        scratch["mean"][:] = scratch["means"].ctypes.data + np.arange(2) * scratch["means"].strides[0]
        if self.variant.negatives:
            scratch["labels"][::groups_of_a_word, :: self.shape.places] = 1  # the word itself is the first of its group
        return scratch


def _state(seed: int, epoch: int, start: int) -> int:
    """The state of the kernel's random numbers for a slice."""
    return int(slice_seed(seed, epoch, start).generate_state(1, np.uint64).astype(np.int64)[0])
