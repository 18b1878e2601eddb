"""Layers and folders through onnxruntime, for the tests of the export."""

from __future__ import annotations

import numpy as np
import torch


def normal_(module, seed=0, scale=0.4):
    """Give every weight another random value: biases and peepholes that start at zero would hide a swap."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point() and "forbidden" not in name:
                tensor.normal_(generator=generator).mul_(scale)
    return module.eval()


def ragged(batch, steps, size, seed=0):
    """x (T, B, D) whose padding is NaN, and lengths (B,): the longest, a single step, and between."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(steps, batch, size, generator=generator)
    lengths = torch.randint(1, steps + 1, (batch,), generator=generator)
    lengths[0] = steps
    if batch > 2:
        lengths[2] = 1
    x[torch.arange(steps)[:, None] >= lengths] = float("nan")
    return x, lengths


def expected_of(layers, x, lengths, states=None):
    """What PyTorch gives: the outputs, and every state (L, B, H)."""
    with torch.no_grad():
        outputs, finals = layers(
            x, None if states is None else states if len(states) > 1 else states[0], lengths=lengths
        )
    return [outputs, *(finals if isinstance(finals, tuple) else (finals,))]


def run(model, **inputs):
    """What onnxruntime gives."""
    from seqwise.prediction.exported import Network

    given = {name: np.asarray(value) for name, value in inputs.items()}
    return [torch.from_numpy(found) for found in Network(model.SerializeToString(), "the model")(given)]
