from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from imblearn.over_sampling import RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler

from seqwise.data import LengthBatches, make_sampler
from seqwise.errors import ConfigurationError, DataError
from seqwise.losses import SAMPLERS

COUNTS = {"often": 64, "sometimes": 16, "rarely": 4}  # in another order than the sorted one
TARGETS = np.repeat(list(COUNTS), list(COUNTS.values()))


def by_class(indices, targets=TARGETS):
    return dict(Counter(np.asarray(targets)[indices].tolist()))


def uses(indices):
    """How often each example was drawn, the same number for all that were drawn as often."""
    return np.bincount(indices, minlength=len(TARGETS))


@pytest.mark.parametrize(("name", "oracle"), [("oversample", RandomOverSampler), ("undersample", RandomUnderSampler)])
def test_over_and_undersampling_reach_the_class_sizes_of_imbalanced_learn(name, oracle):
    _, expected = oracle(random_state=0).fit_resample(np.arange(len(TARGETS))[:, None], TARGETS)
    assert by_class(make_sampler(name, TARGETS)(0)) == dict(Counter(expected.tolist()))


@pytest.mark.parametrize("power", [1.0, 0.5, 0.0])
def test_power_samplers_follow_the_formula_of_kang_et_al(power):
    name = {1.0: "instance", 0.5: "square_root", 0.0: "class_balanced"}[power]
    sizes = np.array(list(COUNTS.values()), dtype=float)
    shares = sizes**power / (sizes**power).sum()
    found = by_class(make_sampler(name, TARGETS, seed=3)(2))
    assert sum(found.values()) == len(TARGETS)
    assert all(abs(found[c] - len(TARGETS) * share) < 1 for c, share in zip(COUNTS, shares, strict=True))


def test_progressive_sampling_goes_from_the_class_shares_to_equal_ones():
    sampler = make_sampler("progressive", TARGETS, epochs=5)
    for epoch in range(7):  # beyond the last epoch it stays where it is
        t = min(epoch / 4, 1.0)
        found = by_class(sampler(epoch))
        for label, count in COUNTS.items():
            assert abs(found[label] - ((1 - t) * count + t * len(TARGETS) / 3)) < 1
    assert sorted(sampler(0).tolist()) == list(range(len(TARGETS)))
    halfway = by_class(make_sampler("progressive", TARGETS, epochs=1)(0))
    assert halfway == {"often": 46, "sometimes": 22, "rarely": 16}


@given(
    st.sampled_from(SAMPLERS),
    st.lists(st.integers(0, 4), min_size=1, max_size=60),
    st.integers(0, 5),
    st.integers(1, 6),
    st.integers(0, 5),
)
def test_examples_of_a_class_repeat_as_evenly_as_can_be(name, targets, seed, epochs, epoch):
    sampler = make_sampler(name, targets, seed=seed, epochs=epochs)
    indices = sampler(epoch)
    sampler.set_epoch(epoch)
    assert len(indices) == len(sampler) == sampler.quotas(epoch).sum()
    used = np.bincount(indices, minlength=len(targets))
    for label in set(targets):
        assert np.ptp(used[np.array(targets) == label]) <= 1
    largest = max(Counter(targets).values())
    sizes = {
        "oversample": len(set(targets)) * largest,
        "undersample": len(set(targets)) * min(Counter(targets).values()),
    }
    assert len(indices) == sizes.get(name, len(targets))


def test_oversampling_leaves_no_example_out_and_undersampling_repeats_none():
    assert uses(make_sampler("oversample", TARGETS)(0)).min() == 1
    assert uses(make_sampler("undersample", TARGETS)(0)).max() == 1


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_epoch_is_the_same_every_time_and_unlike_the_others(name):
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    sampler = make_sampler(name, TARGETS, seed=7, epochs=4)
    third, second, again = sampler(2), sampler(1), make_sampler(name, TARGETS.tolist(), seed=7, epochs=4)(2)
    assert third.tolist() == again.tolist()
    assert third.tolist() != second.tolist()
    assert third.tolist() != make_sampler(name, TARGETS, seed=8, epochs=4)(2).tolist()
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_over_the_epochs_every_example_of_a_large_class_has_its_turn():
    sampler = make_sampler("class_balanced", TARGETS, seed=1)
    total = sum(uses(sampler(epoch)) for epoch in range(12))
    assert total.min() > 0


def test_an_example_with_several_labels_belongs_to_the_rarest():
    has = np.array([[1, 0], [1, 1], [1, 0], [1, 0], [1, 1], [0, 0], [1, 0], [1, 0]])
    groups = ["first", "second", "first", "first", "second", "none", "first", "first"]
    for values in (has, has.astype(float), has.astype(bool)):
        assert by_class(make_sampler("oversample", values)(0), groups) == {"first": 5, "second": 5, "none": 5}


def test_a_data_loader_takes_it():
    sampler = make_sampler("undersample", TARGETS, seed=2)
    loader = torch.utils.data.DataLoader(torch.arange(len(TARGETS)), batch_size=5, sampler=sampler)
    assert len(loader) == 3
    sampler.set_epoch(4)
    assert torch.cat(list(loader)).tolist() == sampler(4).tolist()
    assert by_class(sampler(4)) == dict.fromkeys(COUNTS, 4)


def test_batches_hold_the_examples_of_the_sampler_whatever_the_number_of_processes():
    sampler = make_sampler("oversample", TARGETS, seed=1, epochs=3)
    lengths = np.random.default_rng(0).integers(1, 30, len(TARGETS))
    expected = sorted(sampler(2).tolist())
    for world in (1, 2, 3):
        parts = [LengthBatches(lengths, 8, seed=0, sample=sampler, rank=r, world_size=world) for r in range(world)]
        for part in parts:
            part.set_epoch(2)
        batches = [batch for part in parts for batch in part]
        assert len(batches) == 24  # which two and three divide: no batch is given twice
        assert sorted(i for batch in batches for i in batch) == expected
    whole = LengthBatches(lengths, 8, seed=0, sample=sampler, shuffle=False)
    assert sorted(i for batch in whole for i in batch) == sorted(sampler(0).tolist())


def test_all_examples_once_are_the_same_batches_with_a_sampler_of_them_in_order():
    lengths = np.arange(1, 85)
    plain = [batch.tolist() for batch in LengthBatches(lengths, 8, seed=3)]
    assert plain == [batch.tolist() for batch in LengthBatches(lengths, 8, seed=3, sample=lambda epoch: np.arange(84))]


def test_wrong_arguments_are_refused():
    with pytest.raises(ConfigurationError, match="did you mean oversample"):
        make_sampler("over_sample", TARGETS)
    with pytest.raises(ConfigurationError, match="there are instance, oversample"):
        make_sampler("zzz", TARGETS)
    with pytest.raises(ConfigurationError, match="seed"):
        make_sampler("oversample", TARGETS, seed=-1)
    with pytest.raises(ConfigurationError, match="epochs"):
        make_sampler("oversample", TARGETS, epochs=0)
    for targets in ([], np.zeros((2, 2, 2))):
        with pytest.raises(DataError, match="shape"):
            make_sampler("oversample", targets)
