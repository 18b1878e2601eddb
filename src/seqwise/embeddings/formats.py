"""Files of word vectors; the suffix names the format.

| suffix | format | compressed | counts | mapped |
|---|---|---|---|---|
| .safetensors | tensors `vectors` (V, D) float32, `words` (UTF-8 bytes), `word_ends` (V,), `counts` (V,); `ngrams` (M, D) \
float32, `ngram_buckets` (M,), `ngram_lengths`: shortest, longest, all buckets | no | yes | yes |
| .vec .w2v | word2vec text, fastText .vec: a line "V D", then a word and D numbers a line | yes | no | no |
| .txt | GloVe text: the same without the first line; reading accepts either | yes | no | no |
| .bin | word2vec binary: a line "V D", then each word, a space and D little-endian float32 | yes | no | no |

Compressed: .gz, .xz, .zst, or .zip with one file in it. `glove.6B.zip/glove.6B.100d.txt` names one file of several.

Sources: word2vec.c (Mikolov et al. 2013), GloVe (Pennington et al. 2014), fastText (Bojanowski et al. 2017).
"""

from __future__ import annotations

import gzip
import lzma
import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast

from seqwise.data.files import compression_of, format_of, opened
from seqwise.errors import DataError, FileError

if TYPE_CHECKING:
    from seqwise.embeddings.vectors import WordVectors

TENSORS, HEADED, HEADLESS, BINARY = ".safetensors", (".vec", ".w2v"), ".txt", ".bin"
SUFFIXES = (TENSORS, *HEADED, HEADLESS, BINARY)
Duplicates = Literal["error", "first"]
Decoding = Literal["strict", "replace"]


def read_vectors(
    path: str | Path,
    *,
    mmap: bool = True,
    limit: int | None = None,
    duplicates: Duplicates = "error",
    errors: Decoding = "strict",
) -> WordVectors:
    """The vectors in a file.

    Args:
        path: see the table above.
        mmap: leave the vectors of a .safetensors file on the disk and map them; the other formats have to be parsed and
            are always held in memory.
        limit: read only so many words, the first ones (in most files the most frequent).
        duplicates: a word that stands there twice is an "error", or the "first" of its vectors is kept; in a
            .safetensors file, which no other program wrote, it is always an error.
        errors: a word that is not UTF-8 is an error ("strict"), or its bad bytes become U+FFFD ("replace"); in a
            .safetensors file it is always an error.

    Raises:
        FileError: the file is missing, unreadable, empty, truncated, damaged or of an unknown kind; names line or byte.
        DataError: it holds something else than words and vectors, or a word twice; names the line or the word.
    """
    from seqwise.embeddings.binary_format import read_binary
    from seqwise.embeddings.tensor_format import read_tensors
    from seqwise.embeddings.text_format import read_text
    from seqwise.embeddings.vectors import WordVectors

    path = Path(path)
    if limit is not None and limit < 1:
        raise DataError(f"limit: at least one word must be read, not {limit}")
    if duplicates not in ("error", "first"):
        raise DataError(f'duplicates: "error" or "first" is expected, not {duplicates!r}')
    if errors not in ("strict", "replace"):
        raise DataError(f'errors: "strict" or "replace" is expected, not {errors!r}')
    if path.suffix.lower() == TENSORS:
        _check_readable(path)
        vectors = read_tensors(path, mmap=mmap)
        return vectors if limit is None else vectors.most_frequent(limit)
    with _member(path) as (stream, name):
        kind = _kind_of(name, path, SUFFIXES[1:])
        reader = read_binary if kind == BINARY else read_text
        words, array = reader(stream, path, limit=limit, duplicates=duplicates, errors=errors)
    return WordVectors(words, array)


def write_vectors(vectors: WordVectors, path: str | Path) -> None:
    """Writes vectors to a file, whole or not at all.

    Args:
        vectors: what to write; only .safetensors keeps counts and n-grams: a warning says when n-grams are lost.
        path: see the table above. An existing file is replaced.

    Raises:
        FileError: the suffix is unknown, or the file cannot be written.
        DataError: a word holds white space, which only .safetensors can keep.
    """
    from seqwise.embeddings.binary_format import write_binary
    from seqwise.embeddings.tensor_format import write_tensors
    from seqwise.embeddings.text_format import write_text

    path = Path(path)
    kind = check_writable(path)
    if kind != TENSORS:
        _check_no_space(vectors.words, path)
        if vectors.ngrams is not None:
            warnings.warn(f"{path} has no n-grams, so unknown words no vectors: .safetensors keeps them", stacklevel=2)
    with written(path) as stream:
        if kind == TENSORS:
            write_tensors(vectors, stream)
        elif kind == BINARY:
            write_binary(vectors, stream)
        else:
            write_text(vectors, stream, header=kind != HEADLESS)


def check_writable(path: Path) -> str:
    """The format in which vectors would be written to the path, so that a mistake is known before hours of training.

    Raises:
        FileError: there is none, or the path is a folder or in none that exists.
    """
    kind = _kind_of(path.stem if path.suffix.lower() == ".zip" else path.name, path, SUFFIXES)
    if kind == TENSORS and path.suffix.lower() != TENSORS:
        raise FileError(f"{path}: .safetensors files are not compressed, they could not be mapped")
    if path.is_dir():
        raise FileError(f"{path} is a folder, and the name of a file is expected")
    if not path.parent.is_dir():
        raise FileError(f"{path} cannot be written: there is no folder {path.parent}")
    return kind


def _kind_of(name: str, path: Path, known: tuple[str, ...]) -> str:
    kind = format_of(Path(name))
    if kind not in known:
        raise FileError(
            f"{path}: the suffix {kind!r} is not one of {' '.join(SUFFIXES)} "
            "(all but .safetensors also .gz .xz .zst .zip)"
        )
    return kind


def _check_readable(path: Path) -> None:
    if path.is_dir():
        raise FileError(f"{path} is a folder, and a file of vectors is expected")
    if not path.exists():
        raise FileError(f"there is no file {path}")
    if path.stat().st_size == 0:
        raise FileError(f"{path} is empty")


@contextmanager
def _member(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    """The uncompressed bytes of a file, or of one inside a .zip, with the name that tells its format."""
    archive = next((one for one in (path, *path.parents) if one.suffix.lower() == ".zip" and one.is_file()), None)
    _check_readable(archive or path)
    if archive is None:
        _kind_of(path.name, path, SUFFIXES[1:])  # before a wrong file is decompressed
        with opened(path) as stream:
            yield stream, path.name
        return
    try:
        with zipfile.ZipFile(archive) as zipped:
            names = [one.filename for one in zipped.infolist() if not one.is_dir()]
            asked = path.relative_to(archive).as_posix()
            if asked == "." and len(names) != 1:
                raise FileError(
                    f"{archive} holds {len(names)} files; name one: "
                    + (", ".join(f"{archive}/{name}" for name in names[:8]) or "there is none")
                )
            name = names[0] if asked == "." else asked
            if name not in names:
                raise FileError(f"{archive} holds no {name}; it has {', '.join(names[:8])}")
            with zipped.open(name) as stream:
                yield cast(BinaryIO, stream), name
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:  # RuntimeError: encrypted
        raise FileError(f"{archive} is damaged, or not a .zip that can be read: {error}") from None
    except OSError as error:
        raise FileError(f"{archive} cannot be read: {error.strerror or error}") from None


def _check_no_space(words: list[str], path: Path) -> None:
    for word in words:
        if len(word.split()) != 1 or word != word.strip():
            raise DataError(f"{path}: the word {word!r} holds white space, which only .safetensors can keep")


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """A stream to a temporary file beside `path`, which takes its name when all is on the disk.

    Raises:
        FileError: it cannot be written; nothing is left behind, and a file that was there before stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as raw:
            with _compressing(raw, path) as stream:
                yield stream
            raw.flush()
            os.fsync(raw.fileno())
        temporary.replace(path)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _compressing(raw: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    if path.suffix.lower() == ".zip":
        with (
            zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open(path.stem, "w", force_zip64=True) as stream,
        ):
            yield cast(BinaryIO, stream)
        return
    match compression_of(path):
        case ".gz":
            packed: Any = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6)
        case ".xz":
            packed = lzma.LZMAFile(raw, "wb", preset=2)  # noqa: SIM115
        case ".zst":
            import zstandard

            packed = zstandard.ZstdCompressor().stream_writer(raw, closefd=False)
        case _:
            yield raw
            return
    with packed:
        yield packed
