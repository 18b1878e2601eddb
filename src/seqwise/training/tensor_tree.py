"""Nested states as JSON and tensors: what an optimiser, a generator or a callback remembers, without pickle.

Tensors and arrays are taken out of the tree by name; what stays is JSON, in which every object has one tag:
`{"dict": [[key, value], ...]}` (keys may be numbers), `{"tuple": [...]}`, `{"tensor": name}`, `{"array": name, "dtype":
...}`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def encode(tree: Any) -> tuple[Any, dict[str, Tensor]]:
    """Return the tree without its tensors, ready for JSON, and the tensors by name.

    Raises:
        TypeError: the tree holds something other than dictionaries, lists, tuples, texts, numbers, None, tensors and
            arrays.
    """
    tensors: dict[str, Tensor] = {}

    def visit(value: Any, path: str) -> Any:
        match value:
            case None | bool() | int() | float() | str():
                return value
            case dict():
                return {"dict": [[key, visit(member, f"{path}/{key}")] for key, member in value.items()]}
            case list():
                return [visit(member, f"{path}/{index}") for index, member in enumerate(value)]
            case tuple():
                return {"tuple": [visit(member, f"{path}/{index}") for index, member in enumerate(value)]}
            case Tensor():
                tensors[path] = value.detach()
                return {"tensor": path}
            case np.ndarray():
                # Not every NumPy type is a safetensors type; whole numbers all fit into 64 bits.
                wide = value.astype(np.int64) if value.dtype.kind in "iub" else value.astype(np.float64)
                tensors[path] = torch.from_numpy(wide)
                return {"array": path, "dtype": value.dtype.name}
        raise TypeError(f"{path.lstrip('/')}: a checkpoint cannot hold a {type(value).__name__}")

    return visit(tree, ""), tensors


def decode(plain: Any, tensors: dict[str, Tensor]) -> Any:
    """Return the tree that `encode` took apart.

    Raises:
        ValueError, KeyError: it is not one.
    """
    match plain:
        case None | bool() | int() | float() | str():
            return plain
        case list():
            return [decode(member, tensors) for member in plain]
        case {"dict": list(pairs)}:
            return {key: decode(member, tensors) for key, member in pairs}
        case {"tuple": list(members)}:
            return tuple(decode(member, tensors) for member in members)
        case {"tensor": str(name)}:
            return tensors[name]
        case {"array": str(name), "dtype": str(dtype)}:
            return tensors[name].numpy().astype(np.dtype(dtype))
    raise ValueError("an object without a known tag")
