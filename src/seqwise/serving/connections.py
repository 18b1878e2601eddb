"""HTTP connections with bounds: how many there are, how long a request may take to come, and how large its head may be.

What uvicorn does not bound itself: a client that connects and says nothing, sends its request byte by byte, sends headers
without end, or does not read its answer. A client that goes away has the task of its request cancelled, so that nothing is
computed for nobody.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from seqwise.serving.problems import Refused
from seqwise.serving.settings import ServerSettings
from seqwise.serving.shedding import Shedding

MOST_HEAD = 65_536  # bytes of request line and headers, beyond what comes with the first packet
REFUSED_AFTER_S = 0.1  # clients that ask again at once would keep a full server busy with refusing
LINGER_S = 1.0  # for a client to read why it is refused, before the connection is cut


class Connection(HttpToolsProtocol):
    """One connection of a client.

    Attributes:
        task: that answers the request under way, and is cancelled when the client goes.
        lost: whether the client has gone.
    """

    def __init__(
        self, *arguments: Any, settings: ServerSettings, shedding: Shedding | None = None, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._shedding = shedding
        self.task: asyncio.Task[Any] | None = None
        self.lost = False
        self._settings = settings
        self._head_bytes = 0
        self._partial = self._in_head = self._ended = False
        self._refusal: tuple[asyncio.TimerHandle, bytes] | None = None
        self._rest_timer: asyncio.TimerHandle | None = None
        self._stuck_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse it if there are too many; else wait for a request, for a while."""
        super().connection_made(transport)
        if len(self.connections) > self._settings.max_connections:
            self._refuse(Refused(503, "the server has as many connections as it takes", retry_after=1))
            return
        self._rest_timer = self.loop.call_later(self._settings.read_timeout_s, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop what is done for the client that has gone."""
        super().connection_lost(exc)
        self.lost = True
        self._stop_rest_timer()
        if self._stuck_timer is not None:
            self._stuck_timer.cancel()
        if self._refusal is not None:
            self._refusal[0].cancel()
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse what came, and see to it that the rest comes too."""
        if self._ended or (self._shedding is not None and self._shedding.full and self._shed(data)):
            return
        was_in_head = self._in_head
        super().data_received(data)
        if not self._partial:
            if self._rest_timer is not None:
                self._stop_rest_timer()
        elif self.transport.get_protocol() is self:  # no WebSocket by now
            if self._rest_timer is None:
                self._rest_timer = self.loop.call_later(self._settings.read_timeout_s + LINGER_S, self._too_slow)
            if was_in_head and self._in_head:
                self._head_bytes += len(data)
                if self._head_bytes > MOST_HEAD:
                    self._refuse(Refused(431, "the request's headers are too large"))

    @property
    def whole(self) -> bool:
        """Whether all of the last request has come."""
        return not self._partial

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._partial = self._in_head = True
        self.scope["seqwise.connection"] = self  # type: ignore[typeddict-unknown-key]

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._in_head, self._head_bytes = False, 0
        if self._rest_timer is not None:
            self._stop_rest_timer()  # its body has a time of its own
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._partial = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(Refused(400, "this is no sound HTTP request"))

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that nothing has come on for a while."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(LINGER_S, self.transport.abort)  # a client that reads nothing never lets it close

    def pause_writing(self) -> None:
        """The client reads more slowly than it is answered: it has so long."""
        super().pause_writing()
        if self._stuck_timer is None:
            self._stuck_timer = self.loop.call_later(self._settings.timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read on."""
        super().resume_writing()
        if self._stuck_timer is not None:
            self._stuck_timer.cancel()
            self._stuck_timer = None

    def _shed(self, data: bytes) -> bool:
        """Refuse a request that is all there, if it is one to be refused, and nothing is under way on this connection."""
        busy = self._partial or (self.cycle is not None and not self.cycle.response_complete)
        if busy or self.flow.write_paused or self.transport.is_closing():
            return False
        assert self._shedding is not None
        answer = self._shedding.refusal(data)
        if answer is None:
            return False
        if self._rest_timer is not None:
            self._stop_rest_timer()
        self._unset_keepalive_if_required()
        self.flow.pause_reading()
        self._refusal = self.loop.call_later(REFUSED_AFTER_S, self._say_refusal), answer
        return True

    def _say_refusal(self) -> None:
        assert self._refusal is not None
        (timer, answer), self._refusal = self._refusal, None
        timer.cancel()
        if self.transport.is_closing():
            return
        self.transport.write(answer)
        self.flow.resume_reading()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def shutdown(self) -> None:
        """Say what is still to be said, and close."""
        if self._refusal is not None:
            self._say_refusal()
        super().shutdown()

    def _too_slow(self) -> None:
        self._rest_timer = None
        if self._in_head or not self._partial:
            self._refuse(Refused(408, "the request did not come in time"))
        else:  # of its body; the request has had its answer by now
            self.transport.abort()

    def _refuse(self, refused: Refused) -> None:
        """Answer with a problem whatever comes on this connection, and end it."""
        self._ended = True
        self._stop_rest_timer()
        if self.transport.is_closing():
            return
        refused.close = True
        self.transport.write(refused.http())
        if self.transport.can_write_eof():
            self.transport.write_eof()
        # Closed at once, with something unread, the client would see a reset in place of the answer.
        self.loop.call_later(LINGER_S, self.transport.abort)

    def _stop_rest_timer(self) -> None:
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None
