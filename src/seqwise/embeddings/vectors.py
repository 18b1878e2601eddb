"""Words and their vectors: what can be asked of them.

Axis letters: V vocabulary, D size of a vector, Q queries.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqwise.embeddings.approximate import NeighbourGraph
from seqwise.embeddings.search import row_norms, search
from seqwise.embeddings.subwords import NgramVectors
from seqwise.errors import DataError

AnalogyMethod = Literal["add", "mul"]
_SPELLINGS = 50_000  # most frequent words among which a similar spelling is looked for


class Neighbour(NamedTuple):
    """A word that was found, with its score: a cosine, or for 3CosMul a ratio of cosines."""

    word: str
    score: float


class WordVectors:
    """A vector for each of V words, most frequent first.

    A word that is not here as it is written is looked for in lower case, then as the most frequent word that differs
    from it only in case: "QUEEN" finds "queen", "paris" finds "Paris".

    Args:
        words: V different words.
        vectors: (V, D), kept as float32; an array that is mapped from a file stays so.
        counts: how often each word was seen, (V,) whole numbers; None if that is not known.
        ngrams: vectors of character n-grams, of size D: with them unknown words have vectors too. `find`, `index` and `in`
            stay about the V words, and only those are answered.

    Raises:
        DataError: a word stands there twice, is no text or is empty; shapes do not agree.
    """

    def __init__(
        self,
        words: Sequence[str],
        vectors: ArrayLike,
        counts: ArrayLike | None = None,
        *,
        ngrams: NgramVectors | None = None,
    ) -> None:
        self.words = list(words)
        self.vectors: NDArray[np.float32] = np.asanyarray(vectors, np.float32)
        self.counts: NDArray[np.int64] | None = None if counts is None else _checked_counts(counts, len(self.words))
        if self.vectors.ndim != 2 or self.vectors.shape[0] != len(self.words) or not self.vectors.shape[1]:
            raise DataError(
                f"vectors: the shape ({len(self.words)}, D) is expected, one row a word, not {self.vectors.shape}"
            )
        self._graph: NeighbourGraph | None = None
        self.ngrams = ngrams
        if ngrams is not None and ngrams.vectors.shape[1] != self.vectors.shape[1]:
            raise DataError(f"n-grams of {ngrams.vectors.shape[1]} numbers, and words of {self.vectors.shape[1]}")
        self._ids = {word: i for i, word in enumerate(self.words)}
        _check_words(self.words, self._ids)

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.find(word) is not None

    def __getitem__(self, word: str) -> NDArray[np.float32]:
        """The vector of a word, (D,), case fallback and n-grams included.

        Raises:
            DataError: the word has none; names similar ones that have.
        """
        vector = self.vector(word)
        return self.vectors[self.index(word)] if vector is None else vector

    @property
    def size(self) -> int:
        """D, the numbers in a vector."""
        return int(self.vectors.shape[1])

    @cached_property
    def norms(self) -> NDArray[np.float32]:
        """The lengths of the vectors, (V,).

        Raises:
            DataError: a vector holds NaN or an infinite number; names the word.
        """
        norms = row_norms(self.vectors)
        if not np.isfinite(norms).all():
            raise DataError(f"the vector of {self.words[int(np.argmin(np.isfinite(norms)))]!r} is not finite")
        return norms

    @cached_property
    def _folded(self) -> dict[str, int]:
        """Case-folded word -> the most frequent word of that form."""
        return {self.words[i].casefold(): i for i in range(len(self.words) - 1, -1, -1)}

    def find(self, word: str) -> int | None:
        """The row of a word, case fallback included; None if it is not here."""
        for form in (word, word.lower()):
            if (row := self._ids.get(form)) is not None:
                return row
        return self._folded.get(word.casefold())

    def vector(self, word: str) -> NDArray[np.float32] | None:
        """The vector of a word, (D,), case fallback included; where it is not here, that of its n-grams; None without."""
        row = self.find(word)
        if row is not None:
            return np.asarray(self.vectors[row])
        return None if self.ngrams is None else self.ngrams.vector(word)

    def index(self, word: str) -> int:
        """The row of a word, case fallback included.

        Raises:
            DataError: the word is not here; names similar ones.
        """
        row = self.find(word)
        if row is None:
            raise DataError(f"there is no vector for {word!r}{self._hint(word)}")
        return row

    def neighbours(
        self,
        query: str | ArrayLike,
        count: int = 10,
        *,
        exclude: Iterable[str] | None = None,
        approximate: bool = False,
    ) -> list[Neighbour]:
        """The words whose vectors have the largest cosines with the query.

        Args:
            query: a word, or a vector (D,).
            count: how many words.
            exclude: words that are not answered; by default the query, if it is a word.
            approximate: see `nearest`.

        Raises:
            DataError: an unknown word, or a vector that is not (D,) finite numbers.
            MissingExtraError: `approximate` without usearch.
        """
        _check_count(count)
        if isinstance(query, str):
            vector, left_out = self[query], [query] if exclude is None else exclude
        else:
            vector, left_out = self._checked_query(query), () if exclude is None else exclude
        rows = np.unique([row for word in left_out if (row := self.find(word)) is not None])
        return self._answers(self.nearest(vector[None], count, exclude=[rows], approximate=approximate))[0]

    def analogy(self, a: str, b: str, c: str, count: int = 10, *, method: AnalogyMethod = "add") -> list[Neighbour]:
        """The words that are to `c` as `b` is to `a`: analogy("man", "king", "woman") begins with "queen".

        The three words themselves are never answered.

        Args:
            a: the first word of the known pair.
            b: the second word of the known pair.
            c: the first word of the pair to complete.
            count: how many words.
            method: "add" ranks by cos(x, b - a + c) of unit vectors (3CosAdd); "mul" by
                cos'(x, b) cos'(x, c) / (cos'(x, a) + .001) with cos' = (1 + cos) / 2 (3CosMul).

        Source: Mikolov et al. 2013 (3CosAdd); Levy and Goldberg 2014 (3CosMul).

        Raises:
            DataError: a word is unknown.
        """
        _check_count(count)
        units = _unit(np.stack([self[word] for word in (a, b, c)]))[None]
        rows = [row for word in (a, b, c) if (row := self.find(word)) is not None]
        return self._answers(self._complete(units, [np.array(rows, np.int64)], count, method))[0]

    def similarity(self, a: str, b: str) -> float:
        """The cosine of two words' vectors, from -1 to 1; 0 if either vector is zero.

        Raises:
            DataError: a word is unknown.
        """
        first, second = _unit(np.stack([self[a], self[b]])).astype(np.float64)
        return float(np.clip(first @ second, -1.0, 1.0))

    def odd_one_out(self, words: Sequence[str]) -> tuple[str, list[Neighbour]]:
        """The word that fits worst among the others.

        Returns:
            The word, and every word with its cosine to the mean of all unit vectors, the odd one first.

        Raises:
            DataError: fewer than three words, or a word is unknown.
        """
        if len(words) < 3:
            raise DataError(f"at least three words are needed to find the odd one out, not {len(words)}")
        units = _unit(np.stack([self[word] for word in words]))
        cosines = units @ _unit(units.mean(0))
        order = np.argsort(cosines, kind="stable")
        ranked = [Neighbour(words[i], float(cosines[i])) for i in order]
        return ranked[0].word, ranked

    def mean(self, text: str | Iterable[str]) -> NDArray[np.float32]:
        """The mean vector of the words of a text, (D,); words without a vector are left out.

        Args:
            text: a text, which is split into words, or words.

        Raises:
            DataError: none of the words has a vector.
        """
        words = _words_of(text) if isinstance(text, str) else list(text)
        found = [vector for word in words if (vector := self.vector(word)) is not None]
        if not found:
            shown = text if isinstance(text, str) else " ".join(words)
            raise DataError(f"no word of {shown!r:.80} has a vector")
        return np.stack(found).mean(0, dtype=np.float64).astype(np.float32)

    def mean_direction(self, words: Sequence[str]) -> NDArray[np.float32]:
        """The mean of the vectors of words scaled to length 1, (D,).

        Raises:
            DataError: a word has no vector.
        """
        return np.asarray(_unit(np.stack([self[word] for word in words])).mean(0))

    def units(self, rows: Sequence[int] | NDArray[np.integer]) -> NDArray[np.float32]:
        """The vectors of some rows scaled to length 1, (len(rows), D); zero vectors stay zero."""
        norms: NDArray[np.float32] = self.norms[rows]
        scale = np.where(norms > 0, norms, np.float32(1))[..., None]
        return (np.asarray(self.vectors[rows]) / scale).astype(np.float32, copy=False)

    def most_frequent(self, count: int) -> WordVectors:
        """The first `count` words (all if there are fewer); the vectors are not copied."""
        counts = None if self.counts is None else self.counts[:count]
        return WordVectors(self.words[:count], self.vectors[:count], counts, ngrams=self.ngrams)

    def nearest(
        self,
        queries: NDArray[np.floating],
        count: int,
        *,
        exclude: Sequence[NDArray[np.integer]] | None = None,
        approximate: bool = False,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The rows with the largest cosines with each of many vectors.

        Args:
            queries: (Q, D).
            count: rows for each query.
            exclude: for each query the rows that are not answered.
            approximate: walk a graph of neighbours instead of going through all rows, and miss a few. It is built first if
                `build_graph` was not called, which takes far longer than an exact search.

        Returns:
            Rows and cosines, both (Q, min(count, V)), best first; excluded rows that had to fill up have -inf.
        """
        units = _unit(np.asarray(queries, np.float32))
        if approximate:
            return (self._graph or self.build_graph()).nearest(units, count, exclude)
        return search(self.vectors, self.norms, units[:, None], count, lambda cosines: cosines[:, 0], exclude)

    def build_graph(self, path: str | Path | None = None, *, threads: int = 0) -> NeighbourGraph:
        """Make approximate search ready: see `seqwise.embeddings.approximate`.

        Args:
            path: of a file to read the graph from, or to keep it in if there is none.
            threads: that build it, 0: one a core.

        Raises:
            MissingExtraError: usearch is not installed.
            DataError: the file holds the graph of other vectors.
            FileError: the file cannot be read or written.
        """
        self._graph = NeighbourGraph(self.vectors, self.norms, None if path is None else Path(path), threads=threads)
        return self._graph

    def complete(
        self, rows: NDArray[np.integer], count: int, *, method: AnalogyMethod = "add"
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Many analogies at once: see `analogy`.

        Args:
            rows: (Q, 3), the rows of a, b and c.
            count: rows for each query.
            method: "add" or "mul".

        Returns:
            As for `nearest`.
        """
        return self._complete(self.units(rows), list(rows), count, method)

    def _complete(
        self, units: NDArray[np.float32], exclude: Sequence[NDArray[np.integer]], count: int, method: AnalogyMethod
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Analogies of the unit vectors of a, b and c, (Q, 3, D)."""
        if method == "add":
            return self.nearest(units[:, 1] - units[:, 0] + units[:, 2], count, exclude=exclude)
        if method != "mul":
            raise DataError(f'an analogy is completed by "add" or "mul", not {method!r}')
        return search(self.vectors, self.norms, units, count, _cos_mul, exclude)

    def save(self, path: str | Path) -> None:
        """Writes words and vectors to a file whose suffix names the format: see `seqwise.embeddings.formats`.

        Only .safetensors keeps the counts and the n-grams; a warning says when n-grams are lost.

        Raises:
            FileError: the suffix is unknown, or the file cannot be written.
            DataError: the format cannot hold one of the words (white space in a text format).
        """
        from seqwise.embeddings.formats import write_vectors

        write_vectors(self, path)

    @classmethod
    def load(cls, path: str | Path, *, mmap: bool = True, **options: Any) -> WordVectors:
        """Reads a file of vectors: see `seqwise.embeddings.formats.read_vectors`.

        Raises:
            FileError: the file is missing, damaged or of an unknown kind; names line or byte.
            DataError: it holds something else than words and vectors, or a word twice.
        """
        from seqwise.embeddings.formats import read_vectors

        return read_vectors(path, mmap=mmap, **options)

    def _answers(self, found: tuple[NDArray[np.int64], NDArray[np.float32]]) -> list[list[Neighbour]]:
        return [
            [Neighbour(self.words[i], float(score)) for i, score in zip(rows, scores, strict=True) if score > -np.inf]
            for rows, scores in zip(*found, strict=True)
        ]

    def _checked_query(self, query: ArrayLike) -> NDArray[np.float32]:
        vector = np.asarray(query, np.float32)
        if vector.shape != (self.size,) or not np.isfinite(vector).all():
            raise DataError(f"query: a vector of {self.size} finite numbers is expected, not {vector.shape}")
        return vector

    def _hint(self, word: str) -> str:
        alike = (known for known in islice(self.words, _SPELLINGS) if known[:1].lower() == word[:1].lower())
        near = difflib.get_close_matches(word, list(alike), 3, 0.75)
        return f"; similar words that have one: {', '.join(near)}" if near else ""


def _cos_mul(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores of 3CosMul from the cosines with a, b and c, (Q, 3, rows) -> (Q, rows)."""
    half = np.float32(0.5)
    a, b, c = (half + half * cosines[:, i] for i in range(3))
    scores: NDArray[np.float32] = b * c / (a + np.float32(1e-3))
    return scores


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32, copy=False)


def _words_of(text: str) -> list[str]:
    from seqwise.text import TextSettings, Tokenizer

    return Tokenizer(TextSettings(unit="words", lowercase=False))(text)


def _check_count(count: int) -> None:
    if count < 1:
        raise DataError(f"count: at least one word must be asked for, not {count}")


def _check_words(words: list[str], ids: dict[str, int]) -> None:
    if len(ids) != len(words):
        seen: set[str] = set()
        repeated = next(word for word in words if word in seen or seen.add(word))  # type: ignore[func-returns-value]
        raise DataError(f"words: {repeated!r} is there twice")
    for i, word in enumerate(words):
        if not isinstance(word, str) or not word:
            raise DataError(f"words: entry {i} is {word!r:.40}, and a text that is not empty is expected")


def _checked_counts(counts: ArrayLike, words: int) -> NDArray[np.int64]:
    array = np.asarray(counts)
    if array.shape != (words,) or (array.size and (array.dtype.kind not in "iu" or array.min() < 0)):
        raise DataError(f"counts: {words} whole numbers from 0 on are expected, not {array.dtype} {array.shape}")
    return array.astype(np.int64)
