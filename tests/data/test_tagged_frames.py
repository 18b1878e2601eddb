import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from seqwise.data import resolve
from seqwise.data.tagged_frames import read_labelled_frames
from seqwise.errors import DataError

FRAMES = [[[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], [[6.0, 7.0], [8.0, 9.0]]]
LABELS = [[1, -1, 2], [2, None]]
NAMES = {"-1": "unlabelled", "1": "walking", "2": "sitting"}


def folder(tmp_path, labels=LABELS, **metadata):
    table = pyarrow.table({"frames": FRAMES, "labels": labels, "user": [7, 8]})
    pyarrow.parquet.write_table(table, tmp_path / "train.parquet")
    content = {"name": tmp_path.name, "sequence": "frames", "label": "labels", "rate_hz": 50, **metadata}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    return resolve(tmp_path)


def test_numbers_get_the_names_of_the_data_set_and_below_zero_is_unlabelled(tmp_path):
    source = folder(tmp_path, classes=NAMES)
    found = read_labelled_frames(source, source.table("train"), ["frames"], "labels", group="user")
    assert found.labels == [["walking", None, "sitting"], ["sitting", None]]
    assert found.groups == ["7", "8"]
    assert found.frames.rate == 50
    assert found.unlabelled == 2
    one = found.take([1])
    np.testing.assert_array_equal(one.frames[0], FRAMES[1])
    assert (one.labels, one.rows, one.groups) == ([["sitting", None]], [1], ["8"])


@pytest.mark.parametrize("ignore", ["2", "sitting"])
def test_a_label_is_ignored_by_its_number_or_its_name(tmp_path, ignore):
    source = folder(tmp_path, classes=NAMES)
    found = read_labelled_frames(source, source.table("train"), ["frames"], "labels", ignore=[ignore])
    assert found.labels == [["walking", None, None], [None, None]]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([["a", "b", ""], ["a", None]], [["a", "b", None], ["a", None]]),
        (["a b b", "a -1"], [["a", "b", "b"], ["a", None]]),
        (["[1, 2, 2]", "3"], [["1", "2", "2"], ["3", "3"]]),
        ([1, -1], [["1"] * 3, [None] * 2]),
    ],
)
def test_labels_are_lists_texts_or_one_for_the_whole_recording(tmp_path, labels, expected):
    source = folder(tmp_path, labels)
    assert read_labelled_frames(source, source.table("train"), ["frames"], "labels").labels == expected


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([[1, 2], [1, 2]], "row 1: 3 steps in 'frames' and 2 labels in 'labels'; every step has one label"),
        (["a b c", "[1, 2"], "row 2: labels are a list, and '\\[1, 2' is none"),
        ([[1.5, 2.0, 1.0], [1.0, 1.0]], "row 1: 1.5 is no label"),
        ([[-1, -1, -1], [-1, None]], "no step has a label in column 'labels'"),
        ([{"a": 1}, {"a": 2}], "row 1: labels are a list, got dict"),
    ],
)
def test_what_does_not_belong_together_names_the_row(tmp_path, labels, said):
    source = folder(tmp_path, labels)
    with pytest.raises(DataError, match=said):
        read_labelled_frames(source, source.table("train"), ["frames"], "labels")


def test_a_table_of_steps_has_a_label_a_row(tmp_path):
    lines = ["run,time,x,doing", "a,0,1,walk", "a,1,2,sit", "b,0,3,sit", "b,1,4,sit"]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    from seqwise.data import DataSettings

    source = resolve(tmp_path / "a.csv", DataSettings(id="run", time="time"))
    found = read_labelled_frames(source, source.table("train"), ["x"], "doing")
    assert found.labels == [["walk", "sit"], ["sit", "sit"]]
    np.testing.assert_array_equal(found.frames[1], [[3.0], [4.0]])
