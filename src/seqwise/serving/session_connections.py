"""WebSocket connections with bounds: a client that does not read its answers has so long, and then none."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from seqwise.serving.settings import ServerSettings

LINGER_S = 1.0  # for the last frame to be read


class WebSocketConnection(WebSocketsSansIOProtocol):
    """One WebSocket of a client. uvicorn closes politely, for which the other side has to read."""

    def __init__(self, *arguments: Any, settings: ServerSettings, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._patience_s = settings.timeout_s
        self._stuck_timer: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """The client reads more slowly than it is answered: it has so long."""
        super().pause_writing()
        if self._stuck_timer is None:
            self._stuck_timer = self.loop.call_later(self._patience_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read on."""
        super().resume_writing()
        self._stop_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._stop_timer()
        super().connection_lost(exc)

    def keepalive_timeout(self) -> None:
        """The client does not answer pings."""
        super().keepalive_timeout()
        self.loop.call_later(LINGER_S, self.transport.abort)

    def shutdown(self) -> None:
        """The server stops."""
        super().shutdown()
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _stop_timer(self) -> None:
        if self._stuck_timer is not None:
            self._stuck_timer.cancel()
            self._stuck_timer = None
