"""An exported model tried beside PyTorch, on ragged batches of random inputs.

Axis letters: B batch, T steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from seqwise.layers import Recurrent
from seqwise.models.batch import Batch, Ngrams
from seqwise.models.language import LanguageNetwork
from seqwise.models.tagger_features import CASINGS, TaggedBatch
from seqwise.models.tagger_frames import FramedBatch, FrameTaggerFeatures
from seqwise.prediction.exported import Network

SIZES = ((1, 1), (1, 40), (5, 17))
"""Examples and steps."""
Inputs = dict[str, np.ndarray]


def largest_difference(estimator: str, saved: Any, model: bytes, seed: int = 0) -> float:
    """How far the first outputs under onnxruntime are from PyTorch's at the most.

    Args:
        estimator: that the model is of.
        saved: the model in PyTorch.
        model: the same in ONNX.
        seed: of the inputs.
    """
    network, random = Network(model, "the exported model"), np.random.default_rng(seed)
    largest = 0.0
    for batch, steps in SIZES:
        lengths = random.integers(1, steps + 1, batch)
        lengths[-1], lengths[0] = 1, steps
        given, expected = TRIALS.get(estimator, _try_classifier)(saved, lengths, random)
        found = network(given)[RESULTS.get(estimator, 0)]
        exists = np.ones(found.shape, bool)
        if estimator == "SequenceTagger":  # what stands at padding means nothing
            exists = np.broadcast_to((np.arange(steps) < lengths[:, None])[..., None], found.shape)
        largest = max(largest, float(np.abs(found - expected.numpy())[exists].max()))
    return largest


@torch.no_grad()
def _try_classifier(saved: Any, lengths: np.ndarray, random: np.random.Generator) -> tuple[Inputs, torch.Tensor]:
    features, ngrams = saved.features, None
    given: Inputs = {"lengths": lengths}
    if features.vocabulary_size:
        given["tokens"] = _symbols(lengths, features.vocabulary_size, random)
    if features.frame_size:
        given["frames"] = _frames(lengths, features.frame_size, random)
    if features.ngram_count:
        counts = random.integers(0, 30, len(lengths))
        given["ngram_ids"] = random.integers(0, features.ngram_count, counts.sum())
        given["ngram_offsets"] = np.cumsum(counts) - counts
        given["ngram_values"] = random.random(counts.sum()).astype(np.float32)
        ngrams = Ngrams(*(torch.from_numpy(given[f"ngram_{name}"]) for name in ("ids", "offsets", "values")))
    tokens, frames = (torch.from_numpy(given[name]) if name in given else None for name in ("tokens", "frames"))
    return given, saved.module(Batch(tokens, torch.from_numpy(lengths), ngrams, frames=frames))


@torch.no_grad()
def _try_tagger(saved: Any, lengths: np.ndarray, random: np.random.Generator) -> tuple[Inputs, torch.Tensor]:
    features = saved.features
    if isinstance(features, FrameTaggerFeatures):
        given = {"frames": _frames(lengths, features.size, random), "lengths": lengths}
        return given, saved.module(FramedBatch(*map(torch.from_numpy, given.values())))
    forms = 9
    of_forms = random.integers(1, 12, forms)
    given = {
        "words": _symbols(lengths, len(features.words), random),
        "lengths": lengths,
        "forms": _symbols(lengths, forms, random),
        "characters": _symbols(of_forms, len(features.characters), random),
        "character_lengths": of_forms,
        "casings": random.integers(0, CASINGS, forms),
    }
    return given, saved.module(TaggedBatch(**{name: torch.from_numpy(part) for name, part in given.items()}))


@torch.no_grad()
def _try_language(saved: Any, lengths: np.ndarray, random: np.random.Generator) -> tuple[Inputs, torch.Tensor]:
    module: LanguageNetwork = saved.module
    symbols = random.integers(1, module.embedding.num_embeddings, (len(lengths), lengths.max()))
    shapes = [of.shape for of in module.start(len(lengths))]
    states = tuple(torch.from_numpy(random.uniform(-0.5, 0.5, shape).astype(np.float32)) for shape in shapes)
    given: Inputs = {"symbols": symbols}
    per_layer = module.states_of_a_layer
    for number, state in enumerate(states):
        layer = module.layers[number // per_layer]
        assert isinstance(layer, Recurrent)
        name = layer.cell.program.states[number % per_layer]
        given[f"state_{number // per_layer}_{name}"] = state[0].numpy()
    return given, module.log_probabilities(module.read(torch.from_numpy(symbols), states).outputs)


TRIALS = {"SequenceTagger": _try_tagger, "LanguageModel": _try_language}
"""Estimators and who tries them; the others are tried as classifiers."""
RESULTS = {"LanguageModel": -1}
"""Which output is compared, if not the first."""


def _symbols(lengths: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Random numbers from 1 to before `count`, 0 at padding, (B, T) int64."""
    steps = np.arange(lengths.max())
    return np.where(steps < lengths[:, None], random.integers(1, count, (len(lengths), len(steps))), 0)


def _frames(lengths: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """Random numbers, 0 at padding, (B, T, size) float32."""
    steps = np.arange(lengths.max())
    drawn = random.standard_normal((len(lengths), len(steps), size)).astype(np.float32)
    return np.where((steps < lengths[:, None])[..., None], drawn, np.float32(0))
