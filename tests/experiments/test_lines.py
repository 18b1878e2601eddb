"""Lines of standard input, and the columns of `--output`."""

import io
import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.errors import DataError, FileError
from seqwise.experiments.prediction import lines_of, with_answers


def lines(content):
    return [line for chunk in lines_of(io.BytesIO(content)) for line in chunk]


@given(st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))))
def test_every_line_is_one_text_in_order(texts):
    assert lines("".join(text + "\n" for text in texts).encode()) == texts


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a\n\nb", ["a", "", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        ("a\u2028b\x0bc\n".encode(), ["a\u2028b\x0bc"]),
    ],
)
def test_only_a_line_feed_ends_a_line(content, expected):
    assert lines(content) == expected


def test_a_line_of_several_megabytes_is_one_text():
    assert [len(line) for line in lines(b"x" * 5_000_000 + b"\ny")] == [5_000_000, 1]


def test_a_line_that_is_not_utf8_is_named_with_its_byte():
    with pytest.raises(FileError, match=r"line 3 .* byte 2 is 0xff"):
        lines(b"a\nb\nc\xff\n")


def test_lines_are_answered_before_the_pipe_is_closed():
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream:
        chunks = lines_of(stream)
        os.write(writer, b"one\ntwo\nthr")
        received = []
        thread = threading.Thread(target=lambda: received.append(next(chunks)), daemon=True)
        thread.start()
        thread.join(10)
        assert received == [["one", "two"]]
        os.write(writer, b"ee\n")
        os.close(writer)
        assert next(chunks) == ["three"]


def test_the_prediction_stands_behind_the_columns_of_the_input():
    probabilities = np.array([[0.25, 0.75]])
    rows = with_answers({"id": [7], "text": ["x"]}, ["b"], probabilities, ["a", "b"])
    assert rows == {"id": [7], "text": ["x"], "label": ["b"], "probability_a": [0.25], "probability_b": [0.75]}
    assert list(rows) == ["id", "text", "label", "probability_a", "probability_b"]


def test_a_label_that_is_there_already_is_kept():
    rows = with_answers({"text": ["x"], "label": ["a"]}, ["b"], np.array([[0.25, 0.75]]), ["a", "b"])
    assert (rows["label"], rows["predicted_label"]) == (["a"], ["b"])


def test_a_column_in_the_way_is_named():
    with pytest.raises(DataError, match="'probability_a'"):
        with_answers({"text": ["x"], "probability_a": [1.0]}, ["b"], np.array([[0.25, 0.75]]), ["a", "b"])
