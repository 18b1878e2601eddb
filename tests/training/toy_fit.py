"""A small problem that the tests of the loop fit: three classes, linearly separable but for noise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

N, D, C = 96, 6, 3
_GENERATOR = torch.Generator().manual_seed(5)
INPUTS = torch.randn(N, D, generator=_GENERATOR)  # (N, D)
TARGETS = (INPUTS @ torch.randn(D, C, generator=_GENERATOR)).argmax(1)  # (N,)


class Batches:
    """The examples in an order of the epoch's own; `noisy` draws from the global generator as augmentation would."""

    def __init__(self, epoch: int, size: int = 16, noisy: bool = False) -> None:
        self.parts = torch.randperm(N, generator=torch.Generator().manual_seed(epoch)).split(size)
        self.noisy = noisy
        self.built = 0

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self):
        for part in self.parts:
            self.built += 1
            inputs = INPUTS[part]
            yield inputs + 0.1 * torch.randn(inputs.shape) if self.noisy else inputs, TARGETS[part]


def network(dropout: float = 0.0, seed: int = 1) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(D, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, C))


def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none")


def validate(model: nn.Module) -> dict[str, float]:
    logits = model(INPUTS)
    return {
        "accuracy": (logits.argmax(1) == TARGETS).double().mean().item(),
        "log_loss": nn.functional.cross_entropy(logits, TARGETS).item(),
    }


def parameters_of(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])
