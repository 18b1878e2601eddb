"""The compiled skip-gram and CBOW against plain loops in float64, and the laws of training."""

import numpy as np
import pytest
import torch
from word2vec_oracle import train

from seqwise.embeddings.settings import EmbeddingSettings
from seqwise.embeddings.subwords import Subwords
from seqwise.embeddings.windows import LONGEST, WindowTrainer, _state
from tolerances import assert_close


def make_corpus(words=30, sentences=40, seed=0):
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, words + 1)
    text = []
    for _ in range(sentences):
        length = int(random.integers(1, 25))
        text += [*random.choice(words, length, p=weights / weights.sum()).tolist(), -1]
    text = np.array(text, np.int32)
    order = np.argsort(-np.bincount(text[text >= 0], minlength=words), kind="stable")
    rank = np.empty(words + 1, np.int32)
    rank[order], rank[-1] = np.arange(words), -1
    text = rank[text]
    return text, np.maximum(np.bincount(text[text >= 0], minlength=words), 1).astype(np.int64)


VARIANTS = [
    {"model": "skipgram"},
    {"model": "skipgram", "negatives_for": "pair"},
    {"model": "skipgram", "negatives": 1, "size": 3, "window": 1},
    {"model": "skipgram", "negatives": 20, "size": 40, "window": 11},
    {"model": "skipgram", "negatives": 12, "negatives_for": "pair"},
    {"model": "cbow"},
    {"model": "cbow", "negatives": 17, "size": 33},
    {"model": "skipgram", "objective": "nce"},
    {"model": "skipgram", "objective": "nce", "negatives": 11, "negatives_for": "pair"},
    {"model": "cbow", "objective": "nce", "negatives": 9, "size": 33},
    {"model": "skipgram", "objective": "hierarchical"},
    {"model": "cbow", "objective": "hierarchical", "window": 2},
    {"model": "skipgram", "ngrams": "2-4"},
    {"model": "skipgram", "ngrams": "3-3", "buckets": 7, "negatives": 17, "size": 33},
    {"model": "skipgram", "ngrams": "3-6", "objective": "hierarchical"},
    {"model": "skipgram", "ngrams": "3-6", "objective": "nce", "window": 1},
    {"model": "cbow", "ngrams": "2-4"},
    {"model": "cbow", "ngrams": "1-2", "buckets": 3, "objective": "hierarchical"},
]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "-".join(map(str, v.values())))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_kernel_does_what_plain_loops_do(variant, dtype):
    tokens, counts = make_corpus()
    settings = EmbeddingSettings(**({"size": 19, "sample": 0.02, "epochs": 1, "rate": 0.05, "seed": 3} | variant))
    words = ["".join(chr(97 + n % 3) for n in range(v // 3 + 1)) + "xyz"[v % 3] for v in range(30)]  # repeat n-grams
    subwords = Subwords.of(words, settings.ngrams, settings.buckets) if settings.ngrams else None
    trainer = WindowTrainer(tokens, counts, settings, dtype, subwords)
    random = np.random.default_rng(1)
    for array in (trainer.inputs, trainer.outputs):
        array[:] = random.normal(0, 0.5, array.shape)
    inputs, outputs = trainer.inputs.astype(np.float64), trainer.outputs.astype(np.float64)
    run_oracle(trainer, inputs, outputs, tokens)
    assert trainer.train(1)
    for name, actual, expected in (("inputs", trainer.inputs, inputs), ("outputs", trainer.outputs, outputs)):
        assert_close(torch.tensor(actual), torch.tensor(expected), name)


def run_oracle(trainer, inputs, outputs, tokens):
    """The plain loops with the kernel's random numbers, over the first slice."""
    settings = trainer.settings
    state, rate = _state(settings.seed, 0, 0), settings.first_rate
    return train(trainer, inputs, outputs, tokens, state, rate, trainer.shape.targets, LONGEST)


def test_one_thread_and_a_seed_give_the_same_vectors_and_another_seed_others():
    tokens, counts = make_corpus(sentences=3000)

    def vectors(seed):
        trainer = WindowTrainer(tokens, counts, EmbeddingSettings(size=8, epochs=2, seed=seed))
        assert trainer.train(1)
        return trainer.inputs

    np.testing.assert_array_equal(vectors(1), vectors(1))
    assert not np.allclose(vectors(1), vectors(2), atol=1e-3)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize("objective", ["negative", "nce", "hierarchical"])
def test_words_that_stand_together_become_alike_also_with_several_threads(model, objective):
    # Two topics of ten words each; a sentence is of one topic.
    random = np.random.default_rng(5)
    rows = random.integers(0, 10, (8000, 8)) * 2 + random.integers(0, 2, (8000, 1))
    tokens = np.concatenate([rows, np.full((8000, 1), -1)], 1).astype(np.int32).ravel()
    counts = np.bincount(rows.ravel()).astype(np.int64)
    settings = EmbeddingSettings(model=model, objective=objective, size=16, sample=0, epochs=3, seed=2)
    trainer = WindowTrainer(tokens, counts, settings)
    seen = []
    assert trainer.train(2, seen.append)
    assert seen[-1].words == seen[-1].total == 3 * len(tokens)
    units = trainer.inputs / np.linalg.norm(trainer.inputs, axis=1, keepdims=True)
    cosines = units @ units.T
    same = (np.arange(20)[:, None] - np.arange(20)) % 2 == 0
    assert cosines[same].min() > cosines[~same].max()


@pytest.mark.parametrize("ngrams", [None, "3-6", "20-30"])
@pytest.mark.parametrize("objective", ["negative", "nce", "hierarchical"])
def test_a_vocabulary_of_one_word_keeps_its_vector_finite(objective, ngrams):
    settings = EmbeddingSettings(size=4, objective=objective, ngrams=ngrams)
    subwords = Subwords.of(["only"], settings.ngrams, settings.buckets) if ngrams else None
    trainer = WindowTrainer(np.array([0, 0, 0, -1, 0], np.int32), np.array([4]), settings, subwords=subwords)
    assert trainer.train(1)
    assert np.isfinite(trainer.inputs).all()
    assert len(trainer.inputs) == {None: 1, "3-6": 11, "20-30": 1}[ngrams]


def test_an_interrupted_training_keeps_the_vectors_it_has():
    tokens, counts = make_corpus(sentences=3000)
    trainer = WindowTrainer(tokens, counts, EmbeddingSettings(size=8, epochs=10_000))
    start = trainer.inputs.copy()

    def interrupt(progress):
        raise KeyboardInterrupt

    assert not trainer.train(2, interrupt)
    assert np.isfinite(trainer.inputs).all()
    assert not np.array_equal(trainer.inputs, start)
