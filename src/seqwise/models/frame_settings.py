"""The configuration section `frames`: how sequences of numbers become what a network reads."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FRAME_FEATURES = Literal["auto", "none", "log_mel", "mfcc"]


class FrameSettings(BaseModel):
    """What is computed from frames, in this order: missing numbers, rate, spectra, deltas, normalisation, stacking, limit.

    Attributes:
        features: "none" takes the frames as they are; "log_mel" (logarithms of the energies of mel bands) and "mfcc" (their
            cosine transform) are for sound, that is one channel. "auto": "log_mel" for one channel of 2,000 steps a second
            or more, otherwise "none".
        rate: steps a second; null is what the data say. Data of another rate are resampled to it.
        window: of a spectrum, in seconds.
        hop: from one spectrum to the next, in seconds.
        bands: mel bands, from 0 to half the rate.
        coefficients: of "mfcc", the zeroth among them.
        deltas: 1 adds the slopes of all channels over five steps, 2 also the slopes of these.
        normalise: "channel" subtracts the mean of the training data and divides by their deviation, channel by channel;
            "robust" subtracts their median, divides by the deviation that their quartiles tell of, and keeps what is further
            than 10 of these from zero at 10, for signals with senseless spikes; "sequence" uses mean and deviation of each
            sequence, "none" leaves the numbers as they are.
        missing: a number that is missing is taken from the step before ("previous"; the training data's mean of the channel
            where there is none), from that mean ("mean"), or is an error ("refuse").
        stack: so many successive steps are read as one.
        stride: of the resulting steps every so manieth is kept, from the first on.
        max_length: steps that are kept in the end, from the first on; null keeps all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: FRAME_FEATURES = "auto"
    rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    window: float = Field(default=0.025, gt=0, le=1)
    hop: float = Field(default=0.010, gt=0, le=1)
    bands: int = Field(default=40, ge=2, le=256)
    coefficients: int = Field(default=13, ge=1, le=256)
    deltas: Literal[0, 1, 2] = 0
    normalise: Literal["channel", "robust", "sequence", "none"] = "channel"
    missing: Literal["previous", "mean", "refuse"] = "previous"
    stack: int = Field(default=1, ge=1, le=100)
    stride: int = Field(default=1, ge=1, le=100)
    max_length: int | None = Field(default=None, ge=1)
