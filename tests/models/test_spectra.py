"""Spectra against NumPy and SciPy: a Fourier transform written as a product, SciPy's cosine transform, slopes by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import dct
from scipy.signal import get_window

from seqwise.errors import ConfigurationError
from seqwise.models.spectra import FLOOR, Spectrum, mel_filters, slopes
from seqwise.text.ragged import offsets_of
from tolerances import assert_close

RATE, WINDOW, HOP, BANDS = 8000.0, 200, 80, 23


@pytest.fixture
def sounds() -> list[np.ndarray]:
    random = np.random.default_rng(11)
    return [random.uniform(-1, 1, size).astype(np.float32) for size in (1, 79, 80, 81, 500, 1234)]


def reference(sound: np.ndarray, coefficients: int | None) -> np.ndarray:
    """One sound, step by step, in float64."""
    steps = int(np.ceil(len(sound) / HOP))
    padded = np.concatenate([sound.astype(np.float64), np.zeros(WINDOW + HOP)])
    angles = np.outer(np.arange(129), np.arange(WINDOW)) * 2 * np.pi / 256
    transform = np.exp(-1j * angles)
    mel = lambda f: 2595 * np.log10(1 + f / 700)  # noqa: E731
    hertz = lambda m: 700 * (10 ** (m / 2595) - 1)  # noqa: E731
    corners = [hertz(mel(4000) * i / (BANDS + 1)) for i in range(BANDS + 2)]
    rows = []
    for step in range(steps):
        windowed = padded[step * HOP : step * HOP + WINDOW] * get_window("hann", WINDOW)
        power = np.abs(transform @ windowed) ** 2
        energies = []
        for low, middle, high in zip(corners, corners[1:], corners[2:], strict=False):
            weights = [
                (f - low) / (middle - low)
                if low < f <= middle
                else (high - f) / (high - middle)
                if middle < f < high
                else 0
                for f in np.arange(129) * RATE / 256
            ]
            energies.append(np.dot(weights, power))
        logs = np.log(np.maximum(energies, FLOOR))
        rows.append(logs if coefficients is None else dct(logs, type=2, norm="ortho")[:coefficients])
    return np.array(rows)


@pytest.mark.parametrize("coefficients", [None, 13, BANDS])
def test_spectra_are_those_of_a_direct_transform(sounds: list[np.ndarray], coefficients: int | None) -> None:
    spectrum = Spectrum(RATE, WINDOW, HOP, BANDS, coefficients)
    assert spectrum.transform == 256
    found = spectrum(np.concatenate(sounds), offsets_of([len(sound) for sound in sounds]))
    expected = np.concatenate([reference(sound, coefficients) for sound in sounds])
    assert_close(torch.from_numpy(found), torch.from_numpy(expected), dtype=torch.float32)


def test_a_sound_has_the_same_spectrum_in_any_company(
    sounds: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    spectrum = Spectrum(RATE, WINDOW, HOP, BANDS)
    offsets = offsets_of([len(sound) for sound in sounds])
    together = spectrum(np.concatenate(sounds), offsets)
    monkeypatch.setattr("seqwise.models.spectra.SAMPLES_AT_ONCE", 90)
    np.testing.assert_allclose(spectrum(np.concatenate(sounds), offsets), together, rtol=1e-5, atol=1e-5)
    alone = np.concatenate([spectrum(sound, offsets_of([len(sound)])) for sound in sounds])
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-5)


def test_a_tone_is_in_the_band_of_its_pitch() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(4000) / RATE).astype(np.float32)
    spectrum = Spectrum(RATE, WINDOW, HOP, BANDS)
    band = spectrum(tone, offsets_of([4000]))[10].argmax()
    corners = np.linspace(0, 2595 * np.log10(1 + 4000 / 700), BANDS + 2)
    assert corners[band] < 2595 * np.log10(1 + 1000 / 700) < corners[band + 2]


def test_every_band_has_a_bin() -> None:
    assert not mel_filters(RATE, 256, 128).any(axis=1).all()  # too narrow for so short a transform
    assert Spectrum(RATE, WINDOW, HOP, 128).filters.any(1).all()


def test_slopes_are_those_of_a_regression() -> None:
    values = np.random.default_rng(2).normal(size=(9, 2)).astype(np.float32)
    found = slopes(values, offsets_of([6, 3]))
    expected = []
    for part in (values[:6], values[6:]):
        edged = np.pad(part, ((2, 2), (0, 0)), mode="edge")
        expected += [np.polyfit(np.arange(-2, 3), edged[i : i + 5], 1)[0] for i in range(len(part))]
    assert_close(torch.from_numpy(found), torch.tensor(np.array(expected)), dtype=torch.float32)


def test_numbers_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"frames\.coefficients"):
        Spectrum(RATE, WINDOW, HOP, 10, 13)
    with pytest.raises(ConfigurationError, match=r"frames\.hop is 0"):
        Spectrum(50.0, 1, 0, 10)
