"""Arrays of NumPy as tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seqwise.data import open_table, resolve
from seqwise.data.frames import Frames, read_frames
from seqwise.errors import DataError, FileError

CUBE = np.random.default_rng(5).normal(size=(3, 4, 2)).astype(np.float32)


def frames_of(path: Path, column: str, **options: bool) -> Frames:
    source = resolve(path)
    return read_frames(source, source.table("train"), [column], **options)


def test_a_cube_has_a_sequence_a_row(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", CUBE)
    np.testing.assert_array_equal(frames_of(tmp_path / "a.npy", "frames").padded(), CUBE)
    np.savez(tmp_path / "a.npz", x=CUBE, label=np.array(["a", "b", "a"]), number=np.array([1, 2, 3]))
    table = open_table(tmp_path / "a.npz")
    assert table.columns == ["x", "label", "number"]
    chunk = next(table.iter_chunks(columns=["label", "number"]))
    assert chunk == {"label": ["a", "b", "a"], "number": [1, 2, 3]}
    np.testing.assert_array_equal(frames_of(tmp_path / "a.npz", "x").padded(), CUBE)


def test_a_matrix_is_a_series_or_a_vector_a_row(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=CUBE[:, :, 0])
    np.testing.assert_array_equal(frames_of(tmp_path / "a.npz", "x").padded(), CUBE[:, :, :1])
    np.testing.assert_array_equal(frames_of(tmp_path / "a.npz", "x", vectors=True).padded()[:, 0], CUBE[:, :, 0])


def test_rows_of_unequal_length_are_cut_by_their_lengths(tmp_path: Path) -> None:
    steps = CUBE.reshape(12, 2)
    np.savez(
        tmp_path / "a.npz",
        x=steps,
        y=steps[:5, 0],
        y_lengths=[2, 2, 1],
        tags=np.arange(12),
        lengths=[3, 8, 1],
        z=[1, 2, 3],
    )
    frames = frames_of(tmp_path / "a.npz", "x")
    assert frames.lengths.tolist() == [3, 8, 1]
    np.testing.assert_array_equal(frames[1], steps[3:11])
    assert frames_of(tmp_path / "a.npz", "y").lengths.tolist() == [2, 2, 1]
    chunk = next(open_table(tmp_path / "a.npz").iter_chunks(2))
    assert chunk["tags"] == [[0, 1, 2], [3, 4, 5, 6, 7, 8, 9, 10]]
    assert chunk["z"] == [1, 2]


def test_objects_and_contradictions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.array([[1], [1, 2]], dtype=object))
    with pytest.raises(FileError, match="Python objects, which are never loaded"):
        open_table(path)
    np.savez(path, x=CUBE, y=np.zeros(4))
    with pytest.raises(DataError, match="'x' has 3 rows, and 'y' has 4"):
        open_table(path)
    np.savez(path, x=CUBE, x_lengths=[1, 1])
    with pytest.raises(DataError, match="'x_lengths' holds the steps of each row, whole numbers that make 3 in all"):
        open_table(path)
    np.savez(path, x=np.array(3.0))
    with pytest.raises(DataError, match="'x' has 0 axes"):
        open_table(path)
    path.write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(FileError, match="damaged"):
        open_table(path)
