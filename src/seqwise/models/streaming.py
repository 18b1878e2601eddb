"""A sequence model one step at a time: exactly what the whole sequence until then would give.

Axis letters: B sequences side by side, W width of an encoder's output, D numbers of a frame, C outputs.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from seqwise.errors import ConfigurationError
from seqwise.models.classifier import RecurrentPart, SequenceModel
from seqwise.models.encoder import State


class Running(NamedTuple):
    """What has to be remembered of the steps so far.

    Attributes:
        encoder: its state.
        steps: how many there were.
        total: sum of the outputs, (B, W).
        greatest: the greatest of each unit, (B, W); minus infinity before the first.
        weighed: sum of the outputs by their attention, (B, W), over exp(highest).
        weight: sum of the attention, (B, 1), over exp(highest).
        highest: the highest score of attention, (B, 1); minus infinity before the first.
    """

    encoder: State
    steps: int
    total: Tensor
    greatest: Tensor
    weighed: Tensor
    weight: Tensor
    highest: Tensor


def start(model: SequenceModel, batch: int) -> Running:
    """Return the state before the first step of B sequences.

    Raises:
        ConfigurationError: the model reads sequences from both ends, or n-grams too: it needs them whole.
    """
    part = _recurrent(model)
    like = next(part.parameters()).new_zeros(batch, part.recurrent.size)
    low = torch.full_like(like, -torch.inf)
    return Running(part.recurrent.start(batch), 0, like, low, like, like[:, :1], low[:, :1])


@torch.no_grad()
def step(model: SequenceModel, x: Tensor, state: Running) -> tuple[Tensor, Running]:
    """Read one step, and return what the model says of the sequence until now, (B, C), and the state after it.

    Args:
        model: in evaluation mode.
        x: symbols (B,) int64, or frames (B, D).
        state: of `start` or of the step before; it is written to and holds no longer.
    """
    part = _recurrent(model)
    embedded = x if part.embedding is None else part.embedding(x)
    if part.positions is not None:
        place = min(state.steps, part.positions.num_embeddings - 1)
        embedded = embedded + part.positions.weight[place]
    output, encoder = part.recurrent.step(embedded, state.encoder)
    highest, weight, weighed = state.highest, state.weight, state.weighed
    if "attention" in part.pooling.names:
        score = part.pooling.query(torch.tanh(part.pooling.key(output)))
        highest = torch.maximum(state.highest, score)
        fading, share = (state.highest - highest).exp(), (score - highest).exp()
        weight, weighed = state.weight * fading + share, state.weighed * fading + share * output
    now = Running(
        encoder,
        state.steps + 1,
        state.total + output,
        torch.maximum(state.greatest, output),
        weighed,
        weight,
        highest,
    )
    pooled = {
        "last": output,
        "mean": now.total / now.steps,
        "max": now.greatest,
        "attention": weighed / weight if "attention" in part.pooling.names else output,
    }
    logits = part.head(torch.cat([pooled[name] for name in part.pooling.names], -1))
    return logits * model.scales[0] + model.shift, now


def _recurrent(model: SequenceModel) -> RecurrentPart:
    part = model.parts["recurrent"] if list(model.parts) == ["recurrent"] else None
    if not isinstance(part, RecurrentPart) or not part.recurrent.causal:
        raise ConfigurationError(
            "one step at a time goes with model.architecture 'recurrent' and model.bidirectional false only: what reads "
            "from both ends, or n-grams, needs the whole sequence"
        )
    return part
