"""The saved model: a folder of safetensors, JSON and text. Written file by file, read with every check, no pickle.

config.json          format version, task, settings of every section, unit, sha256 of the parts below and of itself
model.safetensors    the weights; of an exported model in their place: model.onnx, the network with its weights
vocabulary.json      what turns raw input into ids
labels.json          classes, counts, priors, thresholds, calibration; of a task that has classes
and, for people: metrics.json, history.jsonl, report.html, README.md
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqwise._version import __version__
from seqwise.errors import ModelFolderError
from seqwise.prediction.plain_files import is_plain_name, json_bytes, parse_json, read_file, shortened, write_files
from seqwise.prediction.schema import Config, Labels, check_schema

FORMAT_VERSION = 1
CONFIG, WEIGHTS, VOCABULARY, LABELS = "config.json", "model.safetensors", "vocabulary.json", "labels.json"
GRAPH = "model.onnx"
WITHOUT_LABELS = ("lm", "generate", "regress", "forecast", "translate", "transcribe")
"""Tasks that have no classes."""
# Far beyond any real model: a file larger than this is damaged or hostile and is not read into memory.
LARGEST = {CONFIG: 2**24, LABELS: 2**28, VOCABULARY: 2**31, WEIGHTS: 2**36, GRAPH: 2**31}


@dataclass(frozen=True)
class FolderContent:
    """What a sound model folder holds.

    Attributes:
        path: of the folder.
        config: the whole of config.json.
        weights: by name, as NumPy arrays; {} of an exported model.
        vocabulary: the whole of vocabulary.json.
        labels: the whole of labels.json; {} where the task has none.
        graph: of an exported model the network, as the bytes of model.onnx; None of others.
    """

    path: Path
    config: dict[str, Any]
    weights: dict[str, np.ndarray]
    vocabulary: dict[str, Any]
    labels: dict[str, Any]
    graph: bytes | None = None

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """The sections data, text, model, imbalance, training."""
        return self.config["settings"]

    @property
    def classes(self) -> list[Any]:
        """The C classes, in the order of the model's outputs."""
        return self.labels["classes"]


def write_folder(
    path: str | Path,
    *,
    config: Mapping[str, Any],
    weights: Mapping[str, Any] | None = None,
    graph: bytes | None = None,
    vocabulary: Mapping[str, Any],
    labels: Mapping[str, Any] | None = None,
    pieces: Mapping[str, str | bytes | Mapping[str, Any]] | None = None,
) -> None:
    """Save a model; every file appears complete or not at all, config.json last.

    Args:
        path: of the folder; made if need be. Files in it that are not written now stay.
        config: "task", "estimator", "settings", "unit" and whatever else belongs to the model; format_version,
            seqwise_version, files and sha256 are added.
        weights: torch tensors or NumPy arrays by name.
        graph: in place of weights: the bytes of model.onnx.
        vocabulary: opaque, JSON.
        labels: "classes", "counts", "priors", "thresholds", "positive", "calibration"; None for a task without classes.
        pieces: further files by name, see `add_piece`.

    Raises:
        ModelFolderError: the content is not a model that `read_folder` would accept.
        FileError: it could not be written; names the reason. What was there before is untouched.
    """
    path = Path(path)
    network = GRAPH if weights is None else WEIGHTS
    contents = {
        network: _network(path, weights, graph),
        VOCABULARY: json_bytes(vocabulary, path / VOCABULARY, readable=False),
        **({} if labels is None else {LABELS: json_bytes(labels, path / LABELS)}),
        **{name: _content(name, piece) for name, piece in (pieces or {}).items()},
    }
    sealed = {
        **config,
        "format_version": FORMAT_VERSION,
        "seqwise_version": __version__,
        "files": {name: _sha256(contents[name]) for name in (network, VOCABULARY, LABELS) if name in contents},
    }
    contents[CONFIG] = json_bytes(_with_seal(sealed), path / CONFIG)
    check_schema(Config, sealed, path / CONFIG)
    if labels is not None:
        check_schema(Labels, parse_json(contents[LABELS], path / LABELS), path / LABELS)
    elif config["task"] not in WITHOUT_LABELS:
        raise ModelFolderError(f"{path}: a model of the task {config['task']!r} has {LABELS}")
    write_files(path, contents)


def add_piece(path: str | Path, name: str, content: str | bytes | Mapping[str, Any], *, sealed: bool = False) -> None:
    """Add a file to a model folder, or replace it.

    Args:
        path: of the folder.
        name: of the file, without folders.
        content: text, bytes, or what becomes JSON.
        sealed: whether config.json records its sha256, so that a damaged one is noticed when the model is loaded.

    Raises:
        FileError: it could not be written.
        ModelFolderError: `sealed`, and config.json is missing or damaged.
    """
    path = Path(path)
    contents = {name: _content(name, content)}
    if sealed:
        config = _read_config(path)
        config["files"][name] = _sha256(contents[name])
        contents[CONFIG] = json_bytes(_with_seal(config), path / CONFIG)
    write_files(path, contents)


def read_folder(path: str | Path) -> FolderContent:
    """Read a model folder and check everything that can be checked without building the model.

    Raises:
        ModelFolderError: one sentence: which part is missing, damaged, newer or not what it should be.
    """
    path = Path(path)
    config = _read_config(path)
    contents: dict[str, bytes] = {}
    exported = WEIGHTS not in config["files"] and GRAPH in config["files"]
    needed = [GRAPH if exported else WEIGHTS, VOCABULARY, *([] if config["task"] in WITHOUT_LABELS else [LABELS])]
    for name in dict.fromkeys([*needed, *config["files"]]):
        if name not in config["files"]:
            raise ModelFolderError(f"{path / CONFIG} does not list {name} among its files")
        content = read_file(path, name, LARGEST.get(name, LARGEST[WEIGHTS]))
        if _sha256(content) != config["files"][name]:
            raise ModelFolderError(f"{path / name} is damaged or was changed: its sha256 is not the recorded one")
        if name in LARGEST:
            contents[name] = content
    labels: dict[str, Any] = {}
    if LABELS in contents:
        labels = parse_json(contents[LABELS], path / LABELS)
        check_schema(Labels, labels, path / LABELS)
    vocabulary = parse_json(contents[VOCABULARY], path / VOCABULARY)
    if exported:
        return FolderContent(path, config, {}, vocabulary, labels, contents[GRAPH])
    return FolderContent(path, config, _weights(path, contents[WEIGHTS]), vocabulary, labels)


def task_of(path: str | Path) -> str:
    """Return the task of the model in a folder, of which nothing but config.json is read.

    Raises:
        ModelFolderError: it is no model folder, or its config.json is damaged.
    """
    return str(_read_config(Path(path))["task"])


def _read_config(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise ModelFolderError(f"there is no model folder {path}")
    if not path.is_dir():
        raise ModelFolderError(f"{path} is not a folder: a model is a folder with {CONFIG} and {WEIGHTS} in it")
    config = parse_json(read_file(path, CONFIG, LARGEST[CONFIG]), path / CONFIG)
    version = config.get("format_version")
    if type(version) is not int or version < 1:
        raise ModelFolderError(
            f"{path / CONFIG} is not that of a Seqwise model: format_version is {shortened(version)}"
        )
    if version > FORMAT_VERSION:
        raise ModelFolderError(
            f"{path} was made by a newer seqwise (format {version}), this one reads up to {FORMAT_VERSION}: upgrade seqwise"
        )
    if _with_seal(config)["sha256"] != config.get("sha256"):
        raise ModelFolderError(f"{path / CONFIG} is damaged or was changed after the model was saved")
    check_schema(Config, config, path / CONFIG)
    return config


def is_exported(path: str | Path) -> bool:
    """Whether a folder holds an exported model; nothing but config.json is read.

    Raises:
        ModelFolderError: it is no model folder, or its config.json is damaged.
    """
    files = _read_config(Path(path))["files"]
    return WEIGHTS not in files and GRAPH in files


def _network(path: Path, weights: Mapping[str, Any] | None, graph: bytes | None) -> bytes:
    """What stands in the file of the network."""
    if weights is None:
        assert graph is not None
        return graph
    from safetensors.numpy import save

    arrays = {name: _array(tensor) for name, tensor in weights.items()}
    _check_weights(path, arrays)
    return save(arrays)


def _weights(path: Path, content: bytes) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        weights = load(content)
    except (SafetensorError, ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
        raise ModelFolderError(f"{path / WEIGHTS} is no sound safetensors file: {error}") from None
    _check_weights(path, weights)
    return weights


def _check_weights(path: Path, weights: Mapping[str, np.ndarray]) -> None:
    if not weights:
        raise ModelFolderError(f"{path / WEIGHTS} holds no weights")
    for name, array in weights.items():
        if array.dtype.kind not in "fiub":
            raise ModelFolderError(
                f"{path / WEIGHTS}: {shortened(name)} has the type {array.dtype}, which no weight has"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelFolderError(f"{path / WEIGHTS}: {shortened(name)} has a value that is not a finite number")


def _array(tensor: Any) -> np.ndarray:
    """A contiguous array of a tensor wherever it lives, or of an array."""
    return np.ascontiguousarray(tensor.detach().cpu().numpy() if hasattr(tensor, "detach") else tensor).reshape(
        tensor.shape
    )


def _content(name: str, content: str | bytes | Mapping[str, Any]) -> bytes:
    if not is_plain_name(name) or name in LARGEST:
        raise ValueError(f"{name!r} is not the name of a piece that can be added")
    if isinstance(content, bytes):
        return content
    return content.encode() if isinstance(content, str) else json_bytes(content, Path(name))


def _with_seal(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with the sha256 of its own canonical form: a changed setting would mean another model."""
    unsealed = {key: value for key, value in config.items() if key != "sha256"}
    canonical = json.dumps(unsealed, sort_keys=True, separators=(",", ":"), default=str)
    return {**unsealed, "sha256": _sha256(canonical.encode())}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
