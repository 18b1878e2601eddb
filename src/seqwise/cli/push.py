"""`seqwise push` and `seqwise pull`: models to and from the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqwise.cli.console import print_json, say
from seqwise.cli.options import Json, ModelFolder

Repository = Annotated[
    str, typer.Argument(metavar="USER/NAME", help="Name of the model on the hub.", show_default=False)
]


def push(
    folder: ModelFolder,
    repository: Repository,
    private: Annotated[bool, typer.Option("--private", help="If it is new: only its owner sees it.")] = False,
    message: Annotated[str | None, typer.Option("--message", "-m", metavar="TEXT", help="Of the commit.")] = None,
    revision: Annotated[
        str | None, typer.Option("--revision", metavar="BRANCH", help="Made if need be; main if not given.")
    ] = None,
    license_: Annotated[
        str | None,
        typer.Option("--license", metavar="ID", help="Licence for the model card, such as apache-2.0 or cc-by-4.0."),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Push report.html too, which shows examples of your data.")
    ] = False,
    json: Json = False,
) -> None:
    """Push a model to the Hugging Face hub.

    The model, its figures and its card go up; checkpoints, report and whatever else is in the folder stay here. Who you are
    says HF_TOKEN, or `hf auth login`.

    \b
    Examples:
      seqwise push my-model me/my-model --private
      seqwise push my-model me/my-model --license cc-by-4.0 --message "more data"
    """
    from seqwise.export.hub_push import push as upload

    done = upload(
        folder,
        repository,
        private=private,
        message=message,
        revision=revision,
        license_=license_,
        report=report,
        say=say,
    )
    if json:
        print_json(done)
        return
    total = sum(done["files"].values())
    print(f"{len(done['files'])} files, {total:,} bytes, commit {done['commit'][:12]}: {done['url']}")
    print(f"Fetch:   seqwise pull {repository} {repository.split('/')[1]}")


def pull(
    repository: Repository,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for it, new or empty.", show_default=False)],
    revision: Annotated[
        str | None, typer.Option("--revision", metavar="R", help="Branch, tag or commit; main if not given.")
    ] = None,
    json: Json = False,
) -> None:
    """Pull a model from the Hugging Face hub.

    Only the files of a model are fetched, and compared with the checksums that were saved with it; nothing of it is run.

    \b
    Examples:
      seqwise pull me/my-model my-model
      seqwise predict my-model "what a film"
    """
    from seqwise.export.hub_pull import pull as download

    done = download(repository, out, revision=revision, say=say)
    if json:
        print_json(done)
        return
    print(f"{len(done['files'])} files of {repository}, commit {done['commit'][:12]}, in {out}")
