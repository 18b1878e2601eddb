"""Logits of many examples: batches of near-equal length, results in the order of the examples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from seqwise.metrics.link_functions import probabilities_of as probabilities
from seqwise.models.batch import Batch, EncodedExamples

__all__ = ["logits_of", "probabilities", "run_batched"]


@torch.no_grad()
def run_batched(
    function: Callable[[Batch], Tensor], examples: EncodedExamples, *, device: torch.device, batch_size: int = 256
) -> np.ndarray:
    """Apply a function to all examples.

    Args:
        function: batch on the device -> (B, ...).
        examples: n encoded examples.
        device: where the batches go.
        batch_size: B at the most.

    Returns:
        (n, ...) float32, in the order of the examples.
    """
    order = np.argsort(examples.lengths, kind="stable")
    rows: list[np.ndarray] = []
    for start in range(0, len(order), batch_size):
        # Indices in rising order within a batch: a memory-mapped file is then read forwards.
        order[start : start + batch_size].sort()
        batch = examples.batch(order[start : start + batch_size])
        rows.append(function(batch.to(device)).float().cpu().numpy())
    if not rows:
        raise ValueError("there is no example to run")
    result = np.empty((len(order), *rows[0].shape[1:]), dtype=np.float32)
    result[order] = np.concatenate(rows)
    return result


def logits_of(module: nn.Module, examples: EncodedExamples, *, batch_size: int = 256) -> np.ndarray:
    """Return the module's logits (n, C) in evaluation mode; its own mode is restored afterwards."""
    training, device = module.training, next(module.parameters()).device
    module.eval()
    try:
        return run_batched(module, examples, device=device, batch_size=batch_size)
    finally:
        module.train(training)
