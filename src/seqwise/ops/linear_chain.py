"""A linear chain over tags as operations: check the arguments, clear the padding, run it, hand gradients on.

Axis letters: B sequences, T steps, C tags.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqwise.errors import InputError
from seqwise.kernels import linear_chain
from seqwise.kernels.linear_chain import Chain


def chain_log_likelihood(
    emissions: Tensor,
    transitions: Tensor,
    first: Tensor,
    last: Tensor,
    tags: Tensor,
    lengths: Tensor | None = None,
) -> Tensor:
    """log P(tag at t | tag at t - 1, x) of the given tags; the sum over the steps is log P(tags | x).

    Differentiable once, by its closed form, with respect to all scores.

    Args:
        emissions: (B, T, C) float32 or float64; what stands at padding is never read.
        transitions: (C, C) score of the tag of the column after that of the row. No score is infinite: to forbid
            something, -10,000 will do.
        first: (C,) score of the first tag.
        last: (C,) score of the last tag.
        tags: (B, T) int64.
        lengths: (B,) from 1 to T; None means T.

    Returns:
        (B, T), 0 at padding.

    Raises:
        InputError: an argument has the wrong shape, type or values; names it.
    """
    lengths = _checked(emissions, transitions, first, last, lengths)
    _check_tags(tags, emissions, lengths)
    return _LogLikelihood.apply(emissions, transitions, first, last, tags, lengths)


@torch.no_grad()
def chain_marginals(
    emissions: Tensor, transitions: Tensor, first: Tensor, last: Tensor, lengths: Tensor | None = None
) -> Tensor:
    """P(tag at t | x), (B, T, C), zero at padding; arguments and errors as for `chain_log_likelihood`."""
    chain = _chain(emissions, transitions, first, last, _checked(emissions, transitions, first, last, lengths))
    return linear_chain.marginals(chain, linear_chain.continuations(chain)).transpose(0, 1)


@torch.no_grad()
def chain_decode(
    emissions: Tensor, transitions: Tensor, first: Tensor, last: Tensor, lengths: Tensor | None = None
) -> Tensor:
    """The most probable tags, (B, T) int64, 0 at padding; arguments and errors as for `chain_log_likelihood`."""
    chain = _chain(emissions, transitions, first, last, _checked(emissions, transitions, first, last, lengths))
    return linear_chain.best_tags(chain).transpose(0, 1)


class _LogLikelihood(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        emissions, transitions, first, last, tags, lengths = inputs
        chain = _chain(emissions, transitions, first, last, lengths)
        after = linear_chain.continuations(chain)
        path = torch.where(chain.live, tags.T, 0)
        ctx.save_for_backward(*chain, after, path)
        return linear_chain.log_likelihoods(chain, after, path).transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        *scores, after, path = ctx.saved_tensors
        gradients = linear_chain.log_likelihood_gradients(Chain(*scores), after, path, upstream.transpose(0, 1))
        return gradients[0].transpose(0, 1), *gradients[1:], None, None


def _chain(emissions: Tensor, transitions: Tensor, first: Tensor, last: Tensor, lengths: Tensor) -> Chain:
    chain = Chain(emissions.transpose(0, 1), transitions, first, last, lengths)
    return chain._replace(emissions=torch.where(chain.live[..., None], chain.emissions, 0.0).contiguous())


def _checked(emissions: Tensor, transitions: Tensor, first: Tensor, last: Tensor, lengths: Tensor | None) -> Tensor:
    if emissions.dim() != 3 or not emissions.numel():
        raise InputError(f"emissions: expected (B, T, C), none of them 0, got shape {tuple(emissions.shape)}.")
    batch, steps, count = emissions.shape
    for name, scores, shape in (
        ("emissions", emissions, (batch, steps, count)),
        ("transitions", transitions, (count, count)),
        ("first", first, (count,)),
        ("last", last, (count,)),
    ):
        if scores.shape != shape:
            raise InputError(f"{name}: expected shape {shape}, got {tuple(scores.shape)}.")
        if scores.dtype not in (torch.float32, torch.float64) or scores.dtype != emissions.dtype:
            raise InputError(f"{name}: scores are all float32 or all float64, got {scores.dtype}.")
    if lengths is None:
        return torch.full((batch,), steps, device=emissions.device)
    if lengths.shape != (batch,) or lengths.dtype not in (torch.int32, torch.int64):
        raise InputError(f"lengths: expected whole numbers ({batch},), got {lengths.dtype} {tuple(lengths.shape)}.")
    if int(lengths.min()) < 1 or int(lengths.max()) > steps:
        raise InputError(f"lengths: expected 1 to {steps}, got {int(lengths.min())} to {int(lengths.max())}.")
    return lengths


def _check_tags(tags: Tensor, emissions: Tensor, lengths: Tensor) -> None:
    batch, steps, count = emissions.shape
    if tags.shape != (batch, steps) or tags.dtype != torch.int64:
        raise InputError(f"tags: expected int64 ({batch}, {steps}), got {tags.dtype} {tuple(tags.shape)}.")
    live = torch.arange(steps, device=tags.device) < lengths[:, None]
    wrong = live & ((tags < 0) | (tags >= count))
    if bool(wrong.any()):
        raise InputError(f"tags: expected 0 to {count - 1}, got {int(tags[wrong][0])}.")
