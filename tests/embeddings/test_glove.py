"""GloVe: its gradient against autograd, the compiled steps against plain loops, and the laws of training."""

import numpy as np
import pytest
import torch

from seqwise.embeddings import EmbeddingSettings, glove, objectives, train_vectors
from seqwise.embeddings.cooccurrence import CELL, count_pairs
from seqwise.embeddings.glove import GloveTrainer
from seqwise.errors import DataError, DivergenceError
from tolerances import assert_close

NO_TOKENS = np.zeros(0, np.int32)


def make_cells(words=30, seed=0):
    """Half of a symmetric matrix, the diagonal included, with counts on both sides of x_max."""
    random = np.random.default_rng(seed)
    matrix = np.triu(random.exponential(60, (words, words)) * (random.random((words, words)) < 0.3))
    rows, columns = np.nonzero(matrix)
    order = random.permutation(len(rows))
    rows, columns = rows[order], columns[order]
    turned = random.random(len(rows)) < 0.5
    cells = np.empty(len(rows), CELL)
    cells["row"], cells["column"] = np.where(turned, columns, rows), np.where(turned, rows, columns)
    cells["value"] = matrix[rows, columns]
    assert (rows == columns).any()
    return cells


def make_trainer(settings, words=30, dtype="float64", seed=1):
    """With parameters large enough that every term matters."""
    trainer = GloveTrainer(NO_TOKENS, np.ones(words, np.int64), settings, dtype)
    random = np.random.default_rng(seed)
    for array in parameters_of(trainer):
        array[:] = random.normal(0, 0.5, array.shape)
    return trainer


def parameters_of(trainer):
    return [trainer.words, trainer.contexts, trainer.word_biases, trainer.context_biases]


def plain_loops(values, cells, settings):
    """The published program, cell by cell; changes the values, returns the sum of f s^2."""
    words, contexts, b, c = values
    squares = [np.ones_like(value) for value in values]
    total = 0.0
    for half in range(2 * settings.epochs):
        for row, column, count in cells.tolist():
            if half % 2:
                if row == column:
                    continue
                row, column = column, row
            s = words[row] @ contexts[column] + b[row] + c[column] - np.log(count)
            f = min(1, (count / settings.x_max) ** settings.alpha)
            total += f * s**2
            g = settings.first_rate * f * s
            gradients = g * contexts[column], g * words[row], g, g
            places = row, column, row, column
            for value, square, gradient, place in zip(values, squares, gradients, places, strict=True):
                value[place] -= gradient / np.sqrt(square[place])
                square[place] += gradient**2
    return total


def test_the_gradient_is_that_of_autograd():
    random = torch.Generator().manual_seed(3)
    shapes = (7, 4), (7, 4), (7,), (7,)
    values = [torch.randn(shape, dtype=torch.float64, generator=random).requires_grad_() for shape in shapes]
    i, j = (torch.randint(0, 7, (12,), generator=random) for _ in range(2))
    x = torch.rand(12, dtype=torch.float64, generator=random) * 200
    assert 0 < (x > 100).sum() < 12
    upstream = torch.randn(12, dtype=torch.float64, generator=random)
    result = objectives.glove(*values, (i, j, x), upstream, x_max=90, alpha=0.6)
    expected = torch.autograd.grad((result.losses * upstream).sum(), values)
    found = result.words, result.contexts, result.word_biases, result.context_biases
    for name, one, other in zip(("e", "w", "b", "c"), found, expected, strict=True):
        assert_close(one.detach(), other, name)


def test_the_loss_is_zero_where_the_products_are_the_logarithms():
    x = torch.tensor([5.0, 300.0], dtype=torch.float64)
    words = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    contexts = ((x.log() - 0.7) / words[:, 0])[:, None]
    biases = torch.tensor([0.3, 0.3], dtype=torch.float64), torch.tensor([0.4, 0.4], dtype=torch.float64)
    both = torch.arange(2)
    result = objectives.glove(words, contexts, *biases, (both, both, x), torch.ones(2, dtype=torch.float64))
    assert_close(result.losses, torch.zeros(2, dtype=torch.float64))
    assert_close(result.words, torch.zeros(2, 1, dtype=torch.float64))


def test_a_cell_of_the_kernel_is_a_step_down_half_the_reference_gradient():
    settings = EmbeddingSettings(model="glove", size=6, epochs=1, rate=0.1, x_max=50)
    trainer = make_trainer(settings)
    cells = np.array([(3, 3, 20.0)], CELL)  # on the diagonal: taken once
    values = [torch.tensor(value.copy()) for value in parameters_of(trainer)]
    one = torch.tensor([3]), torch.tensor([3]), torch.tensor([20.0], dtype=torch.float64)
    result = objectives.glove(*values, one, torch.ones(1, dtype=torch.float64), x_max=50)
    assert trainer.learn(cells, 1)
    gradients = result.words, result.contexts, result.word_biases, result.context_biases
    for value, gradient, found in zip(values, gradients, parameters_of(trainer), strict=True):
        assert_close(torch.tensor(found.copy()), value - 0.1 * gradient / 2)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [1, 6, 14, 33, 100])  # with both biases more than one register, or just one
def test_the_kernel_does_what_plain_loops_do(dtype, size):
    settings = EmbeddingSettings(model="glove", size=size, epochs=2, x_max=70, alpha=0.6)
    trainer, cells, seen = make_trainer(settings, dtype=dtype), make_cells(), []
    expected = [value.astype(np.float64) for value in parameters_of(trainer)]
    loss = plain_loops(expected, cells, settings)
    assert trainer.learn(cells, 1, seen.append)
    for name, found, value in zip(("e", "w", "b", "c"), parameters_of(trainer), expected, strict=True):
        assert_close(torch.tensor(found.copy()), torch.tensor(value), name)
    sums = (torch.tensor(value, dtype=torch.float64) for value in (sum(one.losses for one in seen), loss))
    assert_close(*sums, "loss", getattr(torch, dtype))
    assert seen[-1].words == seen[-1].total == sum(one.pairs for one in seen) == 4 * len(cells)
    assert (seen[-1].stage, seen[-1].unit) == ("iteration 2 of 2", "cells")


def test_the_vectors_are_the_means_of_words_and_contexts():
    trainer = make_trainer(EmbeddingSettings(model="glove", size=5))
    expected = torch.tensor(trainer.words + trainer.contexts) / 2
    assert_close(torch.tensor(trainer.inputs), expected)
    assert trainer.inputs.shape == (30, 5)


def make_topics(sentences=6000, seed=5):
    """Two topics of ten words each; a sentence is of one topic."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, 10, (sentences, 8)) * 2 + random.integers(0, 2, (sentences, 1))
    tokens = np.concatenate([rows, np.full((sentences, 1), -1)], 1).astype(np.int32).ravel()
    return tokens, np.bincount(rows.ravel()).astype(np.int64)


def test_words_that_stand_together_become_alike_also_with_several_threads():
    tokens, counts = make_topics()
    trainer = GloveTrainer(tokens, counts, EmbeddingSettings(model="glove", size=8, epochs=60, seed=2))
    seen = []
    assert trainer.train(2, seen.append)
    stages = [one.stage for one in seen]
    assert stages[0] == "counting pairs"
    assert stages[-1] == "iteration 60 of 60"
    units = trainer.inputs / np.linalg.norm(trainer.inputs, axis=1, keepdims=True)
    cosines = units @ units.T
    same = (np.arange(20)[:, None] - np.arange(20)) % 2 == 0
    assert cosines[same].min() > cosines[~same].max()


def test_one_thread_and_a_seed_give_the_same_vectors_and_another_seed_others():
    def vectors(seed):
        trainer = GloveTrainer(*make_topics(500), EmbeddingSettings(model="glove", size=8, seed=seed))
        assert trainer.train(1)
        return trainer.inputs

    np.testing.assert_array_equal(vectors(1), vectors(1))
    assert not np.allclose(vectors(1), vectors(2), atol=1e-3)


def test_an_interrupted_training_keeps_the_vectors_it_has():
    trainer = GloveTrainer(*make_topics(500), EmbeddingSettings(model="glove", size=8, epochs=100_000))
    start = trainer.inputs

    def interrupt(progress):
        if progress.unit == "cells":
            raise KeyboardInterrupt

    assert not trainer.train(2, interrupt)
    assert trainer.interrupted
    assert np.isfinite(trainer.inputs).all()
    assert not np.array_equal(trainer.inputs, start)


def test_ctrl_c_while_pairs_are_counted_has_nothing_to_keep():
    trainer = GloveTrainer(*make_topics(500), EmbeddingSettings(model="glove", size=8))

    def interrupt(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.train(2, interrupt)


def test_training_that_pauses_and_moves_to_another_trainer_ends_with_the_same_vectors(monkeypatch):
    monkeypatch.setattr(glove, "SLICE", 50)
    settings = EmbeddingSettings(model="glove", size=8, epochs=3)
    whole, parts = (GloveTrainer(*make_topics(500), settings) for _ in range(2))
    assert whole.train(1)
    calls = 0
    while not parts.train(1, seconds=1e-4 if calls < 20 else None):
        state = {name: np.copy(value) for name, value in parts.state().items()}
        parts = GloveTrainer(*make_topics(500), settings)
        parts.restore(state)
        calls += 1
    assert calls
    np.testing.assert_array_equal(whole.inputs, parts.inputs)


def test_a_rate_that_is_too_large_is_said():
    trainer = make_trainer(EmbeddingSettings(model="glove", size=8, rate=1e4, epochs=50))
    with pytest.raises(DivergenceError, match="try a rate below 10000"), np.errstate(all="ignore"):
        trainer.learn(make_cells(), 1)


def test_words_that_never_stand_together_are_an_error():
    with pytest.raises(DataError, match="no two words of the vocabulary stand together"):
        train_vectors([["a"], ["b"], ["a"]], EmbeddingSettings(model="glove", min_count=1))


def test_a_vocabulary_of_one_word_keeps_its_vector_finite():
    vectors = train_vectors(["a a a a"], EmbeddingSettings(model="glove", min_count=1, size=3, threads=1))
    assert vectors.words == ["a"]
    assert np.isfinite(vectors.vectors).all()


def test_the_logarithms_of_the_counts_are_learned():
    # With enough numbers in a vector the least squares have an exact answer: the products are log X.
    tokens, counts = make_topics(300)
    settings = EmbeddingSettings(model="glove", size=40, epochs=1500, x_max=1, seed=3)
    trainer = GloveTrainer(tokens, counts, settings, "float64")
    with count_pairs(tokens, settings.window) as counted:
        cells = np.array(counted.cells)
    assert trainer.learn(cells, 1)
    products = trainer.words @ trainer.contexts.T + trainer.word_biases[:, None] + trainer.context_biases
    np.testing.assert_allclose(products[cells["row"], cells["column"]], np.log(cells["value"]), atol=0.02)


def test_settings_of_glove_have_their_own_defaults_and_refuse_what_they_have_no_use_for():
    settings = EmbeddingSettings(model="glove")
    assert (settings.epochs, settings.first_rate, settings.x_max, settings.alpha) == (15, 0.05, 10, 0.75)
    assert EmbeddingSettings(model="glove", epochs=3).epochs == 3
    assert EmbeddingSettings().epochs == 5
    assert settings.describe() == "GloVe, 15 words on either side, x_max 10, alpha 0.75"
    for name, value in {"objective": "negative", "negatives": 5, "negatives_for": "pair", "sample": 0}.items():
        with pytest.raises(ValueError, match=f"{name} is for skip.*, not for glove"):
            EmbeddingSettings.model_validate({"model": "glove", name: value})
    for name in ("x_max", "alpha"):
        with pytest.raises(ValueError, match=f"{name} is for glove, not for cbow"):
            EmbeddingSettings.model_validate({"model": "cbow", name: 1})
