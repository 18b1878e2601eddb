"""What goes into an exported program and what comes out of it, for every kind of model.

The inputs have the names that `EncodedExamples.arrays` and its kin give them, and those of an ONNX file.

Axis letters: B batch, T steps, D numbers of a frame, N n-grams of all examples, U word forms of a batch, L characters of
its longest, C classes or tags, V vocabulary, H hidden units.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from seqwise.errors import ConfigurationError
from seqwise.layers import CRF
from seqwise.models.batch import Batch, Ngrams
from seqwise.models.classifier import DensePart, LinearPart, RecurrentPart, SequenceModel
from seqwise.models.language import LanguageNetwork
from seqwise.models.tagger import FrameTagger, TaggerNetwork, WordTagger
from seqwise.models.tagger_features import CASINGS, TaggedBatch
from seqwise.models.tagger_frames import FramedBatch

Inputs = dict[str, Any]


class Entry(nn.Module, ABC):
    """A model whose inputs are tensors with names.

    Attributes:
        axes: of each input, position -> name of each axis that is free; of states a list of such.
        outputs: what comes out, in words.
    """

    axes: dict[str, Any]
    outputs: str

    @abstractmethod
    def random_inputs(self, batch: int, steps: int) -> Inputs:
        """Inputs of B examples, the longest of T steps and the others shorter, for tracing and comparing."""


class ClassifierEntry(Entry):
    """A classifier or a regressor of sequences."""

    outputs = "logits (batch, classes) float32"

    def __init__(self, model: SequenceModel) -> None:
        super().__init__()
        self.model = model

    def _answer(
        self,
        tokens: Tensor | None = None,
        lengths: Tensor | None = None,
        ngrams: Ngrams | None = None,
        frames: Tensor | None = None,
    ) -> Tensor:
        answer: Tensor = self.model(Batch(tokens, lengths, ngrams, frames=frames))
        return answer

    def _part(self, kind: type[nn.Module]) -> Any:
        return next(part for part in self.model.parts.values() if isinstance(part, kind))

    def _tokens(self, batch: int, steps: int) -> Inputs:
        symbols = self._part(RecurrentPart).embedding.num_embeddings
        lengths = _lengths(batch, steps)
        tokens = torch.randint(0, symbols, (batch, steps)) * (torch.arange(steps) < lengths[:, None])
        return {"tokens": tokens, "lengths": lengths}

    def _ngrams(self, batch: int) -> Inputs:
        count = 3 * batch - 1
        ids = torch.randint(0, self._part(LinearPart).weight.num_embeddings, (count,))
        return {"ngram_ids": ids, "ngram_offsets": 3 * torch.arange(batch), "ngram_values": torch.rand(count)}


SYMBOLS = {"tokens": {0: "batch", 1: "steps"}, "lengths": {0: "batch"}}
NGRAMS = {"ngram_ids": {0: "ngrams"}, "ngram_offsets": {0: "batch"}, "ngram_values": {0: "ngrams"}}
FRAMES = {"frames": {0: "batch", 1: "steps"}, "lengths": {0: "batch"}}


class RecurrentEntry(ClassifierEntry):
    """Of symbols."""

    axes = SYMBOLS

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return logits (B, C) of tokens (B, T) int64, padded with 0, and lengths (B,) int64 from 1."""
        return self._answer(tokens, lengths)

    def random_inputs(self, batch: int, steps: int) -> Inputs:
        """See `Entry`."""
        return self._tokens(batch, steps)


class WideDeepEntry(ClassifierEntry):
    """Of symbols and n-grams."""

    axes = SYMBOLS | NGRAMS

    def forward(
        self, tokens: Tensor, lengths: Tensor, ngram_ids: Tensor, ngram_offsets: Tensor, ngram_values: Tensor
    ) -> Tensor:
        """Return logits (B, C); n-grams are ids (N,) int64, offsets (B,) int64 and values (N,) float32."""
        return self._answer(tokens, lengths, Ngrams(ngram_ids, ngram_offsets, ngram_values))

    def random_inputs(self, batch: int, steps: int) -> Inputs:
        """See `Entry`."""
        return self._tokens(batch, steps) | self._ngrams(batch)


class LinearEntry(ClassifierEntry):
    """Of n-grams."""

    axes = NGRAMS

    def forward(self, ngram_ids: Tensor, ngram_offsets: Tensor, ngram_values: Tensor) -> Tensor:
        """Return logits (B, C)."""
        return self._answer(ngrams=Ngrams(ngram_ids, ngram_offsets, ngram_values))

    def random_inputs(self, batch: int, steps: int) -> Inputs:
        """See `Entry`."""
        return self._ngrams(batch)


class FrameEntry(ClassifierEntry):
    """Of frames."""

    axes = FRAMES

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return logits (B, C) of frames (B, T, D) float32, padded with 0, and lengths (B,) int64 from 1."""
        return self._answer(lengths=lengths, frames=frames)

    def random_inputs(self, batch: int, steps: int) -> Inputs:
        """See `Entry`."""
        part = self._part(RecurrentPart)
        layers = part.recurrent.layers
        size = layers.input_size if hasattr(layers, "input_size") else layers.project.in_features
        return _frames(batch, steps, size)


class VectorEntry(ClassifierEntry):
    """Of the one frame of each example."""

    axes = {"frames": {0: "batch"}}  # noqa: RUF012  (never changed)

    def forward(self, frames: Tensor) -> Tensor:
        """Return logits (B, C) of frames (B, 1, D) float32."""
        return self._answer(frames=frames)

    def random_inputs(self, batch: int, steps: int) -> Inputs:
        """See `Entry`."""
        return {"frames": torch.randn(batch, 1, self._part(DensePart).layers[0].in_features)}


class TaggerEntry(Entry):
    """A tagger."""

    def __init__(self, model: TaggerNetwork) -> None:
        super().__init__()
        self.model = model

    @property
    def outputs(self) -> str:  # type: ignore[override]
        """What comes out."""
        emissions = "emissions (batch, steps, tags) float32"
        if self.model.crf is None:
            return emissions
        return f"{emissions}; following (tags, tags), first (tags) and last (tags), the scores of the random field"

    def _answer(self, emissions: Tensor) -> Tensor | tuple[Tensor, ...]:
        crf = self.model.crf
        if not isinstance(crf, CRF):
            return emissions
        return emissions, *crf._scores(emissions)[1:]


class WordTaggerEntry(TaggerEntry):
    """Of words."""

    axes = {  # noqa: RUF012  (never changed)
        "words": {0: "batch", 1: "steps"},
        "lengths": {0: "batch"},
        "forms": {0: "batch", 1: "steps"},
        "characters": {0: "forms", 1: "letters"},
        "character_lengths": {0: "forms"},
        "casings": {0: "forms"},
    }

    def forward(
        self,
        words: Tensor,
        lengths: Tensor,
        forms: Tensor,
        characters: Tensor,
        character_lengths: Tensor,
        casings: Tensor,
    ) -> Tensor | tuple[Tensor, ...]:
        """Return a score for every tag and step, (B, T, C); shapes of the inputs as in `TaggedBatch`."""
        return self._answer(self.model(TaggedBatch(words, lengths, forms, characters, character_lengths, casings)))

    def random_inputs(self, batch: int, steps: int) -> Inputs:
        """See `Entry`."""
        model, forms, letters = self.model, steps + 2, 4
        assert isinstance(model, WordTagger)
        embedding = model.character_embedding
        known = 1 if embedding is None else embedding.num_embeddings
        return {
            "words": torch.randint(1, model.embedding.num_embeddings, (batch, steps)),
            "lengths": _lengths(batch, steps),
            "forms": torch.randint(0, forms, (batch, steps)),
            "characters": torch.randint(0, known, (forms, letters)),
            "character_lengths": _lengths(forms, letters),
            "casings": torch.randint(0, CASINGS, (forms,)),
        }


class FrameTaggerEntry(TaggerEntry):
    """Of frames."""

    axes = FRAMES

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return a score for every tag and step, (B, T, C), of frames (B, T, D) and lengths (B,)."""
        return self._answer(self.model(FramedBatch(frames, lengths)))

    def random_inputs(self, batch: int, steps: int) -> Inputs:
        """See `Entry`."""
        layers: Any = self.model.recurrent.layers
        size = layers.input_size if hasattr(layers, "input_size") else layers.project.in_features
        return _frames(batch, steps, size)


class LanguageEntry(Entry):
    """A language model with recurrent layers: texts are read piece by piece, the states go from one to the next."""

    def __init__(self, model: LanguageNetwork) -> None:
        super().__init__()
        if model.transformer is not None:
            raise ConfigurationError(
                "a language model is exported with recurrent layers only; this one is a Transformer"
            )
        self.model = model
        states = len(model.start(1))
        self.axes = {"symbols": {0: "batch", 1: "steps"}, "states": [{1: "batch"}] * states}
        self.outputs = (
            f"log_probabilities (batch, steps, symbols less padding) float32; {states} states (1, batch, units)"
        )

    def forward(self, symbols: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return log P of what comes after every symbol, (B, T, V - 1), and the states after the last.

        Args:
            symbols: (B, T) int64.
            states: of every layer one after the other, (1, B, H) each; zeros at the beginning.
        """
        reading = self.model.read(symbols, tuple(states))
        return self.model.log_probabilities(reading.outputs), list(reading.states)

    def random_inputs(self, batch: int, steps: int) -> Inputs:
        """See `Entry`."""
        symbols = torch.randint(1, self.model.embedding.num_embeddings, (batch, steps))
        return {"symbols": symbols, "states": [torch.randn_like(state) for state in self.model.start(batch)]}


def make_entry(module: nn.Module) -> Entry:
    """The entry of a model.

    Raises:
        ConfigurationError: such a model answers by a search or draws, which no single program can do.
    """
    if isinstance(module, SequenceModel):
        return _classifier_entry(module)
    if isinstance(module, WordTagger):
        return WordTaggerEntry(module)
    if isinstance(module, FrameTagger):
        return FrameTaggerEntry(module)
    if isinstance(module, LanguageNetwork):
        return LanguageEntry(module)
    raise ConfigurationError(
        "classifiers, regressors, taggers and language models can be exported, not what answers by a search or by draws"
    )


def _classifier_entry(model: SequenceModel) -> ClassifierEntry:
    parts: Mapping[str, Any] = dict(model.parts.items())
    if "dense" in parts:
        return VectorEntry(model)
    if "recurrent" not in parts:
        return LinearEntry(model)
    if parts["recurrent"].embedding is None:
        return FrameEntry(model)
    return WideDeepEntry(model) if "linear" in parts else RecurrentEntry(model)


def _lengths(batch: int, steps: int) -> Tensor:
    """T, and shorter ones down to 1."""
    return (steps - torch.arange(batch)).clamp(min=1)


def _frames(batch: int, steps: int, size: int) -> Inputs:
    lengths = _lengths(batch, steps)
    frames = torch.randn(batch, steps, size) * (torch.arange(steps) < lengths[:, None]).unsqueeze(-1)
    return {"frames": frames, "lengths": lengths}
