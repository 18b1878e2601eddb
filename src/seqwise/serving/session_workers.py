"""Sessions of several processes: an id names the process that has the session, and the others hand on what is for it.

The kernel gives a connection to any of the processes. Each listens also on a Unix socket of its own, in a folder of this run
that only its user can enter; what comes there has passed another process's gate. A process that has died takes its sessions
with it: their ids are unknown to the one that is started in its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any

from fastapi import Request, WebSocket
from starlette.responses import Response
from starlette.websockets import WebSocketDisconnect

from seqwise.serving.problems import Refused
from seqwise.serving.sessions import GONE
from seqwise.serving.settings import RUN, WORKER, ServerSettings

if TYPE_CHECKING:
    import httpx

KEPT = frozenset({"content-type", "content-disposition", "location", "retry-after"})
"""Of an answer that is handed on; the others belong to the connection."""


class Workers:
    """The processes of a server.

    Args:
        settings: `workers` says how many there are.

    Attributes:
        own: number of this one.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._folder = os.environ.get(RUN, "")
        self._count = settings.workers if self._folder else 1
        self.own = int(os.environ.get(WORKER, "0")) if self._count > 1 else 0
        self._timeout_s = settings.timeout_s
        self._clients: dict[int, httpx.AsyncClient] = {}

    def of(self, key: str) -> int | None:
        """The process that has the session of an id; None: this one.

        Raises:
            Refused: there is no such process (404).
        """
        number = int(key.partition("-")[0])
        if number >= self._count:
            raise Refused(404, GONE)
        return None if number == self.own else number

    async def forward(self, request: Request, number: int) -> Response:
        """Let another process answer.

        Raises:
            Refused: it has died (404), or did not answer in time (504).
        """
        import httpx

        body = await request.body()
        headers = {"Content-Type": request.headers.get("content-type", "application/json")} if body else {}
        try:
            answer = await self._client(number).request(
                request.method, request.url.path, content=body or None, headers=headers
            )
        except httpx.TimeoutException:
            raise Refused(504, "there was no answer in time") from None
        except httpx.TransportError:
            raise Refused(404, GONE) from None
        kept = {name: value for name, value in answer.headers.items() if name in KEPT}
        return Response(answer.content, answer.status_code, kept)

    async def relay(self, websocket: WebSocket, number: int) -> None:
        """Let another process converse: its messages and this client's are handed on as they come.

        Raises:
            Refused: it has died, or does not have the session (404).
        """
        from websockets.asyncio.client import unix_connect
        from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

        offered: list[Any] = [one for one in websocket.scope.get("subprotocols", ()) if one == "seqwise"]
        uri = f"ws://localhost{websocket.url.path}"
        try:
            other = await unix_connect(
                self._path(number), uri, max_size=None, open_timeout=self._timeout_s, subprotocols=offered or None,
                compression=None, proxy=None,
            )  # fmt: skip
        except InvalidStatus as error:
            status = error.response.status_code
            raise (
                Refused(404, GONE) if status in (403, 404) else Refused(503, "the server is shutting down")
            ) from None
        except TimeoutError:
            raise Refused(504, "there was no answer in time") from None
        except (OSError, WebSocketException):
            raise Refused(404, GONE) from None
        async with other:
            await websocket.accept(other.subprotocol)

            async def hand_on() -> None:
                while True:
                    message = await websocket.receive()
                    if message["type"] == "websocket.disconnect":
                        return
                    text = message.get("text")
                    await other.send(message["bytes"] if text is None else text)

            async def hand_back() -> None:
                async for message in other:
                    await websocket.send_text(message if isinstance(message, str) else message.decode())

            tasks = {asyncio.create_task(hand_on()), asyncio.create_task(hand_back())}
            try:
                ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    with contextlib.suppress(ConnectionClosed, WebSocketDisconnect):
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        code, reason = other.close_code, other.close_reason
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, OSError):  # the client may have gone first
            await websocket.close(_closing(code), reason)

    async def close(self) -> None:
        """Close the connections to the other processes."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    def _path(self, number: int) -> str:
        return os.path.join(self._folder, f"worker-{number}.sock")

    def _client(self, number: int) -> httpx.AsyncClient:
        import httpx

        if number not in self._clients:
            self._clients[number] = httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(uds=self._path(number)),
                base_url="http://localhost",
                timeout=self._timeout_s + 1,
                trust_env=False,
            )
        return self._clients[number]


def _closing(code: int | None) -> int:
    """The code with which the other side closed; 1012, the server restarts, where it just vanished."""
    return code if code is not None and code not in (1005, 1006, 1015) else 1012
