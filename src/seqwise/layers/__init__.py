"""Recurrent layers with the interface of torch.nn, for any cell."""

from seqwise.layers.named import GRU, IRNN, LSTM, RNN, MinGRU, SimplifiedGRU
from seqwise.layers.recurrent import Recurrent

__all__ = ["GRU", "IRNN", "LSTM", "RNN", "MinGRU", "Recurrent", "SimplifiedGRU"]
