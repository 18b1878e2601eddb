"""The log: one JSON object a line on standard error, for requests and for everything else.

A text of a user is in it only if the server was told so. Exceptions are written as their type and the places in the code
that they came through, without their messages, which may quote what was being computed.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import traceback
from collections import deque
from functools import lru_cache
from typing import Any

from pydantic_core import from_json, to_json

MOST_WAITING = 20_000  # lines; a reader of the log that has stopped reading does not fill the memory
FLUSH_S = 0.2
MOST_BODY = 65_536  # bytes of a body that are written; of longer ones the beginning

log = logging.getLogger("seqwise.serving")


class JsonLines(logging.Formatter):
    """Records as JSON objects.

    Args:
        messages: whether an exception's own message is written.
    """

    def __init__(self, messages: bool = False) -> None:
        super().__init__()
        self.messages = messages

    def format(self, record: logging.LogRecord) -> str:
        """One line: time, level, the logger's name, the message, and what the record has besides."""
        message = record.getMessage()
        if not self.messages:
            message = message.partition("\n")[0]  # asyncio's go on with the exception as it is written
        line: dict[str, Any] = {
            "time": moment(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message,
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line |= described(record.exc_info[1], self.messages)
        return as_json(line).decode()


def described(error: BaseException, messages: bool) -> dict[str, Any]:
    """The type of an exception and where it came from, as members of a log line."""
    frames = [
        f"{os.path.basename(os.path.dirname(frame.filename))}/{os.path.basename(frame.filename)}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return {
        "error": type(error).__name__,
        **({"detail": str(error)[:2000]} if messages else {}),
        "frames": frames[-20:],
    }


def moment(seconds: float) -> str:
    """A time as RFC 3339 writes it, in UTC."""
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03d}Z"


@lru_cache(maxsize=4)
def _second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))


def as_json(line: dict[str, Any]) -> bytes:
    """A line as JSON, whatever strings are in it."""
    try:
        return to_json(line)
    except ValueError:  # half of a surrogate pair
        return to_json(
            {
                key: text.encode(errors="replace").decode() if isinstance(text, str) else text
                for key, text in line.items()
            }
        )


def body_fields(body: bytes) -> dict[str, Any]:
    """The body of a request for the log: as JSON where it is, and not too long."""
    if len(body) <= MOST_BODY:
        try:
            return {"body": from_json(body, allow_inf_nan=False)}
        except ValueError:
            pass
    return {"body": body[:MOST_BODY].decode(errors="replace"), "body_bytes": len(body)}


def configure(log_texts: bool) -> None:
    """Send the records of all loggers to standard error, in the one format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(log_texts))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    log.setLevel(logging.INFO)
    logging.captureWarnings(True)
    threading.excepthook = _thread_failed


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None:
        log.error("a thread has failed", exc_info=failed.exc_value)


class RequestLog:
    """The lines of requests: gathered, and written by a thread of their own, so that no request waits for the log's reader.

    Args:
        descriptor: of the file that is written.
    """

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor, self._lines, self._dropped = descriptor, deque[bytes](), 0
        self._some, self._ended = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def write(self, line: dict[str, Any]) -> None:
        """Add a line."""
        if len(self._lines) >= MOST_WAITING:
            self._dropped += 1
            return
        self._lines.append(as_json(line))
        if not self._some.is_set():
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="seqwise-log", daemon=True)
                self._thread.start()
            self._some.set()

    def close(self) -> None:
        """Write what is there, and end the thread."""
        self._ended.set()
        self._some.set()
        if self._thread is not None:
            self._thread.join(timeout=2)
        self._flush()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._some.wait()
            self._ended.wait(FLUSH_S)  # more lines come meanwhile
            self._some.clear()
            self._flush()

    def _flush(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if self._dropped:
            lines.append(as_json({"time": moment(time.time()), "level": "warning", "dropped_lines": self._dropped}))
            self._dropped = 0
        if lines:
            left = memoryview(b"\n".join(lines) + b"\n")
            try:
                while left:
                    left = left[os.write(self._descriptor, left) :]
            except OSError:  # nobody reads the log any more: no reason to stop serving
                pass
