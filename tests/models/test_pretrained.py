"""Given vectors in a model: what is frozen stays, and all kinds of embedding are one computation."""

import numpy as np
import pytest
import torch

from seqwise.models import Batch, ModelSettings, PartlyFrozenEmbedding, RecurrentPart, start_from_vectors
from tolerances import assert_close

V, D, C = 9, 5, 3
STEADY = {"dropout": 0.0, "embedding_dropout": 0.0, "word_dropout": 0.0, "hidden_size": 4, "bidirectional": True}


def part(seed=0, **settings):
    torch.manual_seed(seed)
    made = RecurrentPart(ModelSettings(**{**STEADY, "embedding_size": D, **settings}), V, C)
    return made.to(torch.float64)


def batch():
    tokens = torch.tensor([[3, 4, 1, 8], [5, 2, 0, 0], [7, 7, 6, 0]])
    return Batch(tokens, torch.tensor([4, 2, 3]), None)


def gradients(module, upstream):
    logits = module(batch())
    assert logits.shape == (3, C)
    (logits * upstream).sum().backward()
    return logits.detach(), {name: p.grad for name, p in module.named_parameters() if p.grad is not None}


def test_a_table_one_hot_symbols_and_frozen_vectors_are_one_computation():
    """One-hot symbols with the input weights W E^T compute what the table E with W computes."""
    table, frozen, hot = part(), part(freeze_vectors=True), part(embedding="one_hot")
    weights = {k: v for k, v in table.state_dict().items() if not k.startswith("embedding")}
    frozen.load_state_dict(weights, strict=False)
    rows = torch.arange(1, V)
    start_from_vectors(frozen.embedding, rows, table.embedding.weight.detach()[rows])
    vectors = table.embedding.weight.detach()
    for name, value in weights.items():
        if "weight_ih" in name:
            weights[name] = value @ vectors.T
    hot.load_state_dict(weights, strict=False)

    upstream = torch.randn(3, C, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    expected, of_table = gradients(table, upstream)
    for name, module in (("frozen", frozen), ("one-hot", hot)):
        logits, of_module = gradients(module, upstream)
        assert_close(logits, expected, f"logits of {name}")
        for key, gradient in of_module.items():
            if key.startswith("embedding"):
                assert name == "frozen"
                assert not gradient.any()
            elif "weight_ih" in key:
                assert_close(gradient @ vectors if name == "one-hot" else gradient, of_table[key], f"{name} {key}")
            else:
                assert_close(gradient, of_table[key], f"{name} {key}")
    _, of_hot = gradients(part_like(hot), upstream)
    inputs = [key for key in of_hot if "weight_ih" in key]
    of_vectors = sum(of_hot[key].T @ table.state_dict()[key] for key in inputs)
    of_vectors[0] = 0  # padding has no gradient
    assert_close(of_table["embedding.weight"], of_vectors, "gradient of the table")


def part_like(module):
    module.zero_grad()
    return module


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD])
def test_given_vectors_stay_and_the_others_are_learned(optimizer):
    module = part(freeze_vectors=True)
    given = torch.randn(3, D, dtype=torch.float64)
    rows = torch.tensor([3, 5, 7])
    start_from_vectors(module.embedding, rows, given)
    before = module.embedding(torch.arange(V)).detach().clone()
    options = {"weight_decay": 0.5} | ({"momentum": 0.9} if optimizer is torch.optim.SGD else {})
    steps = optimizer(module.parameters(), lr=0.1, **options)
    for _ in range(3):
        steps.zero_grad()
        (module(batch()) * torch.randn(3, C, dtype=torch.float64)).sum().backward()
        steps.step()
    after = module.embedding(torch.arange(V)).detach()
    assert torch.equal(after[rows], given)
    assert not after[0].any(), "padding"
    others = [1, 2, 4, 6, 8]
    assert (after[others] != before[others]).any(1).all()


def test_tuned_vectors_begin_as_given_and_the_others_have_their_spread():
    torch.manual_seed(1)
    table = torch.nn.Embedding(2000, 20, padding_idx=0)
    torch.nn.init.normal_(table.weight, std=0.1)
    given = torch.randn(500, 20) * 0.7
    start_from_vectors(table, torch.arange(1, 501), given)
    assert torch.equal(table.weight[1:501], given)
    assert table.weight[501:].std().item() == pytest.approx(0.7, rel=0.05)


def test_a_partly_frozen_embedding_looks_up_any_shape():
    embedding = PartlyFrozenEmbedding(V, D, padding_idx=0)
    start_from_vectors(embedding, torch.tensor([2]), torch.full((1, D), 7.0))
    looked_up = embedding(torch.tensor([[[2, 0]]]))
    assert looked_up.shape == (1, 1, 2, D)
    np.testing.assert_array_equal(looked_up.detach()[0, 0].numpy(), [[7] * D, [0] * D])


@pytest.mark.parametrize("kind", ["table", "frozen", "partly frozen"])
def test_a_lookup_and_its_gradient_are_those_of_the_product_of_one_hot_symbols_and_the_matrix(kind):
    given = {"table": [], "frozen": list(range(1, V)), "partly frozen": [3, 5, 8]}[kind]
    torch.manual_seed(2)
    tokens = torch.randint(0, V, (4, 7))
    upstream = torch.randn(4, 7, D, dtype=torch.float64)
    embedding = torch.nn.Embedding(V, D, padding_idx=0)
    if kind != "table":
        embedding = PartlyFrozenEmbedding(V, D, padding_idx=0)
        torch.nn.init.normal_(embedding.learned.weight)
        with torch.no_grad():
            embedding.learned.weight[0] = 0
    embedding = embedding.to(torch.float64)
    if given:
        start_from_vectors(embedding, torch.tensor(given), torch.randn(len(given), D, dtype=torch.float64))
    matrix = embedding(torch.arange(V)).detach().requires_grad_()
    one_hot = torch.nn.functional.one_hot(tokens, V).to(torch.float64)  # (4, 7, V)

    looked_up, product = embedding(tokens), one_hot @ matrix
    assert looked_up.shape == product.shape == (4, 7, D)
    assert_close(looked_up.detach(), product.detach(), "vectors")
    looked_up.backward(upstream)
    product.backward(upstream)
    fixed = [0, *given]  # padding and what was given
    expected = matrix.grad.clone()
    assert expected[fixed].any(), "the product alone would move them"
    expected[fixed] = 0
    weight = embedding.weight if kind == "table" else embedding.learned.weight
    assert_close(weight.grad, expected, "gradient")
    assert [name for name, _ in embedding.named_parameters()] == (["weight"] if kind == "table" else ["learned.weight"])
