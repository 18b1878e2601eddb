"""`seqwise serve`: a service from model folders."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from seqwise.cli.console import say
from seqwise.cli.options import Device
from seqwise.errors import ConfigurationError, MissingExtraError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def serve(
    models: Annotated[
        list[str],
        typer.Argument(metavar="[NAME=]DIR", help="Folders of trained models, and their names.", show_default=False),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is every one.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option(help="Processes, each with the models in its memory.", metavar="N")] = 1,
    max_batch: Annotated[int, typer.Option(help="Requests computed together, at the most.", metavar="N")] = 64,
    max_wait_ms: Annotated[
        float, typer.Option(help="Wait for more of them where they come densely.", metavar="MS")
    ] = 2.0,
    max_queue: Annotated[int, typer.Option(help="Waiting requests; more get 429.", metavar="N")] = 1024,
    max_length: Annotated[int, typer.Option(help="Characters of a text, or steps.", metavar="N")] = 10_000,
    truncate: Annotated[
        bool, typer.Option("--truncate", help="Read the beginning of longer ones; else they get 413.")
    ] = False,
    timeout_s: Annotated[float, typer.Option(help="Seconds until a request gets 504.", metavar="S")] = 30.0,
    max_sessions: Annotated[int, typer.Option(help="Streams whose state is kept.", metavar="N")] = 1000,
    session_idle_s: Annotated[
        float, typer.Option(help="Seconds until an unused session is forgotten.", metavar="S")
    ] = 600.0,
    api_key_file: Annotated[
        Path | None, typer.Option(help="Keys, one a line; a request shows one of them.", metavar="FILE")
    ] = None,
    reload_on_change: Annotated[
        bool, typer.Option("--reload-on-change", help="Load a model folder again when it has changed.")
    ] = False,
    log_texts: Annotated[bool, typer.Option("--log-texts", help="Write the requests' inputs into the log.")] = False,
    device: Device = "auto",
) -> None:
    """Serve trained models over HTTP: a REST API, streams, metrics, and a page to try them.

    \b
    Examples:
      seqwise serve my-model
      seqwise serve reviews=runs/imdb names=runs/names --port 9000 --workers 2
      curl localhost:8000/predict -d '{"text": "what a film"}'
    """
    try:
        from seqwise.serving.server import serve as run
    except ImportError as error:
        raise MissingExtraError(f"serving needs {error.name}: pip install 'seqwise[serve]'") from None
    from seqwise.serving.settings import ServerSettings

    settings = ServerSettings(
        host=host,
        port=port,
        workers=workers,
        device=device,
        max_batch=max_batch,
        max_wait_ms=max_wait_ms,
        max_queue=max_queue,
        max_length=max_length,
        on_long="truncate" if truncate else "refuse",
        timeout_s=timeout_s,
        max_sessions=max_sessions,
        session_idle_s=session_idle_s,
        api_key_file=api_key_file,
        reload_on_change=reload_on_change,
        log_texts=log_texts,
    )
    folders = named_folders(models)
    say(f"Serving {', '.join(folders)} on http://{host}:{port} (page at /, API at /docs); Ctrl-C stops.")
    run(folders, settings)


def named_folders(models: list[str]) -> dict[str, Path]:
    """The folders of NAME=DIR, or of DIR under the folder's own name.

    Raises:
        ConfigurationError: a name is given twice, or has other signs than letters, digits, dot, dash and underscore.
    """
    folders: dict[str, Path] = {}
    for given in models:
        name, equals, path = given.partition("=")
        if not equals or not NAME.fullmatch(name) or Path(given).exists():
            name, path = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(given).resolve().name).strip("-._") or "model", given
        if name in folders:
            raise ConfigurationError(f"two models have the name {name!r}: give others as NAME=DIR")
        folders[name] = Path(path)
    return folders
