"""Word vectors over HTTP: the neighbours of a word, and analogies."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

import numpy as np
from pydantic import Field

from seqwise.embeddings import WordVectors
from seqwise.errors import DataError
from seqwise.serving.problems import Refused
from seqwise.serving.served import Item, Served, Strict, Verb
from seqwise.serving.settings import ServerSettings

MOST_WORDS = 100  # answered at a time
LONGEST = 200  # characters of a word
SAMPLE = 2**20  # bytes of each end of a file by which it is known
EXAMPLES = 100  # most frequent words among which the example is the longest: the first few are "the" and commas

Word = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class WordInput(Strict):
    """A word."""

    word: Word = Field(description="whose neighbours are asked for")


class AnalogyInput(Strict):
    """Words to add and to take away: king - man + woman has king and woman as positive, man as negative."""

    positive: list[Word] = Field(min_length=1, max_length=10, description="words whose directions are added")
    negative: list[Word] = Field(default=[], max_length=10, description="words whose directions are taken away")


class HowMany(Strict):
    """How much is answered."""

    k: int = Field(default=10, ge=1, le=MOST_WORDS, description="how many words")


class NeighbourAnswer(Strict):
    """A word and how near it is."""

    word: str
    similarity: float = Field(description="the cosine, from -1 to 1")


class Neighbours(Strict):
    """The nearest words, best first."""

    neighbours: list[NeighbourAnswer]


class Query(NamedTuple):
    """Words that are added and taken away, and how many words are wanted."""

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    k: int
    fields: tuple[str, str]


class ServedVectors(Served):
    """A file of word vectors.

    Args:
        name: under which clients know it.
        predictor: the vectors.
        settings: of the server.
        version: by which clients see that the file has become another.
    """

    task = "vectors"
    predictor: WordVectors

    def __init__(self, name: str, predictor: WordVectors, settings: ServerSettings, version: str = "") -> None:
        super().__init__(name, predictor, settings)
        self._version = version

    @classmethod
    def open(cls, name: str, path: Path, settings: ServerSettings) -> Self:
        """Read the file.

        Raises:
            FileError: it is missing, damaged or of an unknown kind.
            DataError: it holds something else than words and vectors, or a vector that is not finite.
        """
        vectors = WordVectors.load(path)
        _ = vectors.norms  # looked at once, so that no request waits for it or finds out that a number is not finite
        return cls(name, vectors, settings, _version(path))

    def _verbs(self) -> dict[str, Verb]:
        return {
            "neighbours": Verb(
                WordInput, HowMany, Neighbours, self._read_word, self._answer, summary="The words nearest to a word"
            ),
            "analogy": Verb(
                AnalogyInput,
                HowMany,
                Neighbours,
                self._read_analogy,
                self._answer,
                summary="Words by adding directions",
            ),
        }

    @property
    def example(self) -> dict[str, Any]:
        """A frequent word."""
        return {"word": max(self.predictor.words[:EXAMPLES], key=len)[:LONGEST]}

    def describe(self) -> dict[str, Any]:
        """What GET /models tells of it."""
        return {
            "name": self.name,
            "task": self.task,
            "estimator": "WordVectors",
            "unit": "words",
            "version": self._version,
            "verbs": list(self.verbs),
            "example": self.example,
            "streams": False,
            "words": len(self.predictor),
            "size": self.predictor.size,
        }

    def _read_word(self, body: WordInput, options: HowMany) -> Item:
        return Item(Query((body.word,), (), options.k, ("word", "word")), 1)

    def _read_analogy(self, body: AnalogyInput, options: HowMany) -> Item:
        return Item(Query(tuple(body.positive), tuple(body.negative), options.k, ("positive", "negative")), 1)

    def _answer(self, items: list[Item]) -> list[dict[str, Any]]:
        """The nearest words of several queries, by one search."""
        queries: list[Query] = [item.value for item in items]
        exclude = [self._rows(of.positive + of.negative) for of in queries]
        count = min(max(of.k for of in queries), len(self.predictor))
        directions = np.stack([self._direction(of) for of in queries])
        found, cosines = self.predictor.nearest(directions, count, exclude=exclude)
        return [
            {
                "neighbours": [
                    {"word": self.predictor.words[row], "similarity": float(min(max(cosine, -1.0), 1.0))}
                    for row, cosine in zip(rows[: of.k], values[: of.k], strict=True)
                    if np.isfinite(cosine)
                ]
            }
            for of, rows, values in zip(queries, found, cosines, strict=True)
        ]

    def _direction(self, query: Query) -> np.ndarray:
        """The sum of the unit vectors to add, less those to take away, (D,)."""
        total = np.zeros(self.predictor.size, np.float64)
        for words, sign, field in zip((query.positive, query.negative), (1, -1), query.fields, strict=True):
            for word in words:
                try:
                    vector = self.predictor[word].astype(np.float64)
                except DataError as error:
                    raise Refused(422, str(error), field) from None
                total += sign * vector / (np.linalg.norm(vector) or 1.0)
        return total

    def _rows(self, words: tuple[str, ...]) -> np.ndarray:
        """The rows of those words that have one; n-grams may have given the others their vectors."""
        found = {row for word in words if (row := self.predictor.find(word)) is not None}
        return np.array(sorted(found), np.int64)


def _version(path: Path) -> str:
    """A hash of a file's size, beginning and end: the whole may be gigabytes."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(SAMPLE))
        file.seek(max(size - SAMPLE, 0))
        digest.update(file.read(SAMPLE))
    return digest.hexdigest()
