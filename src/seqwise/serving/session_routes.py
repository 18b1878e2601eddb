"""Sessions over HTTP and WebSockets."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
from typing import Any, NamedTuple

from fastapi import FastAPI, Request, WebSocket
from pydantic import ConfigDict, Field
from pydantic_core import from_json, to_json
from starlette.responses import Response
from starlette.websockets import WebSocketDisconnect, WebSocketState

from seqwise.errors import InputError
from seqwise.serving.asking import deadline, read_body, valid
from seqwise.serving.problems import Refused
from seqwise.serving.registry import Models
from seqwise.serving.served import MODEL, Strict
from seqwise.serving.session_workers import Workers
from seqwise.serving.sessions import GONE, ID, Session, Sessions
from seqwise.serving.streams import steps_of

MEDIA_TYPE = "application/octet-stream"
SUBPROTOCOL = "seqwise"
CLOSINGS = {"deleted": (4404, "the session was deleted"), "idle": (4408, "the session was idle for too long")}
"""Codes with which a WebSocket is closed at the end of its session; the server's own end is 1012."""
NO_TEXT = 1003


class SessionRequest(Strict):
    """What begins a session."""

    model: str | None = MODEL
    state: str | None = Field(default=None, description="an exported state to go on from, in base64")


class StepRequest(Strict):
    """One step or several."""

    input: Any = Field(default=None, description="a token, a piece of text, or a frame of numbers, as the model reads")
    inputs: list[Any] | None = Field(
        default=None, min_length=1, description="several, instead of it: all or none is read"
    )


class SessionAnswer(Strict):
    """Where a session is, and beside these fields the answer after its last step, as its task has it."""

    model_config = ConfigDict(extra="allow")

    session: str = Field(description="the id, which nobody can guess")
    model: str
    steps: int = Field(ge=0, description="symbols or frames that have been read")


ONE = "/{session}"
TOLD: Any = {"application/json": {"schema": SessionAnswer.model_json_schema()}}
PROBLEMS: Any = {
    status: {"description": said, "content": {"application/problem+json": {}}}
    for status, said in {
        404: "there is no such session",
        413: "a piece of text, or the whole sequence, is too long",
        422: "the request, or a step of it, is not what the model reads",
        429: "there are too many sessions, or too many steps wait",
        504: "there was no answer in time",
    }.items()
}


class Route(NamedTuple):
    """One of the paths.

    Attributes:
        method: of HTTP.
        path: below /sessions.
        handler: answers it.
        status: of success.
        summary: one line.
        content: of the answer, by media type; None where there is none.
        body: what a request has; None where it has none.
        example: of such a body.
    """

    method: str
    path: str
    handler: Any
    status: int
    summary: str
    content: Any
    body: type[Strict] | None = None
    example: Any = None

    def described(self) -> dict[str, Any]:
        """What the API's description has of the request."""
        found: dict[str, Any] = {}
        if self.path:
            schema = {"type": "string", "pattern": f"^{ID.pattern}$"}
            found["parameters"] = [{"name": "session", "in": "path", "required": True, "schema": schema}]
        if self.body is not None:
            content = {"schema": self.body.model_json_schema(), "example": self.example}
            found["requestBody"] = {"required": True, "content": {"application/json": content}}
        return found


def add_sessions(app: FastAPI, models: Models) -> SessionRoutes:
    """Add /sessions and what is below it.

    Returns:
        The handlers, to be closed with the application.
    """
    workers = Workers(models.settings)
    routes = SessionRoutes(Sessions(models, workers.own), workers)
    example = _example(models)
    table = [
        Route("POST", "", routes.open, 201, "Begin a sequence that comes step by step", TOLD, SessionRequest, {}),
        Route("GET", ONE, routes.show, 200, "Where a session is, and its last answer", TOLD),
        Route("DELETE", ONE, routes.end, 204, "Forget a session", None),
        Route("POST", f"{ONE}/step", routes.step, 200, "Read on, and answer", TOLD, StepRequest, example),
        Route("GET", f"{ONE}/state", routes.export, 200, "The state of a session as bytes", {MEDIA_TYPE: {}}),
    ]
    for route in table:
        success = {"description": route.summary, **({} if route.content is None else {"content": route.content})}
        app.add_api_route(
            f"/sessions{route.path}",
            route.handler,
            methods=[route.method],
            status_code=route.status,
            tags=["sessions"],
            summary=route.summary,
            responses={route.status: success, **PROBLEMS},
            openapi_extra=route.described(),
        )
    app.add_api_websocket_route(f"/sessions{ONE}/stream", routes.stream)
    return routes


class SessionRoutes:
    """The handlers.

    Args:
        sessions: of this process.
        workers: the processes of the server.
    """

    def __init__(self, sessions: Sessions, workers: Workers) -> None:
        self._sessions, self._workers = sessions, workers
        self._models, self._settings = sessions.models, sessions.settings

    async def close(self) -> None:
        """Forget all sessions, and the connections to other processes."""
        self._sessions.close()
        await self._workers.close()

    async def open(self, request: Request) -> Response:
        """Begin a session: a sequence whose state the server keeps, from its beginning or from an exported state."""
        running, body = await read_body(self._models, request)
        asked: SessionRequest = valid(SessionRequest, body, running.served)
        content = None if asked.state is None else _decoded(asked.state)
        session = await self._sessions.open(running.served.name, content, deadline(self._models))
        return _json(session.to_dict(), 201, {"Location": f"/sessions/{session.key}"})

    async def show(self, request: Request) -> Response:
        """Tell how many symbols or frames have been read, and the last answer."""
        if (answered := await self._elsewhere(request)) is not None:
            return answered
        return _json(self._session(request).to_dict())

    async def end(self, request: Request) -> Response:
        """Forget a session; its memory is free at once."""
        if (answered := await self._elsewhere(request)) is not None:
            return answered
        self._sessions.end(self._session(request), "deleted")
        return Response(status_code=204)

    async def step(self, request: Request) -> Response:
        """Read a step or several, and answer as for the whole sequence up to there."""
        if (answered := await self._elsewhere(request)) is not None:
            return answered
        session = self._session(request)
        try:
            body = from_json(await request.body(), allow_inf_nan=False)
        except ValueError as error:
            raise Refused(422, f"the body is no sound JSON: {error}") from None
        return _json(await self._answer(session, body))

    async def export(self, request: Request) -> Response:
        """The state as bytes: POST /sessions of any server with the same model goes on from it."""
        if (answered := await self._elsewhere(request)) is not None:
            return answered
        session = self._session(request)
        content = await self._sessions.export(session, deadline(self._models))
        name = (
            f"{session.served.name}-{session.count}.safetensors".encode("ascii", "replace").decode().replace('"', "_")
        )
        return Response(
            content, headers={"Content-Disposition": f'attachment; filename="{name}"'}, media_type=MEDIA_TYPE
        )

    async def stream(self, websocket: WebSocket) -> None:
        """WebSocket /sessions/ID/stream: the next message is read when the answer to the one before has been sent."""
        key = _key(websocket)
        if (other := self._workers.of(key)) is not None:
            await self._workers.relay(websocket, other)
            return
        session = self._sessions.find(key)
        websocket.scope["seqwise.model"] = session.served.name
        await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in websocket.scope.get("subprotocols", ()) else None)
        try:
            with self._sessions.followed(session):
                if session.ended:  # while the WebSocket was accepted
                    await _close(websocket, *CLOSINGS[session.ended])
                    return
                await self._converse(websocket, session)
        except WebSocketDisconnect:
            pass
        except asyncio.CancelledError:
            if not session.ended:
                raise
            current = asyncio.current_task()
            assert current is not None
            current.uncancel()
            await _close(websocket, *CLOSINGS[session.ended])

    async def _converse(self, websocket: WebSocket, session: Session) -> None:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if (text := message.get("text")) is None:
                await _close(websocket, NO_TEXT, "messages are JSON, as text")
                return
            try:
                answer = await self._answer(session, _parsed(text))
            except Refused as refused:
                answer = {"error": refused.to_dict()}
            except InputError as error:
                answer = {"error": Refused(422, str(error)).to_dict()}
            await websocket.send_text(to_json(answer).decode())

    async def _answer(self, session: Session, body: Any) -> dict[str, Any]:
        """Take the steps of a request.

        Raises:
            Refused: it is none, or as `Sessions.take`.
        """
        if not isinstance(body, dict):
            raise Refused(422, 'a step is a JSON object: {"input": ...}, or {"inputs": [...]}')
        asked: StepRequest = valid(StepRequest, body, session.served)
        several = "inputs" in asked.model_fields_set
        if several == ("input" in asked.model_fields_set) or (several and asked.inputs is None):
            raise Refused(422, 'give "input", or "inputs", and not both', "input")
        inputs = list(asked.inputs or []) if several else [asked.input]
        if len(inputs) > self._settings.max_inputs:
            raise Refused(413, f"inputs: at most {self._settings.max_inputs:,} are read at a time", "inputs")
        fields = [f"inputs.{place}" for place in range(len(inputs))] if several else ["input"]
        count, answers = await self._sessions.take(session, inputs, fields, deadline(self._models))
        told = {"session": session.key, "model": session.served.name, "steps": count, **answers[-1]}
        return {**told, "answers": answers} if several else told

    def _session(self, request: Request) -> Session:
        session = self._sessions.find(_key(request))
        request.scope["seqwise.model"] = session.served.name
        return session

    async def _elsewhere(self, request: Request) -> Response | None:
        """The answer of the process that has the session, where that is another one."""
        other = self._workers.of(_key(request))
        return None if other is None else await self._workers.forward(request, other)


def _example(models: Models) -> dict[str, Any]:
    """A step of the first model that has such."""
    first = next((one.served for one in models.values() if one.served.opens_streams), None)
    return {"input": "good" if first is None else steps_of(first).example}


def _key(connection: Request | WebSocket) -> str:
    key = str(connection.path_params["session"])
    if ID.fullmatch(key) is None:
        raise Refused(404, GONE)
    return key


def _decoded(state: str) -> bytes:
    try:
        return base64.b64decode(state, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(422, "state is not sound base64", "state") from None


def _parsed(text: str) -> Any:
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise Refused(422, f"the message is no sound JSON: {error}") from None


def _json(content: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(to_json(content), status, headers, media_type="application/json")


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    if websocket.application_state is not WebSocketState.DISCONNECTED:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, OSError):
            await websocket.close(code, reason)
