"""Another number of steps a second."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from seqwise.errors import DataError

LARGEST_FACTOR = 1000  # up or down


def resampled(steps: NDArray[np.float32], rate: float, wanted: float) -> NDArray[np.float32]:
    """Samples (S,) or steps (S, D) at another rate, by a polyphase filter (SciPy's `resample_poly`).

    Raises:
        DataError: the rates are too far from each other.
    """
    if rate == wanted:
        return steps
    from scipy.signal import resample_poly

    ratio = Fraction(wanted / rate).limit_denominator(LARGEST_FACTOR)
    if not ratio or ratio > LARGEST_FACTOR:
        raise DataError(f"{rate:g} steps a second cannot be resampled to {wanted:g}")
    return np.asarray(resample_poly(steps, ratio.numerator, ratio.denominator, axis=0), dtype=np.float32)
