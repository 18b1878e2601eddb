"""What is not computed in batches: explanations, and sequences that are drawn. Threads, and bounds before them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from seqwise.serving.batching import RETRY_AFTER_S
from seqwise.serving.problems import Refused
from seqwise.serving.settings import ServerSettings
from seqwise.serving.tasks.drawing import Drawing


class Beside:
    """Threads with a bounded queue before them.

    Args:
        settings: `max_streams` threads, `max_queue` calls that wait; and `max_streams` sequences drawn at a time.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.threads = ThreadPoolExecutor(settings.max_streams, "seqwise-beside")
        self._drawing = ThreadPoolExecutor(settings.max_streams, "seqwise-drawing")
        self._most, self._most_drawn = settings.max_streams + settings.max_queue, settings.max_streams
        self._under_way = self._drawn = 0  # of the event loop alone

    @property
    def busy(self) -> bool:
        """Whether something is computed or waits."""
        return self._under_way + self._drawn > 0

    async def run(self, function: Callable[..., Any], *arguments: Any, deadline: float) -> Any:
        """Return what the function does.

        Args:
            function: runs in a thread.
            arguments: of it.
            deadline: on the event loop's clock; a function that has begun goes on after it, for nobody.

        Raises:
            Refused: too much waits already (429), or time is over (504).
        """
        if self._under_way >= self._most:
            raise _too_much()
        loop = asyncio.get_running_loop()
        computing = self.threads.submit(function, *arguments)
        self._under_way += 1
        computing.add_done_callback(lambda _: _tell(loop, self._ended))
        try:
            async with asyncio.timeout_at(deadline):
                return await asyncio.wrap_future(computing)
        except TimeoutError:
            raise Refused(504, "there was no answer in time") from None
        finally:
            computing.cancel()  # if it has not begun, and nobody waits any more

    def draw(self, begin: Callable[[], Drawing], deadline: float) -> Pieces:
        """Begin to draw a sequence.

        Args:
            begin: returns what is drawn; runs in a thread.
            deadline: on the event loop's clock; what is not there by then is not drawn.

        Raises:
            Refused: as many are drawn already as may be at a time (429).
        """
        if self._drawn >= self._most_drawn:
            raise _too_much()
        loop = asyncio.get_running_loop()
        pieces = Pieces(loop, deadline)
        self._drawn += 1
        self._drawing.submit(pieces.draw, begin).add_done_callback(lambda _: _tell(loop, self._drawn_out))
        return pieces

    def close(self) -> None:
        """Begin nothing more."""
        for threads in (self.threads, self._drawing):
            threads.shutdown(wait=False, cancel_futures=True)

    def _ended(self) -> None:
        self._under_way -= 1

    def _drawn_out(self) -> None:
        self._drawn -= 1


class Pieces:
    """Pieces that a thread draws and the event loop sends on.

    Args:
        loop: that waits for them.
        deadline: on its clock.

    Attributes:
        whole: all of them together, once `next` has returned None.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        self._loop, self._deadline = loop, deadline
        self._told: asyncio.Queue[dict[str, Any] | Exception | None] = asyncio.Queue()
        self._left = threading.Event()
        self.whole: dict[str, Any] = {}

    async def next(self) -> dict[str, Any] | None:
        """Return what is told of the next piece, None behind the last one.

        Raises:
            Exception: what has ended the drawing.
        """
        told = await self._told.get()
        if isinstance(told, Exception):
            raise told
        return told

    def leave(self) -> None:
        """Nobody waits for more: the thread ends at the next symbol."""
        self._left.set()

    def draw(self, begin: Callable[[], Drawing]) -> None:
        """Draw until the end; the thread."""
        try:
            drawing = begin()
            found, late = [], False
            for piece in drawing.pieces:
                if self._left.is_set():
                    return
                found.append(piece)
                self._tell(drawing.event(piece))
                if len(found) < drawing.most and (late := self._loop.time() >= self._deadline):
                    break
            self.whole = drawing.whole(found, late=late)
            self._tell(None)
        except Exception as error:
            self._tell(error)

    def _tell(self, what: dict[str, Any] | Exception | None) -> None:
        if not _tell(self._loop, self._told.put_nowait, what):
            self._left.set()


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[..., Any], *arguments: Any) -> bool:
    """Let the event loop call a function; whether it still runs."""
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:  # it has been closed: the server has stopped
        return False
    return True


def _too_much() -> Refused:
    return Refused(429, "too many requests wait already", retry_after=RETRY_AFTER_S)
