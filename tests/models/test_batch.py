import numpy as np
import torch

from seqwise.models import EncodedExamples
from seqwise.text import Ragged


def examples():
    tokens = Ragged.from_rows([[5, 6, 7], [8], [9, 10]])
    ngrams = Ragged(
        np.array([0, 2, 1], np.int32), np.array([0, 2, 2, 3], np.int64), np.array([0.5, 0.5, 1.0], np.float32)
    )
    return EncodedExamples(tokens, ngrams, targets=np.array([0, 1, 2]), weights=np.array([1.0, 2.0, 3.0]))


def test_a_batch_is_padded_to_its_own_longest_row_only():
    batch = examples().batch(np.array([2, 1]))
    assert batch.tokens.tolist() == [[9, 10], [8, 0]]
    assert batch.lengths.tolist() == [2, 1]
    assert batch.targets.tolist() == [2, 1]
    assert batch.weights.tolist() == [3.0, 2.0]


def test_an_example_without_ngrams_is_an_empty_bag():
    batch = examples().batch(np.array([1, 2]))
    assert batch.ngrams.ids.tolist() == [1]
    assert batch.ngrams.offsets.tolist() == [0, 0]
    bag = torch.nn.EmbeddingBag(3, 2, mode="sum")
    pooled = bag(batch.ngrams.ids, batch.ngrams.offsets, per_sample_weights=batch.ngrams.values)
    assert pooled[0].tolist() == [0.0, 0.0]


def test_lengths_count_symbols_where_there_are_any():
    assert examples().lengths.tolist() == [3, 1, 2]
    assert EncodedExamples(ngrams=examples().ngrams).lengths.tolist() == [1, 1, 1]
