"""Vectors for words: trained, read, written, asked and judged. Each name is imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqwise.embeddings.settings import EmbeddingSettings
    from seqwise.embeddings.training import train_vectors
    from seqwise.embeddings.vectors import Neighbour, WordVectors

# Settings of models hold those of embeddings, and are read where nothing is trained.
_HOMES = {
    "EmbeddingSettings": "settings",
    "Neighbour": "vectors",
    "WordVectors": "vectors",
    "train_vectors": "training",
}

__all__ = ["EmbeddingSettings", "Neighbour", "WordVectors", "train_vectors"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"seqwise.embeddings.{_HOMES[name]}"), name)
