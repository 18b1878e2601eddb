"""How a tagger is fitted: its loss, and the batches of an epoch."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from seqwise.data import EpochBatches, LengthBatches
from seqwise.data.windows import Windows
from seqwise.errors import ConfigurationError
from seqwise.layers.crf import FORBIDDEN
from seqwise.losses import ImbalanceSettings, make_loss
from seqwise.models import FramedExamples, TaggedExamples, TaggerNetwork, TaggerSettings
from seqwise.training import TrainingSettings


class Examples(Protocol):
    """Sequences ready for a tagger: words or frames."""

    @property
    def lengths(self) -> np.ndarray:
        """Steps of each: what batches are sorted by."""

    def batch(self, indices: np.ndarray) -> Any:
        """Those at `indices` as one padded batch, with `lengths`, `live` and `targets`."""


class Scored(nn.Module):
    """A tagger and the loss that it is fitted by.

    Args:
        network: what is fitted.
        imbalance: the loss of each step; a conditional random field takes weights of tags only.
        counts: of the tags in training, (C,).
        weights: of the tags, (C,), or None.
        scale: the losses of a sequence are summed and divided by this, the mean number of steps that have a tag: every step
            counts alike.
        partial: whether steps may have no tag, which is then a target below 0.

    Raises:
        ConfigurationError: weights for a conditional random field of steps without a tag.
    """

    def __init__(
        self,
        network: TaggerNetwork,
        imbalance: ImbalanceSettings,
        counts: np.ndarray,
        weights: Tensor | None,
        scale: float,
        *,
        partial: bool = False,
    ) -> None:
        super().__init__()
        if network.crf is not None and partial and weights is not None:
            raise ConfigurationError(
                "class weights of a conditional random field are for sequences whose every step has a label: set model.head "
                "to 'softmax'"
            )
        self.network, self.scale, self.progress, self._partial = network, scale, 0.0, partial
        self.of_steps = make_loss(imbalance, counts, weights) if network.crf is None else None
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, batch: Any) -> Tensor:
        """The loss of each sequence, (B,)."""
        emissions = self.network(batch)
        if self.network.crf is not None:
            return self._of_chains(emissions, batch) / self.scale
        assert self.of_steps is not None
        known = batch.live & (batch.targets >= 0) if self._partial else batch.live
        losses = self.of_steps(emissions[known].float(), batch.targets[known], progress=self.progress)
        rows = torch.arange(len(known), device=known.device)[:, None].expand_as(known)[known]
        return losses.new_zeros(len(known)).index_add(0, rows, losses) / self.scale

    def _of_chains(self, emissions: Tensor, batch: Any) -> Tensor:
        """-log P(the known tags | x), (B,): that of any tags that hold them, less that of the same given the known ones."""
        crf, weights = self.network.crf, self.weights
        assert crf is not None
        if not self._partial:
            of_steps = weights[batch.targets] if isinstance(weights, Tensor) else None
            return crf(emissions, batch.targets, batch.lengths, of_steps)
        known = batch.targets >= 0
        tags = batch.targets.clamp(min=0)
        others = torch.ones_like(emissions, dtype=torch.bool).scatter(-1, tags[..., None], False) & known[..., None]
        given = emissions.to(crf.following.dtype).masked_fill(others, FORBIDDEN)
        return crf(emissions, tags, batch.lengths) - crf(given, tags, batch.lengths)


class Epochs:
    """The batches of every epoch: of all sentences, or of windows of frames that are cut anew.

    Args:
        examples: with targets.
        model: `window` and `margin`, of frames.
        training: batch size, seed, epochs.
        sampler: which windows of frames are read, see `Windows`.
    """

    def __init__(
        self, examples: TaggedExamples | FramedExamples, model: TaggerSettings, training: TrainingSettings, sampler: str
    ) -> None:
        self._whole, self._settings, self._margin = examples, training, model.margin
        self._windows: Windows | None = None
        self._order: LengthBatches | None = None
        count = len(examples)
        if isinstance(examples, FramedExamples):
            self._windows = Windows(
                examples.lengths,
                model.window,
                sampler=sampler,
                targets=examples.targets,
                seed=training.seed,
                epochs=training.epochs,
            )
            assert examples.targets is not None
            steps, count = float((examples.targets >= 0).sum()), self._windows.usual
        else:
            self._order = LengthBatches(examples.lengths, training.batch_size, seed=training.seed)
            steps = float(examples.lengths.sum())
        self.mean = steps / count  # steps with a tag in an example

    def __call__(self, epoch: int) -> EpochBatches[Any]:
        """The batches of an epoch, from 0 on."""
        examples, order = self._whole, self._order
        if order is None:
            assert self._windows is not None
            assert isinstance(examples, FramedExamples)
            examples = examples.cut(self._windows(epoch), self._margin)
            order = LengthBatches(examples.lengths, self._settings.batch_size, seed=self._settings.seed)
        order.set_epoch(epoch)
        return EpochBatches(examples.batch, list(order))


def fingerprint(examples: TaggedExamples | FramedExamples) -> str:
    """A short hash of the encoded training data, so that a checkpoint of others is refused."""
    digest = hashlib.sha256()
    parts: list[np.ndarray] = []
    if isinstance(examples, FramedExamples):
        assert examples.targets is not None
        parts = [examples.values, examples.offsets, examples.targets]
    else:
        assert examples.targets is not None
        for ragged in (examples.forms, examples.characters, examples.targets):
            parts += [ragged.offsets, ragged.ids]
    for part in parts:
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()[:16]
