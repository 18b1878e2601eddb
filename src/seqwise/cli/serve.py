"""`seqwise serve`: a service from model folders."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from annotated_types import Ge, Le
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from seqwise.cli.console import say
from seqwise.errors import ConfigurationError, MissingExtraError
from seqwise.serving.settings import ServerSettings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
METAVARS = {"api_key_file": "FILE", "cors_origin": "URL", "host": "ADDRESS", "device": "auto|cpu|cuda"}


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every field of `ServerSettings`: its name, type, default, range and description."""
    signature = inspect.signature(command, eval_str=True)
    first = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    options = [option(name, field) for name, field in ServerSettings.model_fields.items()]
    command.__signature__ = signature.replace(parameters=[*first, *options])  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in [*first, *options]}
    return command


def option(name: str, field: FieldInfo) -> inspect.Parameter:
    """The option of one field."""
    kind, default = field.annotation, field.default
    bounds = {
        key: getattr(one, key)
        for one in field.metadata
        for key in ("ge", "le")
        if isinstance(one, Ge | Le) and hasattr(one, key)
    }
    written = f"--{name.replace('_', '-')}"
    settings: dict[str, Any] = {"help": field.description}
    if kind is bool:
        settings["show_default"] = False
    elif kind == tuple[str, ...]:
        kind, default = list[str], []
        settings |= {"metavar": METAVARS[name], "show_default": False}
    elif kind in (int, float, int | None):
        settings |= {"metavar": "N" if kind is not float else name.rsplit("_", 1)[1].upper()}
        settings |= {"min": bounds.get("ge"), "max": bounds.get("le")}
    else:
        kind = kind if kind == Path | None else str
        settings |= {"metavar": METAVARS.get(name) or "|".join(map(str, field.annotation.__args__))}  # type: ignore[union-attr]
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, typer.Option(written, **settings)],
    )


@with_settings
def serve(
    models: Annotated[
        list[str],
        typer.Argument(metavar="[NAME=]DIR", help="Folders of trained models, and their names.", show_default=False),
    ],
    **options: Any,
) -> None:
    """Serve trained models over HTTP.

    A REST API, streams, metrics, and a page to try them.

    \b
    Examples:
      seqwise serve my-model
      seqwise serve reviews=runs/imdb names=runs/names --port 9000 --workers 2
      curl localhost:8000/predict -d '{"text": "what a film"}'
    """
    settings = validated(options)
    folders = named_folders(models)
    try:
        from seqwise.serving.server import serve as run
    except ImportError as error:
        raise MissingExtraError(f"serving needs {error.name}: pip install 'seqwise[serve]'") from None

    def listening(addresses: list[str]) -> None:
        page = "" if settings.no_page else "page at /, "
        say(f"Serving {', '.join(folders)} on {' and '.join(addresses)} ({page}API at /docs); Ctrl-C stops.")

    run(folders, settings, listening)


def validated(options: dict[str, Any]) -> ServerSettings:
    """The settings of these options.

    Raises:
        ConfigurationError: one is out of its range; names it as it is written on the command line.
    """
    try:
        return ServerSettings(**options)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigurationError(f"--{str(first['loc'][0]).replace('_', '-')}: {first['msg']}") from None


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
