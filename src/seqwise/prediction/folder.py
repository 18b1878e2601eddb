"""The saved model: a folder of safetensors, JSON and text. Written file by file, read with every check, no pickle.

config.json          format version, task, settings of every section, unit, sha256 of the parts below and of itself
model.safetensors    the weights
vocabulary.json      what turns raw input into ids
labels.json          classes, counts, priors, thresholds, calibration
and, for people: metrics.json, history.jsonl, report.html, README.md
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError

from seqwise._version import __version__
from seqwise.errors import FileError, ModelFolderError

FORMAT_VERSION = 1
CONFIG, WEIGHTS, VOCABULARY, LABELS = "config.json", "model.safetensors", "vocabulary.json", "labels.json"
# Far beyond any real model: a file larger than this is damaged or hostile and is not read into memory.
LARGEST = {CONFIG: 2**24, LABELS: 2**28, VOCABULARY: 2**31, WEIGHTS: 2**36}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class _Config(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    seqwise_version: str
    task: str
    estimator: str
    settings: dict[str, dict[str, Any]]
    unit: str
    files: dict[str, str]


class _Labels(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

    classes: list[str | int | float | bool] = Field(min_length=2)
    counts: list[int | float]
    priors: list[float]
    thresholds: list[float] | None
    positive: str | int | float | bool | None
    calibration: dict[str, Any] | None

    @model_validator(mode="after")
    def _fits(self) -> _Labels:
        if len({(type(name), name) for name in self.classes}) != len(self.classes):
            raise ValueError("a class is there twice")
        for name in ("counts", "priors", "thresholds"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.classes):
                raise ValueError(f"{len(values)} {name} for {len(self.classes)} classes")
        if self.thresholds is not None and not all(0 < value <= 1 for value in self.thresholds):
            raise ValueError("a threshold is not above 0 and at most 1")
        if min(self.counts) < 0 or min(self.priors) < 0:
            raise ValueError("a count or prior is negative")
        if self.positive is not None and self.positive not in self.classes:
            raise ValueError("the positive class is not one of the classes")
        return self


@dataclass(frozen=True)
class FolderContent:
    """What a sound model folder holds.

    Attributes:
        path: of the folder.
        config: the whole of config.json.
        weights: by name, as NumPy arrays.
        vocabulary: the whole of vocabulary.json.
        labels: the whole of labels.json.
    """

    path: Path
    config: dict[str, Any]
    weights: dict[str, np.ndarray]
    vocabulary: dict[str, Any]
    labels: dict[str, Any]

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
    weights: Mapping[str, Any],
    vocabulary: Mapping[str, Any],
    labels: Mapping[str, Any],
    pieces: Mapping[str, str | bytes | Mapping[str, Any]] | None = None,
) -> None:
    """Save a model; every file appears complete or not at all, config.json last.

    Args:
        path: of the folder; made if need be. Files in it that are not written now stay.
        config: "task", "estimator", "settings", "unit" and whatever else belongs to the model; format_version,
            seqwise_version, files and sha256 are added.
        weights: torch tensors or NumPy arrays by name.
        vocabulary: opaque, JSON.
        labels: "classes", "counts", "priors", "thresholds", "positive", "calibration".
        pieces: further files by name, see `add_piece`.

    Raises:
        ModelFolderError: the content is not a model that `read_folder` would accept.
        FileError: it could not be written; names the reason. What was there before is untouched.
    """
    from safetensors.numpy import save

    path = Path(path)
    arrays = {name: _array(tensor) for name, tensor in weights.items()}
    _check_weights(path, arrays)
    contents = {
        WEIGHTS: save(arrays),
        VOCABULARY: _json_bytes(vocabulary, path / VOCABULARY),
        LABELS: _json_bytes(labels, path / LABELS),
        **{name: _content(name, piece) for name, piece in (pieces or {}).items()},
    }
    sealed = {
        **config,
        "format_version": FORMAT_VERSION,
        "seqwise_version": __version__,
        "files": {name: _sha256(contents[name]) for name in (WEIGHTS, VOCABULARY, LABELS)},
    }
    contents[CONFIG] = _json_bytes(_with_seal(sealed), path / CONFIG)
    _validated(_Config, sealed, path / CONFIG)
    _validated(_Labels, _parse(contents[LABELS], path / LABELS), path / LABELS)
    _write(path, contents)


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
        contents[CONFIG] = _json_bytes(_with_seal(config), path / CONFIG)
    _write(path, contents)


def read_folder(path: str | Path) -> FolderContent:
    """Read a model folder and check everything that can be checked without building the model.

    Raises:
        ModelFolderError: one sentence: which part is missing, damaged, newer or not what it should be.
    """
    from safetensors.numpy import load

    path = Path(path)
    config = _read_config(path)
    contents: dict[str, bytes] = {}
    for name in {WEIGHTS: 0, VOCABULARY: 0, LABELS: 0, **config["files"]}:
        if name not in config["files"]:
            raise ModelFolderError(f"{path / CONFIG} does not list {name} among its files")
        content = _read(path, name)
        if _sha256(content) != config["files"][name]:
            raise ModelFolderError(f"{path / name} is damaged or was changed: its sha256 is not the recorded one")
        if name in LARGEST:
            contents[name] = content
    labels = _parse(contents[LABELS], path / LABELS)
    _validated(_Labels, labels, path / LABELS)
    vocabulary = _parse(contents[VOCABULARY], path / VOCABULARY)
    try:
        weights = load(contents[WEIGHTS])
    except (SafetensorError, ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
        raise ModelFolderError(f"{path / WEIGHTS} is no sound safetensors file: {error}") from None
    _check_weights(path, weights)
    return FolderContent(path, config, weights, vocabulary, labels)


def _read_config(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise ModelFolderError(f"there is no model folder {path}")
    if not path.is_dir():
        raise ModelFolderError(f"{path} is not a folder: a model is a folder with {CONFIG} and {WEIGHTS} in it")
    config = _parse(_read(path, CONFIG), path / CONFIG)
    version = config.get("format_version")
    if type(version) is not int or version < 1:
        raise ModelFolderError(f"{path / CONFIG} is not that of a Seqwise model: format_version is {_short(version)}")
    if version > FORMAT_VERSION:
        raise ModelFolderError(
            f"{path} was made by a newer seqwise (format {version}), this one reads up to {FORMAT_VERSION}: upgrade seqwise"
        )
    if _with_seal(config)["sha256"] != config.get("sha256"):
        raise ModelFolderError(f"{path / CONFIG} is damaged or was changed after the model was saved")
    _validated(_Config, config, path / CONFIG)
    return config


def _read(folder: Path, name: str) -> bytes:
    """The bytes of a plain file in the folder itself, of a size that makes sense."""
    if not _PLAIN_NAME.fullmatch(name):
        raise ModelFolderError(f"{folder / CONFIG} names the file {_short(name)}, which is not a plain name")
    path = folder / name
    try:
        if path.resolve(strict=True).parent != folder.resolve():
            raise ModelFolderError(f"{path} is a link that leads out of the model folder")
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ModelFolderError(f"{path} is not a file")
        if status.st_size > LARGEST.get(name, LARGEST[WEIGHTS]):
            raise ModelFolderError(f"{path} has {status.st_size:,} bytes, far more than a model needs")
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelFolderError(f"{folder} is not a complete model folder: {name} is missing") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        raise ModelFolderError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _parse(content: bytes, path: Path) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        parsed = json.loads(content.decode(), parse_constant=refuse)
        json.dumps(parsed, ensure_ascii=False).encode()  # lone surrogates cannot be printed or saved again
    except (ValueError, RecursionError) as error:
        raise ModelFolderError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise ModelFolderError(f"{path} holds {type(parsed).__name__}, not a JSON object")
    return parsed


def _validated(schema: type[BaseModel], content: Mapping[str, Any], path: Path) -> None:
    try:
        schema.model_validate(dict(content))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"][:2])) or "its content"
        raise ModelFolderError(f"{path}: {where}: {problem['msg']}") from None


def _check_weights(path: Path, weights: Mapping[str, np.ndarray]) -> None:
    if not weights:
        raise ModelFolderError(f"{path / WEIGHTS} holds no weights")
    for name, array in weights.items():
        if array.dtype.kind not in "fiub":
            raise ModelFolderError(f"{path / WEIGHTS}: {_short(name)} has the type {array.dtype}, which no weight has")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelFolderError(f"{path / WEIGHTS}: {_short(name)} has a value that is not a finite number")


def _array(tensor: Any) -> np.ndarray:
    """A contiguous array of a tensor wherever it lives, or of an array."""
    return np.ascontiguousarray(tensor.detach().cpu().numpy() if hasattr(tensor, "detach") else tensor).reshape(
        tensor.shape
    )


def _content(name: str, content: str | bytes | Mapping[str, Any]) -> bytes:
    if not _PLAIN_NAME.fullmatch(name) or name in LARGEST:
        raise ValueError(f"{name!r} is not the name of a piece that can be added")
    if isinstance(content, bytes):
        return content
    return content.encode() if isinstance(content, str) else _json_bytes(content, Path(name))


def _json_bytes(content: Mapping[str, Any], path: Path) -> bytes:
    try:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1).encode()
    except (ValueError, TypeError) as error:
        raise ModelFolderError(f"{path} cannot be written as JSON: {error}") from None


def _with_seal(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with the sha256 of its own canonical form: a changed setting would mean another model."""
    unsealed = {key: value for key, value in config.items() if key != "sha256"}
    canonical = json.dumps(unsealed, sort_keys=True, separators=(",", ":"), default=str)
    return {**unsealed, "sha256": _sha256(canonical.encode())}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    """All files under temporary names first, then all renamed: a full disk is noticed before anything is replaced."""
    temporaries: dict[str, Path] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            temporaries[name] = folder / f".{name}.{os.getpid()}"
            with temporaries[name].open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for name, temporary in temporaries.items():
            temporary.replace(folder / name)
    except OSError as error:
        raise FileError(f"the model could not be saved to {folder}: {error.strerror or error}") from None
    finally:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)
