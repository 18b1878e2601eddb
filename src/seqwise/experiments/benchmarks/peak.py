"""How fast this machine multiplies float32 matrices at best: what every figure is a share of."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

SIZES = (512, 1024, 2048)


def measure_peak(sizes: tuple[int, ...] = SIZES, repeats: int = 8) -> dict[str, float]:
    """GFLOP/s of the best square product, by who computes it: torch.mm, and our own product where there is one."""
    products: dict[str, Callable[[Tensor, Tensor], Any]] = {"torch.mm": torch.mm}
    own = find_own_product()
    if own is not None:
        products["seqwise"] = own
    return {name: max(_speed(product, size, repeats) for size in sizes) for name, product in products.items() if sizes}


def find_own_product() -> Callable[[Tensor, Tensor], Any] | None:
    """`seqwise.kernels.cpu.matmul(a, b)`, where that backend offers it."""
    try:
        module = importlib.import_module("seqwise.kernels.cpu")
    except ImportError:
        return None
    return getattr(module, "matmul", None)


def _speed(product: Callable[[Tensor, Tensor], Any], size: int, repeats: int) -> float:
    a, b = torch.randn(size, size), torch.randn(size, size)
    product(a, b)
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        product(a, b)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9
