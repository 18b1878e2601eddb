"""Server-sent events (WHATWG HTML, section 9.2): an answer that comes in pieces."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from seqwise.errors import InputError
from seqwise.serving.beside import Pieces
from seqwise.serving.problems import Refused

log = logging.getLogger("seqwise.serving")

MEDIA_TYPE = "text/event-stream"
BEAT_S = 15.0  # after so long without a piece a comment is sent, for those between who close silent connections


class EventStream(Response):
    """Pieces as events, and at last all of them together as the event `end`; an error in between as the event `error`.

    Args:
        pieces: that are drawn.
        first: the first of them, which has been waited for; None if there is none.
        model: name, for the last event.
    """

    media_type = MEDIA_TYPE

    def __init__(self, pieces: Pieces, first: dict[str, Any] | None, model: str) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}, media_type=MEDIA_TYPE)
        del self.headers["content-length"]
        self._pieces, self._first, self._model = pieces, first, model

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, until it ends or the client has gone."""
        sending = asyncio.ensure_future(self._send(send))
        watching = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait([sending, watching], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._pieces.leave()
            watching.cancel()
            if not sending.done():
                sending.cancel()
        if sending.done() and not sending.cancelled():
            sending.result()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

        async def write(content: bytes) -> None:
            await send({"type": "http.response.body", "body": content, "more_body": True})

        piece = self._first
        try:
            while piece is not None:
                await write(event(piece))
                piece = await _beating(self._pieces.next, write)
            await write(event({"model": self._model, **self._pieces.whole}, "end"))
        except Refused as refused:
            await write(event(refused.to_dict(), "error"))
        except InputError as error:
            await write(event(Refused(422, str(error)).to_dict(), "error"))
        except Exception as error:
            log.error("drawing failed", exc_info=error)
            await write(event(Refused(500, "the server failed at this request").to_dict(), "error"))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def event(data: dict[str, Any], name: str | None = None) -> bytes:
    """One event; JSON has no line breaks of its own."""
    named = b"" if name is None else b"event: " + name.encode() + b"\n"
    return named + b"data: " + to_json(data) + b"\n\n"


async def _beating(following: Callable[[], Any], write: Callable[[bytes], Any]) -> Any:
    """What `following` gives, with a comment as often as it lets wait."""
    waiting = asyncio.ensure_future(following())
    try:
        while not (await asyncio.wait([waiting], timeout=BEAT_S))[0]:
            await write(b": still drawing\n\n")
    finally:
        waiting.cancel()  # if the client has gone
    return waiting.result()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
