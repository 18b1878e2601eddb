"""The sides of a comparison: our layer, torch.nn's, and a hand-written loop, all over the same case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqwise.cells import Cell, gru_reset_after, lstm, rnn
from seqwise.experiments.benchmarks.cases import Case, Side, torch_side
from seqwise.experiments.benchmarks.loops import LOOPS, Step
from seqwise.layers import Recurrent
from seqwise.ops import BACKENDS

TORCH_LAYERS: dict[Cell, Callable[[int, int], nn.RNNBase]] = {lstm: nn.LSTM, gru_reset_after: nn.GRU, rnn: nn.RNN}
_PARAMETERS = {
    "weight_ih_l0": "weights input",
    "weight_hh_l0": "weights recurrent",
    "bias_ih_l0": "weights input_bias",
    "bias_hh_l0": "weights recurrent_bias",
    "vector_l0": "weights vectors",
}


def our_backend() -> str:
    """The backend that the table is about; `auto` in a version without it."""
    return "cpu" if "cpu" in BACKENDS else "auto"


def our_side(case: Case, backend: str | None = None) -> Side:
    """Our layer as a user calls it; `backend` is `our_backend()` unless given."""
    backend = backend or our_backend()
    _, _, features, hidden = case.shape
    layer = Recurrent(case.cell, features, hidden, recurrent_dropout=case.recurrent_dropout, backend=backend)
    leaves = _take_leaves(case, layer)

    def forward() -> Sequence[Any]:
        states: Any = tuple(leaves[f"initial {s}"] for s in case.cell.program.states)
        outputs, finals = layer(leaves["x"], states if len(states) > 1 else states[0], lengths=case.lengths)
        return outputs, *_as_tuple(finals)

    return torch_side(f"seqwise ({backend})", case, forward, leaves)


def torch_layer_side(case: Case) -> Side:
    """torch.nn's layer; a ragged batch is packed and padded again, which is what it costs there."""
    _, steps, features, hidden = case.shape
    layer = TORCH_LAYERS[case.cell](features, hidden)
    leaves = _take_leaves(case, layer)

    def forward() -> Sequence[Any]:
        states: Any = tuple(leaves[f"initial {s}"] for s in case.cell.program.states)
        states = states if len(states) > 1 else states[0]
        if case.lengths is None:
            outputs, finals = layer(leaves["x"], states)
        else:
            packed, finals = layer(pack_padded_sequence(leaves["x"], case.lengths, enforce_sorted=False), states)
            outputs, _ = pad_packed_sequence(packed, total_length=steps)
        return outputs, *_as_tuple(finals)

    name = f"torch.nn.{type(layer).__name__}"
    return torch_side(name if case.lengths is None else f"pack_padded_sequence + {name}", case, forward, leaves)


def loop_side(case: Case, step: Step | None = None, name: str = "plain PyTorch loop") -> Side:
    """The loop by hand; `step` may be the compiled one."""
    leaves = case.leaves()
    x, initial, weights = case.arrange(leaves)

    def forward() -> Sequence[Tensor]:
        return LOOPS[case.cell].run(x, initial, weights, case.draw_mask(), step)

    return torch_side(name, case, forward, leaves)


def compiled_loop_side(case: Case) -> Side:
    """The loop with its step through torch.compile.

    Unrolling all steps into one graph takes many minutes of compilation for some hundred steps: not what people do.
    """
    torch._dynamo.reset()  # or the shapes before this one would make it compile for unknown sizes
    step: Callable[..., Any] = torch.compile(LOOPS[case.cell].step, fullgraph=True)
    return loop_side(case, step, "torch.compile of the loop's step")


def _take_leaves(case: Case, layer: nn.Module) -> dict[str, Tensor]:
    """x, states as layers want them (1, B, H), and the layer's own parameters with the case's values."""
    values = case.leaves()
    leaves = {
        name: value.detach().unsqueeze(0).requires_grad_() if name.startswith("initial") else value
        for name, value in values.items()
    }
    for name, parameter in layer.named_parameters():
        with torch.no_grad():
            parameter.copy_(values[_PARAMETERS[name]])
        leaves[_PARAMETERS[name]] = parameter
    return leaves


def _as_tuple(states: Any) -> tuple[Any, ...]:
    return states if isinstance(states, tuple) else (states,)
