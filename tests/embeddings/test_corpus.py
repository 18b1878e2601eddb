"""Corpora as numbers: every way to read one, against Python's own counting."""

import gzip
import io
import lzma
from collections import Counter

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from seqwise.embeddings import numbering, sources
from seqwise.embeddings.corpus import encode
from seqwise.embeddings.corpus_cache import corpora_folder
from seqwise.errors import ConfigurationError, DataError, FileError
from seqwise.kernels.cpu.compiler import cache_folder

TEXT = "the cat sat\n\nthe dog  sat\ton the mat\nà la carte\nà\n"


def sentences_of(encoded):
    """What the numbers say."""
    ends = np.flatnonzero(np.append(encoded.tokens, -1) < 0)
    rows = np.split(encoded.tokens, ends[ends < len(encoded.tokens)])
    found = [[encoded.words[i] for i in row if i >= 0] for row in rows]
    return [row for row in found if row]


def expected(text, min_count=1):
    counts = Counter(text.split())
    rows = [[w for w in line.split() if counts[w] >= min_count] for line in text.split("\n")]
    order = sorted((w for w in counts if counts[w] >= min_count), key=lambda w: (-counts[w], w))
    return [row for row in rows if row], order, [counts[w] for w in order]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    (folder / "kernels").symlink_to(cache_folder(), target_is_directory=True)
    monkeypatch.setenv("SEQWISE_CACHE", str(folder))
    monkeypatch.setenv("SEQWISE_CACHE_GB", "0")
    yield folder
    assert not list((folder / "corpora").glob("*"))  # nothing is left behind, whatever happened


def check(source, text=TEXT, min_count=1, **options):
    rows, words, counts = expected(text, min_count)
    with encode(source, min_count=min_count, **options) as encoded:
        assert sentences_of(encoded) == rows
        assert (encoded.words, encoded.counts.tolist()) == (words, counts)
        assert encoded.total == len(text.split())
        assert encoded.kept == sum(counts)


def test_files_in_every_packing_are_read_alike(tmp_path):
    raw = TEXT.encode()
    (tmp_path / "a.txt").write_bytes(raw)
    (tmp_path / "mark.txt").write_bytes(b"\xef\xbb\xbf" + raw)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(raw))
    (tmp_path / "a.txt.xz").write_bytes(lzma.compress(raw))
    (tmp_path / "a.txt.zst").write_bytes(zstandard.compress(raw))
    for path in tmp_path.iterdir():
        check(path)
        check(str(path), min_count=2)


def test_several_files_standard_input_and_iterables(tmp_path, monkeypatch):
    lines = TEXT.split("\n")
    paths = [tmp_path / "1.txt", tmp_path / "2.txt"]
    paths[0].write_text("\n".join(lines[:2]) + "\n")
    paths[1].write_text("\n".join(lines[2:]))
    check(paths)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    check("-")
    check(lines)
    check(iter(line.split() for line in lines))


def test_a_column_of_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": [*TEXT.split("\n"), None], "n": [1] * 7}), path)
    check(path, column="text")
    with pytest.raises(ConfigurationError, match="column: which one of"):
        encode(path)
    with pytest.raises(DataError, match="'body'"):
        encode(path, column="body")
    with pytest.raises(DataError, match="holds int"):
        encode(path, column="n")


def test_running_text_is_one_sentence_and_blocks_are_cleaned(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(TEXT)
    check(path, TEXT.replace("\n", " "), running=True)
    check(path, TEXT.upper(), clean=str.upper)


@given(
    st.lists(
        st.lists(st.text(st.characters(min_codepoint=33, exclude_categories=["Cs", "Z"]), min_size=1), max_size=6)
    ),
    st.integers(1, 3),
)
def test_any_words_are_numbered_as_python_counts_them(rows, min_count):
    rows = [[word for word in row if len(word.split()) == 1] for row in rows]
    counts = Counter(word for row in rows for word in row)
    kept = {word for word in counts if counts[word] >= min_count}
    if not kept:
        with pytest.raises(DataError, match="no word"):
            encode(rows, min_count=min_count)
        return
    with encode(rows, min_count=min_count) as encoded:
        assert sentences_of(encoded) == [r for row in rows if (r := [word for word in row if word in kept])]
        assert dict(zip(encoded.words, encoded.counts.tolist(), strict=True)) == {w: counts[w] for w in kept}


def test_small_blocks_and_little_room_change_nothing(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    words = [f"w{i}é" for i in random.zipf(1.3, 30_000) % 70_000]  # more words than the first table holds
    text = " ".join(words) + " " + " ".join(f"u{i}" for i in range(70_000)) + "\nend\n"
    path = tmp_path / "a.txt"
    path.write_text(text)
    check(path, text)
    monkeypatch.setattr(sources, "BLOCK", 1000)
    monkeypatch.setattr(numbering, "ROOM", 64)
    monkeypatch.setattr(numbering, "PART", 1000)
    check(path, text)
    check(path, text, min_count=2)


def test_words_that_are_all_the_same_are_a_vocabulary_of_one():
    with encode(["a a a", "a a"]) as encoded:
        assert encoded.words == ["a"]
        assert encoded.tokens.tolist() == [0, 0, 0, -1, 0, 0, -1]


def test_a_full_disk_is_said_and_nothing_is_left(tmp_path, own_cache, monkeypatch):
    resource = pytest.importorskip("resource")
    path = tmp_path / "a.txt"
    path.write_text("one two three\n" * 100_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(
            FileError, match=r"the corpus cannot be encoded in the cache folder .*corpora: File too large"
        ):
            encode(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(corpora_folder().iterdir()) == []
    monkeypatch.setenv("SEQWISE_CACHE", str(path))
    with pytest.raises(FileError, match="the corpus cannot be encoded in the cache folder"):
        encode(path)
    monkeypatch.setenv("SEQWISE_CACHE", str(own_cache))


def test_a_line_of_ten_megabytes_with_and_without_spaces(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("ab " * 3_500_000)
    with encode(path) as encoded:
        assert encoded.words == ["ab"]
        assert encoded.total == 3_500_000
    path.write_text("ab" * 5_000_000)
    with encode(path, min_count=1) as encoded:
        assert [len(word) for word in encoded.words] == [10_000_000]


def test_bytes_that_are_not_utf8_are_named_or_replaced(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone two\nthr\xffee one\n")
    monkeypatch.setattr(sources, "BLOCK", 6)
    with pytest.raises(FileError, match=r"a\.txt is not UTF-8: byte 14 is 0xff"):
        encode(path)
    with encode(path, min_count=1, errors="replace") as encoded:
        assert encoded.words == ["one", "thr�ee", "two"]


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ([], DataError, "the corpus has no words"),
        (["   ", ""], DataError, "the corpus has no words"),
        (["a b c"], DataError, r"no word is there 5 times or more \(of 3 words\)"),
        (3, DataError, "not int"),
        ([3], DataError, "sentence 1: a text or a list of words"),
        ([["new york"]], DataError, "'new york' is empty or holds white space"),
        (["\ud800"], DataError, "no character"),
        ("missing.txt", FileError, "missing.txt cannot be read"),
        ("missing.parquet", FileError, "missing.parquet cannot be read"),
        ("words.txt.bz2", FileError, r"words\.txt\.bz2 cannot be read: unpack it first; .* \.gz \.xz \.zst are read"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(source, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        encode(source)
