"""Fetching a named data set from its public home, the Hugging Face hub, into the user's cache."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqwise.data.catalogue import cache_folder, catalogue
from seqwise.data.parquet import ParquetTable
from seqwise.data.tables import Chunk
from seqwise.data.writing import write_table
from seqwise.errors import DataError, FileError, SeqwiseError

# The hub keeps every public data set as Parquet files CONFIG/SPLIT/0000.parquet on this branch.
_REVISION = "refs/convert/parquet"


def fetch(name: str) -> Path:
    """Fetches a data set of the catalogue and returns its folder in the cache.

    Every file is compared with its checksum: the one in the catalogue, else the one that the hub itself states. The folder
    appears under its name only when it is complete.

    Raises:
        FileError: if the data set has no public home (says where to get it), cannot be fetched, or does not have the
            checksum.
    """
    entry = catalogue()[name]
    hub = entry.get("hub")
    target = cache_folder() / name
    if hub is None:
        raise FileError(
            f"{name} has no public home from which it can be fetched: get it from {entry['where']} and put its parts "
            f"(train.parquet, test.parquet, columns {', '.join(_columns(entry))}) into {target} or $SEQWISE_DATA/{name}"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=target.parent))
    except OSError as error:
        raise FileError(f"the cache {target.parent} cannot be written: {error.strerror}") from None
    try:
        sums = {part: _fetch_part(hub, part, unfinished) for part in hub["splits"]}
        metadata = {"name": name, **{k: v for k, v in entry.items() if k != "hub"}, "hub": hub["repo"], "sha256": sums}
        (unfinished / "dataset.json").write_text(json.dumps(metadata, indent=1, ensure_ascii=False), "utf-8")
        try:
            os.rename(unfinished, target)
        except OSError:
            if not target.is_dir():  # otherwise another process was faster
                raise
    except SeqwiseError:
        raise
    except Exception as error:  # transport errors have no common base across versions of the client
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FileError(f"{name} cannot be fetched from {hub_endpoint()}/datasets/{hub['repo']}: {reason}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def _fetch_part(hub: dict[str, Any], part: str, folder: Path) -> dict[str, str]:
    """Writes one part as Parquet; returns file name in the repository -> sha256."""
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.hf_api import RepoFile
    from huggingface_hub.utils import get_session

    repo, endpoint = hub["repo"], hub_endpoint()
    # Asked first, because the client itself repeats for half a minute when there is no network.
    get_session().get(f"{endpoint}/api/datasets/{repo}", timeout=10).raise_for_status()
    place = f"{hub['config']}/{hub['splits'][part]}"
    entries = HfApi(endpoint=endpoint).list_repo_tree(repo, place, revision=_REVISION, repo_type="dataset")
    listed = sorted(
        (e for e in entries if isinstance(e, RepoFile) and e.path.endswith(".parquet")), key=lambda e: e.path
    )
    if not listed:
        raise FileError(f"https://huggingface.co/datasets/{repo} has no files {place}/*.parquet any more")
    sums: dict[str, str] = {}
    tables = []
    with tempfile.TemporaryDirectory(prefix="download-", dir=folder) as download:
        for file in listed:
            path = Path(
                hf_hub_download(
                    repo, file.path, revision=_REVISION, repo_type="dataset", local_dir=download, endpoint=endpoint
                )
            )
            sums[file.path] = _sha256(path)
            stated = hub.get("sha256", {}).get(file.path) or (file.lfs.sha256 if file.lfs else None)
            if stated != sums[file.path]:
                raise FileError(f"{file.path} of {repo} has the sha256 {sums[file.path]}, and {stated} was expected")
            tables.append(ParquetTable(path))
        write_table(folder / f"{part}.parquet", _renamed(tables, hub["columns"]))
    return sums


def _renamed(tables: list[ParquetTable], columns: dict[str, str]) -> Iterator[Chunk]:
    """Our columns, with the names of classes instead of their numbers."""
    for table in tables:
        for theirs in columns.values():
            table.require(theirs)
        names = table.class_names()
        for chunk in table.iter_chunks(columns=list(dict.fromkeys(columns.values()))):
            yield {ours: _named(chunk[theirs], names.get(theirs)) for ours, theirs in columns.items()}


def _named(values: list[Any], names: list[str] | None) -> list[Any]:
    if names is None:
        return values

    def name(value: Any) -> Any:
        if isinstance(value, list):
            return [name(item) for item in value]
        if value is None or value < 0:  # the hub marks a missing label by -1
            return None
        if value >= len(names):
            raise DataError(f"class number {value} of {len(names)}")
        return names[value]

    return [name(value) for value in values]


def _columns(entry: dict[str, Any]) -> list[str]:
    keys = ("text", "label", "source_text", "target_text", "sequence")
    return [entry[key] for key in keys if key in entry]


def hub_endpoint() -> str:
    """Where the hub is: `$HF_ENDPOINT`, or its public home."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
