"""From frames and transcripts to the arrays that a transcriber reads.

Axis letters: B utterances, T frames, D channels, U symbols of the longest transcript, V symbols, the blank among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqwise.data.frames import Frames
from seqwise.errors import ConfigurationError, DataError
from seqwise.models.frame_features import FrameFeatures
from seqwise.text import Ragged, TextPipeline, TextSettings, Tokenizer
from seqwise.text.settings import SUBWORDS
from seqwise.text.vocabulary import SPECIAL_TOKENS, UNK

BLANK = 0
UNITS = ("characters", "words", "whitespace", *SUBWORDS)
_UNUSED = ("stop_words", "keep_words", "lemmas", "stems", "max_length", "keep", "end_mark")


class SpokenBatch(NamedTuple):
    """What a transcriber reads."""

    frames: Tensor  # (B, T, D), padded with 0
    lengths: Tensor  # (B,) int64
    targets: Tensor | None = None  # (B, U) int64, padded with 0
    target_lengths: Tensor | None = None  # (B,) int64
    needed: Tensor | None = None  # (B,) int64, the fewest steps that hold each target


@dataclass(frozen=True)
class SpokenExamples:
    """Utterances ready for a transcriber.

    Attributes:
        frames: of each.
        targets: symbols of each transcript.
    """

    frames: Frames
    targets: Ragged | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def batch(self, indices: np.ndarray) -> SpokenBatch:
        """Return the utterances at `indices` as one padded batch."""
        rows = self.frames.take(indices)
        read = torch.from_numpy(rows.padded()), torch.from_numpy(rows.lengths)
        if self.targets is None:
            return SpokenBatch(*read)
        wanted = self.targets.take(indices)
        targets = torch.from_numpy(wanted.padded().astype(np.int64)), torch.from_numpy(wanted.lengths)
        return SpokenBatch(*read, *targets, torch.from_numpy(steps_needed(wanted)))


class TranscriberFeatures:
    """Frames as the network reads them, and the symbols that it writes: 0 is the blank, 1 <unk>, then those of the
    transcripts.

    Args:
        frames: what is computed of them.
        text: `unit` is what a symbol is; "auto" means characters.

    Raises:
        ConfigurationError: a setting that a transcriber has no use for.
    """

    def __init__(self, frames: FrameFeatures, text: TextSettings) -> None:
        fields = TextSettings.model_fields
        if wrong := [name for name in _UNUSED if getattr(text, name) != fields[name].default]:
            raise ConfigurationError(f"text.{wrong[0]} is not for transcribers: a transcript is written as a whole")
        text = text.model_copy(update={"unit": "characters"}) if text.unit == "auto" else text
        if text.unit not in UNITS:
            raise ConfigurationError(f"text.unit of a transcriber is one of {', '.join(UNITS)}, not {text.unit!r}")
        self.frames, self.pipeline = frames, TextPipeline(text)
        self._plain = Tokenizer(text.model_copy(update={"unit": "words"}))

    def prepared(self, texts: Iterable[str]) -> list[str]:
        """Transcripts as they are learned and judged: cleaned, with single spaces."""
        return [self._plain.prepared(text) for text in texts]

    def fit_text(self, transcripts: Sequence[str]) -> None:
        """Learn the symbols of prepared transcripts.

        Raises:
            DataError: there is none.
        """
        self.pipeline.fit(transcripts)
        self.__dict__.pop("symbols", None)
        if len(self.pipeline.vocabulary) == len(SPECIAL_TOKENS):
            raise DataError("the training transcripts are all empty: there is nothing to learn to write")

    @property
    def tokens(self) -> list[str]:
        """The symbols but the blank, as the vocabulary names them."""
        tokens = self.pipeline.vocabulary.tokens
        return [tokens[UNK], *tokens[len(SPECIAL_TOKENS) :]]

    @cached_property
    def symbols(self) -> list[str]:
        """What each of the V symbols of the network is; that of the blank is "".

        A space within or before a symbol separates words.
        """
        unit, written = self.pipeline.settings.unit, self.tokens
        if unit in SUBWORDS:
            written = [token.replace("▁", " ") for token in written]
        elif unit != "characters":
            written = [f" {token}" for token in written]
        return ["", *written]

    @property
    def word_marks(self) -> np.ndarray:
        """(V,) bool: symbols that begin a word, or stand between two."""
        return np.array([symbol.startswith(" ") for symbol in self.symbols])

    @property
    def size(self) -> int:
        """V."""
        return len(self.pipeline.vocabulary) - 1

    def write(self, symbols: Iterable[int]) -> str:
        """The text of some symbols, with single spaces."""
        return " ".join("".join(self.symbols[symbol] for symbol in symbols).split())

    def targets(self, transcripts: Iterable[str]) -> Ragged:
        """The symbols of prepared transcripts; an empty one has none."""
        rows = []
        for text in transcripts:
            found = self.pipeline.vocabulary.encode(self.pipeline.tokenizer(text))
            rows.append(np.where(found > UNK, found - 1, found))
        return Ragged.from_rows(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return what `vocabulary.json` holds."""
        return {"frames": self.frames.to_dict(), "text": self.pipeline.to_dict()}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> TranscriberFeatures:
        """Return the features that `to_dict` described.

        Raises:
            DataError: it described none.
        """
        if not {"frames", "text"} <= set(saved):
            raise DataError('the vocabulary of a transcriber has the keys "frames" and "text"')
        pipeline = TextPipeline.from_dict(saved["text"])
        features = cls(FrameFeatures.from_dict(saved["frames"]), pipeline.settings)
        features.pipeline = pipeline
        return features


def steps_needed(targets: Ragged) -> np.ndarray:
    """The fewest steps that hold each target, (n,): its symbols, and a blank between equal neighbours."""
    return np.array([len(row) + sum(a == b for a, b in pairwise(row.tolist())) for row in targets], np.int64)
