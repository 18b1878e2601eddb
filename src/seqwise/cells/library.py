"""The equations that come with Seqwise, each with its source."""

from __future__ import annotations

from typing import Any

from seqwise.cells.cell import cell
from seqwise.cells.notation import relu, sigmoid, tanh

__all__ = [
    "gru",
    "gru_reset_after",
    "gru_simplified",
    "lstm",
    "lstm_peephole",
    "lstm_tanh_forget",
    "min_gru",
    "rnn",
    "rnn_relu",
]


@cell
def rnn(x: Any, h: Any) -> Any:
    """Elman 1990, "Finding structure in time"."""
    return tanh(x.h + h.h)


@cell
def rnn_relu(x: Any, h: Any) -> Any:
    """Le, Jaitly & Hinton 2015, "A simple way to initialize recurrent networks of rectified linear units"."""
    return relu(x.h + h.h)


@cell
def gru_simplified(x: Any, h: Any) -> Any:
    """Chung et al. 2014 with the reset gate left out, as introductory lectures write it."""
    z = sigmoid(x.z + h.z)
    n = tanh(x.n + h.n)
    return (1 - z) * h + z * n


@cell
def gru(x: Any, h: Any) -> Any:
    """Reset before the product: Cho et al. 2014, arXiv:1406.1078; blend: Chung et al. 2014, arXiv:1412.3555."""
    r = sigmoid(x.r + h.r)
    z = sigmoid(x.z + h.z)
    n = tanh(x.n + (r * h).n)
    return (1 - z) * h + z * n


@cell
def gru_reset_after(x: Any, h: Any) -> Any:
    """The GRU of cuDNN and torch.nn: Cho et al. 2014, arXiv:1406.1078, with the reset after the product."""
    r = sigmoid(x.r + h.r)
    z = sigmoid(x.z + h.z)
    n = tanh(x.n + r * h.n)
    return (1 - z) * n + z * h


@cell
def lstm(x: Any, h: Any, c: Any) -> Any:
    """Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000."""
    i = sigmoid(x.i + h.i)
    f = sigmoid(x.f + h.f)
    g = tanh(x.g + h.g)
    o = sigmoid(x.o + h.o)
    c = f * c + i * g
    return o * tanh(c), c


@cell
def lstm_tanh_forget(x: Any, h: Any, c: Any) -> Any:
    """The LSTM with tanh in place of the forget gate's sigmoid, a variation named in lectures."""
    i = sigmoid(x.i + h.i)
    f = tanh(x.f + h.f)
    g = tanh(x.g + h.g)
    o = sigmoid(x.o + h.o)
    c = f * c + i * g
    return o * tanh(c), c


@cell
def lstm_peephole(x: Any, h: Any, c: Any, p: Any) -> Any:
    """Gers & Schmidhuber 2000, "Recurrent nets that time and count": the gates see the cell state."""
    i = sigmoid(x.i + h.i + p.i * c)
    f = sigmoid(x.f + h.f + p.f * c)
    g = tanh(x.g + h.g)
    c = f * c + i * g
    o = sigmoid(x.o + h.o + p.o * c)
    return o * tanh(c), c


@cell
def min_gru(x: Any, h: Any) -> Any:
    """Feng et al. 2024, "Were RNNs all we needed?", arXiv:2410.01201: the gates see only the input."""
    z = sigmoid(x.z)
    n = x.n
    return (1 - z) * h + z * n
