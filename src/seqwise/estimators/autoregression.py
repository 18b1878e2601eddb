"""Linear auto-regression of series, solved as the ridge regression that it is; and the period of a series.

Axis letters: T steps, D channels, E known inputs, P lags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqwise.errors import DataError

LONGEST = 2048  # steps up to which a period is looked for
CLEAR = 0.2  # auto-correlation from which a peak is taken for a period
ROWS = 65_536  # steps whose lags are held at a time


@dataclass(frozen=True)
class Autoregression:
    """y_{t+1} = sum_p A_p y_{t-p} + B k_{t+1} + c.

    Attributes:
        weight: A, (D, D, P), the oldest lag first.
        known: B, (D, E).
        bias: c, (D,).
    """

    weight: np.ndarray
    known: np.ndarray
    bias: np.ndarray

    @property
    def lags(self) -> int:
        """P."""
        return self.weight.shape[2]

    def one_step(self, values: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
        """Return what each step says of the next one, (T, D); before the first step there were zeros.

        Args:
            values: (T, D).
            known: of each step after these, (T, E), or None.
        """
        said = np.tile(self.bias, (len(values), 1))
        if known is not None:
            said += known @ self.known.T
        if self.lags:
            said += lagged(values, self.lags) @ self.weight.transpose(2, 1, 0).reshape(-1, self.weight.shape[0])
        return said

    def forecast(self, values: np.ndarray, horizon: int, known: np.ndarray | None = None) -> np.ndarray:
        """Return H steps ahead with its own output fed back, (B, H, D).

        Args:
            values: the last steps, (B, T, D), T at least P.
            horizon: H.
            known: of the H steps, (B, H, E), or None.
        """
        recent = values[:, values.shape[1] - self.lags :] if self.lags else values[:, :0]
        steps = []
        for step in range(horizon):
            said = np.einsum("bpd,odp->bo", recent, self.weight) + self.bias
            if known is not None:
                said = said + known[:, step] @ self.known.T
            steps.append(said)
            recent = np.concatenate([recent, said[:, None]], axis=1)[:, 1:] if self.lags else recent
        return np.stack(steps, axis=1)


def lagged(values: np.ndarray, lags: int) -> np.ndarray:
    """Return for each step the last P steps, the oldest first, (T, P D); zeros before the first."""
    padded = np.concatenate([np.zeros((lags - 1, values.shape[1])), values])
    windows = np.lib.stride_tricks.sliding_window_view(padded, lags, axis=0)  # (T, D, P)
    return windows.transpose(0, 2, 1).reshape(len(values), -1)


def fit_autoregression(
    series: Sequence[np.ndarray], lags: int, known: Sequence[np.ndarray] | None = None, *, penalty: float = 1e-4
) -> Autoregression:
    """Solve the least squares problem of one step ahead, over all series.

    Args:
        series: standardised, (T, D) each.
        lags: P. The first P - 1 steps of a series, which lack lags, are left out where others are left.
        known: of each step of each series, (T, E), or None.
        penalty: lambda of lambda n |A|^2, n the number of steps; the bias is free.

    Raises:
        DataError: no series has a step after its first.
    """
    channels = series[0].shape[1]
    extra = 0 if known is None else known[0].shape[1]
    size = lags * channels + extra + 1
    gram, moment, count = np.zeros((size, size)), np.zeros((size, channels)), 0
    skip = max(lags - 1, 0)
    skip = skip if any(len(row) > skip + 1 for row in series) else 0
    for number, row in enumerate(series):
        values = np.asarray(row, dtype=np.float64)
        for start in range(skip, len(values) - 1, ROWS):
            stop = min(start + ROWS, len(values) - 1)
            first = max(start - lags + 1, 0)
            parts = [lagged(values[first:stop], lags)[start - first :]] if lags else []
            if known is not None:
                parts.append(np.asarray(known[number], dtype=np.float64)[start + 1 : stop + 1])
            inputs = np.concatenate([*parts, np.ones((stop - start, 1))], axis=1)
            gram += inputs.T @ inputs
            moment += inputs.T @ values[start + 1 : stop + 1]
            count += stop - start
    if not count:
        raise DataError("no series has a step after its first: there is nothing to learn")
    ridge = np.full(size, penalty * count)
    ridge[-1] = 1e-12 * count
    solution = np.linalg.solve(gram + np.diag(ridge), moment)
    weight = solution[: lags * channels].reshape(lags, channels, channels).transpose(2, 1, 0)
    return Autoregression(weight, solution[lags * channels : -1].T, solution[-1])


def find_period(series: Sequence[np.ndarray], longest: int = LONGEST) -> int:
    """Return the period of series in steps: the lag of the clearest peak of their auto-correlation; 1 if there is none.

    Args:
        series: (T, D) each.
        longest: lag that is looked at, at most a third of the longest series.
    """
    limit = min(longest, max(len(row) for row in series) // 3)
    if limit < 3:
        return 1
    total, weight = np.zeros(limit + 1), 0.0
    for row in series:
        if len(row) <= 3 * limit // 2:
            continue
        centred = row - row.mean(axis=0)
        spectrum = np.fft.rfft(centred, 2 * len(row), axis=0)
        correlation = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[: limit + 1]
        power = correlation[0]
        alive = power > 0
        if alive.any():
            lags = np.arange(limit + 1)
            unbiased = correlation[:, alive] / power[alive] * (len(row) / (len(row) - lags))[:, None]
            total += unbiased.mean(axis=1) * len(row)
            weight += len(row)
    if not weight:
        return 1
    found = total / weight
    peaks = [lag for lag in range(2, limit) if found[lag] > found[lag - 1] and found[lag] >= found[lag + 1]]
    below = np.minimum.accumulate(found)
    # A peak counts by how far it rises from the valley before it: a slow trend has none.
    risen = [(found[lag], lag) for lag in peaks if found[lag] > CLEAR and found[lag] - below[lag] > CLEAR]
    if not risen:
        return 1
    best = max(value for value, _ in risen)
    return next(lag for value, lag in risen if value > 0.9 * best)  # of a season and its multiples the shortest
