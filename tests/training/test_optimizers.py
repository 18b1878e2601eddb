from __future__ import annotations

import pytest
import torch
from torch import nn
from toy_fit import INPUTS, TARGETS, network, parameters_of

from seqwise.errors import ConfigurationError
from seqwise.training import TrainingSettings
from seqwise.training.optimizers import build_optimizer


def descend(model, optimizer, steps=5):
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(INPUTS), TARGETS).backward()
        optimizer.step()
    return parameters_of(model)


@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("sgd", lambda groups: torch.optim.SGD(groups, lr=0.1)),
        ("gradient_descent", lambda groups: torch.optim.SGD(groups, lr=0.1)),
        ("momentum", lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9)),
        ("adam", lambda groups: torch.optim.Adam(groups, lr=0.1)),
        ("adamw", lambda groups: torch.optim.AdamW(groups, lr=0.1)),
    ],
)
def test_each_optimiser_is_torchs_with_decay_on_matrices_only(name, oracle):
    ours, theirs = network(), network()
    settings = TrainingSettings(optimizer=name, learning_rate=0.1, weight_decay=0.05)
    matrices = [p for p in theirs.parameters() if p.ndim > 1]
    vectors = [p for p in theirs.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}]
    torch.testing.assert_close(descend(ours, build_optimizer(ours, settings)), descend(theirs, oracle(groups)))


def test_a_group_has_its_own_rate_factor_and_decay():
    model = network()
    groups = [
        {"params": model[0].parameters(), "factor": 20.0},
        {"params": model[3].parameters(), "learning_rate": 0.5, "weight_decay": 0.3},
    ]
    optimizer = build_optimizer(model, TrainingSettings(learning_rate=0.01, weight_decay=0.1), lambda _: groups)
    found = {
        p: (group["base_rate"], group["weight_decay"]) for group in optimizer.param_groups for p in group["params"]
    }
    assert found[model[0].weight] == pytest.approx((0.2, 0.1))
    assert found[model[0].bias] == pytest.approx((0.2, 0.0))
    assert found[model[3].weight] == pytest.approx((0.5, 0.3))


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (lambda m: [{"params": m.parameters(), "lr": 0.1}], "unknown key 'lr'"),
        (lambda m: [{"params": m[0].parameters()}], "3.weight is in no parameter group"),
        (lambda m: [{"params": m.parameters()}, {"params": m[0].parameters()}], "two parameter groups"),
    ],
)
def test_groups_that_would_train_something_wrongly_are_refused(groups, message):
    with pytest.raises(ConfigurationError, match=message):
        build_optimizer(network(), TrainingSettings(), groups)


def test_a_model_without_trainable_parameters_is_refused():
    with pytest.raises(ConfigurationError, match="no trainable parameter"):
        build_optimizer(network().requires_grad_(False), TrainingSettings())
