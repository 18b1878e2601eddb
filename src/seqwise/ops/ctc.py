"""Connectionist temporal classification as operations: check the arguments, clear the padding, run it, hand gradients
on.

Axis letters: B sequences, T steps, V symbols, U symbols of the longest target.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from seqwise.errors import InputError
from seqwise.kernels import ctc

Backend = Literal["auto", "reference", "vendor"]
VENDOR_STEPS = 500
"""At 1,000 steps in single precision, the gradient of PyTorch's kernel is wrong in the third digit after the point,
ours in the fifth; at 100 steps of a short batch it is three times as fast, at 500 of a thousand symbols no longer."""


def ctc_log_likelihood(
    logits: Tensor,
    targets: Tensor,
    lengths: Tensor | None = None,
    target_lengths: Tensor | None = None,
    *,
    blank: int = 0,
    backend: Backend = "auto",
) -> Tensor:
    """log P(target | x), the sum over all ways to spread a target over the steps (Graves et al. 2006).

    Differentiable once, by its closed form, with respect to the logits.

    Args:
        logits: (B, T, V) float32 or float64, of which softmax makes the probabilities; what stands at padding is never
            read.
        targets: (B, U) int64, none of them the blank; what stands at padding is never read.
        lengths: (B,) from 1 to T; None means T.
        target_lengths: (B,) from 0 to U; None means U.
        blank: number of the symbol that stands for none.
        backend: "reference" is ours; "vendor" is PyTorch's kernel, which is faster, sums unscaled logarithms, and so
            loses digits as sequences grow; "auto" takes it up to `VENDOR_STEPS` steps.

    Returns:
        (B,).

    Raises:
        InputError: an argument has the wrong shape, type or values, or a target does not fit into its steps; names it.
    """
    lengths, target_lengths = _checked(logits, targets, lengths, target_lengths, blank)
    if backend not in ("auto", "reference", "vendor"):
        raise InputError(f"backend: expected auto, reference or vendor, got {backend!r}.")
    if backend == "reference" or (backend == "auto" and logits.shape[1] > VENDOR_STEPS):
        return _LogLikelihood.apply(logits, targets, lengths, target_lengths, blank)
    logs = _cleared(logits, lengths).log_softmax(-1)
    given = _cleared_targets(targets, target_lengths, blank, logits.shape[2])
    return -F.ctc_loss(logs, given, lengths, target_lengths, blank=blank, reduction="none")


@torch.no_grad()
def ctc_posteriors(
    logits: Tensor,
    targets: Tensor,
    lengths: Tensor | None = None,
    target_lengths: Tensor | None = None,
    *,
    blank: int = 0,
) -> Tensor:
    """P(the path is at this place at step t | x, target), (B, T, 2 U + 1), zero at padding.

    Places are blank, first symbol, blank, second symbol, ..., blank. Arguments and errors as for `ctc_log_likelihood`.
    """
    lengths, target_lengths = _checked(logits, targets, lengths, target_lengths, blank)
    lattice = _lattice(logits, targets, lengths, target_lengths, blank)
    return ctc.posteriors(lattice, ctc.continuations(lattice)[0]).transpose(0, 1)


@torch.no_grad()
def ctc_align(
    logits: Tensor,
    targets: Tensor,
    lengths: Tensor | None = None,
    target_lengths: Tensor | None = None,
    *,
    blank: int = 0,
) -> Tensor:
    """The most probable path, (B, T) int64 places, -1 at padding.

    Place 2 u + 1 is symbol u of the target, an even place is the blank before or behind it. Arguments and errors as for
    `ctc_log_likelihood`.
    """
    lengths, target_lengths = _checked(logits, targets, lengths, target_lengths, blank)
    return ctc.best_states(_lattice(logits, targets, lengths, target_lengths, blank)).transpose(0, 1)


class _LogLikelihood(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, targets: Tensor, lengths: Tensor, target_lengths: Tensor, blank: int
    ) -> Tensor:
        lattice = _lattice(logits, targets, lengths, target_lengths, blank)
        after, result = ctc.continuations(lattice)
        ctx.save_for_backward(logits, after, *lattice)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        logits, after, *parts = ctx.saved_tensors
        lattice = ctc.Lattice(*parts)
        found = ctc.of_symbols(lattice, ctc.posteriors(lattice, after), logits.shape[2])
        said = torch.softmax(_cleared(logits, lattice.lengths), -1) * lattice.live[..., None]
        return ((found - said) * upstream[:, None]).transpose(0, 1), None, None, None, None


def _lattice(logits: Tensor, targets: Tensor, lengths: Tensor, target_lengths: Tensor, blank: int) -> ctc.Lattice:
    given = _cleared_targets(targets, target_lengths, blank, logits.shape[2])
    return ctc.make_lattice(_cleared(logits, lengths).log_softmax(-1), given, lengths, target_lengths, blank)


def _cleared(logits: Tensor, lengths: Tensor) -> Tensor:
    """(T, B, V), 0 at padding."""
    live = torch.arange(logits.shape[1], device=lengths.device)[:, None] < lengths
    return torch.where(live[..., None], logits.transpose(0, 1), 0.0)


def _cleared_targets(targets: Tensor, target_lengths: Tensor, blank: int, count: int) -> Tensor:
    """The targets, with any symbol but the blank at padding."""
    live = torch.arange(targets.shape[1], device=targets.device) < target_lengths[:, None]
    return torch.where(live, targets, (blank + 1) % count)


def _checked(
    logits: Tensor, targets: Tensor, lengths: Tensor | None, target_lengths: Tensor | None, blank: int
) -> tuple[Tensor, Tensor]:
    if logits.dim() != 3 or not logits.numel():
        raise InputError(f"logits: expected (B, T, V), none of them 0, got shape {tuple(logits.shape)}.")
    if logits.dtype not in (torch.float32, torch.float64):
        raise InputError(f"logits: expected float32 or float64, got {logits.dtype}.")
    batch, steps, count = logits.shape
    if not 0 <= blank < count:
        raise InputError(f"blank: expected 0 to {count - 1}, got {blank}.")
    if targets.dim() != 2 or len(targets) != batch or targets.dtype != torch.int64:
        raise InputError(f"targets: expected int64 ({batch}, U), got {targets.dtype} {tuple(targets.shape)}.")
    longest = targets.shape[1]
    lengths = _checked_lengths("lengths", lengths, batch, 1, steps, logits.device)
    target_lengths = _checked_lengths("target_lengths", target_lengths, batch, 0, longest, logits.device)
    live = torch.arange(longest, device=targets.device) < target_lengths[:, None]
    wrong = live & ((targets < 0) | (targets >= count) | (targets == blank))
    if bool(wrong.any()):
        raise InputError(f"targets: expected 0 to {count - 1} but for the blank, got {int(targets[wrong][0])}.")
    needed = ctc.steps_needed(targets, target_lengths)
    if bool((needed > lengths).any()):
        row = int((needed > lengths).nonzero()[0])
        raise InputError(
            f"targets: that of row {row} needs {int(needed[row])} steps, a blank between equal symbols counted, "
            f"and has {int(lengths[row])}."
        )
    return lengths, target_lengths


def _checked_lengths(
    name: str, given: Tensor | None, batch: int, least: int, most: int, device: torch.device
) -> Tensor:
    if given is None:
        return torch.full((batch,), most, device=device)
    if given.shape != (batch,) or given.dtype not in (torch.int32, torch.int64):
        raise InputError(f"{name}: expected whole numbers ({batch},), got {given.dtype} {tuple(given.shape)}.")
    if int(given.min()) < least or int(given.max()) > most:
        raise InputError(f"{name}: expected {least} to {most}, got {int(given.min())} to {int(given.max())}.")
    return given
