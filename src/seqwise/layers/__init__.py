"""Recurrent layers with the interface of torch.nn, for any cell, attention, and a conditional random field over tags."""

from seqwise.layers.attention import Attention
from seqwise.layers.crf import CRF
from seqwise.layers.named import GRU, IRNN, LSTM, RNN, MinGRU, SimplifiedGRU
from seqwise.layers.recurrent import Recurrent

__all__ = ["CRF", "GRU", "IRNN", "LSTM", "RNN", "Attention", "MinGRU", "Recurrent", "SimplifiedGRU"]
