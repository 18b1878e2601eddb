"""From sentences to the arrays that a tagger reads: words, their spelling, their casing.

What belongs to a word form is stored once, however often the form occurs.

Axis letters: B sentences, T words, U different forms of a batch, L characters of its longest form.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seqwise.errors import ConfigurationError, DataError
from seqwise.text import Ragged, TextSettings, Tokenizer, Vocabulary
from seqwise.text.vocabulary import UNK

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LONGEST_WORD = 40
"""Characters of a word that are read: of a longer one its beginning and its end."""
CASINGS = 7
UNITS = ("words", "whitespace", "tokens", "characters")
_UNUSED = ("clean", "punctuation", "stop_words", "keep_words", "lemmas", "stems", "max_length", "keep", "end_mark")


class TaggedBatch(NamedTuple):
    """What a tagger reads."""

    words: Tensor  # (B, T) int64, padded with 0
    lengths: Tensor  # (B,) int64
    forms: Tensor  # (B, T) int64: which of the U forms
    characters: Tensor  # (U, L) int64, padded with 0
    character_lengths: Tensor  # (U,) int64
    casings: Tensor  # (U,) int64
    targets: Tensor | None = None  # (B, T) int64, padded with 0

    @property
    def live(self) -> Tensor:
        """(B, T): the words that exist."""
        import torch

        return torch.arange(self.words.shape[1], device=self.lengths.device) < self.lengths[:, None]

    def to(self, device: torch.device) -> TaggedBatch:
        """Return the batch on a device."""
        moved: list[Any] = [None if part is None else part.to(device) for part in self]
        return TaggedBatch(*moved)


@dataclass(frozen=True)
class TaggedExamples:
    """Sentences ready for a tagger.

    Attributes:
        forms: number of the form of every word, by sentence.
        words: (forms,) symbol of each form.
        characters: symbols of the characters of each form.
        casings: (forms,) see `casing_of`.
        targets: number of the tag of every word, by sentence.
    """

    forms: Ragged
    words: np.ndarray
    characters: Ragged
    casings: np.ndarray
    targets: Ragged | None = None

    def __len__(self) -> int:
        return len(self.forms)

    @property
    def lengths(self) -> np.ndarray:
        """Words of each sentence: what batches are sorted by."""
        return self.forms.lengths

    def arrays(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Return the inputs of the sentences at `indices`, padded together, under the names of `TaggedBatch`, int64."""
        rows = self.forms.take(indices)
        distinct, places = np.unique(rows.ids, return_inverse=True)
        spelled = self.characters.take(distinct)
        words = Ragged(self.words[rows.ids], rows.offsets)
        numbered = Ragged(places.astype(np.int64), rows.offsets)
        parts = {
            "words": words.padded(),
            "lengths": rows.lengths,
            "forms": numbered.padded(),
            "characters": spelled.padded(),
            "character_lengths": spelled.lengths,
            "casings": self.casings[distinct],
        }
        return {name: np.ascontiguousarray(part, dtype=np.int64) for name, part in parts.items()}

    def batch(self, indices: np.ndarray) -> TaggedBatch:
        """Return the sentences at `indices` as one padded batch."""
        import torch

        targets = None
        if self.targets is not None:
            targets = torch.from_numpy(self.targets.take(indices).padded().astype(np.int64))
        parts = {name: torch.from_numpy(part) for name, part in self.arrays(indices).items()}
        return TaggedBatch(**parts, targets=targets)


class TaggerFeatures:
    """The words and characters that a tagger knows.

    Args:
        text: `unit` says how a text that is no list of words is split; "auto" means words.

    Raises:
        ConfigurationError: a setting that a tagger has no use for.
    """

    framed = False

    def __init__(self, text: TextSettings) -> None:
        fields = TextSettings.model_fields
        if wrong := [name for name in _UNUSED if getattr(text, name) != fields[name].default]:
            raise ConfigurationError(
                f"text.{wrong[0]} is not for taggers: every token has a tag and is read as it stands"
            )
        text = text.model_copy(update={"unit": "words"}) if text.unit == "auto" else text
        if text.unit not in UNITS:
            raise ConfigurationError(f"text.unit of a tagger is one of {', '.join(UNITS)}, not {text.unit!r}")
        self.text = text
        self.tokenizer = Tokenizer(text)
        self.words, self.characters = Vocabulary([], []), Vocabulary([], [])

    def fit(
        self,
        sentences: Iterable[Sequence[str]],
        wanted: Callable[[str], bool] | None = None,
        further: Iterable[str] = (),
    ) -> None:
        """Learn words and characters.

        Args:
            sentences: their tokens.
            wanted: tells of a word below `text.min_count` whether it is known nevertheless.
            further: words that are known although the sentences lack them.
        """
        forms: Counter[str] = Counter(token for tokens in sentences for token in tokens)
        words: Counter[str] = Counter()
        letters: Counter[str] = Counter()
        for form, count in forms.items():
            words[self.tokenizer.clean(form)] += count
            letters.update(dict.fromkeys(form, count))
        text = self.text
        learned = Vocabulary.from_counts(words, text.max_vocabulary, text.min_count, wanted)
        # A word that was too rare stays <unk> unless it is one of the further ones.
        others = [word for word in dict.fromkeys(further) if word not in learned]
        kept = learned.tokens[3:]
        self.words = Vocabulary(
            [*kept, *others], [*learned.counts[3:].tolist(), *[0] * len(others)], int(learned.counts[UNK])
        )
        self.characters = Vocabulary.from_counts(letters, text.max_vocabulary)

    def encode(
        self, sentences: Sequence[Sequence[str]], targets: Sequence[Sequence[int]] | None = None
    ) -> TaggedExamples:
        """Return sentences as arrays.

        Args:
            sentences: their tokens, at least one each, none empty.
            targets: numbers of their tags.
        """
        numbers: dict[str, int] = {}
        rows = [[numbers.setdefault(token, len(numbers)) for token in tokens] for tokens in sentences]
        return TaggedExamples(
            forms=Ragged.from_rows(rows),
            words=np.array([self._word(form) for form in numbers], np.int64),
            characters=Ragged.from_rows([self.characters.encode(_ends(form)) for form in numbers]),
            casings=np.array([casing_of(form) for form in numbers], np.int64),
            targets=None if targets is None else Ragged.from_rows(targets),
        )

    def spread(self, sentences: Sequence[Sequence[str]], number: int, values: np.ndarray) -> np.ndarray:
        """What was said of the words of sentence `number`, for every word: the same, for each is read by itself."""
        return values

    def place(self, text: str) -> list[tuple[str, int, int]]:
        """The tokens of a text as they stand in it, each with where: from, and to before."""
        return [(text[start:end], start, end) for _, start, end in self.tokenizer.spans(text)]

    def knows(self, form: str) -> bool:
        """Whether a word is in the vocabulary, as it is written or in small letters."""
        return self._word(form) != UNK

    def to_dict(self) -> dict[str, Any]:
        """Return what `vocabulary.json` holds."""
        return {"words": self.words.to_dict(), "characters": self.characters.to_dict()}

    @classmethod
    def from_dict(cls, saved: dict[str, Any], text: TextSettings) -> TaggerFeatures:
        """Return the features that `to_dict` described.

        Raises:
            DataError: it described none.
        """
        if set(saved) != {"words", "characters"}:
            raise DataError('the vocabulary of a tagger has the keys "words" and "characters"')
        features = cls(text)
        features.words = Vocabulary.from_dict(saved["words"])
        features.characters = Vocabulary.from_dict(saved["characters"])
        return features

    def _word(self, form: str) -> int:
        found = int(self.words.encode([self.tokenizer.clean(form)])[0])
        return found if found != UNK else int(self.words.encode([form.lower()])[0])


def casing_of(form: str) -> int:
    """How a word is written: 0 small, 1 large, 2 with a large beginning, 3 mixed, 4 digits, 5 with digits, 6 otherwise."""
    if form.isdigit():
        return 4
    if any(character.isdigit() for character in form):
        return 5
    if form.islower():
        return 0
    if form.isupper():
        return 1 if len(form) > 1 else 2
    if form[:1].isupper() and form[1:].islower():
        return 2
    return 3 if any(character.isalpha() for character in form) else 6


def _ends(form: str) -> str:
    half = LONGEST_WORD // 2
    return form if len(form) <= LONGEST_WORD else form[:half] + form[-half:]
