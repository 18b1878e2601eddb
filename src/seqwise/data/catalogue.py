"""The named data sets: what is known about them, and where they are."""

from __future__ import annotations

import json
import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import platformdirs

from seqwise.errors import DataError, FileError

SPLITS = ("train", "validation", "test")
_TEXT_KEYS = ("task", "text", "label", "license", "source", "note")


@cache
def catalogue() -> dict[str, dict[str, Any]]:
    """Name -> task, columns, source, license, note, and either `hub` (its public home) or `where` to get it."""
    return json.loads(files("seqwise.data").joinpath("catalogue.json").read_text("utf-8"))


def data_folders() -> list[tuple[str, Path]]:
    """The folders in which a named data set is looked for, in this order: `$SEQWISE_DATA`, then the user's cache."""
    given = os.environ.get("SEQWISE_DATA")
    return [*([("SEQWISE_DATA", Path(given))] if given else []), ("cache", cache_folder())]


def cache_folder() -> Path:
    """Where fetched data sets are kept: `$SEQWISE_CACHE/data`, or the system's place for caches."""
    given = os.environ.get("SEQWISE_CACHE")
    return (Path(given) if given else Path(platformdirs.user_cache_dir("seqwise"))) / "data"


def local_folder(name: str) -> tuple[str, Path] | None:
    """Where a named data set is on this machine, or None: ("SEQWISE_DATA" or "cache", folder)."""
    for place, folder in data_folders():
        if is_name(name) and (folder / name).is_dir():
            return place, folder / name
    return None


def is_name(text: str) -> bool:
    """Whether this could be the name of a data set rather than a path."""
    return text.replace("_", "").replace("-", "").isalnum()


def metadata_of(folder: Path) -> dict[str, Any]:
    """What the folder's `dataset.json` says; {} if there is none.

    Raises:
        FileError: if it cannot be read.
        DataError: if it is not a JSON object, or its entries are not text where text is expected.
    """
    path = folder / "dataset.json"
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise DataError(f"{path}: an object is expected, not {type(data).__name__}")
    for key in _TEXT_KEYS:
        if not isinstance(data.get(key, ""), str):
            raise DataError(f"{path}: {key!r} is {data[key]!r:.40}, and text is expected")
    return data
