"""Checkpoints on disk: numbered folders, each written whole or not at all, the last two kept.

checkpoints/
  000041/ tensors.safetensors  state.json  seal.json     seal.json holds the sha256 of the other two
  000042/ ...
  .writing-PID/                                          not yet renamed: a crash leaves it, the next fit removes it
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from seqwise.errors import FileError
from seqwise.training.tensor_tree import decode, encode

FORMAT_VERSION = 1
KEPT = 2
_PARTS = ("tensors.safetensors", "state.json")
_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def checkpoints(folder: Path) -> list[Path]:
    """Return the complete checkpoints in the folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(
        (path for path in folder.iterdir() if path.name.isdigit() and path.is_dir()), key=lambda p: int(p.name)
    )


def save_checkpoint(folder: Path, tree: Any, kept: int = KEPT) -> Path:
    """Write the tree as the newest checkpoint and remove all but the last `kept`.

    Where the disk is full, the oldest of two checkpoints gives way and a second attempt is made.

    Raises:
        OSError: it could not be written; the folder is as before, except that the oldest of two may be gone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    existing = checkpoints(folder)
    target = folder / f"{int(existing[-1].name) + 1 if existing else 1:06}"
    try:
        _write(folder, target, tree)
    except OSError:
        if len(existing) < 2:
            raise
        shutil.rmtree(existing[0])
        _write(folder, target, tree)
    for path in checkpoints(folder)[:-kept]:
        shutil.rmtree(path, ignore_errors=True)
    return target


def load_checkpoint(folder: Path) -> Any:
    """Return the tree of the newest sound checkpoint, None where there is no checkpoint at all.

    A damaged one is passed over with a warning.

    Raises:
        FileError: there are checkpoints, but none can be read.
    """
    found = checkpoints(folder)
    for path in reversed(found):
        try:
            return _read(path)
        except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            warnings.warn(f"the checkpoint {path} is damaged ({reason}): trying the one before", stacklevel=2)
    if found:
        raise FileError(f"no checkpoint in {folder} can be read: start again with --overwrite")
    return None


def clear(folder: Path, *, unfinished_only: bool) -> None:
    """Remove what crashed fits left half written, and unless `unfinished_only` the checkpoints too."""
    if folder.is_dir():
        for path in folder.glob(".writing-*"):
            shutil.rmtree(path, ignore_errors=True)
        if not unfinished_only:
            for path in checkpoints(folder):
                shutil.rmtree(path)


def _write(folder: Path, target: Path, tree: Any) -> None:
    temporary = folder / f".writing-{os.getpid()}"
    try:
        temporary.mkdir()
        plain, tensors = encode(tree)
        state = json.dumps(plain).encode()
        seal = {
            "format_version": FORMAT_VERSION,
            "tensors.safetensors": _write_tensors(temporary / "tensors.safetensors", tensors),
            "state.json": hashlib.sha256(state).hexdigest(),
        }
        _write_bytes(temporary / "state.json", state)
        _write_bytes(temporary / "seal.json", json.dumps(seal).encode())
        _sync(temporary)
        temporary.rename(target)
        _sync(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write_bytes(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> str:
    """Write a safetensors file tensor by tensor and return its sha256.

    The library's own writer needs all bytes in memory or hides the reason of a failure; a checkpoint holds some five
    times the model, and a full disk must be told from other trouble.
    """
    header: dict[str, Any] = {}
    end = 0
    ordered = sorted(tensors.items(), key=lambda item: -item[1].element_size())  # keeps every tensor aligned
    for name, tensor in ordered:
        if tensor.dtype not in _DTYPES:
            raise TypeError(f"{name.lstrip('/')}: a checkpoint cannot hold {tensor.dtype}")
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    digest = hashlib.sha256()
    with path.open("wb") as file:

        def put(content: bytes | memoryview) -> None:
            digest.update(content)
            file.write(content)

        put(len(encoded).to_bytes(8, "little"))
        put(encoded)
        for _, tensor in ordered:
            put(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _read(path: Path) -> Any:
    seal = json.loads((path / "seal.json").read_bytes())
    if seal["format_version"] != FORMAT_VERSION:
        raise ValueError(f"format {seal['format_version']}, this version reads {FORMAT_VERSION}")
    # Read, not mapped: a mapped file cannot be removed on Windows when newer checkpoints take its place.
    content = {name: (path / name).read_bytes() for name in _PARTS}
    for name, part in content.items():
        if hashlib.sha256(part).hexdigest() != seal[name]:
            raise ValueError(f"{name} is not what was written")
    return decode(json.loads(content["state.json"]), safetensors.torch.load(content["tensors.safetensors"]))


def _sync(folder: Path) -> None:
    """Make the names in a folder durable; Windows has no such call and needs none."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
