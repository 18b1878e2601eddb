"""From folders to a listening server: one process, or several that share the port."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from seqwise.serving.settings import ServerSettings

FOLDERS, SETTINGS = "SEQWISE_SERVE_FOLDERS", "SEQWISE_SERVE_SETTINGS"


def serve(folders: Mapping[str, Path], settings: ServerSettings) -> None:
    """Serve until interrupted.

    Args:
        folders: of the models, by the name under which clients know them.
        settings: of the server.

    Raises:
        ModelFolderError: one is no sound model folder; before the port is opened.
    """
    from pydantic_core import to_json

    # Processes are started anew by uvicorn, also after one has died: they read this.
    os.environ[FOLDERS] = to_json({name: str(path) for name, path in folders.items()}).decode()
    os.environ[SETTINGS] = settings.model_dump_json()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    uvicorn.run(
        "seqwise.serving.server:application",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=round(settings.grace_s),
    )


def application() -> FastAPI:
    """The application of one process."""
    from pydantic_core import from_json

    from seqwise.serving.application import create_app

    folders = {name: Path(path) for name, path in from_json(os.environ[FOLDERS]).items()}
    return create_app(folders, ServerSettings.model_validate_json(os.environ[SETTINGS]))
