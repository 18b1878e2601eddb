"""A classifier's forward pass on the CPU from packed weights: what an answer to a few texts takes, and no torch.

For the usual models: symbols or frames -> recurrent layers of any cell -> last, mean and max -> dense layers, and n-grams
beside them. What else there is (attention, a Transformer, position embeddings, zoneout) takes its module.

Axis letters: B batch, T steps, D embedding size or numbers of a frame, H hidden units, W = H of every direction, C classes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from seqwise.cells import LIBRARY
from seqwise.models.batch import Arrays, EncodedExamples
from seqwise.models.encoder_settings import current_name
from seqwise.models.features import Features, saved_features
from seqwise.models.settings import ModelSettings

if TYPE_CHECKING:
    from torch import nn

    from seqwise.kernels.cpu.packed import PackedLayers
    from seqwise.models.one_sequence import SequenceSteps

Weights = Mapping[str, np.ndarray]

POSITIONS = 2**15  # of a padded batch: larger ones leave the caches and are no quicker
POOLINGS = ("last", "mean", "max")
RECURRENT = "parts.recurrent.recurrent.layers."


class PackedClassifier:
    """A classifier or regressor in the place of `SavedModel`, which answers without its module.

    Args:
        features: what encodes its inputs.
        settings: of the model.
        weights: by the names of `SequenceModel`; those that `needed_weights` gives.
        restore: builds the module, for who needs more than answers.
    """

    def __init__(
        self, features: Features, settings: ModelSettings, weights: Weights, restore: Callable[[], nn.Module]
    ) -> None:
        self.features, self._settings, self._restore = features, settings, restore
        self._scales, self._shift = weights["scales"], weights["shift"]
        self._linear: tuple[np.ndarray, np.ndarray] | None = None
        if settings.architecture == "wide_deep":
            self._linear = weights["parts.linear.weight.weight"], weights["parts.linear.bias"]
        self._embedding = weights.get("parts.recurrent.embedding.weight")
        self._layers = _pack_layers(settings, weights)
        self._poolings = settings.pooling.split("+")
        names = [f"parts.recurrent.head.{3 * k}" for k in range(settings.head_layers + 1)]
        self._head = [(weights[f"{name}.weight"].T, weights[f"{name}.bias"]) for name in names]
        self._lock = threading.Lock()
        self._module: nn.Module | None = None

    @property
    def module(self) -> nn.Module:
        """The module, in evaluation mode; built when somebody asks for it, its weights are not those that answer."""
        with self._lock:
            if self._module is None:
                self._module = self._restore()
        return self._module

    @cached_property
    def steps(self) -> SequenceSteps | None:
        """What takes the steps of one sequence, with these weights; None where the model needs whole sequences."""
        from seqwise.models.one_sequence import SequenceSteps, Sizes
        from seqwise.models.symbol_rows import SymbolRows

        if self._settings.architecture != "recurrent" or self._settings.bidirectional or len(self._head) > 1:
            return None
        stack, (weight, bias) = self._layers.stack(), self._head[0]
        symbols = None if self._embedding is None else SymbolRows(self._embedding, stack)
        sizes = Sizes(len(self._layers.layers), len(self._layers.program.states), self._layers.hidden)
        scale = self._scales[0]
        return SequenceSteps(
            symbols, [stack], [sizes], tuple(self._poolings), weight.T * scale, bias * scale + self._shift
        )

    def encode(self, texts: Iterable[Any]) -> EncodedExamples:
        """Return the texts or frames as arrays."""
        return self.features.encode(texts)

    def logits(self, examples: EncodedExamples, batch_size: int = 256) -> np.ndarray:
        """Return the outputs of all examples, (n, C) float32, batches of near-equal length computed together."""
        lengths = examples.lengths
        order = np.argsort(lengths, kind="stable")
        result = np.empty((len(order), len(self._shift)), np.float32)
        start = 0
        while start < len(order):
            several = order[start : start + batch_size]
            fits = lengths[several] * np.arange(1, len(several) + 1) <= POSITIONS
            indices = several[: max(1, int(fits.sum()))]
            result[indices] = self._run(examples.arrays(indices))
            start += len(indices)
        return result

    def _run(self, batch: Arrays) -> np.ndarray:
        found = self._recurrent(batch) * self._scales[-1]
        if self._linear is not None:
            found += _linear(batch, *self._linear) * self._scales[0]
        return found + self._shift

    def _recurrent(self, batch: Arrays) -> np.ndarray:
        """Logits of the recurrent part, (B, C)."""
        from seqwise.kernels.cpu.pooling import pool

        assert batch.lengths is not None
        if self._embedding is None:
            assert batch.frames is not None
            x = batch.frames.transpose(1, 0, 2)
        else:
            assert batch.tokens is not None
            x = self._embedding.take(batch.tokens.T, axis=0)
        outputs, last = self._layers(x, batch.lengths)
        parts = {"last": last}
        if self._poolings != ["last"]:
            totals, parts["max"] = pool(outputs, batch.lengths)
            parts["mean"] = totals / batch.lengths[:, None].astype(np.float32)
        x = np.concatenate([parts[name] for name in self._poolings], axis=1)
        for place, (weight, bias) in enumerate(self._head):
            x = (np.maximum(x, 0) if place else x) @ weight + bias
        return x


def pack(
    settings: Mapping[str, Any], vocabulary: dict[str, Any], weights: Weights, outputs: int, restore: Callable[[], Any]
) -> PackedClassifier | None:
    """Return the model of a folder packed, or None: it is none of the usual ones, or its weights are not those it needs.

    Args:
        settings: the sections of `config.json`.
        vocabulary: the whole of `vocabulary.json`.
        weights: by name.
        outputs: C.
        restore: builds the module, with every check.

    Raises:
        ValidationError: of pydantic: a section is not what it should be.
        DataError: the vocabulary is damaged.
    """
    model = ModelSettings.model_validate(settings["model"])
    usual = (
        model.architecture in ("recurrent", "wide_deep")
        and getattr(model, "encoder", "recurrent") == "recurrent"
        and model.backend in ("auto", "cpu")
        and not model.zoneout
        and not model.position_embedding
        and set(model.pooling.split("+")) <= set(POOLINGS)
    )
    if not usual or model.num_layers + model.head_layers > len(weights):
        return None
    features = saved_features(dict(settings), vocabulary)
    found = {current_name(name): array for name, array in weights.items()}
    needed = needed_weights(model, features, outputs)
    if {name: array.shape for name, array in found.items()} != needed:
        return None
    if any(array.dtype != np.float32 for name, array in found.items() if not name.endswith("cell_id")):
        return None
    program = LIBRARY[model.cell].program
    if f"{RECURRENT}cell_id" in found and int(found[f"{RECURRENT}cell_id"]) != program.fingerprint:
        return None
    return PackedClassifier(features, model, found, restore)


def needed_weights(settings: ModelSettings, features: Features, outputs: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights of a usual model; C outputs."""
    program, hidden = LIBRARY[settings.cell].program, settings.hidden_size
    both = settings.architecture == "wide_deep"
    needed: dict[str, tuple[int, ...]] = {"scales": (1 + both,), "shift": (outputs,)}
    if both:
        needed |= {"parts.linear.weight.weight": (max(features.ngram_count, 1), outputs)}
        needed |= {"parts.linear.bias": (outputs,)}
    size = features.frame_size
    if not size:
        size = features.vocabulary_size if settings.embedding == "one_hot" else settings.embedding_size
        needed["parts.recurrent.embedding.weight"] = features.vocabulary_size, size
    if settings.cell not in TORCHS:
        needed[f"{RECURRENT}cell_id"] = ()
    endings = _endings(settings)
    for layer, directions in enumerate(endings):
        read = size if layer == 0 else hidden * len(directions)
        for ending in directions:
            inputs, recurrent = len(program.input_gates) * hidden, len(program.recurrent_gates) * hidden
            shapes = {"weight_ih": (inputs, read), "bias_ih": (inputs,)}
            if recurrent:
                shapes |= {"weight_hh": (recurrent, hidden), "bias_hh": (recurrent,)}
            if program.vectors:
                shapes["vector"] = len(program.vectors), hidden
            needed |= {f"{RECURRENT}{name}{ending}": shape for name, shape in shapes.items()}
    width = hidden * len(endings[0])
    widths = [width * len(settings.pooling.split("+")), *[width] * settings.head_layers, outputs]
    for place, (inner, outer) in enumerate(pairwise(widths)):
        needed[f"parts.recurrent.head.{3 * place}.weight"] = outer, inner
        needed[f"parts.recurrent.head.{3 * place}.bias"] = (outer,)
    return needed


TORCHS = ("rnn", "rnn_relu", "gru_reset_after", "lstm")
"""Cells that torch.nn has: they save no `cell_id`."""


def _endings(settings: ModelSettings) -> list[list[str]]:
    suffixes = ("", "_reverse") if settings.bidirectional else ("",)
    return [[f"_l{layer}{suffix}" for suffix in suffixes] for layer in range(settings.num_layers)]


def _pack_layers(settings: ModelSettings, weights: Weights) -> PackedLayers:
    from seqwise.kernels.cpu.packed import LayerWeights, PackedLayers

    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "vector")
    layers = [
        [LayerWeights(*(weights.get(f"{RECURRENT}{name}{ending}") for name in names)) for ending in directions]  # type: ignore[arg-type]
        for directions in _endings(settings)
    ]
    return PackedLayers(LIBRARY[settings.cell].program, layers)


def _linear(batch: Arrays, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Logits of the n-grams, (B, C)."""
    ids, offsets, values = batch.ngram_ids, batch.ngram_offsets, batch.ngram_values
    assert ids is not None
    assert offsets is not None
    assert values is not None
    found = np.zeros((len(offsets), weight.shape[1]), np.float32)
    if len(ids):
        counts = np.diff(offsets, append=len(ids))
        filled = np.flatnonzero(counts)  # `reduceat` takes no empty rows
        weighted = weight.take(ids, axis=0) * values.astype(np.float32, copy=False)[:, None]
        found[filled] = np.add.reduceat(weighted, offsets[filled], axis=0)
    return found + bias
