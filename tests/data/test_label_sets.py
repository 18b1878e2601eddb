"""Examples with several labels: what a label column may hold, and how such examples are split."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.data import (
    find_separator,
    label_matrix,
    label_set,
    load_examples,
    open_table,
    stratified_split,
    write_table,
)
from seqwise.errors import DataError


def test_a_list_is_a_sorted_set_of_names():
    assert label_set(["b", "a", "b", 3]) == ("3", "a", "b")
    assert label_set([]) == ()


def test_a_separated_text_is_a_set_too_and_an_empty_one_has_no_label():
    assert label_set("b; a;;b ", ";") == ("a", "b")
    assert label_set("", ";") == label_set(None, ";") == ()


def test_a_label_without_a_name_is_refused():
    with pytest.raises(DataError, match="without a name"):
        label_set(["a", None])


@pytest.mark.parametrize(
    ("labels", "separator"),
    [
        (["a|b", "a", "b|c", "c"], "|"),
        (["joy; anger", "joy", "anger", "fear;joy"], ";"),
        (["a,b", "b", "a", "c,a"], ","),
        (["Smith, John", "Doe, Jane", "Smith, John"], None),
        (["yes", "no"], None),
        (["a,b"] * 5 + ["c"] * 5, None),
        ([*["x"] * 5000, "x|y", "y"], None),  # one text in five thousand is a slip of the pen
    ],
)
def test_a_separator_is_found_where_labels_evidently_combine(labels, separator):
    assert find_separator(labels) == separator


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_every_format_gives_the_same_sets(tmp_path, suffix):
    sets = [("a", "b"), (), ("b",), ("a",)]
    lists = suffix != "csv"
    column = [list(one) for one in sets] if lists else ["|".join(one) for one in sets]
    write_table(tmp_path / f"t.{suffix}", [{"text": list("wxyz"), "tags": column}])
    table = open_table(tmp_path / f"t.{suffix}")
    examples = load_examples(table, "text", "tags", separator=None if lists else "|")
    assert examples.multilabel
    assert examples.labels.tolist() == sets


def test_the_matrix_has_a_column_for_each_label():
    np.testing.assert_array_equal(
        label_matrix([("a", "c"), (), ("b",)], ["a", "b", "c"]), [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    )
    with pytest.raises(KeyError):
        label_matrix([("d",)], ["a"])


@given(st.integers(0, 2**16), st.floats(0.05, 0.5), st.integers(20, 200), st.integers(2, 8))
def test_a_split_of_label_sets_divides_the_rows_and_is_of_the_size_asked(seed, share, rows, labels):
    has = np.random.default_rng(seed).random((rows, labels)) < np.linspace(0.05, 0.6, labels)
    kept, held = stratified_split(has, share, seed)
    assert sorted([*kept, *held]) == list(range(rows))
    assert len(held) == round(rows * share)
    again = stratified_split(has, share, seed)
    np.testing.assert_array_equal(again[1], held)


def test_every_label_is_split_by_the_share_the_rarest_as_well():
    random = np.random.default_rng(0)
    has = random.random((4000, 6)) < [0.5, 0.3, 0.1, 0.03, 0.01, 0.005]
    _, held = stratified_split(has, 0.2, 0)
    shares = has[held].sum(0) / has.sum(0)
    np.testing.assert_allclose(shares, 0.2, atol=0.03)
    plain = np.array([has[random.permutation(4000)[:800]].sum(0) / has.sum(0) for _ in range(200)])
    assert abs(shares - 0.2).max() < np.abs(plain - 0.2).max(axis=1).mean()


def test_a_label_of_one_example_stays_in_training():
    has = np.zeros((50, 2), dtype=bool)
    has[::2, 0], has[7, 1] = True, True
    kept, _ = stratified_split(has, 0.3, 0)
    assert 7 in kept
