"""The outside oracle of the cell laws: every cell again, by hand, one row and one step at a time, without our code.

Parameters come as dictionaries from gate to matrix or vector, so that nothing here knows how rows are laid out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seqwise import cell
from seqwise.cells import (
    LIBRARY,
    Cell,
    absolute,
    cos,
    exp,
    log,
    relu,
    sigmoid,
    sin,
    softplus,
    sqrt,
    tanh,
)
from seqwise.ops import Variant, Weights


@cell
def two_stages(x, h, c, p):
    """A cell of a user's own: two recurrent products, two states, learned vectors, a gate shared by neither."""
    s = sigmoid(x.s + h.s + p.a * c)
    m = tanh((s * h + c).m - x.m)
    c = s * c + (1 - s) * m * p.b
    return m * tanh(c) / 2 + 0.1 * h, c


@cell
def every_function(x, h, a, b):
    """Three states and every elementwise function that the notation has."""
    u = exp(-softplus(x.u + a.u)) + sqrt(1 + (h.v + b.v2) ** 2)
    w = log(1.5 + absolute(x.w)) * cos(a) - sin(b) / u
    return tanh(w + u), -relu(w) + 0.5 * a, 1 / (1 + abs(h)) + b**3 * 0.1


OWN = {c.name: c for c in (two_stages, every_function)}
CELLS: dict[str, Cell] = LIBRARY | OWN

Step = Callable[..., Any]


def _rnn(W, U, p, x, h):
    return (torch.tanh(W["h"](x) + U["h"](h)),)


def _rnn_relu(W, U, p, x, h):
    return ((W["h"](x) + U["h"](h)).clamp(min=0),)


def _gru_simplified(W, U, p, x, h):
    z = torch.sigmoid(W["z"](x) + U["z"](h))
    return (z * torch.tanh(W["n"](x) + U["n"](h)) + (1 - z) * h,)


def _gru(W, U, p, x, h):
    r, z = torch.sigmoid(W["r"](x) + U["r"](h)), torch.sigmoid(W["z"](x) + U["z"](h))
    return (z * torch.tanh(W["n"](x) + U["n"](r * h)) + (1 - z) * h,)


def _gru_reset_after(W, U, p, x, h):
    r, z = torch.sigmoid(W["r"](x) + U["r"](h)), torch.sigmoid(W["z"](x) + U["z"](h))
    return ((1 - z) * torch.tanh(W["n"](x) + r * U["n"](h)) + z * h,)


def _lstm(W, U, p, x, h, c, forget=torch.sigmoid, peephole=False):
    see = (lambda gate, state: p[gate] * state) if peephole else (lambda gate, state: 0)
    i = torch.sigmoid(W["i"](x) + U["i"](h) + see("i", c))
    f = forget(W["f"](x) + U["f"](h) + see("f", c))
    new = f * c + i * torch.tanh(W["g"](x) + U["g"](h))
    o = torch.sigmoid(W["o"](x) + U["o"](h) + see("o", new))
    return o * torch.tanh(new), new


def _lstm_tanh_forget(*args):
    return _lstm(*args, forget=torch.tanh)


def _lstm_peephole(*args):
    return _lstm(*args, peephole=True)


def _min_gru(W, U, p, x, h):
    z = torch.sigmoid(W["z"](x))
    return ((1 - z) * h + z * W["n"](x),)


def _two_stages(W, U, p, x, h, c):
    s = torch.sigmoid(W["s"](x) + U["s"](h) + p["a"] * c)
    m = torch.tanh(U["m"](s * h + c) - W["m"](x))
    new = s * c + (1 - s) * m * p["b"]
    return m * torch.tanh(new) / 2 + 0.1 * h, new


def _every_function(W, U, p, x, h, a, b):
    u = 1 / (1 + torch.exp(W["u"](x) + U["u"](a))) + (1 + (U["v"](h) + U["v2"](b)) ** 2) ** 0.5
    w = torch.log(1.5 + W["w"](x).abs()) * torch.cos(a) - torch.sin(b) / u
    return torch.tanh(w + u), -(w.clamp(min=0)) + 0.5 * a, 1 / (1 + h.abs()) + 0.1 * b**3


STEPS: dict[str, Step] = {name: globals()["_" + name] for name in CELLS}
"""Cell name -> the equation by hand, step(W, U, p, x (D,), states (H,)...) -> next states."""

# (cell, kind of projection) -> gates in the order in which the layout must hold them, written down by hand.
INPUT_GATES = {
    "rnn": "h", "rnn_relu": "h", "gru_simplified": "z n", "gru": "r z n", "gru_reset_after": "r z n",
    "lstm": "i f g o", "lstm_tanh_forget": "i f g o", "lstm_peephole": "i f g o", "min_gru": "z n",
    "two_stages": "s m", "every_function": "u w",
}  # fmt: skip
RECURRENT_GATES = INPUT_GATES | {"min_gru": "", "every_function": "u v v2"}
VECTORS = {"lstm_peephole": "i f o", "two_stages": "a b"}


def run_by_hand(
    name: str, x: Tensor, initial: tuple[Tensor, ...], weights: Weights, variant: Variant
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """All states of all steps (T, B, H), zero on padding, and final states (B, H), row by row."""
    steps, batch, _ = x.shape
    hidden = initial[0].shape[1]
    W = _project(INPUT_GATES[name], weights.input, weights.input_bias, hidden)
    U = _project(RECURRENT_GATES[name], weights.recurrent, weights.recurrent_bias, hidden)
    p = {gate: weights.vectors[k] for k, gate in enumerate(VECTORS.get(name, "").split())}
    tracks, finals = [], []
    for row in range(batch):
        length = steps if variant.lengths is None else int(variant.lengths[row])
        states = tuple(s[row] for s in initial)
        track = [tuple(torch.zeros_like(s) for s in states)] * steps
        for t in reversed(range(length)) if variant.reverse else range(length):
            # A reset at t begins a new part at t; the reverse direction enters the part before it at t - 1.
            border = t + 1 if variant.reverse else t
            if variant.resets is not None and border < length and bool(variant.resets[border, row]):
                states = tuple(torch.zeros_like(s) for s in states)
            seen = x[t, row] if variant.input_mask is None else x[t, row] * variant.input_mask[row]
            mask = 1 if variant.recurrent_mask is None else variant.recurrent_mask[row]
            masked = {gate: (lambda v, f=f, mask=mask: f(v * mask)) for gate, f in U.items()}
            new = STEPS[name](W, masked, p, seen, *states)
            if variant.zoneout is not None:
                kept = variant.zoneout.expand(len(states), steps, batch, hidden)[:, t, row]
                new = tuple(k * old + (1 - k) * n for k, old, n in zip(kept, states, new, strict=True))
            states = track[t] = new
        tracks.append(track)
        finals.append(states)
    count = len(initial)
    return (
        tuple(torch.stack([torch.stack([row[t][k] for row in tracks]) for t in range(steps)]) for k in range(count)),
        tuple(torch.stack([row[k] for row in finals]) for k in range(count)),
    )


def _project(gates: str, matrix: Tensor | None, bias: Tensor | None, hidden: int) -> dict[str, Callable]:
    projections = {}
    for k, gate in enumerate(gates.split()):
        rows = slice(k * hidden, (k + 1) * hidden)
        offset = 0 if bias is None else bias[rows]
        projections[gate] = lambda v, m=matrix[rows], b=offset: m @ v + b
    return projections
