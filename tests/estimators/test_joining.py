import numpy as np
import pytest

from seqwise.estimators.joining import fit_scales, fit_shift, fit_temperature, mixture
from seqwise.models import softmax


def loss(logits, targets):
    return -np.log(softmax(logits)[np.arange(len(targets)), targets]).mean()


def test_the_temperature_is_the_minimum_of_the_log_loss():
    generator = np.random.default_rng(2)
    targets = generator.integers(0, 3, 300)
    logits = np.eye(3)[targets] * 6 + generator.normal(size=(300, 3)) * 4
    factor = fit_temperature(logits, targets, bounds=(0.01, 100.0))
    for other in (factor * 0.95, factor * 1.05):
        assert loss(logits * other, targets) > loss(logits * factor, targets)


def test_certain_examples_do_not_make_the_temperature_infinite():
    targets = np.array([0, 1, 0, 1])
    logits = np.eye(2)[targets] * 2 - 1
    assert 3.9 < fit_temperature(logits, targets, bounds=(0.5, 4.0)) <= 4.0


def two_parts(examples):
    """Logits (n, 2, 3) of two parts that err independently."""
    generator = np.random.default_rng(5)
    targets = generator.integers(0, 3, examples)
    return np.eye(3)[targets][:, None] * 2 + generator.normal(size=(examples, 2, 3)), targets


def test_two_parts_that_err_differently_are_better_together():
    logits, targets = two_parts(2000)
    scales = fit_scales(["linear", "recurrent"], logits[:1000], targets[:1000])
    together = np.einsum("npc,p->nc", logits[1000:], scales)
    alone = [
        loss(logits[1000:, i] * fit_temperature(logits[:1000, i], targets[:1000], bounds=(0.2, 10)), targets[1000:])
        for i in range(2)
    ]
    assert loss(together, targets[1000:]) < min(alone) - 0.02


def test_many_examples_silence_a_part_that_knows_nothing_and_few_do_not():
    shares = []
    for examples in (10, 3000):
        logits, targets = two_parts(examples)
        logits[:, 1] = np.random.default_rng(6).normal(size=(examples, 3))
        scales = fit_scales(["linear", "recurrent"], logits, targets)
        shares.append(scales[1] / scales.sum())
    assert shares[1] < 0.05 < shares[0]


def test_all_of_the_say_to_one_part_is_that_part():
    assert mixture(0.0).tolist() == [1.0, 0.0]
    assert mixture(1.0).tolist() == [0.0, 1.0]
    assert mixture(0.5) == pytest.approx([0.6, 0.6])


def test_a_single_part_gets_its_temperature():
    logits, targets = two_parts(500)
    (scale,) = fit_scales(["linear"], logits[:, :1], targets)
    assert scale == fit_temperature(logits[:, 0], targets, bounds=(0.5, 10.0), typical=3.0)
    assert scale == pytest.approx(fit_temperature(logits[:, 0], targets, bounds=(0.5, 10.0)), rel=0.1)


def test_few_examples_leave_the_factor_near_the_typical_one():
    targets = np.array([0, 1])
    factor = fit_temperature((np.eye(2)[targets] * 2 - 1), targets, bounds=(0.5, 10.0), typical=3.0)
    assert 2.5 < factor < 4.0


def test_the_shifts_of_classes_undo_a_bias_and_need_examples_to_do_so():
    random = np.random.default_rng(0)
    shares, bias = np.array([0.7, 0.2, 0.1]), np.array([1.0, 0.0, -1.0])
    for rows, low, high in ((20_000, 0.9, 1.1), (20, 0.0, 0.5)):
        targets = random.choice(3, rows, p=shares)
        likelihood = 2.0 * np.eye(3)[targets] + random.standard_normal((rows, 3))
        logits = 2.0 * likelihood + np.log(shares) + bias  # Gaussian classes of variance 1, two apart: the exact logits
        shift = fit_shift(logits, targets)
        assert shift.sum() == pytest.approx(0, abs=1e-9)
        assert low < -(shift @ bias) / (bias @ bias) < high


def test_weighted_examples_shift_as_repeated_ones_do():
    random = np.random.default_rng(1)
    logits, targets = random.standard_normal((60, 4)), random.integers(0, 4, 60)
    times = random.integers(0, 4, 60)
    np.testing.assert_allclose(
        fit_shift(logits, targets, times.astype(float)),
        fit_shift(logits.repeat(times, 0), targets.repeat(times)),
        atol=1e-5,
    )
