"""From frames to what a network reads: fitted on training data, saved, and the same for every later sequence.

Axis letters: n sequences, N steps of all together, D channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.data.frames import Frames, first_infinite
from seqwise.data.rates import resampled
from seqwise.errors import ConfigurationError, DataError
from seqwise.models.frame_settings import FrameSettings
from seqwise.models.spectra import Spectrum, slopes
from seqwise.text.ragged import offsets_of

LOWEST_SOUND = 2000.0  # steps a second from which one channel is taken for sound
FURTHEST = 10.0  # deviations from the median, where normalisation is robust
CHUNK = 2**20  # steps whose sums are taken at once


class FrameFeatures:
    """Frames as a network reads them; see `FrameSettings` for what is done.

    Args:
        settings: "auto" is decided in `fit`.

    Attributes:
        settings: with "auto" decided once fitted.
        rate: steps a second of the training data (after resampling, before spectra), or None.
        channels: D of the frames that are given.
        size: numbers of a resulting step.
        reduction: how many given steps a resulting one stands for.
    """

    def __init__(self, settings: FrameSettings | None = None) -> None:
        self.settings = settings or FrameSettings()
        self.rate: float | None = None
        self.names: tuple[str, ...] | None = None
        self.channels = 0
        self._fill = self._mean = self._deviation = np.empty(0, np.float32)

    def fit(self, frames: Iterable[Any]) -> FrameFeatures:
        """Learn rate, channels, means and deviations from training data.

        Args:
            frames: `Frames`, or arrays (T, D).

        Raises:
            DataError: a channel has no number at all, or a number is infinite, or missing and `missing` is "refuse".
            ConfigurationError: spectra are wanted, and the frames have several channels or no known rate.
        """
        self._fit(Frames.from_rows(frames))
        return self

    def fit_encode(self, frames: Iterable[Any]) -> Frames:
        """Fit on frames and return them encoded; the work is done once."""
        return self._shortened(self._fit(Frames.from_rows(frames)))

    def encode(self, frames: Iterable[Any]) -> Frames:
        """Return frames as a network reads them: no number is missing, every sequence has at least one step.

        Args:
            frames: `Frames`, or arrays (T, D).

        Raises:
            DataError: another number of channels than in training, a sequence without steps, or a number that is infinite,
                or missing and `missing` is "refuse"; names the sequence, counted from 1.
        """
        if not self.channels:
            raise ValueError("the features are not fitted")
        return self._shortened(self._normalised(self._described(self._complete(Frames.from_rows(frames)))))

    @property
    def size(self) -> int:
        """Numbers of a resulting step."""
        described = self.channels if self._spectrum is None else self._spectrum.size
        return described * (1 + self.settings.deltas) * self.settings.stack

    @property
    def reduction(self) -> int:
        """How many given steps a resulting one stands for."""
        return self.settings.stride * (1 if self._spectrum is None else self._spectrum.hop)

    def note(self, frames: Frames) -> str | None:
        """A sentence on what encoding does to these frames that a person should know, or None."""
        if not self._resamples(frames):
            return None
        return f"The frames have {frames.rate:g} steps a second and were resampled to {self.rate:g}."

    def gaps(self, frames: Frames) -> str | None:
        """A sentence on the numbers that are missing, or None."""
        missing = int(np.isnan(frames.values).sum())
        if not missing:
            return None
        taken = {"previous": "the step before, or the mean where there is none", "mean": "the mean of their channel"}
        of = taken[self.settings.missing]
        return f"{missing:,} of {frames.values.size:,} numbers are missing and are taken from {of}."

    def sentence(self) -> str:
        """Say what a network reads."""
        settings, spectrum = self.settings, self._spectrum
        if spectrum is None:
            said = f"{self.channels} channel{'s' * (self.channels != 1)}"
        else:
            kinds = f"logarithms of the energies of {settings.bands} mel bands"
            if spectrum.coefficients is not None:
                kinds = f"{settings.coefficients} mel-frequency cepstral coefficients of {settings.bands} bands"
            window, hop = (1000 * steps / spectrum.rate for steps in (spectrum.window, spectrum.hop))
            said = f"{kinds}, of {window:g} ms every {hop:g} ms at {spectrum.rate:,.0f} Hz"
        said += {0: "", 1: ", with their slopes", 2: ", with their slopes and the slopes of these"}[settings.deltas]
        by = {
            "channel": "with the training data's mean and deviation",
            "robust": "with the training data's median and quartiles",
            "sequence": "with mean and deviation of its sequence",
        }
        normalised = f"; each normalised {by[settings.normalise]}" if settings.normalise != "none" else ""
        stacked = f"; {settings.stack} steps are read as one" if settings.stack > 1 else ""
        thinned = f"; one in {settings.stride} is read" if settings.stride > 1 else ""
        return f"A step is {said}{normalised}{stacked}{thinned}."

    def to_dict(self) -> dict[str, Any]:
        """Return what the model folder keeps."""
        return {
            "settings": self.settings.model_dump(),
            "rate": self.rate,
            "channels": self.channels,
            "names": None if self.names is None else list(self.names),
            "fill": self._fill.tolist(),
            "mean": self._mean.tolist(),
            "deviation": self._deviation.tolist(),
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> FrameFeatures:
        """Return the features that `to_dict` described.

        Raises:
            DataError: they are damaged.
        """
        features = cls(FrameSettings.model_validate(saved["settings"]))
        features.rate, features.channels = saved["rate"], int(saved["channels"])
        features.names = None if saved["names"] is None else tuple(map(str, saved["names"]))
        features._fill, features._mean, features._deviation = (
            np.asarray(saved[name], dtype=np.float32) for name in ("fill", "mean", "deviation")
        )
        size = features.size // features.settings.stack
        shapes = [array.shape for array in (features._fill, features._mean, features._deviation)]
        if shapes != [(features.channels,), (size,), (size,)] or not (features._deviation > 0).all():
            raise DataError("the saved means and deviations do not fit the channels")
        return features

    @property
    def _spectrum(self) -> Spectrum | None:
        settings = self.settings
        if settings.features not in ("log_mel", "mfcc") or self.rate is None:
            return None
        return Spectrum(
            rate=self.rate,
            window=round(settings.window * self.rate),
            hop=round(settings.hop * self.rate),
            bands=settings.bands,
            coefficients=settings.coefficients if settings.features == "mfcc" else None,
        )

    def _fit(self, frames: Frames) -> Frames:
        """Learn what is to be learned; return the frames normalised."""
        if not len(frames):
            raise DataError("there are no frames to learn from")
        self._decide(frames)
        self._fill = self._means(frames)
        described = self._described(self._complete(frames))
        self._mean = np.zeros(described.channels, np.float32)
        self._deviation = np.ones(described.channels, np.float32)
        if self.settings.normalise in ("channel", "robust"):
            learn = _moments if self.settings.normalise == "channel" else _quartiles
            self._mean, self._deviation = learn(described.values)
        return self._normalised(described)

    def _decide(self, frames: Frames) -> None:
        self.channels, self.names = frames.channels, frames.names
        self.settings = decided(self.settings, frames)
        self.rate = self.settings.rate
        assert self.size  # a window or a hop that does not go with the rate is refused here

    def _means(self, frames: Frames) -> NDArray[np.float32]:
        """(D,) means of the numbers that are there."""
        present = ~np.isnan(frames.values)
        counts = present.sum(axis=0)
        if len(empty := np.flatnonzero(counts == 0)):
            name = f" ({self.names[empty[0]]})" if self.names is not None else ""
            raise DataError(f"channel {empty[0] + 1}{name} of the frames has no number at all")
        sums = np.zeros(frames.channels)
        for start in range(0, len(frames.values), CHUNK):
            part = slice(start, start + CHUNK)
            sums += np.where(present[part], frames.values[part], 0).sum(axis=0, dtype=np.float64)
        return (sums / counts).astype(np.float32)

    def _complete(self, frames: Frames) -> Frames:
        """Check frames, fill in what is missing, and bring them to the rate of the training data."""
        if frames.channels != self.channels:
            given, known = (f"{count} channel{'s' * (count != 1)}" for count in (frames.channels, self.channels))
            raise DataError(f"the frames have {given}, and the model was trained on {known}")
        if len(empty := np.flatnonzero(frames.lengths == 0)):
            raise DataError(f"sequence {empty[0] + 1} has no step")
        if (place := first_infinite(frames)) is not None:
            raise DataError(f"sequence {place[0] + 1} holds an infinite number, at step {place[1] + 1}")
        missing = np.isnan(frames.values)
        if missing.any():
            frames = replace(frames, values=self._filled(frames, missing))
        return self._resampled(frames) if self._resamples(frames) else frames

    def _filled(self, frames: Frames, missing: NDArray[np.bool_]) -> NDArray[np.float32]:
        if self.settings.missing == "refuse":
            step = int(np.argwhere(missing)[0][0])
            row = int(np.searchsorted(frames.offsets, step, side="right")) - 1
            raise DataError(
                f"sequence {row + 1} misses a number at step {step - frames.offsets[row] + 1}; frames.missing is 'refuse'"
            )
        if self.settings.missing == "mean":
            return np.where(missing, self._fill, frames.values)
        # The last step, of the same sequence, at which the channel has a number; before the first one the mean stands in.
        places = np.where(missing, -1, np.arange(len(missing))[:, None])
        last = np.maximum.accumulate(places, axis=0)
        begins = np.repeat(frames.offsets[:-1], frames.lengths)[:, None]
        known = np.take_along_axis(frames.values, np.maximum(last, 0), axis=0)
        return np.where(last >= begins, known, self._fill)

    def _resamples(self, frames: Frames) -> bool:
        return frames.rate is not None and self.rate is not None and frames.rate != self.rate

    def _resampled(self, frames: Frames) -> Frames:
        assert frames.rate is not None
        assert self.rate is not None
        rows = [resampled(row, frames.rate, self.rate) for row in frames]
        return replace(
            frames, values=np.concatenate(rows), offsets=offsets_of([len(row) for row in rows]), rate=self.rate
        )

    def _described(self, frames: Frames) -> Frames:
        """Spectra and slopes."""
        spectrum = self._spectrum
        if spectrum is not None:
            offsets = offsets_of(spectrum.steps(frames.lengths))
            frames = Frames(spectrum(frames.values[:, 0], frames.offsets), offsets)
        parts = [frames.values]
        for _ in range(self.settings.deltas):
            parts.append(slopes(parts[-1], frames.offsets))
        return replace(frames, values=np.concatenate(parts, axis=1), names=None) if len(parts) > 1 else frames

    def _normalised(self, frames: Frames) -> Frames:
        match self.settings.normalise:
            case "channel":
                return replace(frames, values=(frames.values - self._mean) / self._deviation)
            case "robust":
                scaled = (frames.values - self._mean) / self._deviation
                return replace(frames, values=np.clip(scaled, -FURTHEST, FURTHEST))
            case "sequence":
                rows = []
                for row in frames:
                    mean, deviation = _moments(row)
                    rows.append((row - mean) / deviation)
                return replace(frames, values=np.concatenate(rows))
        return frames

    def _shortened(self, frames: Frames) -> Frames:
        """Stacked, thinned out, and cut to the longest that is wanted."""
        settings = self.settings
        lengths = frames.lengths
        kept = np.minimum(-(-lengths // settings.stride), settings.max_length or np.iinfo(np.int64).max)
        if settings.stack == 1 and (kept == lengths).all():
            return replace(frames, names=None)
        offsets = offsets_of(kept)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], kept)
        begins, last = np.repeat(frames.offsets[:-1], kept), np.repeat(frames.offsets[1:] - 1, kept)
        # Behind the end of a sequence its last step is repeated.
        places = [np.minimum(begins + within * settings.stride + ahead, last) for ahead in range(settings.stack)]
        values = np.concatenate([frames.values[place] for place in places], axis=1)
        return Frames(values, offsets, notes=frames.notes)


def decided(settings: FrameSettings, frames: Frames) -> FrameSettings:
    """Settings with "auto" and the rate decided by training data.

    Raises:
        ConfigurationError: spectra are wanted, and the frames have several channels or no known rate.
    """
    channels, rate, chosen = frames.channels, settings.rate or frames.rate, settings.features
    if chosen == "auto":
        chosen = "log_mel" if channels == 1 and rate is not None and rate >= LOWEST_SOUND else "none"
    elif chosen != "none" and channels != 1:
        raise ConfigurationError(
            f"frames.features {chosen} is for one channel of sound, and the frames have {channels} channels"
        )
    elif chosen != "none" and rate is None:
        raise ConfigurationError(
            f"frames.features {chosen} needs the number of steps a second, which the data do not tell: set frames.rate"
        )
    return settings.model_copy(update={"features": chosen, "rate": rate})


def _moments(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and deviation of every channel of (N, D), each (D,); the deviation of a constant channel is 1."""
    count = len(values)
    chunks = [values[start : start + CHUNK] for start in range(0, count, CHUNK)]
    mean = sum((chunk.sum(axis=0, dtype=np.float64) for chunk in chunks), np.zeros(values.shape[1])) / count
    squares = sum((np.square(chunk - mean).sum(axis=0) for chunk in chunks), np.zeros(values.shape[1]))
    deviation = np.sqrt(squares / count)
    constant = deviation <= 1e-6 * np.abs(mean)  # of a channel that does not vary only rounding is left
    return mean.astype(np.float32), np.where(constant | (deviation == 0), 1.0, deviation).astype(np.float32)


def _quartiles(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Median of every channel of (N, D), and the deviation of a normal distribution with its quartiles, each (D,)."""
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
    deviation = (high - low) / 1.349
    return median.astype(np.float32), np.where(deviation > 0, deviation, 1.0).astype(np.float32)
