"""Recurrent layers for any cell, with the names, shapes and argument order of torch.nn.

Axis letters: B batch, T steps, D input features, H hidden units, L layers times directions, S states.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from seqwise.cells import Cell
from seqwise.errors import ConfigurationError, InputError
from seqwise.layers.arguments import arrange_lengths, arrange_resets, arrange_states, check_share, check_size
from seqwise.layers.stepping import Stepping
from seqwise.ops import Variant, check_backend, recurrence


class Recurrent(Stepping):
    """Any cell, stacked and run over time: what `torch.nn.LSTM` is for the LSTM.

    Arguments after `cell` are those of `torch.nn.LSTM`, in its order and with its defaults.

    Parameters of layer k (suffix `_reverse` for the reverse direction): `weight_ih_lk` (input gates * H, D),
    `weight_hh_lk` (recurrent gates * H, H), `bias_ih_lk`, `bias_hh_lk`, and `vector_lk` (p vectors, H); gates in order
    of first appearance. What the cell does not use does not exist. Cells that torch.nn has (rnn, rnn_relu,
    gru_reset_after, lstm) exchange state dicts with it; the others save `cell_id` beside their weights and refuse
    weights of another cell, which would fit and be wrong.

    Args:
        cell: The recurrence.
        input_size: D.
        hidden_size: H.
        num_layers: Layers stacked on one another.
        bias: Whether projections have biases.
        batch_first: Input and output are (B, T, .) and resets (B, T); otherwise (T, B, .) and (T, B).
        dropout: Share of the outputs of every layer but the last that is zeroed in training.
        bidirectional: Also run from the end; outputs of both directions are concatenated.
        proj_size: Only 0.
        device: Where the parameters live.
        dtype: Their type.
        recurrent_dropout: Share of the units of every vector that enters a recurrent product that is zeroed in
            training: one mask per sequence (Gal & Ghahramani 2016, arXiv:1512.05287).
        zoneout: Share of the units of every state that keep their value of the step before in training; in evaluation
            states move by the expected share (Krueger et al. 2017, arXiv:1606.01305).
        backend: "auto", "cpu" (kernels generated for this processor), "vendor" (cuDNN, oneDNN) or "reference" (plain
            PyTorch).

    Raises:
        ConfigurationError: A value is out of its range, or the backend cannot do what is asked.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        backend: str = "auto",
    ) -> None:
        if not isinstance(cell, Cell):
            raise ConfigurationError(f"cell: expected a cell made with @cell, got {type(cell).__name__}.")
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            check_size(name, size)
        check_share("dropout", dropout, inclusive=True)
        check_share("recurrent_dropout", recurrent_dropout)
        check_share("zoneout", zoneout)
        if proj_size != 0:
            raise ConfigurationError(f"proj_size={proj_size}: projected states are not supported, only 0 is.")
        if recurrent_dropout and not cell.program.stages:
            raise ConfigurationError(f"recurrent_dropout: cell {cell.name} has no recurrent product for it to act on.")
        if dropout and num_layers == 1:
            warnings.warn(f"dropout={dropout} acts between layers, and there is one layer.", stacklevel=2)
        some = torch.empty(0)
        check_backend(
            backend,
            cell.program,
            Variant(recurrent_mask=some if recurrent_dropout else None, zoneout=some if zoneout else None),
        )
        super().__init__(cell, input_size, hidden_size, num_layers, bias, bidirectional, device, dtype)
        self.batch_first, self.dropout, self.proj_size = bool(batch_first), float(dropout), 0
        self.recurrent_dropout, self.zoneout, self.backend = float(recurrent_dropout), float(zoneout), backend

    def forward(
        self,
        input: Tensor | PackedSequence,  # noqa: A002  (torch.nn's name)
        state: Tensor | tuple[Tensor, ...] | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        resets: Tensor | None = None,
        hx: Tensor | tuple[Tensor, ...] | None = None,
    ) -> tuple[Tensor | PackedSequence, Tensor | tuple[Tensor, ...]]:
        """Run the layers over a batch of sequences.

        Args:
            input: (T, B, D), (B, T, D) with `batch_first`, (T, D) for one sequence, or a packed sequence.
            state: Initial states (L, B, H), or (L, H) for one sequence; a tuple of as many as the cell has states, if
                that is more than one. Zeros if None.
            lengths: (B,) how many steps of each sequence exist, 0 to T. What the input holds beyond is never read, and
                outputs there are zero.
            resets: bool, (T, B) or (B, T) as the input, or (T,): the states are zero before this step, as if another
                sequence began there. The reverse direction is cut at the same place.
            hx: torch.nn's name of `state`.

        Returns:
            Outputs (T, B, H * directions), laid out as the input, or packed as it is; and the states after the last
            step of each sequence, shaped as `state`.

        Raises:
            InputError: An argument has the wrong shape, type or values.
        """
        if hx is not None and state is not None:
            raise InputError("hx is another name of state: give one of them.")
        state = hx if state is None else state
        if isinstance(input, PackedSequence):
            if lengths is not None:
                raise InputError("lengths: a packed sequence has its own.")
            return self._forward_packed(input, state, resets)
        if input.dim() not in (2, 3) or input.shape[-1] != self.input_size:
            raise InputError(
                f"input: expected 2 or 3 dimensions, the last of size {self.input_size} (input_size), "
                f"got shape {tuple(input.shape)}."
            )
        single = input.dim() == 2
        if single and lengths is not None:
            raise InputError("lengths: an unbatched input has no padding.")
        x = input.unsqueeze(1) if single else input.transpose(0, 1) if self.batch_first else input
        layers = self.num_layers * (2 if self.bidirectional else 1)
        states = arrange_states(state, self.cell.program.states, (layers, x.shape[1], self.hidden_size), x, single)
        outputs, finals = self._run(
            x,
            states,
            arrange_lengths(lengths, x),
            arrange_resets(resets, input.shape[:-1], transpose=self.batch_first and not single, single=single),
        )
        if single:
            outputs, finals = outputs.squeeze(1), tuple(s.squeeze(1) for s in finals)
        elif self.batch_first:
            outputs = outputs.transpose(0, 1)
        return outputs, finals if len(finals) > 1 else finals[0]

    def _forward_packed(
        self, packed: PackedSequence, state: Any, resets: Tensor | None
    ) -> tuple[PackedSequence, Tensor | tuple[Tensor, ...]]:
        padded, lengths = pad_packed_sequence(packed, batch_first=self.batch_first)
        outputs, finals = self(padded, state, lengths=lengths, resets=resets)
        order = packed.sorted_indices
        if order is not None:  # lay the rows out as they came
            outputs, lengths = outputs.index_select(0 if self.batch_first else 1, order), lengths[order.cpu()]
        data = pack_padded_sequence(outputs, lengths, batch_first=self.batch_first).data
        return PackedSequence(data, packed.batch_sizes, order, packed.unsorted_indices), finals

    def _run(
        self, x: Tensor, states: tuple[Tensor, ...], lengths: Tensor | None, resets: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """All layers: x (T, B, D), states each (L, B, H) -> outputs (T, B, .), final states each (L, B, H)."""
        finals: list[tuple[Tensor, ...]] = []
        for layer, endings in enumerate(self._endings()):
            outputs = []
            for direction, ending in enumerate(endings):
                result = recurrence(
                    self.cell,
                    x,
                    tuple(s[len(finals)] for s in states),
                    self._weights(ending),
                    Variant(
                        lengths,
                        resets,
                        reverse=direction == 1,
                        recurrent_mask=self._draw_recurrent_mask(x),
                        zoneout=self._draw_zoneout(x),
                    ),
                    backend=self.backend,
                )
                outputs.append(result.outputs)
                finals.append(result.finals)
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
            if layer < self.num_layers - 1:
                x = nn.functional.dropout(x, self.dropout, self.training)
        if len(finals) == 1:  # a view is enough
            return x, tuple(state.unsqueeze(0) for state in finals[0])
        return x, tuple(torch.stack(layers) for layers in zip(*finals, strict=True))

    def _draw_recurrent_mask(self, x: Tensor) -> Tensor | None:
        if not self.recurrent_dropout or not self.training:
            return None
        kept = 1 - self.recurrent_dropout
        return x.new_empty(x.shape[1], self.hidden_size).bernoulli_(kept).div_(kept)

    def _draw_zoneout(self, x: Tensor) -> Tensor | None:
        if not self.zoneout:
            return None
        states = len(self.cell.program.states)
        if self.training:
            return x.new_empty(states, *x.shape[:2], self.hidden_size).bernoulli_(self.zoneout)
        return x.new_full((states, 1, 1, 1), self.zoneout)

    def extra_repr(self) -> str:
        """Sizes, and the options that differ from their defaults."""
        options = (
            "num_layers",
            "bias",
            "batch_first",
            "dropout",
            "bidirectional",
            "recurrent_dropout",
            "zoneout",
            "backend",
        )
        defaults = (1, True, False, 0.0, False, 0.0, 0.0, "auto")
        shown = [str(self.input_size), str(self.hidden_size)]
        shown += [
            f"{name}={getattr(self, name)!r}"
            for name, default in zip(options, defaults, strict=True)
            if getattr(self, name) != default
        ]
        return ", ".join(([self.cell.name] if type(self) is Recurrent else []) + shown)
