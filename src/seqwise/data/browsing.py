"""What `seqwise data list|get|show` shows, as plain dictionaries."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from seqwise.data.catalogue import catalogue, local_folder, metadata_of
from seqwise.data.hub import fetch
from seqwise.data.labels import label_name
from seqwise.data.sources import known_names, resolve
from seqwise.data.tables import Table
from seqwise.errors import DataError, FileError


def list_data() -> list[dict[str, Any]]:
    """All named data sets.

    Returns:
        For each: name, task, source, license, note (None where unknown), and `place`: "SEQWISE_DATA" or "cache" if it is
        on this machine (with its `path`), "hub" if it can be fetched, "elsewhere" if it cannot (`where` says where it is).
    """
    listed = []
    for name in known_names():
        entry = catalogue().get(name, {})
        local = local_folder(name)
        metadata = metadata_of(local[1]) if local else {}
        shown: dict[str, Any] = {"name": name}
        for key in ("task", "source", "license", "note"):
            shown[key] = metadata.get(key, entry.get(key))
        if local:
            shown |= {"place": local[0], "path": str(local[1])}
        else:
            shown |= {"place": "hub" if "hub" in entry else "elsewhere", "path": None}
        shown["where"] = entry.get("where") or ("hub" in entry and entry["hub"]["repo"]) or None
        listed.append(shown)
    return listed


def get_data(name: str) -> dict[str, Any]:
    """Makes sure that a named data set is on this machine.

    Returns:
        name, path, and `fetched`: whether it had to be fetched.

    Raises:
        FileError: if there is no such data set, or it cannot be fetched.
    """
    local = local_folder(name)
    if local is not None:
        return {"name": name, "path": str(local[1]), "fetched": False}
    if name not in catalogue():
        resolve(name)  # says what is wrong with the name
        raise FileError(f"{name} is a file or folder of yours, and no named data set")
    return {"name": name, "path": str(fetch(name)), "fetched": True}


def show_data(data: str | Path, rows: int = 5, label: str | None = None) -> dict[str, Any]:
    """What is in a file, a folder or a named data set.

    Args:
        data: as for `resolve`.
        rows: how many rows of each part are shown.
        label: column whose classes are counted; by default the one that the data set names.

    Returns:
        name, metadata, and for every part: path, rows, columns (name -> type), classes (label -> count, most frequent
        first; None if no label column is known) and the first rows as dictionaries.

    Raises:
        FileError: if there is no such data, or it cannot be read.
        DataError: if the label column does not exist or holds something else than classes.
    """
    source = resolve(data)
    column = label or source.metadata.get("label")
    parts = {split: _show(table, rows, column, required=label is not None) for split, table in source.splits.items()}
    return {"name": source.name, "metadata": source.metadata, "splits": parts}


def _show(table: Table, rows: int, label: str | None, *, required: bool) -> dict[str, Any]:
    if required and label is not None:
        table.require(label, "label column")
    counted = label is not None and label in table.columns
    first: list[dict[str, Any]] = []
    count = 0
    classes: Counter[str] = Counter()
    for chunk in table.iter_chunks(max(rows, 1)):
        values = list(chunk.values())
        first = [dict(zip(chunk, row, strict=True)) for row in zip(*values, strict=True)][:rows]
        break
    if counted or table.rows is None:
        for chunk in table.iter_chunks(columns=[label] if counted and label else table.columns[:1]):
            column = next(iter(chunk.values()))
            if counted:
                classes.update(name for value in column for name in _names(value, table, label))
            count += len(column)
    else:
        count = table.rows
    return {
        "path": str(table.path),
        "rows": count,
        "columns": table.types(),
        "classes": dict(sorted(classes.items(), key=lambda item: (-item[1], item[0]))) if counted else None,
        "first": first,
    }


def _names(value: Any, table: Table, label: str | None) -> list[str]:
    """The class of a row, the classes of a multi-label row, or "(missing)"."""
    try:
        if isinstance(value, list):
            return [label_name(item) or "(missing)" for item in value]
        return [label_name(value) or "(missing)"]
    except DataError as error:
        raise DataError(f"{table.name}, column {label!r}: {error}") from None
