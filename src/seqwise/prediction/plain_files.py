"""Plain files in one folder: read with suspicion, written whole or not at all."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqwise.errors import FileError, ModelFolderError

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def is_plain_name(name: str) -> bool:
    """Whether the name is that of a file in the folder itself, on every system."""
    return _PLAIN_NAME.fullmatch(name) is not None


def read_file(folder: Path, name: str, largest: int) -> bytes:
    """Return the bytes of a file in the folder.

    Raises:
        ModelFolderError: it is missing, no ordinary file, outside the folder, larger than `largest`, or cannot be read.
    """
    if not is_plain_name(name):
        raise ModelFolderError(f"{folder} lists the file {shortened(name)}, which is not a plain name")
    path = folder / name
    try:
        if path.resolve(strict=True).parent != folder.resolve():
            raise ModelFolderError(f"{path} is a link that leads out of the model folder")
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ModelFolderError(f"{path} is not a file")
        if status.st_size > largest:
            raise ModelFolderError(f"{path} has {status.st_size:,} bytes, far more than a model needs")
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelFolderError(f"{folder} is not a complete model folder: {name} is missing") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        raise ModelFolderError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def parse_json(content: bytes, path: Path) -> dict[str, Any]:
    """Return the JSON object that the bytes of the file at `path` hold.

    Raises:
        ModelFolderError: they hold none, or a text in it is no Unicode.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        parsed = json.loads(content.decode(), parse_constant=refuse)
        if b"\\u" in content:  # where half a surrogate pair can hide, which could be neither printed nor saved again
            json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ModelFolderError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise ModelFolderError(f"{path} holds {type(parsed).__name__}, not a JSON object")
    return parsed


def json_bytes(content: Mapping[str, Any], path: Path, *, readable: bool = True) -> bytes:
    """Return the content as JSON for the file at `path`: for people line by line, or compact, which is much quicker.

    Raises:
        ModelFolderError: it holds something that JSON does not know, such as NaN.
    """
    try:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1 if readable else None).encode()
    except (ValueError, TypeError) as error:
        raise ModelFolderError(f"{path} cannot be written as JSON: {error}") from None


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write all files under temporary names, then rename all: a full disk is noticed before anything is replaced.

    Raises:
        FileError: they could not be written; gives the reason.
    """
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


def shortened(value: object) -> str:
    """Return the value as an error message shows it, at most 60 characters long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
