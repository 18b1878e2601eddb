"""Spectra of sounds: frames, Hann window, power of the Fourier transform, mel bands, logarithm, cosine transform.

Axis letters: n sounds, S samples of one, F steps of all spectra together, W samples of a window, K bins of the Fourier
transform, M mel bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from seqwise.errors import ConfigurationError
from seqwise.text.ragged import offsets_of

FLOOR = 1e-8  # of a band's energy, where full scale is 1: the rounding of 16-bit samples has about as much
SAMPLES_AT_ONCE = 2**20
LARGEST_TRANSFORM = 2**16


@dataclass(frozen=True)
class Spectrum:
    """How a sound becomes log-mel energies or MFCC.

    Step k is made from the samples from k * hop to before k * hop + window; behind the end of the sound there are zeros. A
    sound of S samples has ceil(S / hop) steps.

    Args:
        rate: samples a second.
        window: W, in samples.
        hop: samples from one step to the next.
        bands: M.
        coefficients: of the cosine transform; None gives the M logarithms themselves.

    Raises:
        ConfigurationError: the numbers do not go together.
    """

    rate: float
    window: int
    hop: int
    bands: int
    coefficients: int | None = None

    def __post_init__(self) -> None:
        if self.hop < 1 or self.window < 2:
            raise ConfigurationError(
                f"at {self.rate:g} steps a second frames.hop is {self.hop} and frames.window {self.window} steps; at least "
                "1 and 2 are needed"
            )
        if self.coefficients is not None and self.coefficients > self.bands:
            raise ConfigurationError(
                f"frames.coefficients ({self.coefficients}) is at most frames.bands ({self.bands})"
            )

    @property
    def size(self) -> int:
        """Numbers of a step."""
        return self.coefficients or self.bands

    def steps(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) steps of sounds of (n,) samples."""
        return -(-samples // self.hop)

    def __call__(self, samples: NDArray[np.float32], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the steps of all sounds, (F, size).

        Args:
            samples: of all sounds, one after the other.
            offsets: (n + 1,) where each begins.
        """
        ends = np.searchsorted(offsets, np.arange(SAMPLES_AT_ONCE, offsets[-1], SAMPLES_AT_ONCE))
        cuts = sorted({0, *ends.tolist(), len(offsets) - 1})
        parts = [np.empty((0, self.size), np.float32)]
        for start, stop in pairwise(cuts):
            some = offsets[start : stop + 1]
            with np.errstate(over="ignore", invalid="ignore"):  # of numbers that no sound has: not a number comes out
                power = self._power(samples[some[0] : some[-1]], some - some[0])
                parts.append(self._described(power))
        return np.concatenate(parts)

    def _power(self, samples: NDArray[np.float32], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the power of every bin of every step, (F, K)."""
        # Each sound gets whole hops, and zeros behind it as long as a window: then every step begins at a multiple of the
        # hop, and one view holds them all.
        lengths = np.diff(offsets)
        steps, tail = self.steps(lengths), -(-self.window // self.hop)
        room = offsets_of(steps + tail)
        line = np.zeros(int(room[-1]) * self.hop, np.float32)
        places = np.repeat(room[:-1] * self.hop - offsets[:-1], lengths) + np.arange(len(samples))
        line[places] = samples
        first = offsets_of(steps)
        wanted = np.repeat(room[:-1] - first[:-1], steps) + np.arange(first[-1])
        frames = sliding_window_view(line, self.window)[:: self.hop][wanted]
        turned: NDArray[Any] = np.fft.rfft(frames * hann_window(self.window), n=self.transform)
        power: NDArray[np.float32] = np.square(turned.real) + np.square(turned.imag)
        return power

    def _described(self, power: NDArray[np.float32]) -> NDArray[np.float32]:
        logarithms = np.log(np.maximum(power @ self.filters.T, np.float32(FLOOR)))
        return logarithms if self.coefficients is None else logarithms @ cosine_matrix(self.bands, self.coefficients).T

    @property
    def transform(self) -> int:
        """Samples of the Fourier transform: a power of two of at least a window, such that no band is without a bin."""
        return _filters(self.rate, self.window, self.bands)[0]

    @property
    def filters(self) -> NDArray[np.float32]:
        """Weight of every bin in every band, (M, K)."""
        return _filters(self.rate, self.window, self.bands)[1]


def mel_of(hertz: float) -> float:
    """The pitch in mel: 2595 log10(1 + f / 700), as HTK has it (O'Shaughnessy 1987)."""
    return float(2595.0 * np.log10(1.0 + hertz / 700.0))


def mel_filters(rate: float, transform: int, bands: int) -> NDArray[np.float64]:
    """Triangles over the bins of a Fourier transform, (M, K).

    Corners lie at equal distances in mel from 0 to half the rate; each triangle rises from 0 to 1 and falls to 0, in hertz
    (HTK; Slaney's are linear up to 1,000 Hz and have equal areas).

    Args:
        rate: samples a second.
        transform: samples of the Fourier transform; K is half of them and one.
        bands: M.
    """
    mels = np.linspace(0.0, mel_of(rate / 2), bands + 2)
    corners = 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    bins = np.fft.rfftfreq(transform, 1 / rate)
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    return np.clip(np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)), 0.0, None)


@cache
def _filters(rate: float, window: int, bands: int) -> tuple[int, NDArray[np.float32]]:
    transform = 1 << (window - 1).bit_length()
    while transform <= LARGEST_TRANSFORM:
        filters = mel_filters(rate, transform, bands)
        if filters.any(axis=1).all():
            return transform, filters.astype(np.float32)
        transform *= 2
    raise ConfigurationError(f"frames.bands ({bands}) is too large: bands between the lowest tones would be empty")


@cache
def hann_window(size: int) -> NDArray[np.float32]:
    """The periodic Hann window, (size,)."""
    window: NDArray[np.float32] = np.square(np.sin(np.pi / size * np.arange(size))).astype(np.float32)
    return window


@cache
def cosine_matrix(size: int, kept: int) -> NDArray[np.float32]:
    """The first rows of the orthonormal cosine transform DCT-II, (kept, size)."""
    angles = np.pi / size * np.outer(np.arange(kept), np.arange(size) + 0.5)
    matrix = np.sqrt(2.0 / size) * np.cos(angles)
    matrix[0] /= np.sqrt(2.0)
    return matrix.astype(np.float32)


def slopes(values: NDArray[np.float32], offsets: NDArray[np.int64], reach: int = 2) -> NDArray[np.float32]:
    """Slope of every channel at every step: the regression over `reach` steps to both sides (HTK's deltas).

    The first and last steps of a sequence stand for those that are not there.

    Args:
        values: (N, D).
        offsets: (n + 1,) where each sequence begins.
        reach: steps to each side.
    """
    lengths = np.diff(offsets)
    first, last = np.repeat(offsets[:-1], lengths), np.repeat(offsets[1:] - 1, lengths)
    places = np.arange(len(values))
    result = np.zeros_like(values)
    for distance in range(1, reach + 1):
        result += distance * (
            values[np.minimum(places + distance, last)] - values[np.maximum(places - distance, first)]
        )
    result /= 2 * sum(distance**2 for distance in range(1, reach + 1))
    return result
