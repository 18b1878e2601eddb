import pytest
import torch
from torch.nn import functional as F

from seqwise.errors import DataError
from seqwise.losses import WeightedCrossEntropy, balanced_weights, weighted_cross_entropy


def problem(classes=4, examples=7, dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(examples, classes, generator=generator, dtype=dtype) * 3
    targets = torch.randint(0, classes, (examples,), generator=generator)
    return logits, targets


def test_lecture_cases_of_balanced_weights():
    assert balanced_weights([50, 50]).tolist() == [1.0, 1.0]
    rare, common = balanced_weights([100, 900]).tolist()
    assert rare == pytest.approx(5.0)
    assert common == pytest.approx(10 / 18)


def test_balanced_weights_give_every_present_class_the_same_total():
    counts = torch.tensor([3.0, 0.0, 40.0, 7.0])
    totals = balanced_weights(counts) * counts
    assert totals[[0, 2, 3]].tolist() == pytest.approx([50 / 3] * 3)
    assert totals[1] == 0


def test_without_weights_it_is_cross_entropy_exactly():
    logits, targets = problem()
    assert torch.equal(weighted_cross_entropy(logits, targets), F.cross_entropy(logits, targets, reduction="none"))
    equal = weighted_cross_entropy(logits, targets, counts=[5, 5, 5, 5])
    torch.testing.assert_close(equal, F.cross_entropy(logits, targets, reduction="none"), rtol=1e-15, atol=0)


def test_gradient_is_the_closed_form():
    logits, targets = problem()
    logits.requires_grad_()
    weights = torch.tensor([0.5, 2.0, 1.0, 7.0], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(weighted_cross_entropy(logits, targets, weights=weights).sum(), logits)
    expected = weights[targets, None] * (logits.softmax(-1) - F.one_hot(targets, 4))
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-14)
    assert torch.autograd.gradcheck(lambda x: weighted_cross_entropy(x, targets, weights=weights), logits)


def test_sample_weights_multiply_and_ignored_targets_cost_nothing():
    logits, targets = problem()
    factors = torch.arange(7, dtype=torch.float64)
    plain = weighted_cross_entropy(logits, targets, counts=[1, 2, 3, 4])
    torch.testing.assert_close(
        weighted_cross_entropy(logits, targets, counts=[1, 2, 3, 4], sample_weight=factors), plain * factors
    )
    targets[2] = -100
    assert weighted_cross_entropy(logits, targets)[2] == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_extreme_logits_do_not_overflow(dtype):
    logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4]], dtype=dtype)
    loss = weighted_cross_entropy(logits, torch.tensor([0, 0]), counts=[1, 9])
    assert torch.isfinite(loss).all()
    assert loss[0] == 0
    assert loss[1] > 1e4


def test_steps_of_sequences_are_examples_too():
    logits = torch.randn(2, 5, 3)
    targets = torch.randint(0, 3, (2, 5))
    loss = weighted_cross_entropy(logits, targets, weights=[1.0, 2.0, 3.0])
    assert loss.shape == (2, 5)
    torch.testing.assert_close(
        loss[1, 4], weighted_cross_entropy(logits[1, 4:], targets[1, 4:], weights=[1.0, 2.0, 3.0])[0]
    )


def test_module_divides_by_n_not_by_the_sum_of_weights():
    logits, targets = problem(dtype=torch.float32)
    weights = [1.0, 2.0, 3.0, 4.0]
    values = weighted_cross_entropy(logits, targets, weights=weights)
    torch.testing.assert_close(WeightedCrossEntropy(weights)(logits, targets), values.sum() / 7)


def test_wrong_arguments_say_what_is_wrong():
    logits, targets = problem()
    with pytest.raises(DataError, match="not both"):
        weighted_cross_entropy(logits, targets, counts=[1, 1, 1, 1], weights=[1, 1, 1, 1])
    with pytest.raises(DataError, match=r"shape \(4,\)"):
        weighted_cross_entropy(logits, targets, weights=[1.0, 2.0])
    with pytest.raises(DataError, match="non-negative"):
        balanced_weights([-1, 2])
    with pytest.raises(DataError, match="reduction"):
        WeightedCrossEntropy(reduction="average")
