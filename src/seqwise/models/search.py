"""Beam search over any model that writes one symbol after another.

Axis letters: B sequences, K hypotheses of each, N = B K rows of the model, V symbols, S places of a source, T steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from seqwise.errors import ConfigurationError

Tensors = TypeVar("Tensors", bound=tuple[Tensor, ...])
States = tuple[Tensor, ...]
Step = Callable[[Tensor, States, tuple[Tensor, ...]], tuple[Tensor, Tensor | None, States]]
"""Symbols (N,), states and what stays (first axis N each) -> log P of the next symbol (N, V), attention (N, S), states."""


@dataclass(frozen=True)
class BeamSettings:
    """How is searched.

    Attributes:
        beam: K; 1 is greedy search.
        length_norm: what log P is divided by: "wu", ((5 + T) / 6)^alpha of Wu et al. 2016 (arXiv:1609.08144); "plain",
            T^alpha; "none", 1.
        alpha: its exponent.
        coverage: factor of Wu's coverage penalty, the sum over the source of log min(1, attention received); 0: none.
        n_best: answers for each sequence, at most K.
        early: a sequence is finished once K hypotheses are; otherwise once none that goes on could become better.

    Raises:
        ConfigurationError: a number is out of its range.
    """

    beam: int = 5
    length_norm: Literal["wu", "plain", "none"] = "plain"
    alpha: float = 1.0
    coverage: float = 0.0
    n_best: int = 1
    early: bool = True

    def __post_init__(self) -> None:
        if self.beam < 1:
            raise ConfigurationError(f"a beam keeps at least one hypothesis, not {self.beam}")
        if not 1 <= self.n_best <= self.beam:
            raise ConfigurationError(f"a beam of {self.beam} has from 1 to {self.beam} answers, not {self.n_best}")
        if self.length_norm not in ("wu", "plain", "none"):
            raise ConfigurationError(f"length_norm is wu, plain or none, not {self.length_norm!r}")
        if not (math.isfinite(self.alpha) and self.alpha >= 0 and math.isfinite(self.coverage) and self.coverage >= 0):
            raise ConfigurationError(f"alpha and coverage are not negative, got {self.alpha} and {self.coverage}")

    def penalty(self, length: int) -> float:
        """What log P of so many symbols, the end included, is divided by."""
        if self.length_norm == "none":
            return 1.0
        return (((5 + length) / 6) if self.length_norm == "wu" else length) ** self.alpha


class Hypothesis(NamedTuple):
    """An answer.

    Attributes:
        symbols: without the end.
        score: what it was chosen by.
        log_probability: of the symbols and the end.
        attention: (T, S), of every symbol and of the end; None without attention.
    """

    symbols: list[int]
    score: float
    log_probability: float
    attention: np.ndarray | None


class _Finished(NamedTuple):
    score: float
    log_probability: float
    step: int
    parent: int  # hypothesis of the step before; the end itself is no part of the trace


def take(tensors: Tensors, rows: Tensor) -> Tensors:
    """Return these rows of every tensor; a named tuple stays one."""
    taken = [tensor.index_select(0, rows) for tensor in tensors]
    return tensors._make(taken) if hasattr(tensors, "_make") else tuple(taken)  # type: ignore[return-value]


@torch.no_grad()
def beam_search(
    step: Step,
    states: States,
    stays: tuple[Tensor, ...],
    *,
    begin: int,
    end: int,
    longest: Tensor,
    settings: BeamSettings,
    source: Tensor | None = None,
) -> list[list[Hypothesis]]:
    """Find the most probable sequences.

    Nothing of one sequence depends on the others beside it.

    Args:
        step: one step of the model.
        states: before the first symbol, first axis B.
        stays: what `step` reads besides and does not change (an encoded source), first axis B.
        begin: symbol that is read first.
        end: symbol that ends a sequence.
        longest: (B,) int64, symbols at most, the end included: it is forced there.
        settings: see `BeamSettings`.
        source: bool (B, S), which places of the source exist; needed for coverage.

    Returns:
        For every sequence its `n_best` hypotheses (fewer if there are no more), best first.

    Raises:
        ConfigurationError: coverage is asked for, and the model attends to nothing.
    """
    beam, device, rows = settings.beam, longest.device, len(longest)
    finished: list[list[_Finished]] = [[] for _ in range(rows)]
    traces: list[tuple[np.ndarray, np.ndarray, np.ndarray | None]] = []  # symbols, parents (B, K), attention (B, K, S)
    active = torch.arange(rows, device=device)
    repeated = active.repeat_interleave(beam)
    states, stays = take(states, repeated), take(stays, repeated)
    covered: Tensor | None = None
    # One hypothesis is there at first: the others would be the same.
    scores = torch.full((rows, beam), -math.inf, device=device, dtype=torch.float64)
    scores[:, 0] = 0.0
    symbols = torch.full((rows * beam,), begin, dtype=torch.int64, device=device)
    for number in range(int(longest.max()) if rows else 0):
        logs, attention, states = step(symbols, states, stays)
        places = torch.arange(len(active) * beam, device=device)
        if attention is not None:
            covered = attention.clone() if covered is None else covered + attention
        elif settings.coverage:
            raise ConfigurationError("coverage counts attention, and this model has none")
        size = logs.shape[1]
        totals = scores[:, :, None] + logs.view(len(active), beam, size).double()
        forced = longest[active] == number + 1
        if bool(forced.any()):
            only_end = torch.full((size,), -math.inf, device=device, dtype=torch.float64)
            only_end[end] = 0.0
            totals = torch.where(forced[:, None, None], totals + only_end, totals)
        # Twice the beam: K of them may end here, and as many have to go on.
        best, flat = totals.flatten(1).topk(min(2 * beam, beam * size), dim=1)
        parents, chosen = flat // size, flat % size
        ends = (chosen == end) & (best > -math.inf)
        penalties = _coverage(covered, source, active, settings)
        _collect(finished, active, ends[:, :beam], best, parents, penalties, number, settings)
        going = best.masked_fill(chosen == end, -math.inf)
        scores, order = going.topk(beam, dim=1)  # sorted: equals keep the order of the candidates' scores
        parents, chosen = parents.gather(1, order), chosen.gather(1, order)
        traces.append(_trace(rows, active, chosen, parents, attention, beam))
        over = _over(finished, active, scores, longest, number, settings)
        if bool(over.all()):
            break
        scores = scores.masked_fill(over[:, None], -math.inf)
        keep = torch.arange(len(active), device=device)
        if int(over.sum()) * 2 >= len(active):  # the rest is gathered: finished sequences cost no more
            keep = torch.nonzero(~over)[:, 0]
        places = (keep[:, None] * beam + parents[keep]).flatten()
        states = take(states, places)
        covered = None if covered is None else covered.index_select(0, places)
        if len(keep) < len(active):
            stays = take(stays, (keep[:, None] * beam + torch.arange(beam, device=device)).flatten())
        scores, symbols, active = scores[keep], chosen[keep].flatten(), active[keep]
    return [_answers(row, found, traces, settings) for row, found in enumerate(finished)]


def _coverage(covered: Tensor | None, source: Tensor | None, active: Tensor, settings: BeamSettings) -> Tensor | None:
    """Wu's penalty of every hypothesis, (B, K), from the attention that the source has received, (N, S)."""
    if not settings.coverage or covered is None:
        return None
    live = torch.ones_like(covered, dtype=torch.bool)
    if source is not None:
        live = source[active].repeat_interleave(settings.beam, 0)
    logs = covered.clamp(min=1e-12, max=1.0).log().masked_fill(~live, 0.0)
    return settings.coverage * logs.sum(1).double().view(len(active), settings.beam)


def _collect(
    finished: list[list[_Finished]],
    active: Tensor,
    ends: Tensor,
    best: Tensor,
    parents: Tensor,
    penalties: Tensor | None,
    number: int,
    settings: BeamSettings,
) -> None:
    """Put away what ended among the K best candidates."""
    divisor = settings.penalty(number + 1)
    numbers = active.tolist()
    for row, place in torch.nonzero(ends).tolist():
        parent = int(parents[row, place])
        value = float(best[row, place])
        score = value / divisor + (0.0 if penalties is None else float(penalties[row, parent]))
        of = finished[numbers[row]]
        if len(of) < settings.beam or not settings.early:
            of.append(_Finished(score, value, number, parent))


def _trace(
    rows: int, active: Tensor, chosen: Tensor, parents: Tensor, attention: Tensor | None, beam: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """What was chosen for every sequence, in the order of all of them."""
    symbols, before = np.zeros((rows, beam), np.int64), np.zeros((rows, beam), np.int64)
    where = active.cpu().numpy()
    symbols[where], before[where] = chosen.cpu().numpy(), parents.cpu().numpy()
    if attention is None:
        return symbols, before, None
    looked = np.zeros((rows, beam, attention.shape[1]), np.float32)
    looked[where] = attention.float().view(len(active), beam, -1).cpu().numpy()
    return symbols, before, looked


def _over(
    finished: list[list[_Finished]],
    active: Tensor,
    scores: Tensor,
    longest: Tensor,
    number: int,
    settings: BeamSettings,
) -> Tensor:
    """Which sequences are finished, bool (B,)."""
    best, limits, result = scores[:, 0].tolist(), longest[active].tolist(), []
    for row, value, limit in zip(active.tolist(), best, limits, strict=True):
        over = value == -math.inf or number + 1 >= limit
        if not over and len(finished[row]) >= settings.beam:
            # log P only falls, and no divisor is larger than that of the longest sequence.
            worst = sorted((of.score for of in finished[row]), reverse=True)[settings.beam - 1]
            over = settings.early or value / settings.penalty(limit) <= worst
        result.append(over)
    return torch.tensor(result, dtype=torch.bool, device=scores.device)


def _answers(
    row: int,
    found: list[_Finished],
    traces: list[tuple[np.ndarray, np.ndarray, np.ndarray | None]],
    settings: BeamSettings,
) -> list[Hypothesis]:
    """The best of what ended, read back from their last symbol to their first."""
    ordered = sorted(found, key=lambda of: -of.score)[: settings.n_best]
    result = []
    for of in ordered:
        symbols, looks, place = [], [], of.parent
        for number in range(of.step, -1, -1):
            attention = traces[number][2]
            if attention is not None:
                # What was looked at when a symbol was chosen is the look of the hypothesis that it was added to.
                looks.append(attention[row, place])
            if number:
                before, origins, _ = traces[number - 1]
                symbols.append(int(before[row, place]))
                place = int(origins[row, place])
        looked = np.stack(looks[::-1]) if looks else None
        result.append(Hypothesis(symbols[::-1], of.score, of.log_probability, looked))
    return result
