"""A saved model as an ONNX model: which graph, what its metadata say, whether it is sound and agrees with PyTorch."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
from onnx import ModelProto

from seqwise._version import __version__
from seqwise.errors import ConfigurationError
from seqwise.export.onnx_classifier import classifier_graph
from seqwise.export.onnx_graph import Graph, model_of
from seqwise.prediction.exported import Network
from seqwise.prediction.folder import FolderContent

LARGEST = 2**31 - 1  # bytes of a protobuf message
GRAPHS: dict[str, Callable[[Any, int], Graph]] = {
    "SequenceClassifier": classifier_graph,
    "SequenceRegressor": classifier_graph,
}
"""Estimators and who writes the graph of their modules."""


def build_model(content: FolderContent, saved: Any, opset: int) -> ModelProto:
    """Return the network of a folder as ONNX, checked.

    Args:
        content: of the folder.
        saved: what `restore` made of it.
        opset: version of the operators.

    Raises:
        ConfigurationError: such a model cannot be exported; says what it is.
    """
    estimator = content.config["estimator"]
    if estimator not in GRAPHS:
        raise ConfigurationError(
            f"{content.path} holds a {estimator}, which cannot be exported to ONNX; there is an export of "
            f"{', '.join(GRAPHS)}"
        )
    graph = GRAPHS[estimator](saved.module, opset)
    model = model_of(graph, __version__, metadata_of(content, saved))
    if model.ByteSize() > LARGEST:
        raise ConfigurationError(
            f"{content.path} makes an ONNX model of {model.ByteSize():,} bytes, and such a file has {LARGEST:,} at the most"
        )
    onnx.checker.check_model(model, full_check=True)
    return model


def metadata_of(content: FolderContent, saved: Any) -> dict[str, str]:
    """What another runtime needs beside the network, as JSON by name."""
    found: dict[str, Any] = {
        "task": content.config["task"],
        "estimator": content.config["estimator"],
        "unit": content.config["unit"],
        "settings": content.settings,
    }
    if content.labels:
        found["labels"] = content.labels
    if "targets" in content.config:
        found["targets"] = content.config["targets"]
    pipeline = getattr(getattr(saved, "features", saved), "pipeline", None)
    if pipeline is not None:
        found["symbols"] = pipeline.vocabulary.tokens
    return {f"seqwise.{name}": json.dumps(value, ensure_ascii=False) for name, value in found.items()}


def largest_difference(saved: Any, model: bytes, seed: int = 0) -> float:
    """How far outputs under onnxruntime are from PyTorch's at the most, on ragged batches of random inputs.

    Args:
        saved: the model in PyTorch.
        model: the same in ONNX.
        seed: of the inputs.
    """
    network, random = Network(model, "the exported model"), np.random.default_rng(seed)
    largest = 0.0
    for batch, steps in ((1, 1), (1, 40), (5, 17)):
        inputs = example_inputs(saved, batch, steps, random)
        with torch.no_grad():
            expected = run_module(saved, inputs)
        found = network(inputs)[0]
        largest = max(largest, float(np.abs(found - expected).max()))
    return largest


def example_inputs(saved: Any, batch: int, steps: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Random inputs of a classifier or regressor: ragged, the first row the longest, the last of one step."""
    features = saved.features
    lengths = random.integers(1, steps + 1, batch)
    lengths[-1], lengths[0] = 1, steps
    exists = np.arange(steps) < lengths[:, None]
    counts = random.integers(0, 2 * steps, batch)
    found: dict[str, np.ndarray] = {"lengths": lengths}
    if features.vocabulary_size:
        tokens = random.integers(1, features.vocabulary_size, (batch, steps))
        found["tokens"] = np.where(exists, tokens, 0)
    if features.frame_size:
        frames = random.standard_normal((batch, steps, features.frame_size)).astype(np.float32)
        found["frames"] = np.where(exists[..., None], frames, np.float32(0))
    if features.ngram_count:
        found["ngram_ids"] = random.integers(0, features.ngram_count, counts.sum())
        found["ngram_offsets"] = np.cumsum(counts) - counts
        found["ngram_values"] = random.random(counts.sum()).astype(np.float32)
    return found


def run_module(saved: Any, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """What PyTorch gives for these inputs."""
    from seqwise.models.batch import Batch, Ngrams

    given = {name: torch.from_numpy(part) for name, part in inputs.items()}
    ngrams = None
    if "ngram_ids" in given:
        ngrams = Ngrams(given["ngram_ids"], given["ngram_offsets"], given["ngram_values"])
    batch = Batch(given.get("tokens"), given["lengths"], ngrams, frames=given.get("frames"))
    found: np.ndarray = saved.module(batch).numpy()
    return found
