"""Closed-form gradients against autograd in float64, losses against PyTorch's, and approximations against the softmax."""

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from seqwise.embeddings import EmbeddingSettings, objectives
from seqwise.embeddings.huffman import build_tree
from seqwise.embeddings.sampling import noise_probabilities
from seqwise.embeddings.windows import WindowTrainer
from tolerances import assert_close

N, V, D, K = 5, 7, 4, 6
torch_random = torch.Generator().manual_seed(3)
H = torch.randn(N, D, dtype=torch.float64, generator=torch_random)
W = torch.randn(V, D, dtype=torch.float64, generator=torch_random)
UPSTREAM = torch.randn(N, dtype=torch.float64, generator=torch_random)
WORDS = torch.tensor([0, 3, 6, 3, 1])
NEGATIVES = torch.randint(0, V, (N, K), generator=torch_random)  # repeats, and some are the word itself
NOISE = torch.tensor([0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05], dtype=torch.float64)
TREE = build_tree(np.array([40, 30, 9, 8, 2, 1, 1]))


def ways(words):
    found = [TREE.way(int(word)) for word in words]
    longest = max(len(nodes) for nodes, _ in found)
    nodes, turns, counted = (torch.zeros(len(found), longest, dtype=torch.long) for _ in range(3))
    for i, (some, taken) in enumerate(found):
        nodes[i, : len(some)], turns[i, : len(some)] = torch.tensor(some).long(), torch.tensor(taken).long()
        counted[i, : len(some)] = 1
    return nodes, turns, counted.bool()


CASES = {
    "softmax": lambda h, w, u: objectives.full_softmax(h, w, WORDS, u),
    "negative": lambda h, w, u: objectives.negative_sampling(h, w, WORDS, NEGATIVES, u),
    "nce": lambda h, w, u: objectives.noise_contrastive(h, w, WORDS, NEGATIVES, NOISE, u),
    "hierarchical": lambda h, w, u: objectives.hierarchical_softmax(h, w[:-1], *ways(WORDS), u),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_autograd(name):
    h, w = H.clone().requires_grad_(), W.clone().requires_grad_()
    result = CASES[name](h, w, UPSTREAM)
    expected_h, expected_w = torch.autograd.grad((result.losses * UPSTREAM).sum(), (h, w))
    assert_close(result.inputs.detach(), expected_h, "inputs")
    assert_close(result.outputs.detach(), expected_w[: len(result.outputs)], "outputs")


def test_losses_are_those_of_pytorch():
    assert_close(CASES["softmax"](H, W, UPSTREAM).losses, cross_entropy(H @ W.T, WORDS, reduction="none"))
    scores = H @ W.T
    for n in range(N):
        kept = NEGATIVES[n][NEGATIVES[n] != WORDS[n]]
        logits = torch.cat([scores[n, WORDS[n]][None], scores[n, kept]])
        labels = torch.tensor([1.0] + [0.0] * len(kept), dtype=torch.float64)
        expected = binary_cross_entropy_with_logits(logits, labels, reduction="sum")
        assert_close(CASES["negative"](H, W, UPSTREAM).losses[n], expected)


def test_hierarchical_probabilities_of_all_words_add_to_one():
    h = H[:1].expand(V, D)
    losses = objectives.hierarchical_softmax(h, W[:-1], *ways(range(V)), torch.ones(V)).losses
    assert_close((-losses).exp().sum(), torch.tensor(1.0, dtype=torch.float64))


def test_with_many_draws_the_noise_contrastive_gradient_is_that_of_the_softmax():
    # With exact normalisation (scores are log probabilities) the expectation over K -> infinity is the maximum
    # likelihood gradient; here every word is "drawn" in proportion to the noise.
    counts = (NOISE * 20_000).round().long()
    negatives = torch.repeat_interleave(torch.arange(V), counts)[None]
    h = torch.ones(1, 1, dtype=torch.float64)
    w = (H @ W.T)[0].log_softmax(0)[:, None]
    u = torch.ones(1, dtype=torch.float64)
    nce = objectives.noise_contrastive(h, w, WORDS[:1], negatives, NOISE, u)
    full = objectives.full_softmax(h, w, WORDS[:1], u)
    torch.testing.assert_close(nce.outputs, full.outputs, rtol=0, atol=1e-3)


def test_with_much_noise_a_step_of_the_kernel_is_one_down_the_gradient_of_the_softmax():
    counts, rate, total = np.array([6, 3, 2, 1]), 1e-6, 0
    wanted = np.array([0.4, 0.1, 0.2, 0.3])  # what the model says of every word
    for seed in range(20):
        settings = EmbeddingSettings(
            objective="nce", size=1, window=1, sample=0, epochs=1, rate=rate, negatives=256, seed=seed
        )
        trainer = WindowTrainer(np.array([0, 3, -1], np.int32), counts, settings, "float64")
        trainer.inputs[:] = 1
        trainer.outputs[:, 0] = before = np.log(wanted / (counts / counts.sum()))
        assert trainer.train(1)
        total = total + (trainer.outputs[:, 0] - before) / rate / 20
    # Both words were predicted once.
    np.testing.assert_allclose(total, np.array([1, 0, 0, 1]) - 2 * wanted, atol=0.03)


@pytest.mark.parametrize("objective", ["negative", "nce", "hierarchical"])
def test_one_pair_of_the_kernel_is_a_step_down_the_reference_gradient(objective):
    # Two words beside each other, no window wider than 1: the first pair is (word 0, input row 1).
    rate, counts = 0.1, np.array([3, 2, 1])
    settings = EmbeddingSettings(
        objective=objective,
        size=6,
        window=1,
        sample=0,
        epochs=1,
        rate=rate,
        seed=1,
        **({"negatives": 2} if objective == "negative" else {}),
    )
    trainer = WindowTrainer(np.array([0, 1, -1], np.int32), counts, settings, "float64")
    random = np.random.default_rng(0)
    for array in (trainer.inputs, trainer.outputs):
        array[:] = random.normal(0, 1, array.shape)
    inputs, outputs = torch.tensor(trainer.inputs), torch.tensor(trainer.outputs)
    draws = _draws(trainer)
    one = torch.ones(1, dtype=torch.float64)
    for word, around, negatives in draws:
        if objective == "negative":
            step = objectives.negative_sampling(
                inputs[[around]], outputs, torch.tensor([word]), torch.tensor([negatives]), one
            )
        elif objective == "nce":
            noise = noise_probabilities(counts) / (counts / counts.sum())  # the biases are part of the shift
            step = objectives.noise_contrastive(
                inputs[[around]], outputs, torch.tensor([word]), torch.tensor([negatives]), torch.tensor(noise), one
            )
        else:
            nodes, turns = trainer.tree.way(word)
            way = torch.tensor(nodes).long()[None], torch.tensor(turns).long()[None]
            step = objectives.hierarchical_softmax(
                inputs[[around]], outputs, *way, torch.ones(1, len(nodes), dtype=torch.bool), one
            )
        inputs[around] -= rate * step.inputs[0]
        outputs -= rate * step.outputs
    assert trainer.train(1)
    assert_close(torch.tensor(trainer.inputs), inputs, "inputs")
    assert_close(torch.tensor(trainer.outputs), outputs, "outputs")


def _draws(trainer):
    """The two pairs and their negatives, from the same random numbers."""
    from word2vec_oracle import SplitMix, targets_of

    from seqwise.embeddings.windows import _state

    draw = SplitMix(_state(trainer.settings.seed, 0, 0))
    draw(), draw()  # both words are kept
    for word, around in ((0, 1), (1, 0)):
        draw()  # the width, which is 1
        yield word, around, targets_of(trainer, word, draw, 1.0)[0][1:]
