"""From folders to a listening server: this process, or several that share the port."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from socket import socket
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from seqwise.serving import logs
from seqwise.serving.settings import ServerSettings
from seqwise.serving.shedding import Shedding
from seqwise.serving.sockets import addresses, allow_connections, cannot_listen, open_sockets

log = logging.getLogger("seqwise.serving")

INTERRUPTED = 130
BESIDE = ("seqwise-beside", "seqwise-drawing", "seqwise-session")  # threads of explanations, drawing, sessions
SWITCH_S = 0.001
CLOSE_S = 1  # for connections to close when all requests are answered
Ready = Callable[[list[str]], None]


def serve(folders: Mapping[str, Path], settings: ServerSettings, ready: Ready = lambda _: None) -> None:
    """Serve until told to stop (Ctrl-C or SIGTERM): what was begun is finished then, a second signal ends it at once.

    Args:
        folders: of the models, by the name under which clients know them.
        settings: of the server.
        ready: is told the addresses when the server listens.

    Raises:
        ModelFolderError: one is no sound model folder.
        DeviceError: there is no such device.
        ConfigurationError, FileError: the address cannot be listened on, or the file of keys not be used.
    """
    logs.configure(settings.log_texts)
    sockets = open_sockets(settings.host, settings.port)
    listening = partial(ready, addresses(sockets))
    try:
        if settings.workers > 1:
            from seqwise.serving.supervisor import Supervisor

            Supervisor(folders, settings, sockets, listening).run()
        else:
            run(folders, settings, sockets, listening)
    finally:
        for one in sockets:
            one.close()


def run(
    folders: Mapping[str, Path], settings: ServerSettings, sockets: Sequence[socket], ready: Callable[[], None]
) -> None:
    """Serve in this process.

    Args:
        folders: of the models.
        settings: of the server.
        sockets: that are bound.
        ready: is called when it listens.

    Raises:
        ModelFolderError, DeviceError, ConfigurationError, FileError: as `serve`.
    """
    from seqwise.serving.application import create_app

    allow_connections(settings.max_connections)
    # The thread that computes asks for the interpreter many times a batch; a busy event loop would keep it 5 ms each time.
    sys.setswitchinterval(SWITCH_S)
    if settings.threads is not None:
        use_threads(settings.threads)
    app = create_app(folders, settings)
    Server(app, settings, ready).run(list(sockets))
    until = time.monotonic() + CLOSE_S
    beside = [thread for thread in threading.enumerate() if thread.name.startswith(BESIDE)]
    for thread in beside:
        thread.join(max(0.0, until - time.monotonic()))
    if any(thread.is_alive() for thread in beside):
        # What took longer than the grace is computed for nobody; the interpreter would wait for it.
        log.warning("ended before everything was finished")
        end(0)


class Server(uvicorn.Server):
    """uvicorn's server, which stops as a service should.

    When told to stop it answers what it has begun, and refuses with 503 what comes meanwhile; then it closes. Told again it
    ends at once.

    Args:
        app: made by `create_app`.
        settings: of the server.
        ready: is called when it listens.
    """

    def __init__(self, app: FastAPI, settings: ServerSettings, ready: Callable[[], None]) -> None:
        super().__init__(configuration(app, settings))
        self._app, self._settings, self._ready = app, settings, ready

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begin to listen.

        Raises:
            ConfigurationError: another program was quicker.
        """
        try:
            await super().startup(sockets)
        except OSError as error:
            raise cannot_listen(error, self._settings.host, self._settings.port) from None
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Answer what was begun, then close."""
        gate, until = self._app.state.gate, time.monotonic() + self._settings.grace_s
        log.info("stopping", extra={"fields": {"requests_under_way": gate.in_flight}})
        while gate.in_flight and time.monotonic() < until:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)
        log.info("stopped", extra={"fields": {"requests_given_up": gate.in_flight}})

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Told to stop: answer what was begun, and no more; told again: end."""
        if sig == signal.SIGINT and multiprocessing.parent_process() is not None:
            return  # Ctrl-C reaches all processes of a terminal; the supervisor says what is done then
        if self.should_exit:
            end(INTERRUPTED)
        self.should_exit = True
        if (gate := getattr(self._app.state, "gate", None)) is not None:  # there from the first request or event on
            gate.draining = True


def configuration(app: FastAPI, settings: ServerSettings) -> uvicorn.Config:
    """How uvicorn is to run the application."""
    return uvicorn.Config(
        app,
        http=connection_class(settings, getattr(app.state, "shedding", None)),
        ws=websocket_class(settings),
        ws_per_message_deflate=False,
        ws_max_size=settings.max_body,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=CLOSE_S,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
    )


def connection_class(settings: ServerSettings, shedding: Shedding | None = None) -> type[asyncio.Protocol]:
    """What handles a connection: ours, or, where there is no httptools, uvicorn's own."""
    try:
        from seqwise.serving.connections import Connection
    except ImportError:
        from uvicorn.protocols.http.h11_impl import H11Protocol

        return H11Protocol
    return partial(Connection, settings=settings, shedding=shedding)  # type: ignore[return-value]


def websocket_class(settings: ServerSettings) -> Any:
    """What handles a WebSocket: ours, or, of an older uvicorn, its own."""
    try:
        from seqwise.serving.session_connections import WebSocketConnection
    except ImportError:
        return "auto"
    return partial(WebSocketConnection, settings=settings)


def use_threads(number: int) -> None:
    """Let whatever computes in this process do so with so many threads."""
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(number)  # read by what is not imported yet
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(number)


def end(code: int) -> None:
    """End the process now, whatever its threads do."""
    logging.shutdown()
    os._exit(code)
