"""Word vectors in a .safetensors file, whose matrix can be mapped into memory as it lies on the disk."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from seqwise.embeddings.subwords import NgramVectors
from seqwise.errors import DataError, FileError

if TYPE_CHECKING:
    from seqwise.embeddings.vectors import WordVectors

KIND, VERSION = "seqwise.word_vectors", "1"
_LARGEST_HEADER = 100_000_000  # the limit of the format itself
_BYTES_AT_ONCE = 2**26
_TYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "U8": np.dtype("u1"),
}

_KINDS = {
    "vectors": "F32",
    "words": "U8",
    "word_ends": "I64",
    "counts": "I64",
    "ngrams": "F32",
    "ngram_buckets": "I64",
    "ngram_lengths": "I64",
}


def write_tensors(vectors: WordVectors, stream: BinaryIO) -> None:
    """Writes the tensors one after the other, without a second copy of the matrix."""
    arrays: dict[str, NDArray[Any]] = {"vectors": vectors.vectors, **join_words(vectors.words)}
    if vectors.counts is not None:
        arrays["counts"] = vectors.counts
    if (ngrams := vectors.ngrams) is not None:
        arrays["ngrams"], arrays["ngram_buckets"] = ngrams.vectors, ngrams.used
        arrays["ngram_lengths"] = np.array([*ngrams.lengths, ngrams.buckets], np.int64)
    write_arrays(stream, arrays, {"format": KIND, "version": VERSION})


def write_arrays(stream: BinaryIO, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Writes a .safetensors file of arrays, one after the other, and what is said about them."""
    # Wide types first, as the format's own writer does: every tensor begins at a multiple of its width.
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    text = header_of({name: arrays[name] for name in names}, metadata)
    stream.write(struct.pack("<Q", len(text)) + text)
    for name in names:
        array = arrays[name]
        rows = max(1, _BYTES_AT_ONCE // max(1, array.nbytes // max(1, len(array))))
        for start in range(0, len(array), rows):
            part = array[start : start + rows]
            stream.write(np.ascontiguousarray(part, part.dtype.newbyteorder("<")).tobytes())


def header_of(arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> bytes:
    """The header of arrays that follow it in this order."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    kinds = {dtype: name for name, dtype in _TYPES.items()}
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        kind = kinds[array.dtype.newbyteorder("<")]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    return text + b" " * (-len(text) % 8)


def read_tensors(path: Path, *, mmap: bool) -> WordVectors:
    """Reads words and counts, and maps or reads the matrix.

    Raises:
        FileError: the file is truncated or damaged, or cannot be read.
        DataError: it holds other tensors.
    """
    from seqwise.embeddings.vectors import WordVectors

    try:
        tensors, _ = map_arrays(path)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}") from None
    missing = {"vectors", "words", "word_ends"} - tensors.keys()
    if missing:
        there = ", ".join(sorted(tensors)) or "nothing"
        raise DataError(f"{path} holds no word vectors: the tensor {min(missing)!r} is missing, there is {there}")
    for name, kind in _KINDS.items():
        if name in tensors and tensors[name].dtype != _TYPES[kind]:
            raise DataError(f"{path}: the tensor {name!r} is of the type {tensors[name].dtype}")
    vectors = tensors["vectors"]
    words = split_words(np.asarray(tensors["words"]), np.asarray(tensors["word_ends"]), path)
    try:
        ngrams = _ngrams(tensors, mmap)
        return WordVectors(words, vectors if mmap else np.array(vectors), tensors.get("counts"), ngrams=ngrams)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _ngrams(tensors: Mapping[str, NDArray[Any]], mmap: bool) -> NgramVectors | None:
    if "ngrams" not in tensors:
        return None
    numbers = tensors.get("ngram_lengths", np.zeros(0, np.int64)).tolist()
    if len(numbers) != 3 or "ngram_buckets" not in tensors:
        raise DataError("n-grams without their lengths or their buckets")
    vectors = tensors["ngrams"]
    shortest, longest, buckets = numbers
    return NgramVectors((shortest, longest), buckets, tensors["ngram_buckets"], vectors if mmap else np.array(vectors))


def join_words(words: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Words as the arrays `words`, their bytes one after the other, and `word_ends`.

    Raises:
        DataError: a word is no Unicode text.
    """
    encoded = [_utf8(word) for word in words]
    return {
        "words": np.frombuffer(b"".join(encoded), np.uint8),
        "word_ends": np.cumsum([len(word) for word in encoded], dtype=np.int64),
    }


def _utf8(word: str) -> bytes:
    try:
        return word.encode()
    except UnicodeEncodeError:
        raise DataError(f"the word {word!r} is no Unicode text: it holds half a surrogate pair") from None


def map_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Name -> array mapped from a .safetensors file, of the types that are written here; and what is said about them.

    Raises:
        FileError: it is none, or truncated or damaged.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
        if not 2 <= length <= min(size - 8, _LARGEST_HEADER):
            raise FileError(
                f"{path} is no .safetensors file, or truncated: its header does not fit into {size:,} bytes"
            )
        raw = file.read(length)
    try:
        header = json.loads(raw)
        metadata = {str(key): str(value) for key, value in header.get("__metadata__", {}).items()}
        entries: dict[str, tuple[np.dtype[Any] | None, tuple[int, ...], int, int]] = {
            name: (_TYPES.get(entry["dtype"]), _integers(entry["shape"]), *_two(entry["data_offsets"]))
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileError(f"{path} is no .safetensors file: its header is damaged ({error})") from None
    tensors = {}
    for name, (dtype, shape, first, end) in entries.items():
        if not 0 <= first <= end <= size - 8 - length:
            raise FileError(
                f"{path} is truncated: the tensor {name!r} ends at byte {8 + length + end:,} and the file has {size:,}"
            )
        if dtype is None:
            continue  # no tensor of ours
        if min(shape, default=0) < 0 or dtype.itemsize * _product(shape) != end - first:
            raise FileError(
                f"{path} is damaged: the tensor {name!r} of shape {shape} does not have {end - first:,} bytes"
            )
        empty = end == first  # which cannot be mapped
        tensors[name] = (
            np.empty(shape, dtype) if empty else np.memmap(path, dtype, "r", offset=8 + length + first, shape=shape)
        )
    return tensors, metadata


def _integers(values: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _two(values: Any) -> tuple[int, int]:
    first, second = _integers(values)
    return first, second


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product


def split_words(text: NDArray[np.uint8], ends: NDArray[np.int64], path: Path) -> list[str]:
    """The words that `join_words` joined.

    Raises:
        FileError: the arrays do not fit each other, or a word is not UTF-8.
    """
    if text.ndim != 1 or ends.ndim != 1 or (np.diff(ends, prepend=0) < 0).any() or ends[-1:].sum() != len(text):
        raise FileError(f"{path} is damaged: the ends of its words do not fit their {text.size:,} bytes")
    raw, start, words = text.tobytes(), 0, []
    for number, end in enumerate(ends.tolist(), 1):
        try:
            words.append(raw[start:end].decode())
        except UnicodeDecodeError as error:
            byte = start + error.start
            raise FileError(f"{path}: word {number} is not UTF-8 at byte {byte:,} of the tensor 'words'") from None
        start = end
    return words
