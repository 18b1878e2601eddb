"""From pairs of texts to the arrays that a translator reads, and from its symbols back to text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqwise.errors import ConfigurationError, DataError
from seqwise.models.translator import TranslationBatch
from seqwise.text import Ragged, TextPipeline, TextSettings
from seqwise.text.settings import SUBWORDS
from seqwise.text.vocabulary import EOS, UNK

_BEGIN = "▁"  # of a sub-word that begins a word
_UNUSED = ("punctuation", "stop_words", "keep_words", "lemmas", "stems", "end_mark")
_SIDES = ("text", "target_text")


@dataclass(frozen=True)
class TranslationExamples:
    """Pairs ready for a translator.

    Attributes:
        source: symbols of each source, <eos> included.
        targets: symbols of each target, <eos> included; None where only sources are known.
    """

    source: Ragged
    targets: Ragged | None = None

    def __len__(self) -> int:
        return len(self.source)

    @property
    def order(self) -> np.ndarray:
        """What batches are sorted by, (n,): the target's length, and the source's among equals."""
        lengths = self.source.lengths
        if self.targets is None:
            return lengths
        return self.targets.lengths * (int(lengths.max(initial=0)) + 1) + lengths

    def batch(self, indices: np.ndarray) -> TranslationBatch:
        """Return the pairs at `indices` as one padded batch."""
        rows = self.source.take(indices)
        parts = [_tensor(rows.padded()), _tensor(rows.lengths)]
        if self.targets is not None:
            targets = self.targets.take(indices)
            parts += [_tensor(targets.padded()), _tensor(targets.lengths)]
        return TranslationBatch(*parts)


class TranslatorFeatures:
    """The symbols of both sides.

    Args:
        text: how sources are read; `unit` "auto" means byte-pair encoding.
        target_text: how targets are.
        shared: both have one vocabulary, learned from both.

    Raises:
        ConfigurationError: a setting that a translator has no use for, or sides that cannot share a vocabulary.
    """

    def __init__(self, text: TextSettings, target_text: TextSettings, *, shared: bool) -> None:
        sides = []
        for name, of in zip(_SIDES, (text, target_text), strict=True):
            fields = TextSettings.model_fields
            if wrong := [key for key in _UNUSED if getattr(of, key) != fields[key].default]:
                raise ConfigurationError(f"{name}.{wrong[0]} is not for translators: they read and write whole texts")
            sides.append(of.model_copy(update={"unit": "bpe"}) if of.unit == "auto" else of)
        if shared and sides[0] != sides[1]:
            differing = next(k for k in TextSettings.model_fields if getattr(sides[0], k) != getattr(sides[1], k))
            raise ConfigurationError(
                f"target_text.{differing} differs from text.{differing}, and a shared vocabulary reads both sides alike: "
                "set model.shared_vocabulary to false"
            )
        self.text, self.target_text, self.shared = sides[0], sides[1], shared
        self.source = TextPipeline(self.text)
        self.target = self.source if shared else TextPipeline(self.target_text)
        self._glue: dict[str, tuple[bool, bool]] = {}

    def fit(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        """Learn the symbols, and between which words of the target there is no space."""
        if self.shared:
            self.source.fit([*sources, *targets])
        else:
            self.source.fit(sources)
            self.target.fit(targets)
        if self.target.settings.unit == "words":
            self._glue = _learn_glue(self.target, targets)

    def cut(self, source: str) -> list[str]:
        """The symbols of a source, none left out."""
        return self.source.tokenizer(source)

    def fits(self, sources: Iterable[str], targets: Iterable[str]) -> np.ndarray:
        """(n,) bool: pairs of which both sides have symbols, and no more than `max_length` with <eos>."""
        found = []
        for pair in zip(sources, targets, strict=True):
            of = [len(side.tokenizer(text)) for side, text in zip((self.source, self.target), pair, strict=True)]
            limits = (self.text.max_length, self.target_text.max_length)
            found.append(all(0 < size < limit for size, limit in zip(of, limits, strict=True)))
        return np.array(found, bool)

    def encode(self, sources: Iterable[str], targets: Iterable[str] | None = None) -> TranslationExamples:
        """Return the pairs as arrays; what is longer than `max_length` is cut off, <eos> stays."""
        of_source = _with_end(self.source, sources, self.text)
        return TranslationExamples(
            of_source, None if targets is None else _with_end(self.target, targets, self.target_text)
        )

    def write(self, symbols: Sequence[int], replacements: Sequence[str] | None = None) -> str:
        """The text that symbols of the target stand for.

        Args:
            symbols: without <eos>.
            replacements: what stands in the place of each symbol if it is <unk>; None leaves <unk>.
        """
        tokens = self.target.vocabulary.decode(symbols)
        if replacements is not None:
            tokens = [
                other if symbol == UNK else token
                for token, symbol, other in zip(tokens, symbols, replacements, strict=True)
            ]
        unit = self.target.settings.unit
        if unit in SUBWORDS:
            joined = "".join(
                f"{_BEGIN}{token}{_BEGIN}" if symbol == UNK else token
                for token, symbol in zip(tokens, symbols, strict=True)
            )
            return " ".join(joined.replace(_BEGIN, " ").split())
        if unit == "characters":
            return "".join(tokens)
        if unit != "words":
            return " ".join(tokens)
        text, open_ = "", True  # whether the next word follows without a space
        for token in tokens:
            left, right = self._glue.get(token, (False, False))
            text += token if open_ or left else f" {token}"
            open_ = right
        return text

    def source_words(self, tokens: Sequence[str]) -> list[str]:
        """For every symbol of a source, as `cut` gave it, the word that it belongs to."""
        if self.source.settings.unit not in SUBWORDS:
            return list(tokens)
        words: list[str] = []
        numbers = []
        for token in tokens:
            if token.startswith(_BEGIN) or not words:
                words.append("")
            words[-1] += token.removeprefix(_BEGIN)
            numbers.append(len(words) - 1)
        return [words[number] or _BEGIN for number in numbers]

    def to_dict(self) -> dict[str, Any]:
        """Everything learned, ready for JSON."""
        glue = {word: [int(left), int(right)] for word, (left, right) in self._glue.items()}
        return {
            "source": self.source.to_dict(),
            "target": None if self.shared else self.target.to_dict(),
            "glue": glue,
        }

    @classmethod
    def from_dict(cls, data: Any, text: TextSettings, target_text: TextSettings, *, shared: bool) -> TranslatorFeatures:
        """The features that `to_dict` described.

        Raises:
            DataError: if it is not one, with the reason.
        """
        if (
            not isinstance(data, dict)
            or set(data) != {"source", "target", "glue"}
            or (data["target"] is None) != shared
        ):
            raise DataError('a translator\'s vocabulary has "source", "glue" and, unless it is shared, "target"')
        features = cls(text, target_text, shared=shared)
        features.source = TextPipeline.from_dict(data["source"])
        features.target = features.source if shared else TextPipeline.from_dict(data["target"])
        glue = data["glue"]
        if not isinstance(glue, dict) or not all(isinstance(of, list) and len(of) == 2 for of in glue.values()):
            raise DataError("a translator's glue has two marks for each word")
        features._glue = {str(word): (bool(left), bool(right)) for word, (left, right) in glue.items()}
        return features


def _with_end(pipeline: TextPipeline, texts: Iterable[str], settings: TextSettings) -> Ragged:
    tokenizer, vocabulary, rows = pipeline.tokenizer, pipeline.vocabulary, []
    room = settings.max_length - 1
    for text in texts:
        tokens = tokenizer(text)
        if len(tokens) > room:
            tokens = tokens[:room] if settings.keep == "first" else tokens[len(tokens) - room :]
        rows.append(np.append(vocabulary.encode(tokens), np.int32(EOS)))
    return Ragged.from_rows(rows)


def _learn_glue(pipeline: TextPipeline, texts: Iterable[str]) -> dict[str, tuple[bool, bool]]:
    """For words that mostly stand without a space before or behind them (a full stop, a bracket): on which side."""
    seen: Counter[str] = Counter()
    before: Counter[str] = Counter()
    behind: Counter[str] = Counter()
    for text in texts:
        places = pipeline.tokenizer.spans(text)
        for place, (token, start, end) in enumerate(places):
            seen[token] += 1
            before[token] += place > 0 and places[place - 1][2] == start
            behind[token] += place + 1 < len(places) and places[place + 1][1] == end
    marks = {token: not any(character.isalnum() for character in token) for token in seen}
    # A word beside a full stop is glued to it by the full stop, not by itself.
    return {
        token: (2 * before[token] > count, 2 * behind[token] > count)
        for token, count in seen.items()
        if marks[token] and (2 * before[token] > count or 2 * behind[token] > count)
    }


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.int64))
