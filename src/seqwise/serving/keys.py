"""API keys: a file of them, of which a request shows one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from seqwise.errors import ConfigurationError, FileError

log = logging.getLogger("seqwise.serving")

LONGEST, MOST = 512, 100_000
LOOK_S = 1.0
SUBPROTOCOL = b"key."


class Keys:
    """The keys that are accepted. Only their hashes are kept.

    Args:
        path: of a file with one key a line; empty lines and those that begin with # mean nothing. It is read again when it
            has changed; if it cannot be used then, the keys that were known stay.
        clock: seconds.

    Raises:
        FileError: it cannot be read.
        ConfigurationError: it holds no key, or something that none can be.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock, self._looked = path, clock, clock()
        self._state = self._stat()
        self._digests = read_digests(path)
        if self._state is not None and self._state[0] & (stat.S_IRGRP | stat.S_IROTH):
            log.warning("the file of keys can be read by other users of this machine: chmod 600")

    def accepts(self, shown: bytes | None) -> bool:
        """Whether this is one of the keys; takes as long for every answer.

        Hashes are compared, each with each, so that the time tells nothing of a key: neither how much of it is right, nor
        which one it is.
        """
        self._look()
        digest = hashlib.sha256(shown or b"").digest()
        found = 0
        for known in self._digests:
            found |= hmac.compare_digest(digest, known)
        return bool(found)

    def _look(self) -> None:
        now = self._clock()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        if (state := self._stat()) == self._state:
            return
        self._state = state
        try:
            self._digests = read_digests(self._path)
            log.info("the file of keys has changed: %d keys", len(self._digests))
        except (FileError, ConfigurationError) as error:
            log.error("the file of keys has changed and cannot be used, the keys from before stay: %s", error)

    def _stat(self) -> tuple[int, int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mode, status.st_mtime_ns, status.st_size, status.st_ino


def read_digests(path: Path) -> tuple[bytes, ...]:
    """The SHA-256 of every key in a file.

    Raises:
        FileError: it cannot be read.
        ConfigurationError: it holds no key, or something that none can be.
    """
    try:
        if path.stat().st_size > LONGEST * MOST:
            raise ConfigurationError(f"{path} is too large for a file of keys")
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise FileError(f"the file of keys {path} cannot be read: {error.strerror}") from None
    keys = []
    for number, line in enumerate(lines, 1):
        key = line.strip()
        if not key or key.startswith(b"#"):
            continue
        if len(key) > LONGEST or any(not 33 <= sign <= 126 for sign in key):
            raise ConfigurationError(
                f"{path}, line {number}: a key has 1 to {LONGEST} visible ASCII signs and no space"
            )
        keys.append(hashlib.sha256(key).digest())
    if not keys:
        raise ConfigurationError(f"{path} holds no key: write one a line")
    return tuple(dict.fromkeys(keys))


def shown_key(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The key that a request shows.

    It stands in `Authorization: Bearer KEY` or in `X-API-Key: KEY`; of a browser's WebSocket, which can send neither, among
    the subprotocols as `key.` and the key in base64url.
    """
    protocols = b""
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip()
        if name == b"x-api-key":
            return value.strip()
        if name == b"sec-websocket-protocol":
            protocols = value
    for protocol in protocols.split(b","):
        if (protocol := protocol.strip()).startswith(SUBPROTOCOL):
            encoded = protocol.removeprefix(SUBPROTOCOL)
            try:
                return base64.b64decode(encoded + b"=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            except (binascii.Error, ValueError):
                return None
    return None
