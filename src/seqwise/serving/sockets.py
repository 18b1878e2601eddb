"""Where a server listens."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
from collections.abc import Sequence

from seqwise.errors import ConfigurationError

log = logging.getLogger("seqwise.serving")

OTHER_FILES = 256  # that a process has open besides connections
UNAVAILABLE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def open_sockets(host: str, port: int) -> list[socket.socket]:
    """Bind every address of a host; nobody can connect before somebody listens.

    Args:
        host: name or number of an address of this machine.
        port: 0 takes a free one, the same for all addresses.

    Raises:
        ConfigurationError: there is no such address, the port is taken, or it needs rights.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ConfigurationError(f"--host {host}: there is no such address") from None
    sockets: list[socket.socket] = []
    refused: OSError | None = None
    for family, kind, protocol, _, address in dict.fromkeys(found):
        taken = sockets[0].getsockname()[1] if sockets else port
        try:
            sockets.append(_bound(family, kind, protocol, (address[0], taken, *address[2:])))
        except OSError as error:
            refused = error
            if error.errno not in UNAVAILABLE:
                break
    if sockets and (refused is None or refused.errno in UNAVAILABLE):
        return sockets
    for one in sockets:
        one.close()
    assert refused is not None
    raise cannot_listen(refused, host, port)


def cannot_listen(error: OSError, host: str, port: int) -> ConfigurationError:
    """Why an address cannot be listened on, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return ConfigurationError(f"port {port} of {host} is in use: stop what listens there, or give another --port")
    if error.errno in (errno.EACCES, errno.EPERM):
        return ConfigurationError(f"port {port} needs rights that you do not have: give a --port from 1024 on")
    return ConfigurationError(f"{host}, port {port}, cannot be listened on: {error.strerror}")


def addresses(sockets: Sequence[socket.socket]) -> list[str]:
    """Where clients find these sockets, as URLs."""
    found = []
    for one in sockets:
        host, port = one.getsockname()[:2]
        found.append(f"http://[{host}]:{port}" if one.family == socket.AF_INET6 else f"http://{host}:{port}")
    return found


def allow_connections(number: int) -> None:
    """Let this process have so many connections open, where the system's limit for a process can be raised by itself."""
    try:
        import resource
    except ImportError:  # of another system
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number + OTHER_FILES if hard == resource.RLIM_INFINITY else min(hard, number + OTHER_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    if soft != resource.RLIM_INFINITY and soft < number + OTHER_FILES:
        log.warning("the system lets this process open %d files: fewer than --max-connections %d need", soft, number)


def _bound(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> socket.socket:
    one = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # where it means: of a port that was closed a moment ago
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with contextlib.suppress(AttributeError, OSError):
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
    except OSError:
        one.close()
        raise
    return one
