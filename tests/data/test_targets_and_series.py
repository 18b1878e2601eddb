"""Columns of numbers to learn, and series to continue, from tables of every form."""

import json

import numpy as np
import pytest

from seqwise.data import DataSettings, resolve
from seqwise.data.series import read_series
from seqwise.data.targets import read_numbered, target_columns
from seqwise.errors import DataError


def table_of(path, text):
    path.write_text(text, encoding="utf-8")
    source = resolve(path)
    return source, source.table("train")


def test_numbers_stand_beside_their_texts_and_weights(tmp_path):
    source, table = table_of(tmp_path / "a.csv", "text,stars,price,w\ngood,4,1e3,2\nbad,1,-7,1\n")
    examples = read_numbered(source, table, DataSettings(text="text", target="stars, price", weight="w"))
    assert examples.inputs == ["good", "bad"]
    assert examples.targets.tolist() == [[4, 1000], [1, -7]]
    assert examples.names == ("stars", "price")
    assert examples.weights is not None
    assert examples.weights.tolist() == [2, 1]
    taken = examples.take(np.array([1]))
    assert (taken.inputs, taken.rows.tolist()) == (["bad"], [1])


def test_a_column_with_a_comma_in_its_name_is_one_column(tmp_path):
    _, table = table_of(tmp_path / "a.csv", 'text,"a, b"\ngood,4\n')
    assert target_columns(table, "a, b") == ("a, b",)
    with pytest.raises(DataError, match="no column of the targets 'a'"):
        target_columns(table, "a,c")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("good,many,1", r"row 1 \(line 2\): 'stars' is 'many', and a finite number is expected"),
        ("good,inf,1", "'stars' is 'inf'"),
        ("good,,1", "'stars' is missing"),
        ("good,3,-1", "the weight is -1: weights are not negative"),
    ],
)
def test_wrong_rows_are_named(row, message, tmp_path):
    source, table = table_of(tmp_path / "a.csv", f"text,stars,w\n{row}\n")
    with pytest.raises(DataError, match=message):
        read_numbered(source, table, DataSettings(text="text", target="stars", weight="w"))


def test_rows_that_are_steps_are_one_series_in_the_order_of_time(tmp_path):
    source, table = table_of(tmp_path / "a.csv", "t,y,x\n3,30,0\n1,10,1\n2,20,\n")
    series = read_series(source, table, DataSettings(frames=("y",), time="t", known=("x",)))
    assert series.values[0].ravel().tolist() == [10, 20, 30]
    assert series.values.rate == 1.0
    assert series.known is not None
    np.testing.assert_array_equal(series.known[0].ravel(), [1, np.nan, 0])
    assert (len(series), series.steps) == (1, 3)


def test_rows_of_many_series_are_told_apart_by_their_id(tmp_path):
    (tmp_path / "a.csv").write_text("who,t,y,z\nb,1,5,0\na,2,2,0\na,1,1,0\nb,2,6,1\n", encoding="utf-8")
    settings = DataSettings(frames=("y", "z"), id="who", time="t")
    source = resolve(tmp_path / "a.csv", settings)
    series = read_series(source, source.table("train"), settings)
    assert [row.tolist() for row in series.values] == [[[5, 0], [6, 1]], [[1, 0], [2, 0]]]


def test_a_list_a_row_is_a_series_a_row(tmp_path):
    rows = [{"y": [1, 2, 3], "k": [0, 0, 1]}, {"y": [4, 5], "k": [1, 1]}]
    source, table = table_of(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    series = read_series(source, table, DataSettings(target="y", known=("k",)))
    assert series.values.lengths.tolist() == [3, 2]
    rows[1]["k"] = [1]
    source, table = table_of(tmp_path / "b.jsonl", "\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError, match=r"row 2.*2 steps in column 'y' and 1 in 'k'"):
        read_series(source, table, DataSettings(target="y", known=("k",)))
