"""Vectors for words: trained, read, written, asked and judged."""

from seqwise.embeddings.settings import EmbeddingSettings
from seqwise.embeddings.training import train_vectors
from seqwise.embeddings.vectors import Neighbour, WordVectors

__all__ = ["EmbeddingSettings", "Neighbour", "WordVectors", "train_vectors"]
