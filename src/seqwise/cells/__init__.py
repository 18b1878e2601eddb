"""Recurrences as equations: the notation, its tracing to a program, and the equations that come with Seqwise."""

from seqwise.cells.cell import Cell, cell
from seqwise.cells.derive import Derivative, derive
from seqwise.cells.equations import Equations
from seqwise.cells.library import (
    gru,
    gru_reset_after,
    gru_simplified,
    lstm,
    lstm_peephole,
    lstm_tanh_forget,
    min_gru,
    rnn,
    rnn_relu,
)
from seqwise.cells.linearity import Linearity, find_linearity
from seqwise.cells.notation import absolute, cos, exp, log, relu, sigmoid, sin, softplus, sqrt, tanh
from seqwise.cells.program import Node, Program, Stage

LIBRARY: dict[str, Cell] = {
    c.name: c
    for c in (rnn, rnn_relu, gru_simplified, gru, gru_reset_after, lstm, lstm_tanh_forget, lstm_peephole, min_gru)
}
"""The built-in cells by name."""

__all__ = [
    "LIBRARY",
    "Cell",
    "Derivative",
    "Equations",
    "Linearity",
    "Node",
    "Program",
    "Stage",
    "absolute",
    "cell",
    "cos",
    "derive",
    "exp",
    "find_linearity",
    "gru",
    "gru_reset_after",
    "gru_simplified",
    "log",
    "lstm",
    "lstm_peephole",
    "lstm_tanh_forget",
    "min_gru",
    "relu",
    "rnn",
    "rnn_relu",
    "sigmoid",
    "sin",
    "softplus",
    "sqrt",
    "tanh",
]
