"""A saved model as an ONNX model: which graph, what its metadata say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import onnx
from onnx import ModelProto

from seqwise._version import __version__
from seqwise.errors import ConfigurationError
from seqwise.export.onnx_classifier import classifier_graph
from seqwise.export.onnx_graph import Graph, model_of
from seqwise.export.onnx_language import language_graph
from seqwise.export.onnx_tagger import tagger_graph
from seqwise.prediction.folder import FolderContent

LARGEST = 2**31 - 1  # bytes of a protobuf message
GRAPHS: dict[str, Callable[[Any, int], Graph]] = {
    "SequenceClassifier": classifier_graph,
    "SequenceRegressor": classifier_graph,
    "SequenceTagger": tagger_graph,
    "LanguageModel": language_graph,
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
    if opset > (known := onnx.defs.onnx_opset_version()):
        raise ConfigurationError(f"the installed onnx {onnx.__version__} knows opsets up to {known}, not {opset}")
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
