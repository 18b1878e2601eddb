import gzip
import json
import lzma
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from seqwise.data import Table, open_table, write_table
from seqwise.errors import DataError, FileError

TEXTS = ["plain", 'he said "hi", twice', "two\nlines", "tab\there", "naïve 😀 שלום", "x" * 300_000, " spaces "]
ROWS = {"text": TEXTS, "label": [f"c{i % 2}" for i in range(len(TEXTS))]}
PACK = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.compress}
FORMATS = ["csv", "tsv", "jsonl", "json", "parquet", "txt"]


def file(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def everything(table: Table, size: int = 8192) -> dict[str, list]:
    whole: dict[str, list] = {name: [] for name in table.columns}
    for chunk in table.iter_chunks(size):
        for name, values in chunk.items():
            whole[name] += values
    return whole


def content_of(form: str, folder: Path) -> bytes:
    if form == "txt":
        return "\n".join(
            f"__label__{label} {text}" for text, label in zip(*expected("txt").values(), strict=True)
        ).encode()
    path = folder / f"plain.{form.replace('json', 'jsonl') if form == 'json' else form}"
    write_table(path, [ROWS])
    return path.read_bytes()


def expected(form: str) -> dict[str, list]:
    """What the format can hold: fastText's has no line breaks and no outer spaces."""
    if form != "txt":
        return ROWS
    return {"text": [text.replace("\n", " ").strip() for text in TEXTS], "label": ROWS["label"]}


@pytest.mark.parametrize("packed", PACK)
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_and_compression_gives_the_same_rows(tmp_path, form, packed):
    path = file(tmp_path, f"data.{form}{packed}".upper() if form == "csv" else f"data.{form}{packed}", b"")
    path.write_bytes(PACK[packed](content_of(form, tmp_path)))
    table = open_table(path)
    assert table.columns == ["text", "label"]
    assert everything(table) == expected(form)
    assert table.rows == len(TEXTS)
    chunks = list(table.iter_chunks(3))
    assert [len(chunk["text"]) for chunk in chunks] == [3, 3, 1]
    assert list(next(table.iter_chunks(2, ["label"]))) == ["label"]
    assert table.types() == (
        {"text": "string", "label": "string"} if form == "parquet" else {"text": "str", "label": "str"}
    )


@pytest.mark.parametrize("packed", [".gz", ".xz", ".zst"])
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_file_cut_short_is_damaged(tmp_path, form, packed):
    whole = PACK[packed](content_of(form, tmp_path))
    for content in (whole[: len(whole) - 9], whole[: len(whole) // 2], b"not compressed at all"):
        with pytest.raises(FileError, match="damaged"):
            everything(open_table(file(tmp_path, f"cut.{form}{packed}", content)))


@pytest.mark.parametrize("packed", [".gz", ".xz", ".zst"])
def test_compressed_parts_one_after_the_other_are_one_file(tmp_path, packed):
    parts = PACK[packed](b"text,label\na,x\n") + PACK[packed](b"b,y\n")
    assert everything(open_table(file(tmp_path, f"a.csv{packed}", parts))) == {"text": ["a", "b"], "label": ["x", "y"]}


def test_an_unpacked_parquet_file_goes_with_its_table(tmp_path):
    path = file(tmp_path, "a.parquet.gz", gzip.compress(content_of("parquet", tmp_path)))
    table = open_table(path)
    unpacked = table._file
    assert unpacked.exists()
    del table
    assert not unpacked.exists()


def test_a_table_is_read_anew_every_time(tmp_path):
    table = open_table(file(tmp_path, "a.csv", "text,label\na,x\n"))
    assert table.rows is None
    assert everything(table) == everything(table)
    assert table.rows == 1


def test_csv_is_what_pythons_csv_module_reads(tmp_path):
    content = '\ufefftext,label\r\n"a ""quoted"" one",x\r\n\r\n"two\r\nlines",y\r\nsay "hi",\r\n'
    table = open_table(file(tmp_path, "a.csv", content))
    assert everything(table) == {"text": ['a "quoted" one', "two\r\nlines", 'say "hi"'], "label": ["x", "y", ""]}
    assert [table.place(row) for row in range(3)] == ["row 1 (line 2)", "row 2 (line 4)", "row 3 (line 6)"]


def test_json_rows_may_differ_in_their_keys(tmp_path):
    table = open_table(file(tmp_path, "a.jsonl", '{"text": "a", "n": 1}\n\n{"label": "x", "text": null}\n'))
    assert everything(table) == {"text": ["a", None], "n": [1, None], "label": [None, "x"]}
    assert table.place(1) == "row 2 (line 3)"
    assert table.types() == {"text": "str", "n": "int", "label": "str"}


@pytest.mark.parametrize("packed", PACK)
def test_one_json_list_of_objects_is_a_table_too(tmp_path, packed):
    rows = [{"a": i, "b": [i]} for i in range(5)] + [{"a": 5, "late": "x"}]
    table = open_table(file(tmp_path, f"a.json{packed}", PACK[packed](json.dumps(rows, indent=1).encode())))
    assert table.columns == ["a", "b", "late"]
    assert everything(table, 4) == {name: [row.get(name) for row in rows] for name in ("a", "b", "late")}
    assert table.rows == 6
    assert table.place(3) == "row 4"


def test_a_key_that_appears_late_is_not_dropped_in_silence(tmp_path):
    lines = ['{"text": "a"}'] * 1000 + ['{"text": "b", "late": 1}']
    table = open_table(file(tmp_path, "a.jsonl", "\n".join(lines)))
    assert table.columns == ["text"]
    assert sum(len(chunk["text"]) for chunk in table.iter_chunks(columns=["text"])) == 1001
    with pytest.raises(DataError, match=r"line 1001: the key 'late'"):
        everything(table)


def test_fasttext_labels_may_stand_anywhere_or_nowhere(tmp_path):
    content = "__label__good  a fine film\nnothing here\n\nbad __label__bad film\nsome__label__thing\n__label__x\n"
    table = open_table(file(tmp_path, "a.txt", content))
    assert everything(table) == {
        "text": ["a fine film", "nothing here", "bad film", "some__label__thing", ""],
        "label": ["good", None, "bad", None, "x"],
    }
    assert table.place(2) == "row 3 (line 4)"


@pytest.mark.parametrize(
    ("name", "content", "error", "reason"),
    [
        ("a.csv", "", FileError, "a.csv is empty"),
        ("a.parquet", "", FileError, "a.parquet is empty"),
        ("a.csv.gz", gzip.compress(b"", mtime=0), FileError, "a.csv.gz is empty"),
        ("a.jsonl.zst", zstandard.compress(b""), FileError, "a.jsonl.zst is empty"),
        ("a.csv", "\n\n", DataError, "has no header"),
        ("a.csv", "a,b,a\n1,2,3\n", DataError, "the column 'a' twice"),
        ("a.csv", 'a,b\n1,"x\ny"\n1,2,3\n', DataError, "line 4: 3 fields, and the header has 2"),
        ("a.tsv", "a\tb\n1\n", DataError, "line 2: 1 field, and the header has 2"),
        ("a.csv", 'a,b\n1,2\n3,"4\n5,6\n', DataError, "line 3: a quoted field that begins here is never closed"),
        ("a.csv", 'a,b\n"x" y,2\n', DataError, r"line 2: .* doubled"),
        ("a.csv", "a,b\r1,2\r", DataError, "carriage return alone"),
        ("a.csv", b"a,b\nok,1\nna\xefve,2\n", FileError, r"line 3, byte 11 of the file is 0xef; save it as UTF-8"),
        ("a.jsonl", b'{"a": 1}\n{"a": "\xff"}\n', FileError, "line 2, byte 16 of the file is 0xff"),
        ("a.txt", "__label__x é".encode("latin-1"), FileError, "line 1, byte 11 of the file is 0xe9"),
        ("a.csv", "text,label\nä,b\n".encode("utf-16"), FileError, "UTF-16"),
        ("a.jsonl", '{"a": 1}\n\n{"a": }\n', DataError, "line 3 is not JSON"),
        ("a.jsonl", '{"a": 1}\n[1]\n', DataError, "line 2: an object is expected, not list"),
        (
            "a.jsonl",
            '[{"a": 1},\n{"a": 2}]\n',
            DataError,
            "one JSON list; one object a line is expected, or the suffix",
        ),
        ("a.json", '[{"a": 1},\n 2]\n', DataError, "row 2: an object is expected, not int"),
        ("a.json", '[{"a": 1},\n{"a": 2\n', DataError, "line 3 is not JSON"),
        ("a.json", "[" * 100_000, DataError, "is not JSON"),
        ("a.jsonl", '{"a": ' + "[" * 100_000 + "\n", DataError, "line 1 is not JSON"),
        ("a.txt", "ok\n__label__a __label__b two\n", DataError, "line 2 has 2 labels"),
        ("a.parquet", "text,label\n", FileError, "not a Parquet file"),
        ("a.pdf", "x", FileError, r"the suffix '.pdf' is not one of .csv .tsv .jsonl .json .parquet .txt"),
        ("a.gz", "x", FileError, "is not one of"),
        ("nosuffix", "x", FileError, "is not one of"),
    ],
)
def test_wrong_input_is_one_clear_sentence(tmp_path, name, content, error, reason):
    with pytest.raises(error, match=reason) as raised:
        everything(open_table(file(tmp_path, name, content)))
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(FileError, match="there is no file"):
        open_table(tmp_path / "gone.csv")
    with pytest.raises(FileError, match="is a folder"):
        open_table(tmp_path)


def test_a_damaged_parquet_file_is_named(tmp_path):
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": [str(i) * 50 for i in range(5000)]}), path)
    content = bytearray(path.read_bytes())
    content[1000:3000] = b"\x00" * 2000
    with pytest.raises(FileError, match=r"a\.parquet is damaged"):
        everything(open_table(file(tmp_path, "a.parquet", bytes(content))))


def test_a_missing_column_names_those_there_are_and_the_nearest(tmp_path):
    table = open_table(file(tmp_path, "a.csv", "Text,rating\na,1\n"))
    with pytest.raises(
        DataError, match=r"no label column 'ratng'; its columns are 'Text', 'rating'; did you mean rating\?"
    ):
        table.require("ratng", "label column")
    with pytest.raises(DataError, match=r"did you mean Text\?"):
        list(table.iter_chunks(columns=["text"]))
    with pytest.raises(DataError) as raised:
        table.require("zzz")
    assert "did you mean" not in str(raised.value)


def test_rows_survive_writing_and_reading(tmp_path):
    rows = {"text": ["a", "é\n", None], "n": [1, None, 3], "p": [0.1, 1e-300, 2.0], "list": [["a"], [], ["é", "b"]]}
    for name in ("a.jsonl", "a.jsonl.gz", "a.parquet"):
        write_table(tmp_path / name, iter([rows, rows]))
        assert everything(open_table(tmp_path / name)) == {key: values * 2 for key, values in rows.items()}
    write_table(tmp_path / "a.csv", [rows])
    read = everything(open_table(tmp_path / "a.csv"))
    assert read["text"] == ["a", "é\n", ""]
    assert [float(value) for value in read["p"]] == rows["p"]
    assert [json.loads(value) for value in read["list"]] == rows["list"]


def test_a_column_may_be_empty_at_first(tmp_path):
    write_table(tmp_path / "a.parquet", [{"a": [None]}, {"a": ["x"]}])
    assert everything(open_table(tmp_path / "a.parquet")) == {"a": [None, "x"]}


def test_lists_may_be_empty_at_first(tmp_path):
    rows = [[], [], [{"a": "x", "n": 1}], []]
    write_table(tmp_path / "a.parquet", [{"found": [row]} for row in rows])
    assert everything(open_table(tmp_path / "a.parquet")) == {"found": rows}
    write_table(tmp_path / "b.parquet", [{"found": [[]]}, {"found": [[]]}])
    assert everything(open_table(tmp_path / "b.parquet")) == {"found": [[], []]}


@pytest.mark.parametrize(
    ("name", "chunks", "error", "reason"),
    [
        ("a.txt", [{"a": [1]}], FileError, "tables are written as .csv .tsv .jsonl .parquet"),
        ("a.parquet.gz", [{"a": [1]}], FileError, "tables are written as"),
        ("a.csv", [], DataError, "no rows to write"),
        ("a.csv", [{"a": [1]}, {"b": [1]}], DataError, "not those of the first rows"),
        ("a.jsonl", [{"a": [1], "b": []}], DataError, "not of one length"),
        ("a.parquet", [{"a": [1]}, {"a": ["x"]}], DataError, "do not fit"),
        ("gone/a.csv", [{"a": [1]}], FileError, "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, name, chunks, error, reason):
    with pytest.raises(error, match=reason):
        write_table(tmp_path / name, iter(chunks))


def test_lone_surrogates_are_written_as_question_marks(tmp_path):
    for name in ("a.csv", "a.jsonl"):
        write_table(tmp_path / name, [{"a": ["x\ud800"]}])
        assert everything(open_table(tmp_path / name)) == {"a": ["x?"]}


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_chunks_of_long_rows_have_fewer_rows(tmp_path, monkeypatch, suffix):
    write_table(tmp_path / f"a.{suffix}", [{"text": [f"{i}" * 1000 for i in range(100)]}])
    for module in ("tables", "parquet"):
        monkeypatch.setattr(f"seqwise.data.{module}.CHUNK_BYTES", 10_000)
    table = open_table(tmp_path / f"a.{suffix}")
    chunks = [len(chunk["text"]) for chunk in table.iter_chunks()]
    assert sum(chunks) == 100
    assert max(chunks) <= 20
