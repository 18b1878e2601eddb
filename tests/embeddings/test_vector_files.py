"""Files of word vectors: round trips, other programs' files, and what is said about a broken one."""

import contextlib
import gzip
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqwise.embeddings import WordVectors
from seqwise.errors import DataError, FileError, InputError

WORDS = ["the", "naïve", "日本", "don't", "</s>", "1.5", "#tag"]
SUFFIXES = [
    *("safetensors", "vec", "w2v", "txt", "bin", "vec.gz", "txt.gz", "txt.xz", "txt.zst", "txt.zip"),
    *("bin.gz", "bin.xz", "bin.zst", "bin.zip"),
]


def sample(counts=None):
    return WordVectors(WORDS, np.random.default_rng(2).normal(size=(7, 5)) * 1e-3, counts)


def assert_same(actual, expected):
    assert actual.words == expected.words
    np.testing.assert_array_equal(actual.vectors, expected.vectors)
    assert actual.vectors.dtype == np.float32


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_saved_is_what_is_loaded(tmp_path, suffix):
    path = tmp_path / f"vectors.{suffix}"
    sample().save(path)
    assert_same(WordVectors.load(path), sample())
    assert_same(WordVectors.load(path, mmap=False), sample())
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@given(
    words=st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1), unique=True, max_size=6
    ),
    data=st.data(),
    suffix=st.sampled_from(["safetensors", "vec", "bin", "txt.gz"]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_float32_comes_back_with_every_word(tmp_path, words, data, suffix):
    if suffix == "txt.gz" and not words:
        words = ["x"]  # without a header, no words are no file
    numbers = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**60), max_value=2.0**60)
    matrix = data.draw(st.lists(st.tuples(numbers, numbers), min_size=len(words), max_size=len(words)))
    vectors = WordVectors(words, np.array(matrix, np.float32).reshape(-1, 2))
    path = tmp_path / f"v.{suffix}"
    vectors.save(path)
    assert_same(WordVectors.load(path), vectors)


def test_counts_and_spaces_live_in_safetensors(tmp_path):
    path = tmp_path / "v.safetensors"
    WordVectors(["New York", "a\nb"], np.eye(2), [7, 3]).save(path)
    loaded = WordVectors.load(path)
    assert loaded.words == ["New York", "a\nb"]
    assert loaded.counts.tolist() == [7, 3]


def test_safetensors_are_mapped_and_their_own_package_reads_them(tmp_path):
    from safetensors.numpy import load_file

    path = tmp_path / "v.safetensors"
    sample(range(7)).save(path)
    assert isinstance(WordVectors.load(path).vectors, np.memmap)
    assert not isinstance(WordVectors.load(path, mmap=False).vectors, np.memmap)
    tensors = load_file(path)
    np.testing.assert_array_equal(tensors["vectors"], sample().vectors)
    np.testing.assert_array_equal(tensors["counts"], np.arange(7))
    assert bytes(tensors["words"]).decode() == "".join(WORDS)


def test_mapped_vectors_answer_as_those_in_memory(tmp_path):
    path = tmp_path / "v.safetensors"
    sample().save(path)
    assert WordVectors.load(path).neighbours("the") == sample().neighbours("the")


def test_a_limit_reads_the_first_words(tmp_path):
    for suffix in ("safetensors", "vec", "txt", "bin"):
        sample().save(tmp_path / f"v.{suffix}")
        assert_same(WordVectors.load(tmp_path / f"v.{suffix}", limit=3), sample().most_frequent(3))
        assert len(WordVectors.load(tmp_path / f"v.{suffix}", limit=99)) == 7
    with pytest.raises(DataError, match="at least one"):
        WordVectors.load(tmp_path / "v.vec", limit=0)


def test_one_file_of_several_in_a_zip_is_named_like_a_path(tmp_path):
    path = tmp_path / "glove.6B.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("glove.6B.50d.txt", "a 1\n")
        archive.writestr("glove.6B.100d.txt", "a 1 2\nb 3 4\n")
    assert WordVectors.load(path / "glove.6B.100d.txt").size == 2
    with pytest.raises(FileError, match=r"holds 2 files; name one: .*zip/glove.6B.50d.txt"):
        WordVectors.load(path)
    with pytest.raises(FileError, match=r"holds no x\.txt; it has"):
        WordVectors.load(path / "x.txt")


@pytest.mark.parametrize(
    "text",
    ["a 1 2\nb 3 4\n", "a 1 2 \r\nb 3 4 \r\n", "2 2\na 1 2\nb 3 4", "\ufeff2 2\na 1 2\nb 3 4\n\n", "a\t1\t2\nb\t3\t4"],
)
def test_text_of_every_habit_is_read(tmp_path, text):
    (tmp_path / "v.txt").write_bytes(text.encode())
    assert_same(WordVectors.load(tmp_path / "v.txt"), WordVectors(["a", "b"], [[1, 2], [3, 4]]))


def test_the_words_of_a_text_file_may_hold_spaces(tmp_path):
    (tmp_path / "v.txt").write_text("a 1 2\n. . . 3 4\nmail to: x@y 5 6\n")
    assert WordVectors.load(tmp_path / "v.txt").words == ["a", ". . .", "mail to: x@y"]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_binary_file_may_break_its_lines_or_not(tmp_path, end):
    rows = [word + b" " + np.array(row, "<f4").tobytes() + end for word, row in ((b"a", [1, 2]), (b"b", [3, 4]))]
    (tmp_path / "v.bin").write_bytes(b"2 2\n" + b"".join(rows))
    assert_same(WordVectors.load(tmp_path / "v.bin"), WordVectors(["a", "b"], [[1, 2], [3, 4]]))


BINARY = b"2 2\n" + b"a " + struct.pack("<2f", 1, 2) + b"\nb " + struct.pack("<2f", 3, 4) + b"\n"
TENSORS = struct.pack("<Q", 16)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.vec", b"", "is empty"),
        ("v.txt", b"\n\n", "is empty"),
        ("v.vec", b"3 2\na 1 2\nb 3 4\n", "ends after line 3: its header promises 3 words, and there are 2"),
        ("v.vec", b"1 2\na 1 2\nb 3 4\n", "line 3: the header promises 1 words, and the file goes on"),
        ("v.vec", b"2 3\na 1 2\nb 3 4\n", "line 2: the header says 3 numbers, and this line has 2"),
        ("v.vec", b"2 1\na 1 2\nb 3 4\n", "line 2: the header says 1 numbers, and this line has 2"),
        ("v.vec", b"999999999999999 99999999999\na 1 2\n", "line 2: the header says 99999999999 numbers"),
        ("v.txt", b"a 1 2\nb 3\n", "line 2: the first line has 2 numbers, and this line has 1"),
        ("v.txt", b"a 1 2\nb 3 4 5\n", "line 2: the first line has 2 numbers, and this line has 3"),
        ("v.txt", b"a 1 2\nb 3 x\n", "line 2: the first line has 2 numbers after the word, and 'x' is none"),
        ("v.txt", b"a 1 2\nb 3 nan\n", "near line 2 is NaN"),
        ("v.txt", b"a 1 2\nb 3 1e99\n", "near line 2 is NaN, infinite or too large"),
        ("v.txt", b"alone\n", "line 1: a word and its numbers are expected, not 'alone'"),
        ("v.txt", b"a 1 2\nb 3 4\na 5 6\n", "line 3: 'a' is there already"),
        ("v.txt", b"a 1 2\nb\xff 3 4\n", "line 2: the word is not UTF-8 .byte 2 of it is 0xff"),
        ("v.txt", b"a 1 2\n" + b"x" * (1 << 20), "line 2: it is longer than 1,048,576 bytes"),
        ("v.txt.gz", b"no gzip", "is damaged, or not compressed as its name says"),
        ("v.txt.gz", gzip.compress(b"a 1 2\nb 3 4\n", mtime=0)[:-9], "is damaged"),
        ("v.txt.zip", b"no zip", "is damaged, or not a .zip"),
        ("v.bin", BINARY[:-3], "is truncated: it ends at byte 23, in word 2 of the 2"),
        ("v.bin", BINARY[:15], "is truncated: it ends at byte 15, in word 2 of the 2"),
        ("v.bin", BINARY + b"c ", "2 words of 2 numbers, which end at byte 25, and the file goes on"),
        ("v.bin", BINARY.replace(b"2 2", b"9 2"), "in word 3 of the 9"),
        ("v.bin", BINARY.replace(b"2 2", b"2 0"), "vectors of 0 numbers"),
        ("v.bin", BINARY.replace(b"2 2", b"2 999999999999"), "is truncated"),
        ("v.bin", b"1 1\n" + b"x" * 99_999, "at byte 4, where word 1 of 1 is expected, there is none"),
        ("v.bin", BINARY.replace(b"\nb", b"\na"), "word 2: 'a' is there already .word 1."),
        ("v.bin", BINARY.replace(b"\nb", b"\n\xfe"), "word 2: the word is not UTF-8"),
        ("v.bin", BINARY.replace(b"\nb", b"\n"), "word 2: the word is empty"),
        ("v.bin", b"2 1\na \x00\x00\xc0\x7fb 1234", "holds NaN"),
        ("v.bin", b"a 1 2\n", 'does not begin with a line "V D"'),
        ("v.bin", (793712314).to_bytes(4, "little") + bytes(40), "is a model of fastText"),
        ("v.safetensors", b"abc", "its header does not fit into 3 bytes"),
        ("v.safetensors", TENSORS + b"x" * 16, "its header is damaged"),
        ("v.safetensors", TENSORS + b"[]              ", "its header is damaged"),
        ("v.safetensors", TENSORS + b"{}              ", "the tensor 'vectors' is missing, there is nothing"),
        ("v.pkl", b"x", "the suffix '.pkl' is not one of .safetensors .vec"),
    ],
)
def test_a_broken_file_is_described(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        WordVectors.load(tmp_path / name)


def test_every_truncation_of_a_safetensors_file_is_noticed(tmp_path):
    path = tmp_path / "v.safetensors"
    sample(range(7)).save(path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(FileError):
            WordVectors.load(path)


def test_every_damaged_byte_of_a_safetensors_header_is_an_error_or_harmless(tmp_path):
    path = tmp_path / "v.safetensors"
    sample().save(path)
    whole = bytearray(path.read_bytes())
    for place in range(8 + struct.unpack("<Q", whole[:8])[0]):
        for value in (ord("9"), 255):
            damaged = bytearray(whole)
            damaged[place] = value
            path.write_bytes(damaged)
            with contextlib.suppress(InputError):  # any other exception is a bug
                WordVectors.load(path)


def test_duplicates_and_bad_bytes_can_be_accepted(tmp_path):
    path = tmp_path / "v.txt"
    path.write_bytes(b"a 1 2\na 5 6\nb\xff 3 4\n")
    loaded = WordVectors.load(path, duplicates="first", errors="replace")
    assert_same(loaded, WordVectors(["a", "b\ufffd"], [[1, 2], [3, 4]]))
    with pytest.raises(InputError, match='"error" or "first" is expected, not \'last\''):
        WordVectors.load(path, duplicates="last")
    with pytest.raises(InputError, match='"strict" or "replace" is expected, not \'ignore\''):
        WordVectors.load(path, errors="ignore")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("v.npy", "suffix '.npy' is not one of"),
        ("v.safetensors.gz", "are not compressed"),
        ("none/v.vec", "there is no folder"),
        ("folder.vec", "is a folder"),
    ],
)
def test_a_place_that_cannot_be_written_is_described(tmp_path, name, message):
    (tmp_path / "folder.vec").mkdir()
    with pytest.raises(FileError, match=message):
        sample().save(tmp_path / name)


def test_a_missing_file_and_a_folder_are_described(tmp_path):
    with pytest.raises(FileError, match="there is no file"):
        WordVectors.load(tmp_path / "v.vec")
    with pytest.raises(FileError, match="is a folder"):
        WordVectors.load(tmp_path)


@pytest.mark.parametrize("suffix", ["vec", "txt", "bin"])
def test_a_word_that_the_format_cannot_hold_leaves_the_old_file(tmp_path, suffix):
    path = tmp_path / f"v.{suffix}"
    sample().save(path)
    before = path.read_bytes()
    for word, message in (("New York", "holds white space"), ("\ud800", "half a surrogate pair")):
        with pytest.raises(DataError, match=message):
            WordVectors([word], [[1.0]]).save(path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.filterwarnings("ignore")
def test_gensim_loads_what_is_saved_and_the_other_way_round(tmp_path, binary):
    models = pytest.importorskip("gensim.models")
    suffix = "bin" if binary else "vec"
    sample().save(tmp_path / f"ours.{suffix}")
    theirs = models.KeyedVectors.load_word2vec_format(str(tmp_path / f"ours.{suffix}"), binary=binary)
    assert theirs.index_to_key == WORDS
    np.testing.assert_array_equal(theirs.vectors, sample().vectors)
    theirs.save_word2vec_format(str(tmp_path / f"theirs.{suffix}"), binary=binary)
    loaded = WordVectors.load(tmp_path / f"theirs.{suffix}")
    assert_same(loaded, sample())


@pytest.mark.filterwarnings("ignore")
def test_gensim_gives_the_same_answers(tmp_path):
    models = pytest.importorskip("gensim.models")
    words = [f"w{i}" for i in range(200)]
    ours = WordVectors(words, np.random.default_rng(1).normal(size=(200, 10)))
    ours.save(tmp_path / "v.txt")
    theirs = models.KeyedVectors.load_word2vec_format(str(tmp_path / "v.txt"), binary=False, no_header=True)
    pairs = [
        (ours.neighbours("w3", 9), theirs.most_similar("w3", topn=9)),
        (ours.analogy("w1", "w2", "w3", 9), theirs.most_similar(positive=["w2", "w3"], negative=["w1"], topn=9)),
        (
            ours.analogy("w1", "w2", "w3", 9, method="mul"),
            theirs.most_similar_cosmul(positive=["w2", "w3"], negative=["w1"], topn=9),
        ),
    ]
    for mine, other in pairs:
        assert [one.word for one in mine] == [word for word, _ in other]
    assert ours.odd_one_out(words[:5])[0] == theirs.doesnt_match(words[:5])
    assert ours.similarity("w1", "w2") == pytest.approx(float(theirs.similarity("w1", "w2")), abs=1e-6)
