"""A service from model folders: HTTP, micro-batching, sessions, the web page. Imports prediction, never training."""

from seqwise.serving.settings import ServerSettings

__all__ = ["ServerSettings"]
