import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.data import LengthBatches
from seqwise.errors import ConfigurationError

LENGTHS = np.random.default_rng(0).geometric(0.02, size=5000)


def as_lists(batches: LengthBatches) -> list[list[int]]:
    return [batch.tolist() for batch in batches]


@given(
    st.lists(st.integers(1, 50), max_size=80),
    st.integers(1, 9),
    st.none() | st.integers(1, 120),
    st.booleans(),
    st.integers(1, 3),
)
def test_every_example_is_in_one_batch_of_the_right_size(lengths, size, tokens, shuffle, world):
    parts = [
        LengthBatches(lengths, size, seed=3, shuffle=shuffle, max_tokens=tokens, rank=rank, world_size=world)
        for rank in range(world)
    ]
    assert len({len(part) for part in parts}) == 1
    batches = [tuple(batch) for part in parts for batch in as_lists(part)]
    assert sorted(i for batch in set(batches) for i in batch) == list(range(len(lengths)))
    assert len(batches) - len(set(batches)) < world
    for batch in batches:
        longest = max(lengths[i] for i in batch)
        assert len(batch) <= size
        assert tokens is None or len(batch) == 1 or longest * len(batch) <= tokens


def test_only_the_last_batch_is_smaller():
    sizes = sorted(len(batch) for batch in LengthBatches(LENGTHS, 64, seed=0))
    assert sizes[0] == 5000 % 64
    assert set(sizes[1:]) == {64}


def test_little_is_padded_and_the_order_is_still_random():
    batches = LengthBatches(LENGTHS, 32, seed=0)
    order = as_lists(batches)
    padded = sum(LENGTHS[batch].max() * len(batch) for batch in order)
    assert padded < 1.1 * LENGTHS.sum()
    longest = [LENGTHS[batch].max() for batch in order]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.25  # neither short first nor long first


def test_each_epoch_has_its_own_order_that_comes_back():
    batches = LengthBatches(LENGTHS, 32, seed=5)
    first = as_lists(batches)
    batches.set_epoch(1)
    second = as_lists(batches)
    assert first != second
    assert {tuple(sorted(b)) for b in first} != {
        tuple(sorted(b)) for b in second
    }  # other company, not just other order
    batches.set_epoch(0)
    assert as_lists(batches) == first
    fresh = LengthBatches(LENGTHS.tolist(), 32, seed=5)
    fresh.set_epoch(1)
    assert as_lists(fresh) == second
    assert as_lists(LengthBatches(LENGTHS, 32, seed=6)) != first


def test_unshuffled_batches_go_by_length():
    batches = as_lists(LengthBatches([3, 1, 2, 1], 2, seed=0, shuffle=False))
    assert batches == [[1, 3], [2, 0]]


def test_processes_have_batches_of_like_length_in_every_step():
    parts = [as_lists(LengthBatches(LENGTHS, 16, seed=0, rank=rank, world_size=4)) for rank in range(4)]
    gaps = [np.ptp([LENGTHS[batch].max() for batch in step]) for step in zip(*parts, strict=True)]
    assert np.median(gaps) < 10


def test_no_examples_are_no_batches():
    assert as_lists(LengthBatches([], 4, seed=0, world_size=2)) == []


@pytest.mark.parametrize(
    "arguments",
    [{"batch_size": 0}, {"max_tokens": 0}, {"seed": -1}, {"rank": 2, "world_size": 2}, {"world_size": 0}, {"rank": -1}],
)
def test_numbers_out_of_range_are_refused(arguments):
    with pytest.raises(ConfigurationError):
        LengthBatches([1, 2], **{"batch_size": 2, "seed": 0, **arguments})
