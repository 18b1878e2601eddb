"""A corpus as numbers: read once, encoded into a memory-mapped file in the cache, and found there the next time.

The first pass gives every word the number of its first occurrence and counts it; the second, over the encoded file, drops
rare words and renumbers the others by falling count. What is held in memory is the vocabulary and a block of text.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from seqwise.embeddings.corpus_cache import HEADER, cache_limit, find, finish, keep, key_of, unfinished
from seqwise.embeddings.mapped_memory import let_go
from seqwise.embeddings.numbering import PART, Numbering, renumber
from seqwise.embeddings.phrases import join_phrases
from seqwise.embeddings.sources import Corpus, Errors, encode_blocks, read_blocks
from seqwise.errors import ConfigurationError, DataError

_NO_BYTE = 256


class EncodedCorpus:
    """Words as numbers.

    Attributes:
        words: the vocabulary, by falling count; ties in code point order.
        counts: (V,) int64.
        tokens: (N,) int32, memory-mapped: word numbers, -1 behind the last word of a sentence.
        total: words of the corpus, the rare ones included.
        kept: words of the corpus that are in the vocabulary.
        options: how it was read, name -> value, all of them for JSON.
        cached: whether it was found in the cache.
    """

    def __init__(
        self,
        path: Path,
        tokens: NDArray[np.int32],
        words: list[str],
        counts: NDArray[np.int64],
        total: int,
        options: dict[str, Any],
        cached: bool = False,
    ) -> None:
        self.tokens, self.words, self.counts = tokens, words, counts
        self.total, self.kept = total, int(counts.sum())
        self.options, self.cached = options, cached
        self._path: Path | None = path
        self._fingerprint: str | None = None

    def fingerprint(self) -> str:
        """A checksum of words, counts and tokens: equal for equal texts; all of the file is read, once."""
        if self._fingerprint is None:
            check = zlib.crc32("\n".join(self.words).encode())
            check = zlib.crc32(self.counts.tobytes(), check)
            for start in range(0, len(self.tokens), PART):
                check = zlib.crc32(self.tokens[start : start + PART].tobytes(), check)
                let_go(self.tokens, start, start + PART)
            self._fingerprint = f"{check:08x}-{len(self.tokens)}-{len(self.words)}"
        return self._fingerprint

    def leave(self) -> None:
        """The file belongs to the cache: `close` does not delete it."""
        self._path = None

    def close(self) -> None:
        """Delete the file, unless it is kept in the cache."""
        self.tokens = np.zeros(0, np.int32)
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> EncodedCorpus:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def encode(
    corpus: Corpus,
    *,
    min_count: int = 5,
    running: bool = False,
    column: str | None = None,
    errors: Errors = "strict",
    clean: Callable[[str], str] | None = None,
    report: Callable[[int, int], None] | None = None,
    phrases: int = 0,
    phrase_threshold: float = 100.0,
) -> EncodedCorpus:
    """Number the words of a corpus.

    Words are separated by white space (ASCII, control characters included). A line is a sentence, unless `running`.
    What files become is kept in the cache, see `seqwise.embeddings.corpus_cache`; `clean` must then be `str.lower`, or have
    an attribute `identity`, a text that is another one for whatever cleans otherwise.

    Args:
        corpus: the path of a file, or several; "-" is standard input; or an iterable of sentences, each a text or a list of
            words. A `str` is a path, and so are the items of a list of `pathlib.Path`.
        min_count: a word seen less often is dropped, and its neighbours move together.
        running: line breaks mean nothing.
        column: of Parquet files.
        errors: "strict", or "replace" turns what is not UTF-8 into U+FFFD.
        clean: applied to blocks of text, which end behind a word; may change anything but must keep line breaks.
        report: called with the bytes and the words that were read.
        phrases: passes in which words that stand together become one, see `join_phrases`.
        phrase_threshold: of the last pass; twice as high in the one before it, and so on.

    Raises:
        FileError: a file is missing, damaged or not UTF-8 (names the byte); the disk is full.
        DataError: there is no text, or no word is frequent enough.
        ConfigurationError: an option is out of range.
    """
    if phrases < 0 or not phrase_threshold > 0:
        raise ConfigurationError(f"phrases: passes and a threshold above 0, not {phrases} and {phrase_threshold}")
    options: dict[str, Any] = {"running": running, "column": column, "errors": errors, "clean": _name_of(clean)}
    options["phrases"] = phrases
    if phrases:
        options["phrase_threshold"] = phrase_threshold
    paths, identity = _paths(corpus), _identity(clean)
    made = {**options, "clean": identity, "min_count": min_count}
    key = key_of(paths, made) if paths is not None and identity is not None and cache_limit() > 0 else None
    if key is not None and (found := find(key)) is not None:
        path, arrays, words, total = found
        kept = EncodedCorpus(path, arrays["tokens"], words, arrays["counts"], total, options, cached=True)
        kept.leave()
        return kept
    numbering = Numbering(_NO_BYTE if running else ord("\n"))
    with unfinished() as (path, file):
        file.write(bytes(HEADER))
        size = 0
        blocks = _blocks(corpus, column, errors, clean)
        with _Behind(file) as behind:
            for block, length in blocks if paths is None or "-" in map(str, paths) else _ahead(blocks):
                for numbers in numbering.number(block):
                    behind.write(numbers)
                size += length
                if report is not None:
                    report(size, numbering.total)
        words, counts, table = numbering.vocabulary(min_count)
        renumber(file, table, drop=not phrases)
        if phrases:
            words, counts = join_phrases(file, words, counts, numbering.total, min_count, phrases, phrase_threshold)
        if not words:
            raise DataError(
                f"no word is there {min_count} times or more (of {numbering.total:,} words): nothing to learn from"
                if numbering.total
                else "the corpus has no words"
            )
        length = (file.seek(0, io.SEEK_END) - HEADER) // 4
        tokens: NDArray[np.int32] = np.memmap(path, np.int32, "r", offset=HEADER, shape=(length,))
        encoded = EncodedCorpus(path, tokens, words, counts, numbering.total, options)
        if key is not None and paths is not None and key == key_of(paths, made):  # nobody has changed them meanwhile
            finish(file, words, counts, numbering.total, key)
            if keep(path, key):
                encoded.leave()
        return encoded


def _ahead(blocks: Iterator[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    """Read the next block while this one is worked on."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = reader.submit(next, blocks, None)
            yield block


class _Behind:
    """Writes to a file while the caller goes on; what goes wrong is raised with the next write or at the end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._writer = ThreadPoolExecutor(1)
        self._last: Future[int] | None = None

    def write(self, content: bytes) -> None:
        self._wait()
        self._last = self._writer.submit(self._file.write, content)

    def _wait(self) -> None:
        if self._last is not None:
            self._last.result()

    def __enter__(self) -> _Behind:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._writer.shutdown()
        if kind is None:
            self._wait()


def _paths(corpus: Any) -> Sequence[str | Path] | None:
    """The files of a corpus that is files."""
    if isinstance(corpus, str | Path):
        return [corpus]
    if isinstance(corpus, list | tuple) and corpus and all(isinstance(item, Path) for item in corpus):
        return corpus
    return None


def _identity(clean: Callable[[str], str] | None) -> str | None:
    """A text that tells this way of cleaning from all others; None if nothing is known about it."""
    if clean is None or clean is str.lower:
        return "" if clean is None else "str.lower"
    return getattr(clean, "identity", None)


def _name_of(clean: Callable[[str], str] | None) -> str | None:
    """What tells one way of cleaning from another, as far as that is possible."""
    if clean is None:
        return None
    return str(getattr(clean, "name", None) or getattr(clean, "__qualname__", type(clean).__qualname__))


def _blocks(
    corpus: Corpus, column: str | None, errors: Errors, clean: Callable[[str], str] | None
) -> Iterator[tuple[bytes, int]]:
    paths = _paths(corpus)
    if paths is not None:
        return read_blocks(paths, column=column, errors=errors, clean=clean)
    return encode_blocks(_sentences(corpus), clean)


def _sentences(corpus: Any) -> Iterable[str | Sequence[str]]:
    if not isinstance(corpus, Iterable):
        raise DataError(f"corpus: a path or an iterable of sentences is expected, not {type(corpus).__name__}")
    return corpus
