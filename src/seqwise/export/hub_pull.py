"""`seqwise pull`: a model from the hub, with the suspicion that a stranger's files deserve.

Only files that a model folder has are fetched, into a folder of another name; each has the size that the listing said and
that a model may have; what config.json seals is compared with its sha256. Then the folder gets its name.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqwise.errors import FileError, ModelFolderError
from seqwise.experiments.folders import LANGUAGE_MODEL
from seqwise.export.hub import check_name, named_errors, open_client
from seqwise.prediction.folder import CONFIG, LARGEST, WEIGHTS, read_folder
from seqwise.prediction.plain_files import is_plain_name, parse_json

DESCRIBING = {
    "README.md": 2**24,
    "metrics.json": 2**26,
    "history.jsonl": 2**28,
    "report.html": 2**28,
    "requirements.txt": 2**16,
}
"""For people, and how large they may be in bytes."""

Say = Callable[[str], None]


def pull(repository: str, out: Path, *, revision: str | None = None, say: Say = lambda message: None) -> dict[str, Any]:
    """Download a model.

    Args:
        repository: USER/NAME.
        out: folder for it, which must be new or empty.
        revision: branch, tag or commit; None: main.
        say: told what is fetched.

    Returns:
        "folder", "commit" and "files": names with sizes in bytes.

    Raises:
        ModelFolderError: it is not a model of Seqwise, or damaged.
        ConfigurationError: the name is wrong, or this login may not read it.
        FileError: the folder is there already, or the hub cannot be reached.
    """
    check_name(repository)
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise FileError(f"{out} is there already: name a folder that is new or empty")
    client = open_client(repository, writing=False)
    with named_errors(repository, writing=False, revision=revision):
        commit = client.model_info(repository, revision=revision).sha
        listed = _listing(client, repository, commit)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise FileError(f"{out} cannot be written: {error.strerror or error}") from None
    try:
        fetched: dict[str, int] = {}
        for prefix in ("", f"{LANGUAGE_MODEL}/"):
            if not prefix or prefix + CONFIG in listed:
                fetched |= _fetch_model(client, repository, commit, listed, unfinished, prefix, say)
        shutil.rmtree(unfinished / ".cache", ignore_errors=True)  # the client's own notes
        try:
            read_folder(unfinished)
            if (unfinished / LANGUAGE_MODEL).is_dir():
                read_folder(unfinished / LANGUAGE_MODEL)
        except ModelFolderError as error:
            raise ModelFolderError(str(error).replace(str(unfinished), repository)) from None
        unfinished.chmod(0o755)
        if out.exists():
            out.rmdir()
        unfinished.rename(out)
    except OSError as error:
        raise FileError(f"{out} cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return {"folder": str(out), "commit": commit, "files": fetched}


def _listing(client: Any, repository: str, commit: str) -> dict[str, int]:
    """Path -> size of the files that a model may have; names that lead anywhere else are not even looked at."""
    from huggingface_hub.hf_api import RepoFile

    listed = {}
    for entry in client.list_repo_tree(repository, recursive=True, revision=commit):
        name = entry.path.removeprefix(f"{LANGUAGE_MODEL}/")
        if isinstance(entry, RepoFile) and is_plain_name(name):
            listed[entry.path] = int(entry.size)
    return listed


def _fetch_model(
    client: Any, repository: str, commit: str, listed: dict[str, int], folder: Path, prefix: str, say: Say
) -> dict[str, int]:
    """Fetch config.json, then what it names, and what describes the model; return names with sizes."""
    fetched: dict[str, int] = {}

    def fetch(name: str, largest: int) -> None:
        path = prefix + name
        if path not in listed:
            raise ModelFolderError(f"{repository} is no model of Seqwise: it has no {path}")
        if listed[path] > largest:
            raise ModelFolderError(f"{path} of {repository} has {listed[path]:,} bytes, far more than a model needs")
        say(f"{path} ({listed[path]:,} bytes)")
        _download(client, repository, commit, path, listed[path], folder)
        fetched[path] = listed[path]

    fetch(CONFIG, LARGEST[CONFIG])
    config = parse_json((folder / prefix / CONFIG).read_bytes(), Path(repository) / prefix / CONFIG)
    sealed = config.get("files")
    if not isinstance(sealed, dict) or not all(is_plain_name(name) for name in sealed):
        raise ModelFolderError(f"{repository} is no model of Seqwise: its {CONFIG} does not list the files of a model")
    for name in sealed:
        if name != CONFIG:
            fetch(name, LARGEST.get(name, LARGEST[WEIGHTS]))
    for name, largest in DESCRIBING.items():
        if prefix + name in listed:
            fetch(name, largest)
    return fetched


def _download(client: Any, repository: str, commit: str, path: str, size: int, folder: Path) -> None:
    """Fetch one file, and stop as soon as more comes than was said.

    Raises:
        FileError: it has another size, or does not come.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import tqdm

    class Bounded(tqdm):
        """Progress that does not go beyond the size."""

        came = 0

        def update(self, n: float | None = 1) -> bool | None:
            """Count so many bytes more."""
            self.came += int(n or 0)
            if self.came > size:
                raise FileError(f"more of {path} of {repository} came than the {size:,} bytes that the hub lists")
            shown: bool | None = super().update(n)
            return shown

    with named_errors(repository, writing=False):
        hf_hub_download(
            repository, path, revision=commit, local_dir=folder, endpoint=client.endpoint, tqdm_class=Bounded
        )
    found = (folder / path).stat().st_size
    if found != size:
        raise FileError(f"{path} of {repository} came with {found:,} bytes, and the hub lists {size:,}")
