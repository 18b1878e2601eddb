"""The application: models, routes, errors, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from seqwise._version import __version__
from seqwise.serving.asking import add_verbs, direct_routes
from seqwise.serving.gate import Gate
from seqwise.serving.keys import Keys
from seqwise.serving.logs import RequestLog
from seqwise.serving.observation import MEDIA_TYPE, Observation
from seqwise.serving.openapi import add_openapi
from seqwise.serving.page import add_card, add_page
from seqwise.serving.problems import add_problems
from seqwise.serving.protocol import add_protocol
from seqwise.serving.registry import Models
from seqwise.serving.session_routes import add_sessions
from seqwise.serving.settings import ServerSettings
from seqwise.serving.shedding import Shedding
from seqwise.serving.watching import Watcher


def create_app(folders: Mapping[str, str | Path], settings: ServerSettings) -> FastAPI:
    """Read the models and return the application that serves them.

    Args:
        folders: of the models, by the name under which clients know them.
        settings: of the server.

    Raises:
        ModelFolderError: one is no sound model folder.
        DeviceError: there is no such device.
        FileError, ConfigurationError: the file of keys cannot be used.
    """
    keys = None if settings.api_key_file is None else Keys(settings.api_key_file)
    observation = Observation()
    models = Models(folders, settings, observation)
    watcher = Watcher(models) if settings.reload_on_change else None
    models.load()
    request_log = None if settings.quiet else RequestLog()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if watcher is not None:
            watcher.start()
        yield
        if watcher is not None:
            watcher.stop()
        await sessions.close()
        await models.close()
        if request_log is not None:
            request_log.close()

    app = FastAPI(
        title="Seqwise",
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.models, app.state.settings = models, settings
    app.state.shedding = Shedding(models, observation, request_log)

    def gate(routes: ASGIApp) -> Gate:
        app.state.gate = Gate(routes, settings, keys, observation, request_log, direct_routes(app.routes))
        return app.state.gate

    app.add_middleware(gate)
    if settings.cors_origin:  # around the gate: browsers ask for leave without a key, and read refusals too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origin,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
            max_age=600,
        )
    add_problems(app)
    add_verbs(app, models)
    add_protocol(app, models)
    sessions = add_sessions(app, models)

    @app.get("/models", summary="The models that are served")
    async def list_models() -> dict[str, Any]:
        return {"models": [models.describe(name) for name in models]}

    @app.get("/metrics", summary="Figures for Prometheus", response_class=Response)
    async def show_metrics(request: Request) -> Response:
        text = await run_in_threadpool(observation.text, request.app.state.gate.in_flight)
        return Response(text, media_type=MEDIA_TYPE)

    add_openapi(app, models)
    add_card(app, models)
    if not settings.no_page:
        add_page(app)
    return app
