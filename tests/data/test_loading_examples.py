import datetime
import json
from decimal import Decimal

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from seqwise.data import StreamedColumn, label_name, load_examples, open_table
from seqwise.errors import DataError


def table_of(tmp_path, **columns):
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return open_table(path)


def test_texts_labels_and_weights_are_read(tmp_path):
    table = table_of(tmp_path, t=["a", "b"], y=[1, 0], w=[0.5, 2])
    examples = load_examples(table, "t", "y", "w")
    assert examples.texts == ["a", "b"]
    assert examples.labels.tolist() == ["1", "0"]
    assert examples.labels.dtype == object
    assert examples.weights.tolist() == [0.5, 2]
    assert (examples.rows, examples.name) == (2, str(table.path))
    only_texts = load_examples(table, "t")
    assert only_texts.labels is None
    assert only_texts.weights is None


def test_one_column_may_serve_twice(tmp_path):
    assert load_examples(table_of(tmp_path, t=["a", "b"]), "t", "t").labels.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("spam", "spam"),
        (" x ", " x "),
        (1, "1"),
        (-3, "-3"),
        (1.0, "1"),
        (-0.0, "0"),
        (np.int8(4), "4"),
        (np.float32(4), "4"),
        (Decimal("2.0"), "2"),
        (True, "True"),
        (np.bool_(False), "False"),
        (None, None),
        (float("nan"), None),
        ("", None),
        (" \t", None),
    ],
)
def test_a_label_of_any_type_has_one_spelling(value, name):
    assert label_name(value) == name


@pytest.mark.parametrize("value", [0.5, float("inf"), ["a"], ("a", "b"), {"a": 1}, b"a", datetime.date(2020, 1, 1)])
def test_what_names_no_class_is_refused(value):
    with pytest.raises(DataError):
        label_name(value)


def test_labels_are_the_same_in_every_format(tmp_path):
    (tmp_path / "a.csv").write_text("t,y\na,1\nb,0\n")
    (tmp_path / "a.jsonl").write_text('{"t": "a", "y": 1.0}\n{"t": "b", "y": 0}\n')
    (tmp_path / "a.txt").write_text("__label__1 a\n__label__0 b\n")
    tables = [table_of(tmp_path, t=["a", "b"], y=[1, 0]), *(open_table(tmp_path / f"a.{s}") for s in ("csv", "jsonl"))]
    spelled = [load_examples(table, "t", "y").labels.tolist() for table in tables]
    spelled.append(load_examples(open_table(tmp_path / "a.txt"), "text", "label").labels.tolist())
    assert spelled == [["1", "0"]] * 4


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (['{"t": "a", "y": null}'], r"row 1 \(line 1\): the label in column 'y' is missing$"),
        (
            ['{"t": "a", "y": 1}', "", '{"t": "a"}', '{"t": "b", "y": " "}'],
            r"row 2 \(line 3\): .* \(2 such rows in all\)",
        ),
        (['{"t": "a", "y": 1}', '{"t": "", "y": 1}'], r"row 2 \(line 2\): the text in column 't' is empty"),
        (['{"t": null, "y": 1}'], "the text in column 't' is missing"),
        (['{"t": [], "y": 1}'], "the list in column 't' is empty"),
        (['{"t": 7, "y": 1}'], "column 't' holds 7, and a text is expected"),
        (['{"t": [1, 2], "y": 1}'], r"column 't' holds \[1, 2\], and a text is expected"),
        (['{"t": "a", "y": ["p", ""]}'], "row 1 .*: column 'y': the list .* holds a label without a name"),
        (['{"t": "a", "y": ["p"]}', '{"t": "a", "y": "p"}'], "row 2 .*: column 'y' holds lists of labels in some rows"),
        (['{"t": "a", "y": 0.25}'], "number with a fraction"),
        (['{"t": "a", "y": 1, "w": "heavy"}'], "the weight in column 'w' is 'heavy', not a number"),
        (['{"t": "a", "y": 1, "w": -1}'], "the weight in column 'w' is -1.0; weights are finite and not negative"),
        (['{"t": "a", "y": 1, "w": NaN}'], "weights are finite"),
        (['{"t": "a", "y": 1, "w": 0}'], "all weights in column 'w' are zero"),
        (['{"t": "a", "y": 1}', '{"t": "a", "y": 1, "w": 0}'], r"row 1 .*: the weight .* is None, not a number"),
    ],
)
def test_a_row_that_cannot_be_learned_from_is_named(tmp_path, lines, reason):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines) + "\n")
    weight = "w" if any("w" in json.loads(line) for line in lines if line) else None
    with pytest.raises(DataError, match=reason) as raised:
        load_examples(open_table(path), "t", "y", weight)
    assert str(path) in str(raised.value)


def test_the_first_bad_row_is_named_whatever_is_wrong_with_it(tmp_path):
    table = table_of(tmp_path, t=["a", "b", ""], y=["p", None, "q"])
    with pytest.raises(DataError, match="row 2: the label"):
        load_examples(table, "t", "y")


def test_missing_columns_and_no_rows_are_said(tmp_path):
    with pytest.raises(DataError, match="no text column 'txt'; its columns are 't', 'y'"):
        load_examples(table_of(tmp_path, t=["a"], y=["b"]), "txt")
    with pytest.raises(DataError, match="no label column 'x'"):
        load_examples(table_of(tmp_path, t=["a"], y=["b"]), "t", "x")
    with pytest.raises(DataError, match="no weight column 'w'"):
        load_examples(table_of(tmp_path, t=["a"], y=["b"]), "t", "y", "w")
    (tmp_path / "a.csv").write_text("t,y\n")
    with pytest.raises(DataError, match="columns but no rows"):
        load_examples(open_table(tmp_path / "a.csv"), "t", "y")


def test_white_space_alone_is_a_text(tmp_path):
    assert load_examples(table_of(tmp_path, t=[" ", "!"], y=["a", "b"]), "t", "y").texts == [" ", "!"]


def test_lists_of_tokens_are_texts(tmp_path):
    assert load_examples(table_of(tmp_path, t=[["a", "b"], ["c"]]), "t").texts == [["a", "b"], ["c"]]


@pytest.fixture
def streamed(tmp_path) -> StreamedColumn:
    table = table_of(tmp_path, t=[f"text {i}" for i in range(20_000)], y=["a", "b"] * 10_000)
    examples = load_examples(table, "t", "y", stream_above=1000)
    assert len(set(map(id, examples.labels))) == 2  # one string a class, not one a row
    return examples.texts


def test_large_texts_stay_on_disk_and_are_read_as_often_as_needed(streamed):
    assert isinstance(streamed, StreamedColumn)
    assert len(streamed) == 20_000
    assert list(streamed) == list(streamed) == [f"text {i}" for i in range(20_000)]


def test_single_rows_of_a_streamed_column_can_be_had(streamed):
    assert (streamed[0], streamed[-1], streamed[9000]) == ("text 0", "text 19999", "text 9000")
    assert streamed.rows([17, 3, 17, 19_999]) == ["text 17", "text 3", "text 17", "text 19999"]
    assert streamed.rows([]) == []
    assert list(streamed[19_998:]) == ["text 19998", "text 19999"]
    for row in (20_000, -20_001):
        with pytest.raises(IndexError):
            streamed[row]


def test_rows_taken_from_a_streamed_column_stay_on_disk(streamed):
    chosen = np.arange(5, 20_000, 3)
    taken = streamed.take(chosen)
    assert isinstance(taken, StreamedColumn)
    assert list(taken) == [f"text {i}" for i in chosen]
    assert len(taken) == len(chosen)
    again = taken.take([0, 2, 6000])
    assert list(again) == [f"text {chosen[i]}" for i in (0, 2, 6000)]
    assert taken[1] == "text 8"


@pytest.mark.parametrize("rows", [[3, 1], [1, 1], [-1], [20_000]])
def test_a_streamed_column_is_taken_in_ascending_order(streamed, rows):
    with pytest.raises(ValueError, match="ascending order"):
        streamed.take(rows)
