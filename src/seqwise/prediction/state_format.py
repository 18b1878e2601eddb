"""The state of a stream as bytes and back: so that it survives a restart, or goes on in another process. No pickle.

A safetensors file. Arrays stand under their path in the state ("network.encoder.0"); its one piece of metadata, `seqwise`,
is a JSON object: format version, the model's sha256, and numbers, texts and nulls by path. The file never says what is built
from it: reading follows a fresh state of the same model, and what does not fit that is refused.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from safetensors import SafetensorError

from seqwise.errors import DataError

FORMAT_VERSION = 1
LONGEST_HEADER = 2**20  # bytes; that of the largest model's state has some thousand
MOST_STEPS = 2**53  # counts are exact up to here in every reader of JSON
_KEY = "seqwise"


def state_bytes(state: Any, model: str) -> bytes:
    """Write a state.

    Args:
        state: named tuples, tuples, lists and dataclasses of tensors, arrays, numbers, texts and None; or what has `parts`.
        model: sha256 of the model's config.json.
    """
    from safetensors.numpy import save

    arrays: dict[str, np.ndarray] = {}
    values: dict[str, Any] = {}
    for path, leaf in _leaves(state, ""):
        if isinstance(leaf, np.ndarray):
            arrays[path] = np.ascontiguousarray(leaf).reshape(leaf.shape)
        elif _is_tensor(leaf):
            arrays[path] = leaf.detach().cpu().contiguous().numpy()
        else:
            values[path] = leaf
    header = {"format_version": FORMAT_VERSION, "model": model, "values": values}
    return bytes(save(arrays, {_KEY: json.dumps(header, allow_nan=False)}))


def state_from(
    content: bytes,
    start: Any,
    model: str,
    *,
    growing: Mapping[str, int] = MappingProxyType({}),
    optional: frozenset[str] = frozenset(),
) -> Any:
    """Read a state.

    Args:
        content: what `state_bytes` wrote.
        start: a fresh state of the model, on its device; it is used up.
        model: sha256 of the model's config.json.
        growing: of arrays by the last part of their path the axis whose size is not that of the start.
        optional: paths of arrays for which there may be None.

    Raises:
        DataError: one sentence: the bytes are damaged, or of another model or version.
    """
    header, arrays = _opened(content)
    if header.get("format_version") != FORMAT_VERSION:
        raise DataError(
            f"the state has another format than {FORMAT_VERSION}: it was made by another version of seqwise"
        )
    if header.get("model") != model:
        raise DataError("the state is one of another model, or of another version of this one")
    values = header.get("values")
    if not isinstance(values, dict):
        raise DataError("the state is damaged: it has no values")
    reader = _Reader(arrays, values, growing, optional)
    state = reader.read("", start)
    if reader.left():
        raise DataError("the state is damaged: it has parts that no state of this model has")
    return state


def _opened(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    from safetensors.numpy import load

    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > min(LONGEST_HEADER, len(content) - 8):
        raise DataError("the state is damaged: it is no safetensors file")
    try:
        header = json.loads(json.loads(content[8 : 8 + size])["__metadata__"][_KEY])
        arrays = load(content)
    except (SafetensorError, ValueError, TypeError, LookupError, OverflowError, MemoryError, RecursionError):
        raise DataError("the state is damaged: it is no safetensors file of a stream") from None
    if not isinstance(header, dict):
        raise DataError("the state is damaged: its header is no object")
    return header, arrays


def _leaves(state: Any, path: str) -> Iterator[tuple[str, Any]]:
    children = _children(state)
    if children is None:
        yield path, state
        return
    for name, child in children.items():
        yield from _leaves(child, _below(path, name))


def _children(state: Any) -> dict[str, Any] | None:
    """Parts by name; None of what has none."""
    if hasattr(state, "parts"):
        return dict(state.parts())
    if hasattr(state, "_asdict"):
        return dict(state._asdict())
    if dataclasses.is_dataclass(state):
        return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    if isinstance(state, tuple | list):
        return {str(place): child for place, child in enumerate(state)}
    return None


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _is_tensor(leaf: Any) -> bool:
    return hasattr(leaf, "detach")


class _Reader:
    """Builds a state as the start is built, from what a file holds."""

    def __init__(
        self,
        arrays: dict[str, np.ndarray],
        values: dict[str, Any],
        growing: Mapping[str, int],
        optional: frozenset[str],
    ) -> None:
        self._arrays, self._values, self._growing, self._optional = arrays, values, growing, optional

    def left(self) -> bool:
        """Whether there is something that was not read."""
        return bool(self._arrays or self._values)

    def read(self, path: str, start: Any) -> Any:
        """The part at a path, built like that of the start."""
        children = _children(start)
        if children is None:
            return (
                self._array(path, start)
                if _is_tensor(start) or isinstance(start, np.ndarray)
                else self._value(path, start)
            )
        found = {name: self.read(_below(path, name), child) for name, child in children.items()}
        built = _built(start, found)
        if hasattr(built, "check"):
            built.check(self._growing)
        return built

    def _array(self, path: str, start: Any) -> Any:
        if path in self._optional and path in self._values and self._values[path] is None:
            return self._values.pop(path)
        array = self._arrays.pop(path, None)
        if array is None:
            raise DataError(f"the state is damaged: it has no {path}")
        wanted, axis = tuple(start.shape), self._growing.get(path.rpartition(".")[2])
        given = array.shape
        if axis is not None and len(given) == len(wanted):
            given = (*given[:axis], wanted[axis], *given[axis + 1 :])
        if given != wanted or str(array.dtype) != str(start.dtype).removeprefix("torch."):
            raise DataError(
                f"the state is damaged: {path} is {array.dtype} {array.shape} and not {start.dtype} {wanted}"
            )
        if not _is_tensor(start):
            return array.copy()
        import torch

        return torch.from_numpy(array.copy()).to(start.device)

    def _value(self, path: str, start: Any) -> Any:
        if path not in self._values:
            raise DataError(f"the state is damaged: it has no {path}")
        value = self._values.pop(path)
        if type(value) is not type(start):
            raise DataError(f"the state is damaged: {path} is no {type(start).__name__}")
        if type(value) is int and not 0 <= value <= MOST_STEPS:
            raise DataError(f"the state is damaged: {path} is no count")
        return value


def _built(start: Any, found: dict[str, Any]) -> Any:
    if hasattr(start, "parts"):  # views of a memory: what was found is put there
        for name, part in start.parts().items():
            np.copyto(part, found[name])
        return start
    if hasattr(start, "_asdict") or dataclasses.is_dataclass(start):
        return type(start)(**found)
    return type(start)(found.values())
