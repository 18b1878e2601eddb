"""The neural probabilistic language model: gradients against autograd, and the laws of training."""

import math
import time

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from seqwise.embeddings.contexts import count_places
from seqwise.embeddings.nplm import FIRST_SQUARES, NplmTrainer, differentiate
from seqwise.embeddings.settings import EmbeddingSettings
from tolerances import assert_close

OBJECTIVES = ("negative", "nce", "hierarchical", "softmax")
CONTEXTS = ("previous", "around", "nearby")
V = 9


def make_corpus(sentences=60, seed=0):
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, V + 1)
    text = []
    for _ in range(sentences):
        text += [*random.choice(V, int(random.integers(1, 12)), p=weights / weights.sum()).tolist(), -1]
    text = np.array(text, np.int32)
    order = np.argsort(-np.bincount(text[text >= 0], minlength=V), kind="stable")
    rank = np.empty(V + 1, np.int32)
    rank[order], rank[-1] = np.arange(V), -1
    return rank[text], np.bincount(rank[text][text >= 0], minlength=V).astype(np.int64)


def make_trainer(objective, context="previous", direct=False, dtype="float64", **options):
    tokens, counts = make_corpus()
    given = {
        "objective": objective,
        "context": context,
        "direct": direct,
        "size": 5,
        "hidden": 4,
        "window": 3,
    } | options
    return NplmTrainer(tokens, counts, EmbeddingSettings(model="nplm", **given), dtype)


def randomise(parameters):
    random = torch.Generator().manual_seed(1)
    for tensor in vars(parameters).values():
        tensor.copy_(torch.randn(tensor.shape, dtype=tensor.dtype, generator=random) / 2)


def make_batch(context, batch=7):
    """Words that repeat, contexts that repeat words and hold the place beyond the sentence."""
    random = np.random.default_rng(4)
    contexts = random.integers(0, V + 1, (batch, count_places(context, 3)))
    contexts[0] = V
    return contexts.astype(np.int32), random.integers(0, V, batch).astype(np.int32)


def forward(p, contexts, direct):
    """The model by another way: all scores of all rows."""
    x = torch.cat([p["vectors"][contexts[:, place]] for place in range(contexts.shape[1])], 1)
    a = torch.tanh(x @ p["hidden"] + p["bias"])
    units, joined = a.shape[1], x.shape[1]
    scores = a @ p["outputs"][:, :units].T + p["outputs"][:, -1]
    return scores + x @ p["outputs"][:, units : units + joined].T if direct else scores


def losses_of(trainer, scores, words, negatives):
    objective, right = trainer.settings.objective, torch.from_numpy(words).long()
    if objective == "softmax":
        return cross_entropy(scores, right, reduction="none")
    losses = []
    for n, word in enumerate(words.tolist()):
        if objective == "hierarchical":
            nodes, turns = trainer.tree.way(word)
            logits, labels = scores[n, nodes.astype(np.int64)], torch.from_numpy(turns).to(scores.dtype)
        else:
            drawn = negatives[n] if objective == "nce" else [k for k in negatives[n] if k != word]
            targets = [word, *drawn]
            logits = scores[n, targets]
            if objective == "nce":
                logits = logits - (len(drawn) * trainer.noise[targets]).log()
            labels = torch.tensor([1.0] + [0.0] * len(drawn), dtype=scores.dtype)
        losses.append(binary_cross_entropy_with_logits(logits, labels, reduction="sum"))
    return torch.stack(losses)


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_losses_and_gradients_of_the_whole_model_are_those_of_autograd(objective, context, direct):
    trainer = make_trainer(objective, context, direct)
    randomise(trainer.parameters)
    contexts, words = make_batch(context)
    places = torch.from_numpy(contexts).long()
    found = differentiate(trainer.parameters, places, trainer.score(words, np.random.default_rng(2)), direct=direct)
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in vars(trainer.parameters).items()}
    negatives = found.objective.targets[:, 1:].tolist() if objective in ("negative", "nce") else None
    losses = losses_of(trainer, forward(leaves, places, direct), words, negatives)
    expected = dict(zip(leaves, torch.autograd.grad(losses.sum(), list(leaves.values())), strict=True))
    vectors = torch.zeros_like(trainer.parameters.vectors)
    vectors.index_add_(0, places.flatten(), found.vectors.flatten(0, 1))
    assert_close(found.objective.losses, losses.detach(), "losses")
    assert_close(vectors, expected["vectors"], "vectors")
    assert_close(found.hidden, expected["hidden"], "hidden")
    assert_close(found.bias, expected["bias"], "bias")
    assert_close(found.objective.outputs, expected["outputs"], "outputs")


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_step_divides_each_row_by_the_root_of_its_mean_squared_gradients(objective):
    trainer = make_trainer(objective, "around")
    randomise(trainer.parameters)
    contexts, words = make_batch("around")
    squares = dict.fromkeys(vars(trainer.parameters), 0.0) | {"vectors": FIRST_SQUARES}
    for turn in range(3):
        before = {name: tensor.clone() for name, tensor in vars(trainer.parameters).items()}
        score = trainer.score(words, np.random.default_rng(turn))
        gradients = differentiate(trainer.parameters, torch.from_numpy(contexts).long(), score, direct=False)
        dense = torch.zeros_like(before["vectors"])
        for place, change in zip(contexts.ravel().tolist(), gradients.vectors.flatten(0, 1), strict=True):
            dense[place] += change
        all_of = {"hidden": gradients.hidden, "bias": gradients.bias}
        all_of |= {"vectors": dense, "outputs": gradients.objective.outputs}
        trainer.step(contexts, words, 0.1, np.random.default_rng(turn))
        for name, gradient in all_of.items():
            square = gradient.square()
            squares[name] = squares[name] + (square.mean(1, keepdim=True) if name in ("vectors", "outputs") else square)
            step = 0.1 * gradient / (squares[name] + 1e-10).sqrt()
            assert_close(getattr(trainer.parameters, name), before[name] - step, name)


@pytest.mark.parametrize("objective", ["nce", "softmax"])
def test_before_anything_is_learned_probabilities_are_the_shares_of_the_words(objective):
    trainer = make_trainer(objective, sample=0)
    p = vars(trainer.parameters)
    contexts, _ = make_batch("previous")
    probabilities = forward(p, torch.from_numpy(contexts).long(), False).exp()
    shares = torch.from_numpy(trainer.counts / trainer.counts.sum())
    assert_close(probabilities, shares.expand_as(probabilities))


def make_chain(words=12, sentences=4000, seed=3):
    """Each word is followed by one of two words that only it has."""
    random = np.random.default_rng(seed)
    rows = np.empty((sentences, 9), np.int64)
    rows[:, 0] = random.integers(0, words, sentences)
    for column in range(1, 9):
        rows[:, column] = (2 * rows[:, column - 1] + random.integers(0, 2, sentences)) % words
    tokens = np.concatenate([rows, np.full((sentences, 1), -1)], 1).astype(np.int32).ravel()
    return tokens, np.bincount(rows.ravel()).astype(np.int64)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("context", CONTEXTS)
def test_what_the_context_tells_is_learned(objective, context, monkeypatch):
    monkeypatch.setattr("seqwise.embeddings.workers._POLL", 0.01)  # so that a fast machine reports more than once
    tokens, counts = make_chain()
    settings = EmbeddingSettings(
        model="nplm", objective=objective, context=context, size=8, hidden=16, window=2, sample=0, epochs=4, rate=0.1
    )
    trainer = NplmTrainer(tokens, counts, settings)
    trainer.batch = 256
    seen = []
    assert trainer.train(1, seen.append)
    assert seen[-1].words == seen[-1].total == 4 * len(tokens)
    shares = counts / counts.sum()
    entropy = -(shares * np.log(shares)).sum()  # 2.48; what follows a word has one bit, .69
    probabilities = words_probabilities(trainer)
    if context == "previous":
        assert cross_entropy_of_chain(probabilities, trainer) < (entropy + math.log(2)) / 2
    losses = [progress.loss for progress in seen if progress.pairs]
    assert losses[-1] < losses[0]
    if objective in ("hierarchical", "softmax"):  # whose loss is -log P
        assert losses[-1] < entropy


def words_probabilities(trainer):
    """P(word | context): of the softmax, of the tree, and of the normalised exponentials for sampled objectives."""

    def of(contexts):
        p, places = trainer.parameters, torch.from_numpy(contexts).long()
        everything = np.tile(np.arange(len(trainer.counts), dtype=np.int32), len(contexts))
        if trainer.tree is not None:
            repeated = places.repeat_interleave(len(trainer.counts), 0)
            score = trainer.score(everything, np.random.default_rng(0))
            losses = differentiate(p, repeated, score, direct=trainer.settings.direct).objective.losses
            return (-losses).exp().view(len(contexts), -1)
        scores = forward(vars(p), places, trainer.settings.direct)
        if trainer.settings.objective == "negative":  # its optimum is P / (K q)
            scores = scores + trainer.noise.log()
        return scores.softmax(1)

    return of


def cross_entropy_of_chain(probabilities, trainer):
    """Of the second word after a first one."""
    tokens, _ = make_chain(sentences=500, seed=9)
    rows = tokens.reshape(-1, 10)
    contexts = np.stack([rows[:, 3], rows[:, 4]], 1)
    return float(-probabilities(contexts)[torch.arange(len(rows)), torch.from_numpy(rows[:, 5]).long()].log().mean())


def test_one_thread_and_a_seed_give_the_same_vectors_and_another_seed_others():
    def vectors(seed):
        trainer = make_trainer("nce", dtype="float32", seed=seed, sample=0, epochs=3)
        assert trainer.train(1)
        return trainer.inputs

    np.testing.assert_array_equal(vectors(1), vectors(1))
    assert not np.allclose(vectors(1), vectors(2), atol=1e-3)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_training_that_was_interrupted_and_saved_goes_on_as_if_it_had_not(objective):
    def make():
        trainer = make_trainer(objective, dtype="float32", epochs=60, sample=0)
        trainer.batch = 64
        return trainer

    def interrupt(progress):
        if progress.words:
            raise KeyboardInterrupt

    whole, first, second = make(), make(), make()
    learn, batches = first.step, iter(range(10**6))

    def step(*batch):
        if next(batches) == 100:  # long enough for a report
            time.sleep(1)
        return learn(*batch)

    first.step = step
    assert whole.train(1)
    assert not first.train(1, interrupt)
    assert first.interrupted
    assert np.isfinite(first.inputs).all()
    second.restore(first.state())
    assert not np.array_equal(second.inputs, whole.inputs)
    assert second.train(1)
    assert not second.interrupted
    for name, tensor in vars(whole.parameters).items():
        np.testing.assert_array_equal(tensor.numpy(), getattr(second.parameters, name).numpy())


def test_a_training_stops_after_so_many_seconds_and_pytorch_keeps_its_threads():
    threads = torch.get_num_threads()
    trainer = make_trainer("negative", epochs=10**6)
    assert not trainer.train(2, seconds=0.05)
    assert not trainer.interrupted
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_vocabulary_of_one_word_keeps_its_vector_finite(objective, context):
    settings = EmbeddingSettings(model="nplm", objective=objective, context=context, size=4, hidden=3, epochs=2)
    trainer = NplmTrainer(np.array([0, 0, 0, -1, 0], np.int32), np.array([4]), settings)
    assert trainer.train(1)
    assert trainer.inputs.shape == (1, 4)
    assert np.isfinite(trainer.inputs).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "skipgram", "hidden": 50}, "hidden is for nplm, not for skipgram"),
        ({"model": "cbow", "context": "previous"}, "context is for nplm, not for cbow"),
        ({"model": "nplm", "negatives_for": "pair"}, "negatives_for is for skipgram, not for nplm"),
        (
            {"model": "nplm", "objective": "softmax", "negatives": 3},
            "negatives is for negative and nce, not for softmax",
        ),
    ],
)
def test_an_option_that_the_model_has_no_use_for_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        EmbeddingSettings(**options)


def test_what_runs_is_said_in_one_line():
    settings = EmbeddingSettings(model="nplm", objective="nce", context="around", window=4, direct=True, negatives=8)
    assert settings.describe() == (
        "NPLM with 4 words on either side, 100 hidden units and a direct connection, noise-contrastive estimation: "
        "8 negatives drawn for each word"
    )
