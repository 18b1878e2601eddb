"""Refusing at next to no cost, while nothing more can be taken in.

Under much more load than a server holds most of its work is to say no, and those who are admitted wait behind that. While
the queues of all models are full, a request that would wait in one is answered from prepared bytes: it is not parsed, no
task is made for it, its body is not looked at. The answer is sent a tenth of a second later, and until then nothing more is
read from that client: those who ask again at once would keep the server busy with nothing else.
"""

from __future__ import annotations

import re
import time

from seqwise.serving.batching import crowded
from seqwise.serving.logs import RequestLog, moment
from seqwise.serving.observation import Observation
from seqwise.serving.registry import Models

PATH = "/predict"
_START = f"POST {PATH} HTTP/1.1\r\n".encode()
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,7})\r\n", re.IGNORECASE)
_UNUSUAL = re.compile(rb"\r\n(?:connection(?!: *keep-alive\r)|expect|transfer-encoding|upgrade):", re.IGNORECASE)


class Shedding:
    """Knows when the server is full, and which requests can be refused then as they are.

    Args:
        models: of the server.
        observation: the metrics.
        request_log: where the lines of requests go; None: nowhere.
    """

    def __init__(self, models: Models, observation: Observation, request_log: RequestLog | None) -> None:
        self._models, self._observation, self._request_log = models, observation, request_log
        self._answer = crowded().http()

    @property
    def full(self) -> bool:
        """Whether no model takes anything in."""
        return all(running.full for running in self._models.values())

    def refusal(self, data: bytes) -> bytes | None:
        """The answer to these bytes, if they are one whole request that would have to wait; None: it is to be parsed."""
        if not data.startswith(_START):
            return None
        end = data.find(_END)
        head = data[: end + 2]
        length = _LENGTH.search(head)
        if length is None or end + len(_END) + int(length[1]) != len(data) or _UNUSUAL.search(head):
            return None
        self._observation.request(PATH, "", 429, 0.0)
        if self._request_log is not None:
            line = {"time": moment(time.time()), "level": "info", "message": "request", "method": "POST", "path": PATH}
            self._request_log.write({**line, "status": 429, "ms": 0.0})
        return self._answer
