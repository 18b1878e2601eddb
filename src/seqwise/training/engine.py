"""Where a fit runs: one device or many processes, and in which precision. The only file that touches Accelerate."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import is_initialized
from accelerate.utils import broadcast_object_list, gather_object, send_to_device
from torch import nn

from seqwise.errors import DeviceError
from seqwise.prediction.device import resolve_device


class Engine:
    """Devices, precision and processes for one fit.

    Accelerate reads torchrun's environment, opens the process group, gives every process its device and wraps the model
    for distributed training. Its precision is a setting of the whole process that cannot be changed later, so it is
    left at "no" and the forward pass runs under an autocast of our own: fits of different precision, or on different
    devices, live in one process side by side, next to whatever else there uses Accelerate.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:N"; under torchrun the process's own device of that kind.
        precision: "float32" or "bfloat16".

    Attributes:
        device: where this process computes.
        rank: number of this process, 0 is the main one.
        world: how many processes there are.
    """

    def __init__(self, device: str = "auto", precision: str = "float32") -> None:
        self.device = resolve_device(device)
        fresh = not is_initialized()
        self._accelerator = Accelerator(
            cpu=fresh and self.device.type == "cpu",
            mixed_precision="no" if fresh else None,
            device_placement=False,
        )
        self._accelerator.native_amp = False  # where someone else's precision came first, its autocast stays theirs
        self.rank: int = self._accelerator.process_index
        self.world: int = self._accelerator.num_processes
        if self.world > 1:
            if self._accelerator.device.type != self.device.type:
                raise DeviceError(
                    f"these processes were started on {self._accelerator.device.type}, not {self.device.type}"
                )
            self.device = self._accelerator.device
        self._precision = precision

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return the module to call in training: with several processes, the one that averages gradients over them."""
        return self._accelerator.prepare_model(model) if self.world > 1 else model

    def autocast(self) -> AbstractContextManager:
        """Return the context of the forward pass."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._precision == "bfloat16")

    def to_device(self, batch: Any) -> Any:
        """Return the batch (tensors in tuples, lists, dictionaries, named tuples) on the device."""
        return send_to_device(batch, self.device, non_blocking=self.device.type == "cuda")

    def deal(self, batches: Any, skip: int) -> Iterator[tuple[Any, bool]]:
        """Give this process its share of the batches, in order. What is skipped has been passed over on return.

        Step s of process r takes batch s * world + r. In the last step some processes may be left without one: they get
        a batch that does not count, since all must take part in the exchange of gradients.

        Args:
            batches: sized and iterable; where it can also be indexed, batches of others and skipped ones are never
                built.
            skip: steps to pass over.

        Returns:
            Pairs of a batch and whether it counts.
        """
        if hasattr(batches, "__getitem__"):
            return self._deal_indexed(batches, skip)
        iterator = iter(batches)
        deque(islice(iterator, skip * self.world), maxlen=0)
        return self._deal_iterated(iterator)

    def _deal_indexed(self, batches: Any, skip: int) -> Iterator[tuple[Any, bool]]:
        total = len(batches)
        for first in range(skip * self.world, total, self.world):
            counts = first + self.rank < total
            yield batches[first + self.rank if counts else first], counts

    def _deal_iterated(self, iterator: Iterator[Any]) -> Iterator[tuple[Any, bool]]:
        while group := list(islice(iterator, self.world)):
            counts = self.rank < len(group)
            yield group[self.rank if counts else 0], counts

    def steps(self, batches: Any) -> int:
        """Return how many steps an epoch over the batches has."""
        return -(-len(batches) // self.world)

    def sum(self, *values: float) -> list[float]:
        """Return each value summed over the processes."""
        if self.world == 1:
            return list(values)
        return self._accelerator.reduce(torch.tensor(values, dtype=torch.float64, device=self.device), "sum").tolist()

    def agree(self, value: Any) -> Any:
        """Return the main process's value on every process."""
        return value if self.world == 1 else broadcast_object_list([value])[0]

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, by rank."""
        return [value] if self.world == 1 else gather_object([value])
