"""What a saved generator answers: sequences drawn from a condition, the most probable ones, and how probable given ones are.

Axis letters: n sequences, B of a batch, T steps, H hidden units, V vocabulary, P pitches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from seqwise.data.chords import Chord, checked_piece
from seqwise.errors import ConfigurationError, DataError
from seqwise.prediction.folder import FolderContent
from seqwise.prediction.restoring import open_model
from seqwise.prediction.sampling import Joining, Sampling, choose, draw
from seqwise.text.vocabulary import EOS, UNK

if TYPE_CHECKING:
    from torch import Tensor

    from seqwise.models.generator import GeneratorState
    from seqwise.models.generator_saved import SavedGenerator

TOGETHER = 256  # sequences side by side
SILENT = -1  # in the place of a pitch


class GeneratorPredictor:
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
    def condition(self) -> str:
        """What sequences are made from: "class", "vector" or "none"."""
        return self.features.model.condition

    @property
    def makes_chords(self) -> bool:
        """Whether a step is a chord; otherwise it is a symbol."""
        return self.features.pipeline is None

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
        if not self.makes_chords:
            raise DataError("this model makes texts, not chords")
        sampling, count = sampling or Sampling(), self._count(conditions, count)
        if self.features.model.head == "independent" and (sampling.top_k is not None or sampling.top_p < 1):
            raise ConfigurationError("top-k and top-p choose among notes of a chain, and these pitches are independent")
        coded = self.features.encode_conditions(conditions, count)
        known = self.features.encode_chords([checked_piece(seed, "the seed")])[0] if len(seed) else None
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

    @property
    def _device(self) -> Any:
        return next(self.network.parameters()).device

    def _begin(self, coded: np.ndarray | None, count: int) -> GeneratorState:
        import torch

        given = None if coded is None else torch.from_numpy(coded).to(self._device)
        with torch.no_grad():
            return self.network.begin(given, count)

    def _full(self, count: int, value: int) -> Tensor:
        import torch

        return torch.full((count,), value, dtype=torch.int64, device=self._device)

    def _draw_symbols(
        self,
        coded: np.ndarray | None,
        count: int,
        given: Sequence[int],
        sampling: Sampling,
        guidance: float,
        seeds: range,
    ) -> list[list[int]]:
        import torch

        randoms = [np.random.default_rng((sampling.seed, number)) for number in seeds]
        if guidance:  # a second row for each, which does not know the condition
            assert coded is not None
            coded = np.concatenate([coded, np.full_like(coded, np.nan if coded.dtype.kind == "f" else 0)])
        rows = count * (2 if guidance else 1)
        state = self._begin(coded, rows)
        symbols = self._full(rows, EOS)
        for symbol in given:
            _, state = self.network.step(symbols, state)
            symbols = self._full(rows, symbol)
        drawn: list[list[int]] = [[] for _ in range(count)]
        alive = set(range(count))
        for _ in range(sampling.max_tokens):
            outputs, state = self.network.step(symbols, state)
            with torch.no_grad():
                logs = self.network.log_probabilities(outputs).double().cpu().numpy()
            if guidance:
                logs = logs[:count] + guidance * (logs[:count] - logs[count:])
            chosen = np.full(count, EOS)
            for row in sorted(alive):
                chosen[row] = draw(logs[row], sampling, randoms[row])
                if chosen[row] == EOS:
                    alive.discard(row)
                else:
                    drawn[row].append(int(chosen[row]))
            if not alive:
                break
            symbols = torch.from_numpy(np.tile(chosen, rows // count)).to(self._device)
        return drawn

    def _draw_chords(
        self, coded: np.ndarray | None, count: int, known: np.ndarray | None, sampling: Sampling, seeds: range
    ) -> list[list[Chord]]:
        import torch

        randoms = [np.random.default_rng((sampling.seed, number)) for number in seeds]
        state = self._begin(coded, count)
        notes = torch.full((count, 1), SILENT, dtype=torch.int64, device=self._device)
        read = self.network.inputs_of(notes, first=True)
        for row in [] if known is None else known:
            _, state = self.network.step(read, state)
            chord = torch.from_numpy(row).to(self._device).expand(count, -1)
            read = self.network.inputs_of(chord)
        pieces: list[list[Chord]] = [[] for _ in range(count)]
        lowest = self.features.model.lowest
        for _ in range(sampling.max_tokens):
            outputs, state = self.network.step(read, state)
            notes = self._draw_notes(outputs, sampling, randoms)
            for piece, row in zip(pieces, notes.tolist(), strict=True):
                piece.append([pitch + lowest for pitch in row if pitch >= 0])
            read = self.network.inputs_of(notes)
        return pieces

    def _draw_notes(self, outputs: Tensor, sampling: Sampling, randoms: Sequence[np.random.Generator]) -> Tensor:
        """A chord for each row of (B, H), (B, notes)."""
        import torch

        from seqwise.models.chord_heads import IndependentPitches

        head, count = self.network.head, len(randoms)
        assert head is not None
        if isinstance(head, IndependentPitches):
            with torch.no_grad():
                odds = head.logits(outputs).double().cpu().numpy()
            rolls = [_sounding(row, sampling, random) for row, random in zip(odds, randoms, strict=True)]
            wide = max(1, max(map(len, rolls)))
            listed = np.full((count, wide), SILENT, np.int64)
            for chord, pitches in zip(listed, rolls, strict=True):
                chord[: len(pitches)] = pitches
            return torch.from_numpy(listed).to(self._device)
        notes = torch.empty((count, 0), dtype=torch.int64, device=self._device)
        alive = set(range(count))
        while alive:
            with torch.no_grad():
                logs = head.next_note(outputs, notes).double().cpu().numpy()
            chosen = np.full(count, SILENT, np.int64)
            for row in sorted(alive):
                pitch = choose(logs[row], sampling, randoms[row])
                if pitch == head.pitches:
                    alive.discard(row)
                else:
                    chosen[row] = pitch
            notes = torch.cat([notes, torch.from_numpy(chosen).to(self._device)[:, None]], 1)
        return notes

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

    def _prompt(self, prompt: str) -> list[int]:
        assert self.features.pipeline is not None
        if not isinstance(prompt, str):
            raise DataError(f"a prompt is a text, not {prompt!r:.40}")
        symbols = self.features.pipeline.encode_stream([prompt])[:-1].tolist() if prompt else []
        if UNK in symbols:
            tokens = self.features.pipeline.tokenizer.running(prompt)
            raise DataError(f"the prompt has a symbol that the model has not learned: {tokens[symbols.index(UNK)]!r}")
        return symbols

    def _count(self, conditions: Any, count: int | None) -> int:
        size = count if conditions is None else len(conditions)
        if size is None or size < 1 or (count is not None and count != size):
            raise ConfigurationError(f"at least one sequence is drawn, one for each condition, not {count}")
        return size

    def _check_guidance(self, guidance: float) -> None:
        if not 0 <= guidance < 100:
            raise ConfigurationError(f"guidance is a number from 0 on, not {guidance}")
        if guidance and (self.condition == "none" or not self.features.model.condition_dropout):
            raise ConfigurationError(
                "guidance needs a model that was trained with a condition and model.condition_dropout above 0"
            )


def _part(coded: np.ndarray | None, begin: int) -> np.ndarray | None:
    return None if coded is None else coded[begin : begin + TOGETHER]


def _sounding(odds: np.ndarray, sampling: Sampling, random: np.random.Generator) -> list[int]:
    """The pitches that sound, drawn each by itself from log-odds (P,)."""
    if sampling.temperature == 0:
        return np.flatnonzero(odds > 0).tolist()
    # u < sigmoid(x) where a logistic variable is below x: no overflow, whatever the temperature.
    return np.flatnonzero(random.logistic(size=len(odds)) < odds / sampling.temperature).tolist()
