import pytest
import torch

from seqwise.models import Pooling


def ragged_batch():
    torch.manual_seed(0)
    lengths = torch.tensor([1, 4, 3])
    outputs = torch.randn(3, 4, 5)
    return outputs, torch.randn(3, 5), lengths


@pytest.mark.parametrize("names", ["last", "mean", "max", "attention", "last+max+mean+attention"])
def test_padding_never_changes_a_pooled_vector_or_a_gradient(names):
    outputs, last, lengths = ragged_batch()
    pooling = Pooling(names, 5)
    upstream = torch.randn(3, pooling.size)
    poisoned = outputs.clone()
    for row, length in enumerate(lengths):
        poisoned[row, length:] = torch.nan
    results = []
    last.requires_grad_()
    for given in (outputs.clone().requires_grad_(), poisoned.requires_grad_()):
        pooled = pooling(given, last, lengths)
        results.append((pooled, *torch.autograd.grad(pooled, (given, last), upstream, materialize_grads=True)))
    for clean, dirty in zip(*results, strict=True):
        torch.testing.assert_close(dirty, clean)


def test_mean_and_max_are_those_of_the_valid_steps():
    outputs, last, lengths = ragged_batch()
    pooled = Pooling("mean+max+last", 5)(outputs, last, lengths)
    for row, length in enumerate(lengths):
        valid = outputs[row, :length]
        torch.testing.assert_close(pooled[row], torch.cat([valid.mean(0), valid.amax(0), last[row]]))


def test_attention_is_a_weighted_mean_and_equal_scores_give_the_mean():
    outputs, last, lengths = ragged_batch()
    pooling = Pooling("attention", 5)
    torch.nn.init.zeros_(pooling.query.weight)
    torch.testing.assert_close(pooling(outputs, last, lengths), Pooling("mean", 5)(outputs, last, lengths))
