"""Recurrent layers with the interface of torch.nn, for any cell, attention, and a conditional random field over tags."""

from seqwise.layers.attention import Attention
from seqwise.layers.crf import CRF
from seqwise.layers.named import GRU, IRNN, LSTM, RNN, MinGRU, SimplifiedGRU
from seqwise.layers.recurrent import Recurrent
from seqwise.layers.tracing import LayerTrace, trace_layers

__all__ = [
    "CRF",
    "GRU",
    "IRNN",
    "LSTM",
    "RNN",
    "Attention",
    "LayerTrace",
    "MinGRU",
    "Recurrent",
    "SimplifiedGRU",
    "trace_layers",
]
