"""Vectors for words: trained, read, written, asked and judged."""

from seqwise.embeddings.vectors import Neighbour, WordVectors

__all__ = ["Neighbour", "WordVectors"]
