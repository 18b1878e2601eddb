"""Bringing the arguments of a recurrent layer, in all the forms that torch.nn and we accept, into one form.

Axis letters: B batch, T steps, D input features, H hidden units, L layers times directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from seqwise.errors import ConfigurationError, InputError


def check_size(name: str, value: Any) -> None:
    """Raise ConfigurationError unless `value` is a whole number above zero."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{name}={value!r}: expected a whole number above zero.")


def check_share(name: str, value: Any, *, inclusive: bool = False) -> None:
    """Raise ConfigurationError unless 0 <= `value` < 1 (or <= 1 when inclusive)."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not (0 <= value < 1 or (inclusive and value == 1))
    ):
        raise ConfigurationError(
            f"{name}={value!r}: expected a number from 0 to 1{'' if inclusive else ', 1 excluded'}."
        )


def arrange_states(
    state: Any, names: tuple[str, ...], shape: tuple[int, int, int], x: Tensor, single: bool
) -> tuple[Tensor, ...]:
    """The initial states, each (L, B, H).

    Args:
        state: None for zeros, a tensor for one state, a tuple for several; (L, H) each when `single`.
        names: The cell's states.
        shape: (L, B, H).
        x: The input, whose device and dtype zeros take.
        single: The input is one sequence without a batch axis.
    """
    if state is None:
        return tuple(x.new_zeros(shape) for _ in names)
    states = tuple(state) if isinstance(state, (tuple, list)) else (state,)
    wanted = "a tensor" if len(names) == 1 else f"a tuple ({', '.join(names)})"
    if len(states) != len(names) or not all(isinstance(s, Tensor) for s in states):
        raise InputError(f"state: expected {wanted}, got {type(state).__name__} of {len(states)}.")
    given = (shape[0], shape[2]) if single else shape
    for name, value in zip(names, states, strict=True):
        if tuple(value.shape) != given:
            raise InputError(f"state {name}: expected shape {given}, got {tuple(value.shape)}.")
    return tuple(s.unsqueeze(1) for s in states) if single else states


def arrange_lengths(lengths: Tensor | Sequence[int] | None, x: Tensor) -> Tensor | None:
    """Lengths as int64 (B,) on the device of x (T, B, D)."""
    if lengths is None:
        return None
    lengths = torch.as_tensor(lengths)
    if lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool:
        raise InputError(f"lengths: expected whole numbers, got {lengths.dtype}.")
    return lengths.to(x.device, torch.int64)


def arrange_resets(resets: Tensor | None, shape: torch.Size, *, transpose: bool, single: bool) -> Tensor | None:
    """Resets as bool (T, B), from the layout `shape` of the input without its features."""
    if resets is None:
        return None
    if resets.dtype != torch.bool or resets.shape != shape:
        raise InputError(f"resets: expected bool {tuple(shape)}, got {resets.dtype} {tuple(resets.shape)}.")
    return resets.unsqueeze(1) if single else resets.t() if transpose else resets
