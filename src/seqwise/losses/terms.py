"""The loss of one decision as a function of the log of its probability, with two derivatives.

u = log p is what `log_softmax` and `logsigmoid` compute without overflow; every loss of classes and labels is a weighted sum
of such terms, see `seqwise.losses.compositions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Term(Protocol):
    """A function of u = log p, elementwise."""

    @property
    def plain(self) -> bool:
        """Whether it is -u, cross entropy."""

    def value(self, u: Tensor) -> Tensor:
        """Return the value."""

    def slope(self, u: Tensor) -> Tensor:
        """Return the derivative."""

    def bend(self, u: Tensor) -> Tensor:
        """Return the second derivative."""


@dataclass(frozen=True)
class FocalTerm:
    """-s^gamma log(1 - s) with 1 - s = min(p + margin, 1): what is decided with little doubt already counts less.

    With gamma = margin = 0 it is -u. Derivation, with c = 1 - s and r = dc/du = p where p + margin < 1, else 0 (so that
    r = c without a margin), and f(s) = -s^gamma log c:

        f'(s)  = s^gamma / c - gamma s^(gamma - 1) log c
        f''(s) = 2 gamma s^(gamma - 1) / c + s^gamma / c^2 - gamma (gamma - 1) s^(gamma - 2) log c
        d/du   = -r f'(s)                    for ds/du = -r
        d2/du2 = r^2 f''(s) - r f'(s)        for dr/du = r

    Attributes:
        gamma: how little, at least 0.
        margin: probability of the contrary below which nothing is paid at all, in [0, 1).
    """

    gamma: float = 0.0
    margin: float = 0.0

    @property
    def plain(self) -> bool:
        """Whether it is -u, cross entropy."""
        return self.gamma == 0 and self.margin == 0

    def value(self, u: Tensor) -> Tensor:
        """Return -s^gamma log c."""
        _, log_c, s = self._parts(u)
        return -log_c if self.gamma == 0 else -(s**self.gamma) * log_c

    def slope(self, u: Tensor) -> Tensor:
        """Return -r f'(s)."""
        ratio, log_c, s = self._parts(u)
        if self.gamma == 0:
            return -ratio
        r = ratio * log_c.exp()
        return self.gamma * s ** (self.gamma - 1) * r * log_c - s**self.gamma * ratio

    def bend(self, u: Tensor) -> Tensor:
        """Return r^2 f''(s) - r f'(s)."""
        ratio, log_c, s = self._parts(u)
        r = ratio * log_c.exp()
        power, lower = s**self.gamma, self.gamma * s ** (self.gamma - 1)
        curve = ratio**2 * power + 2 * lower * ratio * r - lower * (self.gamma - 1) * r**2 * (log_c / s)
        return curve + self.slope(u)

    def _parts(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """r / c, log c and s; s stays above zero, for its powers below one have a slope there that is not finite."""
        tiny = torch.finfo(u.dtype).tiny
        if self.margin == 0:
            return torch.ones_like(u), u, (-u.expm1()).clamp(min=tiny)
        p = u.exp()
        c = (p + self.margin).clamp(max=1)
        return (p / c).where(p + self.margin < 1, 0), c.log(), (-u.expm1() - self.margin).clamp(min=tiny)


@dataclass(frozen=True)
class AbsentTerm:
    """-p^gamma log p: what label smoothing asks of a class that is not the target, damped where it is improbable.

    With p^gamma = exp(gamma u):

        d/du   = -p^gamma (1 + gamma u)
        d2/du2 = -gamma p^gamma (2 + gamma u)

    Attributes:
        gamma: at least 0.
    """

    gamma: float

    @property
    def plain(self) -> bool:
        """Whether it is -u, cross entropy."""
        return self.gamma == 0

    def value(self, u: Tensor) -> Tensor:
        """Return -p^gamma u."""
        return -(self.gamma * u).exp() * u

    def slope(self, u: Tensor) -> Tensor:
        """Return -p^gamma (1 + gamma u)."""
        return -(self.gamma * u).exp() * (1 + self.gamma * u)

    def bend(self, u: Tensor) -> Tensor:
        """Return -gamma p^gamma (2 + gamma u)."""
        return -self.gamma * (self.gamma * u).exp() * (2 + self.gamma * u)


CROSS_ENTROPY = FocalTerm()
"""-u."""
