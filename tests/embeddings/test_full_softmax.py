"""Skip-gram and CBOW with the full softmax against the reference, and the laws of training."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from test_window_kernels import make_corpus

from seqwise.embeddings import EmbeddingSettings, objectives, softmax
from seqwise.embeddings.softmax import SoftmaxTrainer
from tolerances import assert_close


def make_trainer(tokens, counts, dtype="float64", **settings):
    return SoftmaxTrainer(tokens, counts, EmbeddingSettings(objective="softmax", epochs=1, **settings), dtype)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_batch_is_a_step_down_the_reference_gradient(model, threads, monkeypatch):
    monkeypatch.setattr(softmax, "_FEWEST_ROWS", 5)
    tokens, counts = make_corpus(sentences=12)
    trainer = make_trainer(tokens, counts, model=model, size=9, window=3, sample=0.05, rate=0.03, seed=4)
    random = np.random.default_rng(1)
    for array in (trainer.inputs, trainer.outputs):
        array[:] = random.normal(0, 0.5, array.shape)
    inputs, outputs = torch.tensor(trainer.inputs), torch.tensor(trainer.outputs)
    batches = list(trainer.batches(0, 0, len(tokens)))
    assert len(batches) > 1
    losses = 0.0
    for around, words in batches:
        rows = [[row] for row in around] if model == "skipgram" else [row[row < 30] for row in around]
        h = torch.stack([inputs[row].mean(0) for row in rows])
        result = objectives.full_softmax(h, outputs, torch.tensor(words).long(), torch.ones(len(words)).double())
        losses += float(result.losses.sum())
        for row, change in zip(rows, result.inputs, strict=True):
            for one in row:
                inputs[one] -= 0.03 * change
        outputs -= 0.03 * result.outputs
    seen = []
    assert trainer.train(threads, seen.append)
    assert_close(torch.tensor(trainer.inputs), inputs, "inputs")
    assert_close(torch.tensor(trainer.outputs), outputs, "outputs")
    pairs = sum(one.pairs for one in seen)
    assert pairs == sum(len(words) for _, words in batches)
    np.testing.assert_allclose(sum(one.losses for one in seen), losses)


def test_the_pairs_are_those_of_windows_of_every_width():
    tokens = np.concatenate([np.tile(np.arange(50), 40), [-1], np.arange(50), [-1, 7, -1]]).astype(np.int32)
    trainer = make_trainer(tokens, np.full(50, 41), window=4, sample=0)
    pairs = np.concatenate([np.stack(batch, 1) for batch in trainer.batches(0, 0, len(tokens))])
    distances = (pairs[:, 0] - pairs[:, 1] + 25) % 50 - 25
    assert set(distances) == {-4, -3, -2, -1, 1, 2, 3, 4}
    reached = np.bincount(np.abs(distances))[1:] / 2  # a width of w reaches the distances up to w
    assert chisquare(-np.diff(np.append(reached, 0))).pvalue > 1e-3
    alone = make_trainer(np.array([3, -1, 4, 5, -1, 6], np.int32), np.ones(9, np.int64), window=1, sample=0)
    assert [np.stack(batch, 1).tolist() for batch in alone.batches(0, 0, 6)] == [[[5, 4], [4, 5]]]


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_probabilities_of_the_neighbours_are_learned(model):
    # a is followed by b in three of four sentences, by c in the others
    tokens = np.array([0, 1, -1, 0, 1, -1, 0, 1, -1, 0, 2, -1] * 400, np.int32)
    trainer = make_trainer(tokens, np.array([1600, 1200, 400]), "float32", model=model, size=4, window=1, sample=0)
    for _ in range(3):
        assert trainer.train(1)
        trainer.restore(trainer.state() | {"epoch": 0, "start": 0})
    p = torch.softmax(torch.tensor(trainer.outputs @ trainer.inputs[0]), 0)
    np.testing.assert_allclose(p[1:], [0.75, 0.25], atol=0.05)


def test_one_seed_gives_the_same_vectors_also_after_a_pause():
    tokens, counts = make_corpus(sentences=300)
    runs = [make_trainer(tokens, counts, "float32", size=8, seed=seed) for seed in (1, 1, 2)]
    assert all(run.train(1) for run in (runs[0], runs[2]))
    while not runs[1].train(1, seconds=0):
        other = make_trainer(tokens, counts, "float32", size=8, seed=1)
        other.restore(runs[1].state())
        runs[1] = other
    np.testing.assert_array_equal(runs[0].inputs, runs[1].inputs)
    assert not np.allclose(runs[0].inputs, runs[2].inputs, atol=1e-3)


def test_what_will_take_hours_is_said_before():
    tokens = np.zeros(10_000_000, np.int32)
    counts = np.r_[np.arange(40_000, 0, -1)].astype(np.int64)
    with pytest.warns(UserWarning, match=r"full softmax over 40,000 words will take about \d+ hours"):
        make_trainer(tokens, counts, "float32")


def test_a_vocabulary_of_one_word_keeps_its_vector_finite():
    trainer = make_trainer(np.array([0, 0, 0, -1, 0], np.int32), np.array([4]), "float32", size=4)
    assert trainer.train(2)
    assert np.isfinite(trainer.inputs).all()
