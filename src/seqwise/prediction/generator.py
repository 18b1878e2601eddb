"""What a saved generator answers: sequences drawn from a condition, the most probable ones, and how probable given ones are.

Axis letters: n sequences, B of a batch, T steps, H hidden units, V vocabulary, P pitches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from seqwise.data.chords import Chord
from seqwise.errors import ConfigurationError, DataError
from seqwise.prediction.folder import FolderContent
from seqwise.prediction.generator_drawing import DrawingGenerator
from seqwise.prediction.restoring import open_model
from seqwise.prediction.sampling import Joining, Sampling
from seqwise.text.vocabulary import EOS, UNK

if TYPE_CHECKING:
    from torch import Tensor

    from seqwise.models.generator_saved import SavedGenerator

TOGETHER = 256  # sequences side by side


class GeneratorPredictor(DrawingGenerator):
    """A generator that answers.

    Attributes:
        config: the whole of config.json.
        settings: its sections.
        features: from conditions and sequences to arrays.
        network: the module, on its device.
    """

    def __init__(self, content: FolderContent, model: SavedGenerator) -> None:
        self.config, self.settings = content.config, content.settings
        self.features, self.network = model.features, model.module

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> Self:
        """Read a model folder.

        Raises:
            ModelFolderError: it is not a sound model folder, or not that of a generator.
            DeviceError: there is no such device.
        """
        content, model = open_model(path, device, "SequenceGenerator", "a generator of sequences")
        return cls(content, model)

    @property
    def classes(self) -> list[Any]:
        """Of conditions that are classes."""
        return self.features.classes

    @property
    def shares(self) -> np.ndarray:
        """How frequent each class was in training."""
        counts = np.array(self.features.counts, np.float64)
        return counts / counts.sum()

    def losses(self, conditions: Any, sequences: Sequence[Any]) -> list[np.ndarray]:
        """-log P of every step of every sequence given its condition and all before it, (T,) float64 in nats.

        Of symbols the end is a step, too. Of chords the first step counts like every other: it is given that there was
        nothing before.

        Raises:
            DataError: the model does not know a class, or a pitch.
        """
        import torch

        examples = self.features.encode(conditions, sequences)
        order = np.argsort(examples.lengths, kind="stable")
        result: list[np.ndarray] = [np.empty(0)] * len(examples)
        for begin in range(0, len(order), TOGETHER):
            indices = order[begin : begin + TOGETHER]
            batch = examples.batch(indices)
            moved = batch.to(self._device)
            with torch.no_grad():
                found = self.network.losses(moved).double().cpu().numpy()
            for place, index in enumerate(indices):
                result[index] = found[place, : examples.lengths[index]]
        return result

    def predict(self, conditions: Any, *, beam: int = 1, max_tokens: int = 100) -> list[str]:
        """The most probable text of each condition, by beam search; 1 takes the most probable symbol at every step.

        Args:
            conditions: classes or vectors.
            beam: hypotheses that are kept.
            max_tokens: of a text.

        Raises:
            DataError: the model does not know a class, or makes chords: these have no end, and so no most probable piece.
            ConfigurationError: the beam is below 1.
        """
        from seqwise.models.search import BeamSettings, beam_search

        if self.makes_chords:
            raise DataError("a piece of music has no end of its own: sample one, or continue one")
        settings = BeamSettings(beam, length_norm="none")
        coded = self.features.encode_conditions(conditions, len(conditions))
        texts: list[str] = []
        for begin in range(0, len(conditions), TOGETHER):
            some = _part(coded, begin)
            count = min(TOGETHER, len(conditions) - begin)
            found = beam_search(
                self._search_step,
                *self._search_states(some, count),
                begin=EOS,
                end=EOS,
                longest=self._full(count, max_tokens + 1),
                settings=settings,
            )
            texts += [self.written(best[0].symbols) for best in found]
        return texts

    def sample(
        self,
        conditions: Any = None,
        sampling: Sampling | None = None,
        *,
        count: int | None = None,
        prompt: str = "",
        guidance: float = 0.0,
    ) -> list[str]:
        """Draw a text for each condition.

        Args:
            conditions: classes, of which None is none of them; vectors; or None where the model has no conditions.
            sampling: how to draw; text i depends on the seed and i alone, not on those drawn beside it.
            count: how many, where there are no conditions.
            prompt: what every text begins with; it is part of the result.
            guidance: w of log P(x | c) + w (log P(x | c) - log P(x)): above 0 each symbol is drawn as if it were known to
                say more about the condition (Ho and Salimans 2022); needs a model trained with `condition_dropout`.

        Raises:
            DataError: a class or a symbol of the prompt is unknown, or the model makes chords.
            ConfigurationError: guidance of a model that has learned none.
        """
        if self.makes_chords:
            raise DataError("this model makes chords: ask for a piece, not for a text")
        sampling, count = sampling or Sampling(), self._count(conditions, count)
        self._check_guidance(guidance)
        coded, given = self.features.encode_conditions(conditions, count), self._prompt(prompt)
        texts = []
        for begin in range(0, count, TOGETHER):
            size = min(TOGETHER, count - begin)
            seeds = range(begin, begin + size)
            drawn = self._draw_symbols(_part(coded, begin), size, given, sampling, guidance, seeds)
            texts += [self.written([*given, *row]) for row in drawn]
        return texts

    def sample_pieces(
        self, conditions: Any = None, sampling: Sampling | None = None, *, count: int | None = None, seed: Any = ()
    ) -> list[list[Chord]]:
        """Draw pieces of `sampling.max_tokens` chords.

        Args:
            conditions: as for `sample`.
            sampling: how to draw; a chain draws every note so, independent pitches have a temperature only.
            count: how many, where there are no conditions.
            seed: chords that every piece goes on from; they are not part of the result.

        Raises:
            DataError: the model makes no chords, or the seed has a pitch that it does not have.
            ConfigurationError: top-k or top-p of independent pitches.
        """
        sampling, count = sampling or Sampling(), self._count(conditions, count)
        self._check_chords(sampling)
        coded, known = self.features.encode_conditions(conditions, count), self._known(seed)
        pieces = []
        for begin in range(0, count, TOGETHER):
            size = min(TOGETHER, count - begin)
            pieces += self._draw_chords(_part(coded, begin), size, known, sampling, range(begin, begin + size))
        return pieces

    def written(self, symbols: Iterable[int]) -> str:
        """The text of symbols, without <eos>."""
        assert self.features.pipeline is not None
        pieces = Joining(self.features.pipeline.settings.unit, begins=True)
        return "".join(map(pieces.next, self.features.pipeline.vocabulary.decode(symbols)))

    def _draw_symbols(
        self,
        coded: np.ndarray | None,
        count: int,
        given: Sequence[int],
        sampling: Sampling,
        guidance: float,
        seeds: range,
    ) -> list[list[int]]:
        drawn: list[list[int]] = [[] for _ in range(count)]
        for chosen in self._symbols(coded, count, given, sampling, guidance, seeds):
            for row, symbol in chosen.items():
                drawn[row].append(symbol)
        return drawn

    def _draw_chords(
        self, coded: np.ndarray | None, count: int, known: np.ndarray | None, sampling: Sampling, seeds: range
    ) -> list[list[Chord]]:
        steps = list(self._chords(coded, count, known, sampling, seeds))
        return [[chords[row] for chords in steps] for row in range(count)]

    def _search_states(self, coded: np.ndarray | None, count: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """States with the sequences first, and what stays."""
        state = self._begin(coded, count)
        return tuple(part.transpose(0, 1) for part in state.states), (state.condition,)

    def _search_step(self, symbols: Tensor, states: Any, stays: Any) -> tuple[Tensor, None, tuple[Tensor, ...]]:
        import torch

        from seqwise.models.generator import GeneratorState

        own = tuple(part.transpose(0, 1).clone(memory_format=torch.contiguous_format) for part in states)
        outputs, after = self.network.step(symbols, GeneratorState(stays[0], own))
        logs = self.network.log_probabilities(outputs)
        # Symbols count from padding on; neither it nor <unk> is ever written.
        wide = torch.nn.functional.pad(logs, (1, 0), value=-torch.inf)
        wide[:, UNK] = -torch.inf
        return wide, None, tuple(part.transpose(0, 1) for part in after.states)

    def _count(self, conditions: Any, count: int | None) -> int:
        size = count if conditions is None else len(conditions)
        if size is None or size < 1 or (count is not None and count != size):
            raise ConfigurationError(f"at least one sequence is drawn, one for each condition, not {count}")
        return size


def _part(coded: np.ndarray | None, begin: int) -> np.ndarray | None:
    return None if coded is None else coded[begin : begin + TOGETHER]
