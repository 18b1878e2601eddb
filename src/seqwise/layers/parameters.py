"""The parameters of stacked recurrent layers: names, shapes and first values as in torch.nn, for any cell.

Axis letters: D input features, H hidden units.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from seqwise.cells import Cell
from seqwise.ops import BACKENDS, Variant, Weights

_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "vector")


class RecurrentParameters(nn.Module):
    """Owns the parameters that `Recurrent` runs with, and guards their state dict.

    The equation is part of what weights mean, and a state dict holds none. Cells that torch.nn has exchange state dicts
    with it; every other cell saves its fingerprint as `cell_id` and refuses weights with another one or none.

    Args:
        cell: The recurrence.
        input_size: D.
        hidden_size: H.
        num_layers: Layers stacked on one another.
        bias: Whether projections have biases.
        bidirectional: Whether there is a reverse direction.
        device: Where the parameters live.
        dtype: Their type.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        bidirectional: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        self.cell = cell
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.bidirectional = bool(bias), bool(bidirectional)
        for layer, endings in enumerate(self._endings()):
            features = input_size if layer == 0 else hidden_size * len(endings)
            for ending in endings:
                for name, shape in self._shapes(features).items():
                    parameter = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                    self.register_parameter(name + ending, parameter)
        if not self._is_torchs:
            self.register_buffer("cell_id", torch.tensor(cell.program.fingerprint, device=device))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw every parameter from U(-1/sqrt(H), 1/sqrt(H)), in torch.nn's order."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The parameters, one list per layer and direction, as in torch.nn."""
        present = dict(self.named_parameters(recurse=False))
        endings = [ending for layer in self._endings() for ending in layer]
        return [[present[name + end] for name in _NAMES if name + end in present] for end in endings]

    def flatten_parameters(self) -> None:
        """Nothing to do: there for code that calls it on torch.nn's layers."""

    def _endings(self) -> list[list[str]]:
        """For every layer the ends of its parameters' names, one per direction."""
        suffixes = ("", "_reverse") if self.bidirectional else ("",)
        return [[f"_l{layer}{suffix}" for suffix in suffixes] for layer in range(self.num_layers)]

    def _weights(self, ending: str) -> Weights:
        recurrent, input_bias, recurrent_bias, vectors = (
            getattr(self, name + ending, None) for name in ("weight_hh", "bias_ih", "bias_hh", "vector")
        )
        return Weights(getattr(self, "weight_ih" + ending), recurrent, input_bias, recurrent_bias, vectors)

    def _shapes(self, features: int) -> dict[str, tuple[int, ...]]:
        program, hidden = self.cell.program, self.hidden_size
        rows, recurrent = len(program.input_gates) * hidden, len(program.recurrent_gates) * hidden
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, features)}
        if recurrent:
            shapes["weight_hh"] = (recurrent, hidden)
        if self.bias:
            shapes["bias_ih"] = (rows,)
        if self.bias and recurrent:
            shapes["bias_hh"] = (recurrent,)
        if program.vectors:
            shapes["vector"] = (len(program.vectors), hidden)
        return shapes

    @property
    def _is_torchs(self) -> bool:
        return not BACKENDS["vendor"].find_obstacle(self.cell.program, Variant())

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        saved = state_dict.get(prefix + "cell_id")
        expected = None if self._is_torchs else self.cell.program.fingerprint
        if prefix + "weight_ih_l0" in state_dict and (None if saved is None else int(saved)) != expected:
            error_msgs.append(
                f"{prefix or 'this layer'}: these weights were saved for another equation than cell {self.cell.name!r}; "
                "torch.nn and other cells use the same names and shapes, so that they would fit and be wrong"
                + (" (torch.nn.GRU's belong to GRU(reset_after=True))." if self.cell.name == "gru" else ".")
            )
            return
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
