"""One time step at a time, for generation and streams: no autograd, and nothing is allocated from the second step on.

Axis letters: B batch, D input features, H hidden units, L layers.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import torch
from torch import Tensor

from seqwise.cells import Cell
from seqwise.errors import InputError
from seqwise.kernels.contract import Variant, Weights
from seqwise.ops.backends import choose_backend
from seqwise.ops.recurrence import recurrence


class Steps:
    """Stacked layers with the weights of this moment, ready to take steps.

    Args:
        cell: The recurrence.
        layers: The parameters of each layer, bottom first.
        batch: B.
        hidden: H.
        zoneout: Share of every state that stays, as in evaluation.
        backend: As in `recurrence`.
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
        self._steppers = [
            chosen.stepper(cell.program, weights, batch, hidden, zoneout) for weights in layers if chosen.stepper
        ]
        self._lock = threading.Lock()  # the steppers' memory serves one caller at a time
        self._bytes = batch * hidden * like.element_size()  # of one layer's state

    def __call__(self, x: Tensor, states: tuple[Tensor, ...]) -> None:
        """Take one step.

        Args:
            x: (B, D).
            states: For each state (L, B, H), contiguous; the new states take their place.

        Raises:
            InputError: A tensor has the wrong shape, dtype, device or layout.
        """
        names = self._cell.program.states
        if len(states) != len(names):
            raise InputError(f"state: expected {len(names)} tensors ({', '.join(names)}), got {len(states)}.")
        self._check("input", x, self._shapes[0])
        for name, state in zip(names, states, strict=True):
            self._check(f"state {name}", state, self._shapes[1])
            if not state.is_contiguous():
                raise InputError(f"state {name}: expected a contiguous tensor, since it is updated in place.")
        if not self._steppers:
            self._step_plainly(x, states)
            return
        x = x.contiguous()
        source, addresses = x.data_ptr(), [s.data_ptr() for s in states]
        with self._lock:
            for layer, stepper in enumerate(self._steppers):
                own = [address + layer * self._bytes for address in addresses]
                stepper.step(source, own)
                source = own[0]

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
        if tensor.shape != shape:
            raise InputError(f"{name}: expected shape {shape}, got {tuple(tensor.shape)}.")
        if tensor.dtype != like.dtype or tensor.device != like.device:
            wanted, given = f"{like.dtype} on {like.device}", f"{tensor.dtype} on {tensor.device}"
            raise InputError(f"{name}: expected {wanted}, where the parameters are, got {given}.")
