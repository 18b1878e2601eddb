import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from seqwise.experiments.comparison.statistics import (
    class_means,
    compare_with,
    holm,
    mean_over_seeds,
)
from tolerances import assert_close


def close(actual, expected):
    assert_close(torch.tensor(actual, dtype=torch.float64), torch.tensor(expected, dtype=torch.float64))


def test_holm_is_the_published_example():
    # Holm (1979), the step-down table worked by hand: 4 p, 3 p, 2 p, 1 p, none below the one before it.
    close(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_holm_never_exceeds_one_and_keeps_the_order():
    values = [0.2, 0.9, 0.5, 0.04, 0.04]
    corrected = holm(values)
    assert max(corrected) <= 1
    assert [x for _, x in sorted(zip(values, corrected, strict=True))] == sorted(corrected)
    assert holm([]) == []
    assert holm([0.03]) == [0.03]


def draw(generator, n=400, classes=3, wrong=0.2):
    targets = generator.integers(classes, size=n)
    moved = (targets + generator.integers(1, classes, size=n)) % classes
    return targets, lambda share: np.where(generator.random(n) < share, moved, targets)


def test_the_value_is_the_mean_over_seeds_of_scikit_learns_figure():
    targets, answer = draw(np.random.default_rng(0))
    variant = {seed: answer(0.2) for seed in (4, 7, 9)}
    reference = {seed: answer(0.3) for seed in (4, 7, 9)}
    compared = compare_with(targets, variant, reference, "macro_f1")
    ours = np.mean([f1_score(targets, column, average="macro") for column in variant.values()])
    theirs = np.mean([f1_score(targets, column, average="macro") for column in reference.values()])
    close(compared.value["value"], ours)
    close(compared.difference["value"], ours - theirs)
    close(mean_over_seeds(targets, variant)["macro_f1"], ours)


def test_a_clear_difference_has_a_small_p_and_none_has_a_large_one():
    targets, answer = draw(np.random.default_rng(1))
    good, bad = {0: answer(0.05), 1: answer(0.05)}, {0: answer(0.4), 1: answer(0.4)}
    clear = compare_with(targets, good, bad, "accuracy")
    assert clear.p <= 0.002
    assert clear.difference["low"] > 0
    same = compare_with(targets, good, good, "accuracy")
    assert same.p == 1
    assert same.difference == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_seeds_that_disagree_widen_the_interval():
    targets, answer = draw(np.random.default_rng(2), n=4000)
    steady = {seed: answer(0.2) for seed in range(3)}
    shaky = {0: answer(0.05), 1: answer(0.2), 2: answer(0.35)}
    widths = [
        figure["high"] - figure["low"]
        for figure in (compare_with(targets, variant, None, "accuracy").value for variant in (steady, shaky))
    ]
    assert widths[1] > 3 * widths[0]


def test_only_seeds_that_both_have_are_subtracted():
    targets, answer = draw(np.random.default_rng(3))
    shared, other = answer(0.1), answer(0.5)
    compared = compare_with(targets, {0: shared, 1: other}, {0: shared}, "accuracy")
    assert compared.seeds == 2
    assert compared.difference["value"] == 0
    assert compare_with(targets, {1: other}, {0: shared}, "accuracy").difference is None


def test_weights_multiply():
    targets, answer = draw(np.random.default_rng(4), n=60)
    variant, reference = {0: answer(0.2)}, {0: answer(0.4)}
    weights = np.random.default_rng(5).integers(1, 4, size=60)
    weighted = compare_with(targets, variant, reference, "macro_f1", sample_weight=weights)
    repeated = compare_with(
        np.repeat(targets, weights),
        {0: np.repeat(variant[0], weights)},
        {0: np.repeat(reference[0], weights)},
        "macro_f1",
    )
    close(weighted.difference["value"], repeated.difference["value"])


def test_class_means_leave_undefined_out():
    targets = np.array([0, 0, 1, 1])
    means = class_means(targets, {0: np.array([0, 1, 1, 1]), 1: np.array([0, 0, 1, 0])}, ["a", "b", "never"])
    assert means["a"]["recall"] == pytest.approx(0.75)
    assert means["b"]["recall"] == pytest.approx(0.75)
    assert means["never"]["recall"] is None


def several(generator, n=200, labels=4):
    targets = (generator.random((n, labels)) < [0.5, 0.3, 0.2, 0.1]).astype(float)
    return targets, lambda share: np.where(generator.random(targets.shape) < share, 1 - targets, targets) > 0


@pytest.mark.parametrize("metric", ["macro_f1", "micro_f1", "samples_f1"])
def test_of_several_labels_the_value_is_scikit_learns_too(metric):
    targets, answer = several(np.random.default_rng(6))
    variant, reference = {0: answer(0.1), 1: answer(0.1)}, {0: answer(0.3), 1: answer(0.3)}
    compared = compare_with(targets, variant, reference, metric, resamples=300)
    average = metric.removesuffix("_f1")
    values = [
        np.mean([f1_score(targets, column, average=average, zero_division=1.0) for column in columns.values()])
        for columns in (variant, reference)
    ]
    close(compared.value["value"], values[0])
    close(compared.difference["value"], values[0] - values[1])
    assert compared.difference["low"] > 0
    assert compared.p < 0.01
    close(mean_over_seeds(targets, variant)[metric], values[0])
