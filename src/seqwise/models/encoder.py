"""Layers that read a sequence, recurrent or a Transformer, behind one interface.

Axis letters: B batch, T steps, D input features, H hidden units, W width of an output.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seqwise.cells import LIBRARY
from seqwise.errors import ConfigurationError
from seqwise.layers import Recurrent
from seqwise.models.encoder_settings import EncoderSettings, current_name
from seqwise.models.initialisation import initialise_recurrent
from seqwise.models.transformer import Cache, TransformerEncoder, reordered

__all__ = ["Encoder", "EncoderSettings", "State", "current_name"]

State = tuple[Tensor, ...]
"""Of a causal encoder: every state of the cell, (layers, B, H) each; of a Transformer its `Cache`."""


class Encoder(nn.Module):
    """Recurrent layers, or a Transformer of their sizes.

    Args:
        settings: see `EncoderSettings`; those of a model are such.
        input_size: D.

    Attributes:
        size: W of a step's output: H of every direction.
        causal: whether no step sees what comes after it; then there are `start`, `read` and `step` too.
        layers: `seqwise.layers.Recurrent`, or a `TransformerEncoder`.
    """

    layers: Recurrent | TransformerEncoder

    def __init__(self, settings: EncoderSettings, input_size: int) -> None:
        super().__init__()
        self.directions = 2 if settings.bidirectional else 1
        self.size, self.causal = settings.hidden_size * self.directions, not settings.bidirectional
        if settings.encoder == "transformer":
            self.layers = TransformerEncoder(
                input_size,
                self.size,
                num_layers=settings.num_layers,
                heads=settings.heads,
                dropout=settings.dropout,
                causal=self.causal,
                context=settings.context,
            )
            return
        self.layers = Recurrent(
            LIBRARY[settings.cell],
            input_size,
            settings.hidden_size,
            num_layers=settings.num_layers,
            batch_first=True,
            dropout=settings.dropout if settings.num_layers > 1 else 0.0,
            bidirectional=settings.bidirectional,
            recurrent_dropout=settings.recurrent_dropout,
            zoneout=settings.zoneout,
            backend=settings.backend,
        )
        initialise_recurrent(self.layers)

    def forward(self, x: Tensor, lengths: Tensor, states: State | None = None) -> tuple[Tensor, Tensor]:
        """Read whole sequences.

        Args:
            x: (B, T, D); what is beyond the lengths is never read.
            lengths: (B,) int64.
            states: that recurrent layers begin with, (layers * directions, B, H) each; zeros if None.

        Returns:
            Outputs (B, T, W), zero beyond the lengths; and what the sequence ends as, (B, W): the final state of each
            direction of the last recurrent layer (of a reverse one that is after the first step), of a Transformer the
            output of the last step.

        Raises:
            ConfigurationError: states for a Transformer, which begins with none.
        """
        if isinstance(self.layers, Recurrent):
            outputs, finals = self.layers(x, _as_given(states), lengths=lengths)
            hidden = finals[0] if isinstance(finals, tuple) else finals
            return outputs, torch.cat(hidden[-self.directions :].unbind(0), dim=-1)
        if states is not None:
            raise ConfigurationError("a Transformer has no states to begin with: give it another first step instead")
        outputs = self.layers(x, lengths)
        return outputs, outputs[torch.arange(x.shape[0], device=x.device), (lengths - 1).clamp(min=0)]

    def start(self, batch: int) -> State:
        """The state before the first step of B sequences: zeros, or an empty cache."""
        self._check_causal("start")
        if isinstance(self.layers, TransformerEncoder):
            return self.layers.start(batch)
        like, layers = next(self.layers.parameters()), self.layers
        states = len(layers.cell.program.states)
        return tuple(like.new_zeros(layers.num_layers, batch, layers.hidden_size) for _ in range(states))

    def read(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Read some steps, (B, T, D) -> (B, T, W), and return the state after them; gradients flow into the given one."""
        self._check_causal("read")
        if isinstance(self.layers, TransformerEncoder):
            return self.layers.read(x, Cache(*state))
        outputs, after = self.layers(x, _as_given(state))
        return outputs, after if isinstance(after, tuple) else (after,)

    @torch.no_grad()
    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one step, (B, D) -> (B, W), as in evaluation; the given state is written to and holds no longer."""
        self._check_causal("step")
        if isinstance(self.layers, TransformerEncoder):
            return self.layers.step(x, Cache(*state))
        output, after = self.layers.step(x, _as_given(state))
        return output, after if isinstance(after, tuple) else (after,)

    def reorder(self, state: State, rows: Tensor) -> State:
        """The state of other rows of the batch, (their number,) int64: a beam goes on from some and leaves others."""
        if isinstance(self.layers, TransformerEncoder):
            return reordered(Cache(*state), rows)
        return tuple(of.index_select(1, rows) for of in state)

    def _check_causal(self, name: str) -> None:
        if not self.causal:
            raise ConfigurationError(
                f"{name}: what reads in both directions needs the whole sequence; use bidirectional=False"
            )


def _as_given(states: State | None) -> Tensor | State | None:
    """As `Recurrent` takes them: a cell of one state has no tuple."""
    return states[0] if states is not None and len(states) == 1 else states
