"""Recurrent layers with the interface of torch.nn, for any cell, and a conditional random field over tags."""

from seqwise.layers.crf import CRF
from seqwise.layers.named import GRU, IRNN, LSTM, RNN, MinGRU, SimplifiedGRU
from seqwise.layers.recurrent import Recurrent

__all__ = ["CRF", "GRU", "IRNN", "LSTM", "RNN", "MinGRU", "Recurrent", "SimplifiedGRU"]
