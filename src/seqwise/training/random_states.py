"""Every random generator that a fit draws from: seeded, saved, put back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def random_states() -> dict[str, Any]:
    """Return the states of the generators of Python, NumPy, and torch on the CPU and on every CUDA device in use."""
    # torch.cuda.is_initialized: asking an unused CUDA for its states would start it.
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    numpy = np.random.get_state()  # noqa: NPY002
    return {"python": random.getstate(), "numpy": numpy, "torch": torch.get_rng_state(), "cuda": cuda}


def set_random_states(states: dict[str, Any]) -> None:
    """Put states back that `random_states` returned."""
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if states["cuda"] and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])


@contextmanager
def seeded(seed: int, rank: int = 0) -> Iterator[None]:
    """Seed all generators inside the context (each process its own), and put the caller's states back after it."""
    before = random_states()
    random.seed(seed + rank)
    np.random.seed((seed + rank) % 2**32)  # noqa: NPY002
    torch.manual_seed(seed + rank)
    try:
        yield
    finally:
        set_random_states(before)
