"""Recurrent layers one time step at a time.

Axis letters: B batch, D input features, H hidden units, L layers.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from torch import Tensor

from seqwise.errors import ConfigurationError, InputError
from seqwise.layers.arguments import arrange_states
from seqwise.layers.parameters import RecurrentParameters
from seqwise.ops import Steps

# What the last call of each layer prepared, and for which weights and batch size. Not an attribute: a layer is copied and
# saved, prepared steps are not.
_PREPARED: WeakKeyDictionary[RecurrentParameters, tuple[list[int], Steps]] = WeakKeyDictionary()


class Stepping(RecurrentParameters):
    """What `Recurrent` has for generation and streams."""

    zoneout: float
    backend: str

    def step(
        self,
        input: Tensor,  # noqa: A002  (torch.nn's name)
        state: Tensor | tuple[Tensor, ...] | None = None,
    ) -> tuple[Tensor, Tensor | tuple[Tensor, ...]]:
        """Take one time step for one or many streams, as in evaluation, without autograd.

        The state is updated in place. From the second call with the same weights and batch size on, nothing is allocated.

        Args:
            input: (B, D).
            state: As `forward` takes it, (L, B, H) each; zeros are made if None, to be passed to the next call.

        Returns:
            The output (B, H), which is a view of the state and holds until the next step; and the state.

        Raises:
            InputError: A tensor has the wrong shape, dtype, device or layout.
            ConfigurationError: The layer is bidirectional: its reverse direction begins at the end.
        """
        if self.bidirectional:
            raise ConfigurationError("step: a bidirectional layer needs the whole sequence; use bidirectional=False.")
        if input.dim() != 2:
            raise InputError(f"input: expected shape (B, {self.input_size}), got {tuple(input.shape)}.")
        if state is None:
            shape = (self.num_layers, input.shape[0], self.hidden_size)
            states = arrange_states(None, self.cell.program.states, shape, input.detach(), False)
        else:
            states = state if isinstance(state, tuple) else (state,)
        output = self._find_steps(input.shape[0])(input, states)
        return output, states if len(states) > 1 else states[0]

    def prepare(self, batch: int) -> Steps:
        """What `step` uses, for callers that keep it as long as the weights stay as they are."""
        return self._find_steps(batch)

    def _find_steps(self, batch: int) -> Steps:
        key = [batch]
        for parameter in self._parameters.values():
            if parameter is not None:
                key += parameter.data_ptr(), parameter._version
        known = _PREPARED.get(self)
        if known is None or known[0] != key:
            layers = [self._weights(ending) for layer in self._endings() for ending in layer]
            steps = Steps(self.cell, layers, batch, self.hidden_size, self.zoneout, self.backend)
            known = _PREPARED[self] = (key, steps)
        return known[1]
