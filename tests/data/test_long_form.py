"""Tables with a row a step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seqwise.data import DataSettings, resolve
from seqwise.data.frames import Frames, read_frames
from seqwise.data.tables import Table
from seqwise.errors import DataError

STEPS = """who,when,x,y,label,mood
b,2,30,3,walk,calm
a,0.5,5,1,sit,calm
b,0,10,1,walk,calm
b,1,20,2,walk,glad
a,0,4,,sit,calm
"""


def long(tmp_path: Path, text: str = STEPS, **settings: object) -> tuple[Table, Frames]:
    path = tmp_path / "steps.csv"
    path.write_text(text, encoding="utf-8")
    source = resolve(path, DataSettings(id="who", time="when", **settings))  # type: ignore[arg-type]
    table = source.table("train")
    return table, read_frames(source, table, ["x", "y"])


def test_sequences_are_gathered_and_sorted_by_time(tmp_path: Path) -> None:
    table, frames = long(tmp_path)
    np.testing.assert_array_equal(frames[0], [[10, 1], [20, 2], [30, 3]])
    np.testing.assert_array_equal(frames[1], [[4, np.nan], [5, 1]])
    chunk = next(table.iter_chunks(columns=["who", "label", "mood"]))
    assert chunk["label"] == ["walk", "sit"]  # does not change within a sequence
    assert chunk["who"] == ["b", "a"]
    assert chunk["mood"] == [["calm", "glad", "calm"], ["calm", "calm"]]
    assert table.rows == 2


def test_irregular_times_are_told_or_made_regular(tmp_path: Path) -> None:
    _, frames = long(tmp_path)
    assert frames.rate is None
    assert "irregular, from 0.5 to 1 apart" in frames.notes[0]
    table, regular = long(tmp_path, every=0.5)
    assert regular.rate == 2.0
    np.testing.assert_allclose(regular[0], [[10, 1], [15, 1.5], [20, 2], [25, 2.5], [30, 3]])
    np.testing.assert_allclose(regular[1], [[4, 1], [5, 1]])
    assert not regular.notes
    chunk = next(table.iter_chunks(columns=["mood", "label"]))
    assert chunk["mood"][0] == ["calm", "calm", "glad", "glad", "calm"]
    assert chunk["label"] == ["walk", "sit"]


def test_regular_times_tell_the_rate(tmp_path: Path) -> None:
    rows = "".join(f"a,2024-01-01T00:00:{second:02}Z,{second},1\n" for second in range(0, 60, 5))
    _, frames = long(tmp_path, "who,when,x,y\n" + rows)
    assert frames.rate == pytest.approx(0.2)
    np.testing.assert_array_equal(frames[0][:, 0], np.arange(0, 60, 5))


def test_a_wrong_step_is_named(tmp_path: Path) -> None:
    for line, what in (
        ("a,0,1,1,sit,calm", "time in column 'when' is there twice"),
        ("a,later,1,1,sit,calm", r"row 6 \(line 7\): .*'later', and no time"),
        (",9,1,1,sit,calm", r"row 6 \(line 7\): column 'who' is empty"),
        ("a,9,much,1,sit,calm", r"rows with who 'a': column 'x' holds 'much'"),
        ("a,9,inf,1,sit,calm", r"rows with who 'a': column 'x' holds an infinite number, at step 3"),
    ):
        with pytest.raises(DataError, match=what):
            long(tmp_path, STEPS + line + "\n")
