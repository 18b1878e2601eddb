"""One time step at a time, for generation and streams: no autograd, and nothing is allocated from the second step on.

Axis letters: B batch, D input features, H hidden units, L layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from seqwise.cells import Cell
from seqwise.errors import InputError
from seqwise.kernels.contract import Variant, Weights
from seqwise.ops.backends import choose_backend
from seqwise.ops.recurrence import recurrence

if TYPE_CHECKING:
    from seqwise.kernels.cpu.stepping import Stack


class _Checked(NamedTuple):
    """States that were found right: their addresses, those of every layer's part, and the view that is the output."""

    states: tuple[Tensor, ...]
    addresses: tuple[int, ...]
    layers: list[list[int]]
    output: Tensor


class Steps:
    """Stacked layers with the weights of this moment, ready to take steps.

    Args:
        cell: The recurrence.
        layers: The parameters of each layer, bottom first.
        batch: B.
        hidden: H.
        zoneout: Share of every state that stays, as in evaluation.
        backend: As in `recurrence`.

    Attributes:
        stack: The layers for callers that vouch for addresses themselves; None where no kernel takes single steps.
    """

    def __init__(
        self, cell: Cell, layers: Sequence[Weights], batch: int, hidden: int, zoneout: float, backend: str
    ) -> None:
        like = layers[0].input
        self._cell, self._layers, self._backend = cell, tuple(layers), backend
        self._shapes = (batch, like.shape[1]), (len(layers), batch, hidden)
        self._like = like
        states = len(cell.program.states)
        kept = like.new_full((states, 1, 1, 1), zoneout) if zoneout else None
        self._variant = Variant(zoneout=kept)
        chosen = choose_backend(backend, cell.program, self._variant, like)
        self.stack: Stack | None = None
        if chosen.stepper is not None:
            from seqwise.kernels.cpu.stepping import Stack  # brings the compiler with it

            self.stack = Stack([chosen.stepper(cell.program, weights, batch, hidden, zoneout) for weights in layers])
        self._bytes = batch * hidden * like.element_size()  # of one layer's state
        self._known = _Checked((), (), [], like)

    def __call__(self, x: Tensor, states: tuple[Tensor, ...]) -> Tensor:
        """Take one step.

        Args:
            x: (B, D).
            states: For each state (L, B, H), contiguous; the new states take their place.

        Returns:
            (B, H): a view of the first state's last layer.

        Raises:
            InputError: A tensor has the wrong shape, dtype, device or layout.
        """
        like, known = self._like, self._known
        if x.shape != self._shapes[0] or x.dtype is not like.dtype or x.device != like.device:
            self._check("input", x, self._shapes[0])
        addresses = tuple([s.data_ptr() for s in states])
        # The states of the step before need no second look, unless somebody has given them other memory.
        if known.states is not states or known.addresses != addresses:
            known = self._known = self._check_states(states, addresses)
        if self.stack is None:
            self._step_plainly(x, states)
            return known.output
        x = x if x.is_contiguous() else x.contiguous()
        self.stack.take(x.data_ptr(), known.layers)
        return known.output

    def _check_states(self, states: tuple[Tensor, ...], addresses: tuple[int, ...]) -> _Checked:
        names = self._cell.program.states
        if len(states) != len(names):
            raise InputError(f"state: expected {len(names)} tensors ({', '.join(names)}), got {len(states)}.")
        for name, state in zip(names, states, strict=True):
            self._check(f"state {name}", state, self._shapes[1])
            if not state.is_contiguous():
                raise InputError(f"state {name}: expected a contiguous tensor, since it is updated in place.")
        layers = [[address + k * self._bytes for address in addresses] for k in range(len(self._layers))]
        return _Checked(states, addresses, layers, states[0].detach()[-1])

    @torch.no_grad()
    def _step_plainly(self, x: Tensor, states: tuple[Tensor, ...]) -> None:
        for layer, weights in enumerate(self._layers):
            own = tuple(state[layer] for state in states)
            result = recurrence(self._cell, x.unsqueeze(0), own, weights, self._variant, backend=self._backend)
            for state, new in zip(own, result.finals, strict=True):
                state.copy_(new)
            x = own[0]

    def _check(self, name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
        like = self._like
        if tensor.shape == shape and tensor.dtype is like.dtype and tensor.device == like.device:
            return
        if tensor.shape != shape:
            raise InputError(f"{name}: expected shape {shape}, got {tuple(tensor.shape)}.")
        wanted, given = f"{like.dtype} on {like.device}", f"{tensor.dtype} on {tensor.device}"
        raise InputError(f"{name}: expected {wanted}, where the parameters are, got {given}.")
