"""Texts and pieces of music that a generator draws, step by step.

Axis letters: B sequences side by side, T steps, H hidden units, V vocabulary, P pitches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqwise.data.chords import Chord, checked_piece
from seqwise.errors import ConfigurationError, DataError
from seqwise.prediction.sampling import Joining, Sampling, choose, draw
from seqwise.text.vocabulary import EOS, UNK

if TYPE_CHECKING:
    from torch import Tensor

    from seqwise.models.generator import GeneratorState

SILENT = -1  # in the place of a pitch


class DrawingGenerator:
    """What a generator's predictor has for sequences that are drawn step by step."""

    features: Any
    network: Any

    @property
    def condition(self) -> str:
        """What sequences are made from: "class", "vector" or "none"."""
        return self.features.model.condition

    @property
    def makes_chords(self) -> bool:
        """Whether a step is a chord; otherwise it is a symbol."""
        return self.features.pipeline is None

    def generate(
        self, condition: Any = None, sampling: Sampling | None = None, *, prompt: str = "", guidance: float = 0.0
    ) -> Iterator[str]:
        """Draw one text symbol by symbol, as pieces that joined are what comes after the prompt: the first of `sample`.

        Args:
            condition: a class, or None for none of them; a vector; None where the model has no conditions.
            sampling: how to draw.
            prompt: what the text begins with.
            guidance: as for `sample`.

        Raises:
            DataError, ConfigurationError: as `sample`.
        """
        if self.makes_chords:
            raise DataError("this model makes chords: ask for a piece, not for a text")
        self._check_guidance(guidance)
        coded, given = self._coded(condition), self._prompt(prompt)
        assert self.features.pipeline is not None
        joining, decode = (
            Joining(self.features.pipeline.settings.unit, begins=not given),
            self.features.pipeline.vocabulary,
        )
        for chosen in self._symbols(coded, 1, given, sampling or Sampling(), guidance, range(1)):
            yield joining.next(decode.decode([chosen[0]])[0])

    def generate_piece(
        self, condition: Any = None, sampling: Sampling | None = None, *, seed: Any = ()
    ) -> Iterator[Chord]:
        """Draw one piece chord by chord: the first of `sample_pieces`.

        Raises:
            DataError, ConfigurationError: as `sample_pieces`.
        """
        sampling = sampling or Sampling()
        self._check_chords(sampling)
        coded, known = self._coded(condition), self._known(seed)
        yield from (chords[0] for chords in self._chords(coded, 1, known, sampling, range(1)))

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

    def _symbols(
        self,
        coded: np.ndarray | None,
        count: int,
        given: Sequence[int],
        sampling: Sampling,
        guidance: float,
        seeds: range,
    ) -> Iterator[dict[int, int]]:
        """The next symbol of every text that goes on, by its number, again and again."""
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
        alive = list(range(count))
        for _ in range(sampling.max_tokens):
            outputs, state = self.network.step(symbols, state)
            with torch.no_grad():
                logs = self.network.log_probabilities(outputs).double().cpu().numpy()
            if guidance:
                logs = logs[:count] + guidance * (logs[:count] - logs[count:])
            chosen = np.full(count, EOS)
            for row in alive:
                chosen[row] = draw(logs[row], sampling, randoms[row])
            alive = [row for row in alive if chosen[row] != EOS]
            if not alive:
                break
            yield {row: int(chosen[row]) for row in alive}
            symbols = torch.from_numpy(np.tile(chosen, rows // count)).to(self._device)

    def _chords(
        self, coded: np.ndarray | None, count: int, known: np.ndarray | None, sampling: Sampling, seeds: range
    ) -> Iterator[list[Chord]]:
        """The next chord of every piece, again and again."""
        import torch

        randoms = [np.random.default_rng((sampling.seed, number)) for number in seeds]
        state = self._begin(coded, count)
        notes = torch.full((count, 1), SILENT, dtype=torch.int64, device=self._device)
        read = self.network.inputs_of(notes, first=True)
        for row in [] if known is None else known:
            _, state = self.network.step(read, state)
            chord = torch.from_numpy(row).to(self._device).expand(count, -1)
            read = self.network.inputs_of(chord)
        lowest = self.features.model.lowest
        for _ in range(sampling.max_tokens):
            outputs, state = self.network.step(read, state)
            notes = self._draw_notes(outputs, sampling, randoms)
            yield [[pitch + lowest for pitch in row if pitch >= 0] for row in notes.tolist()]
            read = self.network.inputs_of(notes)

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

    def _prompt(self, prompt: str) -> list[int]:
        assert self.features.pipeline is not None
        if not isinstance(prompt, str):
            raise DataError(f"a prompt is a text, not {prompt!r:.40}")
        symbols = self.features.pipeline.encode_stream([prompt])[:-1].tolist() if prompt else []
        if UNK in symbols:
            tokens = self.features.pipeline.tokenizer.running(prompt)
            raise DataError(f"the prompt has a symbol that the model has not learned: {tokens[symbols.index(UNK)]!r}")
        return symbols

    def _coded(self, condition: Any) -> np.ndarray | None:
        """One condition as numbers."""
        return self.features.encode_conditions(
            None if self.condition == "none" and condition is None else [condition], 1
        )

    def _known(self, seed: Any) -> Any:
        """The chords from which a piece goes on; None without."""
        return self.features.encode_chords([checked_piece(seed, "the seed")])[0] if len(seed) else None

    def _check_chords(self, sampling: Sampling) -> None:
        if not self.makes_chords:
            raise DataError("this model makes texts, not chords")
        if self.features.model.head == "independent" and (sampling.top_k is not None or sampling.top_p < 1):
            raise ConfigurationError("top-k and top-p choose among notes of a chain, and these pitches are independent")

    def _check_guidance(self, guidance: float) -> None:
        if not 0 <= guidance < 100:
            raise ConfigurationError(f"guidance is a number from 0 on, not {guidance}")
        if guidance and (self.condition == "none" or not self.features.model.condition_dropout):
            raise ConfigurationError(
                "guidance needs a model that was trained with a condition and model.condition_dropout above 0"
            )


def _sounding(odds: np.ndarray, sampling: Sampling, random: np.random.Generator) -> list[int]:
    """The pitches that sound, drawn each by itself from log-odds (P,)."""
    if sampling.temperature == 0:
        return np.flatnonzero(odds > 0).tolist()
    # u < sigmoid(x) where a logistic variable is below x: no overflow, whatever the temperature.
    return np.flatnonzero(random.logistic(size=len(odds)) < odds / sampling.temperature).tolist()
