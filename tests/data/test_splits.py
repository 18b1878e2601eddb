import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.data import grouped_split, stratified_split
from seqwise.errors import ConfigurationError, DataError


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=60), st.floats(0.01, 0.99), st.integers(0, 5))
def test_every_class_with_two_examples_is_in_both_parts(labels, share, seed):
    labels = np.array(labels)
    if max(np.unique(labels, return_counts=True)[1]) < 2:
        with pytest.raises(DataError, match="no class has two examples"):
            stratified_split(labels, share, seed)
        return
    kept, held = stratified_split(labels, share, seed)
    assert sorted([*kept, *held]) == list(range(len(labels)))
    assert (np.diff(kept) > 0).all()
    assert (np.diff(held) > 0).all()
    for name, count in zip(*np.unique(labels, return_counts=True), strict=True):
        taken = (labels[held] == name).sum()
        assert (1 <= taken < count) if count >= 2 else taken == 0
        assert abs(taken - share * count) <= 1


def test_the_part_is_as_large_as_asked():
    labels = ["a"] * 333 + ["b"] * 333 + ["c"] * 334
    kept, held = stratified_split(labels, 0.1, 0)
    assert (len(kept), len(held)) == (900, 100)


def test_the_split_depends_on_the_seed_alone():
    labels = np.array([0, 1] * 50, dtype=object)
    one, same, other = (stratified_split(labels, 0.3, seed)[1].tolist() for seed in (1, 1, 2))
    assert one == same
    assert one != other
    np.random.seed(0)  # noqa: NPY002 - the global state must not matter
    assert stratified_split(labels.tolist(), 0.3, 1)[1].tolist() == one


def test_no_share_keeps_everything():
    kept, held = stratified_split(["a", "b"], 0, 0)
    assert kept.tolist() == [0, 1]
    assert held.tolist() == []


@pytest.mark.parametrize(("share", "seed"), [(1, 0), (-0.1, 0), (float("nan"), 0), (0.5, -1)])
def test_a_share_or_seed_out_of_range_is_refused(share, seed):
    with pytest.raises(ConfigurationError):
        stratified_split(["a", "a"], share, seed)


def test_groups_stay_together_and_about_the_share_is_held_back():
    speakers = [f"train/{name}/{i}" for name in "abcdefghij" for i in range(10)]
    kept, held = grouped_split(speakers, 0.2, 0, pattern="/(.)/")
    assert sorted([*kept, *held]) == list(range(100))
    assert len(held) == 20
    assert not {speakers[i][6] for i in kept} & {speakers[i][6] for i in held}
    again = grouped_split([text[6] for text in speakers], 0.2, 0)
    assert all(np.array_equal(one, other) for one, other in zip((kept, held), again, strict=True))
    assert len(grouped_split(speakers, 0.0, 0)[1]) == 0
    assert len(grouped_split(["a", "b", "b", "b"], 0.01, 0)[1]) in (1, 3)  # at least one group, never all


def test_groups_that_cannot_be_split_are_refused():
    with pytest.raises(DataError, match="all examples are of one group"):
        grouped_split(["a", "a"], 0.5, 0)
    with pytest.raises(DataError, match="finds no group in 'b', row 2"):
        grouped_split(["a1", "b"], 0.5, 0, pattern="[0-9]")
    with pytest.raises(ConfigurationError, match="share held back"):
        grouped_split(["a", "b"], 1.0, 0)
