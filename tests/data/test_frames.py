"""Columns of numbers as frames: the same numbers whatever file they are in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seqwise.data import open_table
from seqwise.data.frames import Frames, read_frames
from seqwise.data.sources import DataSource
from seqwise.errors import DataError, InputError

ROWS = [
    np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
    np.array([[-1.0, 0.5]]),
    np.array([[7.0, 8.0], [9.0, np.nan]]),
]


def lists(rows: list[np.ndarray] = ROWS) -> list[Any]:
    return [[[None if np.isnan(x) else x for x in step] for step in row] for row in rows]


def written(path: Path, columns: dict[str, Any], types: dict[str, pa.DataType] | None = None, group: int = 2) -> Path:
    arrays = {name: pa.array(values, (types or {}).get(name)) for name, values in columns.items()}
    pq.write_table(pa.table(arrays), path, row_group_size=group)
    return path


def read(path: Path, *columns: str, **options: Any) -> Frames:
    table = open_table(path)
    return read_frames(DataSource(str(path), {"train": table}), table, columns, **options)


def assert_rows(frames: Frames, rows: list[np.ndarray]) -> None:
    assert len(frames) == len(rows)
    for read_row, row in zip(frames, rows, strict=True):
        np.testing.assert_array_equal(read_row, row.astype(np.float32))


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.list_(pa.float32(), 2)),
        pa.list_(pa.list_(pa.float64())),
        pa.large_list(pa.list_(pa.float32())),
        pa.list_(pa.list_(pa.float16(), 2)),
    ],
)
def test_parquet_lists_of_vectors_are_read_across_row_groups(tmp_path: Path, kind: pa.DataType) -> None:
    values = lists() if kind.value_type.value_type != pa.float16() else _halves()
    assert_rows(read(written(tmp_path / "a.parquet", {"x": values}, {"x": kind}), "x"), ROWS)


def _halves() -> list[Any]:
    return [[[None if x is None else np.float16(x) for x in step] for step in row] for row in lists()]


def test_a_slice_of_a_larger_arrow_array_has_only_its_own_numbers(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", {"x": [[[9.0, 9.0]] * 5, *lists()]}, group=100)
    assert_rows(read(path, "x"), [np.full((5, 2), 9.0), *ROWS])


def test_json_lists_give_what_parquet_gives(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"x": row}) + "\n" for row in lists()), encoding="utf-8")
    assert_rows(read(path, "x"), ROWS)


def test_a_flat_list_is_one_channel_or_one_vector(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", {"x": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]})
    assert_rows(read(path, "x"), [np.array([[1.0], [2.0], [3.0]]), np.array([[4.0], [5.0], [6.0]])])
    assert_rows(read(path, "x", vectors=True), [np.array([[1.0, 2.0, 3.0]]), np.array([[4.0, 5.0, 6.0]])])


def test_sixteen_bit_numbers_of_a_known_rate_are_sound(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", {"x": [[-32768, 16384], [1]]}, {"x": pa.list_(pa.int16())})
    assert_rows(read(path, "x", rate=8000.0), [np.array([[-1.0], [0.5]]), np.array([[1 / 32768]])])
    assert_rows(read(path, "x"), [np.array([[-32768.0], [16384.0]]), np.array([[1.0]])])


def test_columns_are_joined_channel_by_channel(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", {"x": lists(ROWS[:2]), "y": [[10.0, 20.0, 30.0], [40.0]]})
    frames = read(path, "y", "x")
    assert frames.names == ("y", "x 1", "x 2")
    assert_rows(frames, [np.column_stack([[10, 20, 30], ROWS[0]]), np.column_stack([[40], ROWS[1]])])


def test_columns_of_single_numbers_are_vectors(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("height,width,label\n1.5,2,a\n,4,b\n", encoding="utf-8")
    assert_rows(read(path, "height", "width"), [np.array([[1.5, 2.0]]), np.array([[np.nan, 4.0]])])


def test_taking_and_padding_keep_every_number() -> None:
    frames = Frames.from_rows(ROWS[:2], rate=50.0)
    assert_rows(frames.take([1, 0, 1]), [ROWS[1], ROWS[0], ROWS[1]])
    assert frames.take([1]).rate == 50.0
    padded = frames.padded()
    np.testing.assert_array_equal(padded[1], [[-1.0, 0.5], [0, 0], [0, 0]])
    np.testing.assert_array_equal(padded[0], ROWS[0])
    assert_rows(frames[1:], [ROWS[1]])
    assert_rows(Frames.concatenate([frames, frames[:1]]), [*ROWS[:2], ROWS[0]])


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([[[1.0, 2.0]], None], r"row 2: .*missing"),
        ([[[1.0, 2.0]], []], r"row 2: .*no step"),
        ([[[1.0, 2.0]], [[1.0, 2.0], None]], r"row 2: .*step 2 is missing"),
        ([[[1.0, 2.0]], [[1.0, 2.0], [1.0]]], r"row 2: .*step 2 has 1 channels"),
        ([[[1.0, 2.0]], [[1.0, float("inf")]]], r"row 2: .*infinite number, at step 1, channel 2"),
        ([[[1.0, 2.0]], [[1.0, 1e300]]], r"row 2: .*infinite number"),
        ([[["a"]], [["b"]]], r"row 1: .*numbers are expected"),
        ([[[[1.0]]], [[[1.0]]]], r"row 1: .*nested"),
        (["hello", "you"], r"row 1: .*'hello'"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, values: list[Any], what: str) -> None:
    with pytest.raises(DataError, match=what):
        read(written(tmp_path / "a.parquet", {"x": values}), "x")


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([[[1, 2]], [[1, 2], [1]]], r"row 2 \(line 2\): .*different numbers of channels, 2 and 1"),
        ([[[1, 2]], [["one", 2]]], r"row 2 \(line 2\): .*'one'"),
        ([[[1, 2]], [3]], r"row 2 \(line 2\): .*numbers, and the rows before it have 2 channels"),
        ([[[1, 2]], {"a": 1}], r"row 2 \(line 2\): .*list of numbers"),
    ],
)
def test_a_wrong_row_of_json_is_named(tmp_path: Path, values: list[Any], what: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"x": value}) + "\n" for value in values), encoding="utf-8")
    with pytest.raises(DataError, match=what):
        read(path, "x")


def test_columns_of_other_lengths_are_not_joined(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", {"x": [[1.0], [2.0, 3.0]], "y": [[1.0], [2.0]]})
    with pytest.raises(DataError, match=r"row 2: 2 steps in column 'x' and 1 in column 'y'"):
        read(path, "x", "y")


def test_vectors_of_other_lengths_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", {"x": [[1.0], [2.0, 3.0]]})
    with pytest.raises(DataError, match=r"row 2: .*2 numbers, and the first row has 1"):
        read(path, "x", vectors=True)


def test_arrays_of_other_shapes_are_named() -> None:
    with pytest.raises(InputError, match="sequence 2 has 3 channels, those before it 2"):
        Frames.from_rows([np.zeros((2, 2)), np.zeros((2, 3))])
    with pytest.raises(InputError, match="sequence 1 has the shape"):
        Frames.from_rows([np.zeros((1, 2, 3))])
