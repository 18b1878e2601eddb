"""The application: models, routes, errors, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from seqwise._version import __version__
from seqwise.serving.asking import add_verbs
from seqwise.serving.problems import add_problems
from seqwise.serving.registry import Models
from seqwise.serving.settings import ServerSettings


def create_app(folders: Mapping[str, Path], settings: ServerSettings) -> FastAPI:
    """Read the models and return the application that serves them.

    Args:
        folders: of the models, by the name under which clients know them.
        settings: of the server.

    Raises:
        ModelFolderError: one is no sound model folder.
        DeviceError: there is no such device.
    """
    models = Models(folders, settings)
    models.load()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await models.close()

    app = FastAPI(title="Seqwise", version=__version__, lifespan=lifespan)
    app.state.models, app.state.settings = models, settings
    add_problems(app)
    add_verbs(app, models)

    @app.get("/models")
    async def list_models() -> dict[str, Any]:
        """The models that are served."""
        return {"models": [running.served.describe() for running in models.values()]}

    return app
