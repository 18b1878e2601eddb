"""From raw texts to rows of ids: tokens, vocabulary, truncation. Saved with the model as `vocabulary.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from seqwise.errors import DataError
from seqwise.text.chunking import Text, by_size, peeked
from seqwise.text.ragged import Ragged, RaggedWriter
from seqwise.text.settings import SUBWORDS, TextSettings
from seqwise.text.subwords import Subwords
from seqwise.text.tokenizer import Tokenizer, choose_unit
from seqwise.text.vocabulary import Vocabulary

_ROWS = 8192  # renumbered at a time


class TextPipeline:
    """Tokenises, looks up ids and truncates.

    A row is never empty: a text without tokens becomes a single <unk>. A row is never longer than `max_length`: of a
    longer text the first or the last tokens stay, as `keep` says; with `end_mark`, <eos> is the last of them.

    Args:
        settings: `unit="auto"` is decided by `fit`, after which `self.settings` holds the decision.
        wanted: tells of a token below `min_count` whether it stays in the vocabulary nevertheless; None: none does.
    """

    def __init__(self, settings: TextSettings | None = None, wanted: Callable[[str], bool] | None = None) -> None:
        self.settings = settings or TextSettings()
        self._wanted = wanted
        self._tokenizer: Tokenizer | None = None
        self._vocabulary: Vocabulary | None = None
        self._subwords: Subwords | None = None

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary learned by `fit`."""
        if self._vocabulary is None:
            raise DataError("this text pipeline has no vocabulary yet: call fit first")
        return self._vocabulary

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the decided unit."""
        if self._tokenizer is None:
            if self.settings.unit == "auto":
                raise DataError("this text pipeline has not decided its unit yet: call fit first")
            self._tokenizer = Tokenizer(self.settings, self._subwords)
        return self._tokenizer

    @property
    def subwords(self) -> Subwords | None:
        """The sub-words learned by `fit`, for the units "bpe" and "unigram"."""
        return self._subwords

    def fit(self, texts: Iterable[Text]) -> TextPipeline:
        """Decides the unit if it is "auto" and learns the vocabulary, from whole texts (before truncation).

        Sub-words are learned first; `max_vocabulary` is how many.
        """
        texts = self._decide(texts)
        self._vocabulary = Vocabulary.fit(
            map(self.tokenizer, texts), self.settings.max_vocabulary, self._least, self._wanted
        )
        return self

    def encode(self, texts: Iterable[Text], *, folder: str | Path | None = None) -> Ragged:
        """The ids of every text.

        Args:
            texts: any iterable; read once, chunk by chunk.
            folder: where to keep the ids in memory-mapped files instead of in memory (they belong to the caller).
        """
        writer = RaggedWriter(folder)
        vocabulary = self.vocabulary
        for chunk in by_size(texts):
            rows = [self._cut(self.tokenizer(text)) for text in chunk]
            writer.append(vocabulary.encode(chain.from_iterable(rows)), [len(row) for row in rows])
        return writer.finish()

    def fit_encode(self, texts: Iterable[Text], *, folder: str | Path | None = None) -> Ragged:
        """`fit` and `encode` of the same texts, tokenising once; the result is the same."""
        texts = self._decide(texts)
        counter: Counter[str] = Counter()
        seen: dict[str, int] = {"<unk>": 0, "<eos>": 1}  # ids by first appearance, until the counts are known
        writer = RaggedWriter(folder)
        for chunk in by_size(texts):
            ids: list[int] = []
            lengths = []
            for text in chunk:
                tokens = self.tokenizer(text)
                counter.update(tokens)
                row = self._cut(tokens)
                lengths.append(len(row))
                ids += [seen.setdefault(token, len(seen)) for token in row]
            writer.append(np.array(ids, np.int32), lengths)
        provisional = writer.finish()
        self._vocabulary = Vocabulary.from_counts(counter, self.settings.max_vocabulary, self._least, self._wanted)
        final_ids = self._vocabulary.encode(seen)
        result = RaggedWriter(folder)
        for start in range(0, len(provisional), _ROWS):
            part = provisional.part(start, min(start + _ROWS, len(provisional)))
            result.append(final_ids[part.ids], part.lengths)
        if folder is not None and isinstance(provisional.ids, np.memmap):
            Path(str(provisional.ids.filename)).unlink()
        return result.finish()

    def fit_stream(self, texts: Iterable[Text]) -> NDArray[np.int32]:
        """`fit` and `encode_stream` of the same texts, tokenising once; a symbol is an <eos> too, if `end_mark` is set."""
        texts = self._decide(texts)
        counter: Counter[str] = Counter()
        seen: dict[str, int] = {}
        parts: list[NDArray[np.int32]] = []
        for tokens in self._running(texts):
            counter.update(tokens)
            parts.append(np.array([seen.setdefault(token, len(seen)) for token in tokens], np.int32))
        del counter["<eos>"]  # a mark that ends a text is no word of it
        self._vocabulary = Vocabulary.from_counts(counter, self.settings.max_vocabulary, self._least)
        final_ids = self._vocabulary.encode(seen)
        return final_ids[np.concatenate(parts)] if parts else np.empty(0, np.int32)

    def encode_stream(self, texts: Iterable[Text]) -> NDArray[np.int32]:
        """The ids of all texts one after the other, (N,): what a language model reads.

        Nothing is truncated, and white space at the ends of a text of characters stays. With `end_mark`, <eos> follows
        every text.
        """
        vocabulary = self.vocabulary
        parts = [vocabulary.encode(tokens) for tokens in self._running(texts)]
        return np.concatenate(parts) if parts else np.empty(0, np.int32)

    def to_dict(self) -> dict[str, Any]:
        """Settings and vocabulary, ready for JSON."""
        learned = {} if self._subwords is None else {"subwords": self._subwords.to_json()}
        return {"settings": self.settings.model_dump(), "vocabulary": self.vocabulary.to_dict(), **learned}

    @classmethod
    def from_dict(cls, data: Any) -> TextPipeline:
        """The pipeline that `to_dict` described.

        Raises:
            DataError: if it is not one, with the reason.
        """
        if not isinstance(data, dict) or set(data) - {"subwords"} != {"settings", "vocabulary"}:
            raise DataError('a text pipeline has the keys "settings" and "vocabulary"')
        try:
            pipeline = cls(TextSettings.model_validate(data["settings"], strict=True))
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"])) or "settings"
            raise DataError(f"text settings: {where}: {problem['msg']}") from None
        if pipeline.settings.unit == "auto":
            raise DataError('text settings: unit is "auto", which no fitted pipeline has')
        if (pipeline.settings.unit in SUBWORDS) != ("subwords" in data):
            raise DataError('a text pipeline has "subwords" if its unit is one, and only then')
        if "subwords" in data:
            pipeline._subwords = Subwords(data["subwords"])
        pipeline._vocabulary = Vocabulary.from_dict(data["vocabulary"])
        return pipeline

    def _running(self, texts: Iterable[Text]) -> Iterator[list[str]]:
        tokenizer, end = self.tokenizer, ["<eos>"] if self.settings.end_mark else []
        for text in texts:
            yield tokenizer.running(text) + end

    def _decide(self, texts: Iterable[Text]) -> Iterable[Text]:
        if self.settings.unit == "auto":
            texts, first = peeked(texts, 2000)
            self.settings = self.settings.model_copy(update={"unit": choose_unit(first)})
            self._tokenizer = None
        if self.settings.unit in SUBWORDS:
            texts = list(texts) if isinstance(texts, Iterator) else texts  # read twice
            reader = Tokenizer(self.settings.model_copy(update={"unit": "words"}))
            self._subwords = Subwords.learn(
                map(reader.prepared, texts),  # type: ignore[arg-type]
                self.settings.unit,  # type: ignore[arg-type]
                self.settings.max_vocabulary,
                self.settings.min_count,
            )
            self._tokenizer = None
        return texts

    @property
    def _least(self) -> int:
        # A sub-word that is seldom used is one because a rarer word needs it.
        return 1 if self.settings.unit in SUBWORDS else self.settings.min_count

    def _cut(self, tokens: list[str]) -> list[str]:
        room = self.settings.max_length - self.settings.end_mark
        if len(tokens) > room:
            tokens = tokens[:room] if self.settings.keep == "first" else tokens[len(tokens) - room :]
        if self.settings.end_mark:
            tokens = [*tokens, "<eos>"]
        return tokens or ["<unk>"]
