"""From the settings and the groups of parameters to a torch optimiser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from seqwise.errors import ConfigurationError
from seqwise.training.settings import TrainingSettings

ParameterGroups = Callable[[nn.Module], Sequence[dict[str, Any]]]
_KEYS = {"params", "learning_rate", "factor", "weight_decay"}


def build_optimizer(
    model: nn.Module, settings: TrainingSettings, parameter_groups: ParameterGroups | None = None
) -> torch.optim.Optimizer:
    """The optimiser of the settings over every trainable parameter.

    Args:
        model: on its device already.
        settings: optimizer, learning_rate, momentum and weight_decay are read.
        parameter_groups: model -> groups, each `{"params": parameters}` with, where it differs from the settings,
            "learning_rate" (absolute) or "factor" (times the settings' rate), and "weight_decay". None: one group.

    Returns:
        An optimiser whose groups carry "base_rate", the rate that the schedule multiplies.

    Raises:
        ConfigurationError: a group has an unknown key, or a trainable parameter is in no group or in two.
    """
    given: Sequence[dict[str, Any]] = [{"params": list(model.parameters())}]
    if parameter_groups is not None:
        given = parameter_groups(model)
    groups: list[dict[str, Any]] = []
    seen: set[int] = set()
    for group in given:
        if unknown := set(group) - _KEYS:
            raise ConfigurationError(f"a parameter group has the unknown key {min(unknown)!r}; known: {sorted(_KEYS)}")
        parameters = [p for p in group["params"] if p.requires_grad]
        for parameter in parameters:
            if id(parameter) in seen:
                raise ConfigurationError("a parameter is in two parameter groups")
            seen.add(id(parameter))
        rate = group.get("learning_rate", settings.learning_rate) * group.get("factor", 1.0)
        decay = group.get("weight_decay", settings.weight_decay)
        # Biases and per-unit vectors shift or gate, they do not scale inputs: shrinking them only moves the optimum.
        for decayed in (True, False):
            if members := [p for p in parameters if (p.ndim > 1) is decayed]:
                share = decay if decayed else 0.0
                groups.append({"params": members, "lr": rate, "base_rate": rate, "weight_decay": share})
    if missing := [name for name, p in model.named_parameters() if p.requires_grad and id(p) not in seen]:
        raise ConfigurationError(f"the parameter {missing[0]} is in no parameter group and would never be trained")
    if not groups:
        raise ConfigurationError("the model has no trainable parameter")
    match settings.optimizer:
        case "adam":
            return torch.optim.Adam(groups, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, fused=True)
        case "momentum":
            return torch.optim.SGD(groups, momentum=settings.momentum)
        case _:  # sgd, and gradient_descent, which differs in how often the loop takes a step
            return torch.optim.SGD(groups)
