"""Bag-of-n-grams features: the linear part of a model, and the trivial baseline's view of a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqwise.errors import ConfigurationError, DataError
from seqwise.text.chunking import by_size
from seqwise.text.cleaning import steps_of
from seqwise.text.ngram_block import Kind, NgramBlock
from seqwise.text.ngram_corpus import END, START, Corpus, CorpusReader
from seqwise.text.ragged import Ragged, RaggedWriter
from seqwise.text.tokenizer import Tokenizer
from seqwise.text.word_forms import KeepWords

Span = tuple[int, int]


class NgramFeatures:
    """Counts n-grams of words and of characters and weights them.

    Blocks of features, each with its own budget: n-grams of words; n-grams of characters, inside words (a space marks
    where a word begins or ends) if there are word n-grams, otherwise over the whole text with its start and end marked
    (names, DNA); and n-grams of characters at fixed positions, for texts of one length.

    Weights: "binary" is 1 for every n-gram that occurs. "tfidf" is (1 + ln tf) (ln((1 + N) / (1 + df)) + 1) for an
    n-gram that occurs tf times in the text and in df of the N training texts; every block of a row, and the whole row,
    is then scaled to Euclidean length 1, blocks weighing the same. A text without known n-grams is an empty row.

    Args:
        words: shortest and longest n of the word n-grams, or None for none.
        characters: the same for characters.
        positions: n-grams of characters with their position up to this n; True is up to 2, False is none.
        min_documents: an n-gram in fewer training texts is left out.
        max_features: how many n-grams each block keeps at most, by falling document count; None keeps all.
        weighting: "tfidf" or "binary".
        lowercase: whether case is ignored.
        clean: steps of cleaning before, see `seqwise.text.cleaning`.
        stop_words: words that are dropped, see `seqwise.text.word_forms`; they, lemmas and stems are of the word n-grams and
            of the characters inside words.
        keep_words: stop words that stay.
        lemmas: language whose lemmas replace words.
        stems: language or algorithm whose stems replace words.
        unit: "words" are found by the tokenizer, "tokens" are given (as lists, or split on white space).

    Raises:
        ConfigurationError: if a span is not 1 <= shortest <= longest, or nothing is asked for.
    """

    def __init__(
        self,
        *,
        words: Span | None = (1, 2),
        characters: Span | None = None,
        positions: bool | int = False,
        min_documents: int = 1,
        max_features: int | None = 200_000,
        weighting: Literal["tfidf", "binary"] = "tfidf",
        lowercase: bool = True,
        clean: Sequence[str] = (),
        stop_words: str | Sequence[str] | None = None,
        keep_words: KeepWords = "negation",
        lemmas: str | None = None,
        stems: str | None = None,
        unit: Literal["words", "tokens"] = "words",
    ) -> None:
        spans: list[tuple[Kind, Span | None]] = [
            ("words", words),
            ("characters" if words is None else "word characters", characters),
            ("positions", (1, 2 if positions is True else positions) if positions else None),
        ]
        for kind, span in spans:
            if span is not None and not (len(span) == 2 and 1 <= span[0] <= span[1] <= 64):
                raise ConfigurationError(
                    f"n-grams of {kind}: {span} is not (shortest, longest) with 1 <= shortest <= longest"
                )
        if weighting not in ("tfidf", "binary"):
            raise ConfigurationError(f'weighting is "tfidf" or "binary", not {weighting!r}')
        if unit not in ("words", "tokens"):
            raise ConfigurationError(f'unit is "words" or "tokens", not {unit!r}')
        if min_documents < 1 or (max_features is not None and max_features < 1):
            raise ConfigurationError("min_documents and max_features are at least 1")
        self._settings = {
            "words": None if words is None else list(words),
            "characters": None if characters is None else list(characters),
            "positions": positions,
            "min_documents": min_documents,
            "max_features": max_features,
            "weighting": weighting,
            "lowercase": lowercase,
            "clean": list(steps_of(clean)),
            "unit": unit,
        }
        forms: dict[str, Any] = {"stop_words": stop_words, "lemmas": lemmas, "stems": stems}
        if any(forms.values()):
            if words is None:
                raise ConfigurationError("stop_words, lemmas and stems need n-grams of words")
            forms = {name: list(value) if isinstance(value, tuple) else value for name, value in forms.items()}
            forms["keep_words"] = list(keep_words) if isinstance(keep_words, tuple) else keep_words
            self._settings |= forms
        self.weighting = weighting
        self._limits = {"min_documents": min_documents, "max_features": max_features}
        self.blocks = [NgramBlock(kind, *span) for kind, span in spans if span is not None]
        if not self.blocks:
            raise ConfigurationError("n-gram features need words, characters or positions")
        whole = any(block.kind in ("characters", "positions") for block in self.blocks)
        self._reader = CorpusReader(
            unit=unit,
            lowercase=lowercase,
            clean=steps_of(clean),
            words=words is not None,
            characters=whole,
            forms=forms if any(forms.values()) else None,
        )
        self.documents = 0
        self._of_features: tuple[NDArray[np.float64], NDArray[np.int64]] | None = None  # idf, and which block

    def __len__(self) -> int:
        return sum(len(block.features) for block in self.blocks)

    @property
    def tokenizer(self) -> Tokenizer:
        """What finds the words."""
        return self._reader.tokenizer

    @property
    def names(self) -> list[tuple[str, str]]:
        """(kind, n-gram) of every feature, in the order of the ids; the ends of a text are shown as ^ and $."""
        shown = str.maketrans({START: "^", END: "$"})
        return [(block.kind, feature.translate(shown)) for block in self.blocks for feature in block.features]

    def fit(self, texts: Iterable[str | Sequence[str]], *, folder: str | Path | None = None) -> NgramFeatures:
        """Chooses the n-grams from the training texts.

        Args:
            texts: any iterable; read once.
            folder: where to keep the texts' ids in memory-mapped files while counting, instead of in memory.
        """
        self._fit(texts, folder)
        return self

    def transform(self, texts: Iterable[str | Sequence[str]], *, folder: str | Path | None = None) -> Ragged:
        """The weighted features of every text, ids ascending within a row.

        Args:
            texts: any iterable; read once, chunk by chunk.
            folder: where to keep the result in memory-mapped files instead of in memory (they belong to the caller).
        """
        return self._rows((self._reader.read(chunk) for chunk in by_size(texts)), folder)

    def fit_transform(self, texts: Iterable[str | Sequence[str]], *, folder: str | Path | None = None) -> Ragged:
        """`fit` and `transform` of the same texts, tokenising once; the result is the same."""
        return self._rows([self._fit(texts, folder)], folder)

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "settings": self._settings,
            "documents": self.documents,
            "blocks": [block.to_dict() for block in self.blocks],
        }

    @classmethod
    def from_dict(cls, data: Any) -> NgramFeatures:
        """The features that `to_dict` described.

        Raises:
            DataError: if it is not such a description, with the reason.
        """
        if not isinstance(data, dict) or set(data) != {"settings", "documents", "blocks"}:
            raise DataError('n-gram features have the keys "settings", "documents" and "blocks"')
        try:
            result = cls(**data["settings"])
        except (TypeError, ConfigurationError) as error:
            raise DataError(f"settings of n-gram features: {error}") from None
        if type(data["documents"]) is not int or data["documents"] < 0:
            raise DataError(f"n-gram features: documents is {data['documents']!r:.40}, not a whole number")
        result.documents = data["documents"]
        blocks = data["blocks"]
        expected = [(block.kind, block.low, block.high) for block in result.blocks]
        keys = {"kind", "low", "high", "features", "counts"}
        if not isinstance(blocks, list) or not all(isinstance(b, dict) and set(b) == keys for b in blocks):
            raise DataError(f"n-gram features: every block has the keys {sorted(keys)}")
        if [(b["kind"], b["low"], b["high"]) for b in blocks] != expected:
            raise DataError("n-gram features: the blocks are not those of the settings")
        for block, saved in zip(result.blocks, blocks, strict=True):
            block.load(saved["features"], saved["counts"])
        return result

    def _fit(self, texts: Iterable[str | Sequence[str]], folder: str | Path | None) -> Corpus:
        corpus = self._reader.read(texts, folder)
        self.documents, self._of_features = len(corpus), None
        for block in self.blocks:
            block.fit(corpus, **self._limits)  # type: ignore[arg-type]
        return corpus

    def _rows(self, corpora: Iterable[Corpus], folder: str | Path | None) -> Ragged:
        writer = RaggedWriter(folder, valued=True)
        for part in _parts(corpora):
            ids, lengths, values = self._weighted(part)
            writer.append(ids, lengths, values)
        return writer.finish()

    def _weighted(self, corpus: Corpus) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        if self._of_features is None:  # once: there may be far more features than n-grams in a text
            idf = [np.log((1 + self.documents) / (1 + block.counts)) + 1 for block in self.blocks]
            self._of_features = np.concatenate(idf), np.repeat(np.arange(len(idf)), [len(part) for part in idf])
        idf_of, block_of = self._of_features
        width = len(self)
        keys = [np.empty(0, np.int64)]
        first = 0
        for block in self.blocks:
            keys += [document * width + first + feature for document, feature in block.occurrences(corpus)]
            first += len(block.features)
        pairs, frequency = np.unique(np.concatenate(keys), return_counts=True)
        document, feature = np.divmod(pairs, max(width, 1))
        lengths = np.bincount(document, minlength=len(corpus))
        if self.weighting == "binary":
            return feature, lengths, np.ones(len(feature))
        weight = (1 + np.log(frequency)) * idf_of[feature]
        blocks = len(self.blocks)
        part = document * blocks + block_of[feature]
        norm = np.sqrt(np.bincount(part, weight**2, minlength=len(corpus) * blocks))
        filled = np.count_nonzero(norm.reshape(-1, blocks), axis=1)  # blocks that say something about this text
        return feature, lengths, weight / (norm[part] * np.sqrt(filled[document]))


def _parts(corpora: Iterable[Corpus]) -> Iterator[Corpus]:
    for corpus in corpora:
        yield from corpus.parts()
