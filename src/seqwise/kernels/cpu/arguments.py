"""The memory and the argument block of a call: what forward, backward and single steps have in common.

Axis letters: B batch, T steps, D input features, H hidden units.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seqwise.cells import Program
from seqwise.kernels import reference
from seqwise.kernels.contract import Variant, Weights
from seqwise.kernels.cpu.cell_kernels import Sizes, find_kernels
from seqwise.kernels.cpu.memory import POOL
from seqwise.kernels.cpu.schedule import make_shards


class Call:
    """What forward and backward have in common: contiguous tensors, the schedule, most of the argument block."""

    def __init__(
        self, program: Program, x: Tensor, initial: tuple[Tensor, ...], weights: Weights, variant: Variant
    ) -> None:
        self.program = program
        self.steps, self.batch, self.features = x.shape
        self.hidden = initial[0].shape[1]
        self.dtype = str(x.dtype).removeprefix("torch.")
        self.size = x.element_size()
        self.x = x if x.stride(-1) == 1 or self.features == 1 else x.contiguous()
        self.initial = tuple(s.contiguous() for s in initial)
        self.weights = Weights(*(None if w is None else w.contiguous() for w in weights))  # type: ignore[arg-type]
        self.kernels = find_kernels(
            program, self.dtype, variant.zoneout is not None, variant.recurrent_mask is not None
        )
        self.plan = self.kernels.plan
        self.masks = [None if m is None else m.contiguous() for m in (variant.input_mask, variant.recurrent_mask)]
        lengths = None if variant.lengths is None else variant.lengths.numpy()
        multiplications = self.steps * self.batch * (self.features + self.hidden) * self.hidden
        work = multiplications * len(program.input_gates)
        self.shards, self.threads = make_shards(self.steps, self.batch, lengths, torch.get_num_threads(), work)
        self.alive = _find_alive(variant, self.steps)
        self.kept = None if variant.zoneout is None else variant.zoneout.expand(-1, -1, -1, self.hidden).contiguous()
        self.common = self._common_fields(variant)

    @property
    def sizes(self) -> Sizes:
        """What the layout of memory depends on."""
        biases = self.weights.input_bias is not None, self.weights.recurrent_bias is not None
        rows = tuple(len(shard.rows) for shard in self.shards)
        return Sizes(self.kernels, self.batch, self.features, self.hidden, rows, biases, self.masks[0] is not None)

    def shard_fields(self) -> list[dict[str, int]]:
        """The rows of each shard."""
        return [{"row_ids": shard.rows.ctypes.data, "active": shard.active.ctypes.data} for shard in self.shards]

    def _common_fields(self, variant: Variant) -> dict[str, int]:
        size, kept = self.size, self.kept
        strides = (0, 0, 0) if kept is None else tuple(
            0 if n == 1 else s * size for n, s in zip(kept.shape[:3], kept.stride()[:3], strict=True)
        )  # fmt: skip
        return {
            "steps": self.steps, "reverse": int(variant.reverse),
            "alive": 0 if self.alive is None else self.alive.data_ptr(),
            "x": self.x.data_ptr(), "x_step": self.x.stride(0) * size, "x_row": self.x.stride(1) * size,
            "input_mask": 0 if self.masks[0] is None else self.masks[0].data_ptr(),
            "recurrent_mask": 0 if self.masks[1] is None else self.masks[1].data_ptr(),
            "kept": 0 if kept is None else kept.data_ptr(),
            "kept_state": strides[0], "kept_step": strides[1], "kept_row": strides[2],
            "vectors": 0 if self.weights.vectors is None else self.weights.vectors.data_ptr(),
        }  # fmt: skip


def _find_alive(variant: Variant, steps: int) -> Tensor | None:
    """(T, B) uint8: 0 where a reset zeroes the states before this step, in the direction of running."""
    if variant.resets is None:
        return None
    valid = None
    if variant.lengths is not None:
        valid = torch.arange(steps).unsqueeze(1) < variant.lengths
    survives = reference.find_survivors(variant, valid)
    assert survives is not None
    return survives.squeeze(-1).to(torch.uint8).contiguous()


def borrow(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A tensor in pooled memory; the memory returns to the pool when the tensor is gone."""
    count = math.prod(shape)
    block = POOL.take(max(1, count) * like.element_size())
    # Cut and shaped by numpy: to PyTorch it would be a view, which in-place operations may refuse.
    array = block[: count * like.element_size()].view(str(like.dtype).removeprefix("torch."))
    return torch.from_numpy(array.reshape(shape))
