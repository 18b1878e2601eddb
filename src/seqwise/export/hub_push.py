"""`seqwise push`: a model folder to the hub, only what makes the model and what describes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqwise.errors import ModelFolderError
from seqwise.experiments.folders import LANGUAGE_MODEL, MODEL_FILES
from seqwise.export.hub import check_name, named_errors, open_client
from seqwise.export.hub_card import hub_card, local_paths
from seqwise.prediction.folder import CONFIG, read_folder

CARD, REPORT, METRICS = "README.md", "report.html", "metrics.json"
DESCRIBING = (METRICS, "history.jsonl", "requirements.txt")

Say = Callable[[str], None]


def push(
    folder: Path,
    repository: str,
    *,
    private: bool = False,
    message: str | None = None,
    revision: str | None = None,
    license_: str | None = None,
    report: bool = False,
    say: Say = lambda message: None,
) -> dict[str, Any]:
    """Upload a model in one commit.

    What goes up: the parts that config.json names, metrics.json, history.jsonl, and the model card with the hub's front
    matter. Checkpoints and whatever else lies in the folder stay. The report shows examples of the data, so it goes only if
    asked for; one that is there from an earlier push is then removed.

    Args:
        folder: of the model.
        repository: USER/NAME, made if need be.
        private: make it so that only its owner sees it; a repository that is there stays as it is.
        message: of the commit.
        revision: branch, made if need be; None: main.
        license_: identifier of a licence, for the card.
        report: upload report.html too.
        say: told what a person should know.

    Returns:
        "url", "commit" and "files": names with sizes in bytes.

    Raises:
        ModelFolderError: there is no sound model in the folder.
        ConfigurationError: name, token or rights are not right.
        FileError: the hub cannot be reached, or refuses.
    """
    check_name(repository)
    contents = _contents(folder, repository, license_=license_, report=report)
    if paths := local_paths(read_folder(folder).config):
        say(f"Note: config.json, which is pushed as it is, names files of this machine: {', '.join(paths)}")
    client = open_client(repository, writing=True)
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    with named_errors(repository, writing=True, revision=revision):
        url = client.create_repo(repository, private=private or None, exist_ok=True)
        if revision is not None:
            client.create_branch(repository, branch=revision, exist_ok=True)
        there = set(client.list_repo_files(repository, revision=revision))
        ours = {*MODEL_FILES, *(f"{LANGUAGE_MODEL}/{name}" for name in MODEL_FILES)}
        operations = [
            *(CommitOperationAdd(name, content) for name, content in contents.items()),
            *(CommitOperationDelete(name) for name in sorted(there & ours - set(contents))),
        ]
        done = client.create_commit(
            repository, operations, commit_message=message or "Push a Seqwise model", revision=revision
        )
    sizes = {
        name: content.stat().st_size if isinstance(content, Path) else len(content)
        for name, content in contents.items()
    }
    return {"url": str(url), "commit": done.oid, "files": sizes}


def _contents(folder: Path, repository: str, *, license_: str | None, report: bool) -> dict[str, Path | bytes]:
    """What goes up, by its name there: files, and the card, which is made for it."""
    content = read_folder(folder)
    names = [CONFIG, *content.config["files"], *DESCRIBING, *([REPORT] if report else [])]
    if report and not (folder / REPORT).is_file():
        raise ModelFolderError(f"{folder} has no {REPORT} to push")
    found: dict[str, Path | bytes] = {name: folder / name for name in names if (folder / name).is_file()}
    if (folder / LANGUAGE_MODEL / CONFIG).is_file():  # of a transcriber
        inner = read_folder(folder / LANGUAGE_MODEL)
        for name in (CONFIG, *inner.config["files"]):
            found[f"{LANGUAGE_MODEL}/{name}"] = folder / LANGUAGE_MODEL / name
    card = (folder / CARD).read_text(encoding="utf-8") if (folder / CARD).is_file() else ""
    metrics = json.loads((folder / METRICS).read_bytes()) if METRICS in found else {}
    found[CARD] = hub_card(card, repository, content.config, metrics, license_=license_).encode()
    return found
