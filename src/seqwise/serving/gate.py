"""What every request passes on its way in and out: keys, bounds, log, metrics, and errors that nobody expected.

It is plain ASGI, since it is on the way of every request: a layer of Starlette's `BaseHTTPMiddleware` takes longer than a
small model takes to answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seqwise.errors import InputError
from seqwise.serving.keys import Keys, shown_key
from seqwise.serving.logs import RequestLog, body_fields, moment
from seqwise.serving.observation import Observation
from seqwise.serving.problems import Refused, of_validation
from seqwise.serving.settings import ServerSettings

log = logging.getLogger("seqwise.serving")

OPEN = frozenset({"/", "/docs", "/v2/health/live", "/v2/health/ready"})
OPEN_FOLDER = "/page/"
"""Paths that need no key: the page's own files, which tell nothing of the models, and whether the server lives."""

ALIVE = "/v2/health/live"
GONE = 499
"""Status in the log of a request whose client did not wait for the answer."""

MODEL, INPUTS = "seqwise.model", "seqwise.inputs"
"""Where handlers write into the scope which model was asked, and how many inputs the request has."""


class Gate:
    """The middleware around all routes.

    Args:
        app: the routes.
        settings: of the server.
        keys: that open it; None: it is open.
        observation: the metrics.
        request_log: where the lines of requests go; None: nowhere.
        direct: routes by path whose POST requests go straight to their endpoint, a function of the request alone: what lies
            between takes longer than a small model takes to answer.

    Attributes:
        in_flight: requests under way.
        draining: whether the server stops: what comes now is refused.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ServerSettings,
        keys: Keys | None,
        observation: Observation,
        request_log: RequestLog | None,
        direct: Mapping[str, Any] | None = None,
    ) -> None:
        self._direct = direct or {}
        self.app, self._keys, self._observation, self._request_log = app, keys, observation, request_log
        self._max_body, self._read_s, self._log_texts = settings.max_body, settings.read_timeout_s, settings.log_texts
        self._origins = {origin.encode() for origin in settings.cors_origin}
        self.in_flight, self.draining = 0, False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let a WebSocket pass."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        status = 0
        body: bytes | None = None

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        async def replay() -> Message:
            nonlocal body
            if body is None:
                return await receive()
            content, body = body, None
            return {"type": "http.request", "body": content, "more_body": False}

        connection = scope.get("seqwise.connection")
        if connection is not None:
            connection.task = asyncio.current_task()
        self.in_flight += 1
        refused: Refused | None = None
        try:
            headers = dict(scope["headers"])
            self._check(scope, headers, scope["method"] in ("GET", "HEAD", "OPTIONS"))
            body = await self._read(headers, receive, connection is not None and connection.whole)
            if self._log_texts and body is not None:
                scope["seqwise.body"] = body
            route = self._direct.get(scope["path"]) if scope["method"] == "POST" else None
            if route is None:
                await self.app(scope, receive if body is None else replay, noting_send)
            else:
                scope["route"] = route
                response = await route.endpoint(Request(scope, receive if body is None else replay))
                await response(scope, receive, noting_send)
        except Refused as error:
            refused = error
        except InputError as error:
            refused = Refused(422, str(error))
        except ValidationError as error:
            refused = of_validation(list(error.errors()))
        except _Gone:
            status = GONE
        except asyncio.CancelledError:
            if connection is not None and connection.lost:
                status = GONE
            else:
                refused = Refused(503, "the server stopped before this was answered")
        except Exception as error:
            refused = self._unexpected(scope, error)
        finally:
            if connection is not None:
                connection.task = None
            self.in_flight -= 1
        if refused is not None and status == 0:
            await refused.response()(scope, receive, noting_send)
        self._note(scope, scope["method"], status, time.perf_counter() - began)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        status = 0

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "websocket.accept":
                status = 101
            elif message["type"] == "websocket.close" and status == 0:
                status = 403
            await send(message)

        try:
            self._check(scope, dict(scope["headers"]), safe=False)
            await self.app(scope, receive, noting_send)
        except Refused as refused:
            if status == 0:
                status = refused.status
                await _deny(scope, receive, send, refused)
        except asyncio.CancelledError:
            status = status or GONE
        except Exception as error:
            self._unexpected(scope, error)
            with contextlib.suppress(Exception):  # it may be closed already
                await send({"type": "websocket.close", "code": 1011, "reason": "the server failed"})
        self._note(scope, "WEBSOCKET", status, time.perf_counter() - began)

    def _check(self, scope: Scope, headers: Mapping[bytes, bytes], safe: bool) -> None:
        """Refuse who may not ask, and who comes too late.

        Raises:
            Refused: 401, 403 or 503.
        """
        path = scope["path"]
        if self.draining and path != ALIVE:
            raise Refused(503, "the server is shutting down", retry_after=1, close=True)
        if _is_forwarded(scope):
            return
        if not safe and is_foreign(headers, self._origins):
            raise Refused(403, "pages of other origins may not ask this server; --cors-origin names those that may")
        if (
            self._keys is not None
            and path not in OPEN
            and not path.startswith(OPEN_FOLDER)
            and not self._keys.accepts(shown_key(scope["headers"]))
        ):
            raise Refused(401, "a key is needed: Authorization: Bearer KEY, or X-API-Key: KEY")

    async def _read(self, headers: Mapping[bytes, bytes], receive: Receive, there: bool) -> bytes | None:
        """The whole body of a request; None if it has none.

        Args:
            headers: of the request.
            receive: of ASGI.
            there: whether all of it has come already, as small ones have: then no clock is needed.

        Raises:
            Refused: 413, 408 or 415.
        """
        length = headers.get(b"content-length")
        if length is None and b"transfer-encoding" not in headers:
            return None
        if length is not None and length.isdigit() and int(length[:20]) > self._max_body:
            raise self._too_large()
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Refused(415, "the body is to be sent without a content encoding")
        try:
            async with contextlib.nullcontext() if there else asyncio.timeout(self._read_s):
                parts, size, more = [], 0, True
                while more and size <= self._max_body:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Gone
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    more = message.get("more_body", False)
        except TimeoutError:
            raise Refused(408, "the body did not come in time", close=True) from None
        if size > self._max_body:
            raise self._too_large()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _too_large(self) -> Refused:
        return Refused(413, f"the body has more than {self._max_body:,} bytes")

    def _unexpected(self, scope: Scope, error: Exception) -> Refused:
        """Write an error into the log under a number that the client is told."""
        number = secrets.token_hex(8)
        fields = {"id": number, "method": scope.get("method", "WEBSOCKET"), "path": _template(scope)}
        log.error("a request failed", exc_info=error, extra={"fields": fields})
        return Refused(500, f"the server failed at this request; its log says more, under {number}")

    def _note(self, scope: Scope, method: str, status: int, seconds: float) -> None:
        if _is_forwarded(scope):
            return
        path, model = _template(scope), scope.get(MODEL, "")
        self._observation.request(path, model, status, seconds)
        if self._request_log is None:
            return
        line: dict[str, Any] = {
            "time": moment(time.time()),
            "level": "info",
            "message": "request",
            "method": method,
            "path": path,
            "status": status,
            "ms": round(seconds * 1000, 2),
        }
        if model:
            line["model"] = model
        if INPUTS in scope:
            line["inputs"] = scope[INPUTS]
        if "seqwise.body" in scope:
            line |= body_fields(scope["seqwise.body"])
        self._request_log.write(line)


class _Gone(Exception):
    """The client has gone before its request was all there."""


def is_foreign(headers: Mapping[bytes, bytes], known: set[bytes]) -> bool:
    """Whether a browser sends this for a page of another origin, which its user did not ask for.

    Without this any page that somebody opens could use the server on their machine: CORS keeps such a page from reading
    answers, not from asking, and does not hold for WebSockets.

    Args:
        headers: of the request.
        known: origins that may; `*` stands for all.
    """
    origin = headers.get(b"origin")
    if origin in known or b"*" in known:
        return False
    if (site := headers.get(b"sec-fetch-site")) is not None:
        return site not in (b"same-origin", b"none")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != headers.get(b"host", b"").lower()
    except ValueError:
        return True


def _is_forwarded(scope: Scope) -> bool:
    """Whether this comes, by a Unix socket, from another process of this server, which has looked at it and counts it."""
    server = scope.get("server")
    return server is not None and server[1] is None


def _template(scope: Scope) -> str:
    """The path as the API's description has it: what stands in a client's path may be a text of a user."""
    route = scope.get("route")
    return getattr(route, "path", "") or "other"


async def _deny(scope: Scope, receive: Receive, send: Send, refused: Refused) -> None:
    """Refuse a WebSocket with a problem where the server can, else by closing it."""
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": refused.title})
        return
    response = refused.response()
    await send({"type": "websocket.http.response.start", "status": refused.status, "headers": response.raw_headers})
    await send({"type": "websocket.http.response.body", "body": response.body})
