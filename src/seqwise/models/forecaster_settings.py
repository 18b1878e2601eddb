"""The configuration section `model` of a forecaster."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seqwise.models.encoder_settings import EncoderSettings


class ForecasterSettings(EncoderSettings):
    """What comes next in a series: y_t = f(x_t, y_{t-1}), its own output in place of y_{t-1} where data end.

    A linear auto-regression over the last steps, which one solver call fits, and an encoder whose numbers are added to it:
    the model starts as the linear one, and learns what that one leaves.

    Attributes:
        encoder: see `EncoderSettings`, as the others that are not here.
        bidirectional: only false: what comes next is not known.
        lags: steps that the linear part looks back; 0: there is no linear part.
        penalty: of the linear part's squared weights, for each training step; its inputs are standardised.
        difference: what is learned is the difference from so many steps before (1: from the last one; a period: from the
            same place in the last period); 0: the series itself.
        window: steps that training reads at a time, and that a forecast needs at least to be at its best.
        horizon: steps ahead for which forecasts are evaluated and intervals are measured.
        period: steps of a season, for the seasonal baseline and the scale of errors; null: it is found.
        rollout: steps at the end of each window that training also forecasts from the model's own output, as `predict` does,
            and learns from; below `window`. 0: training is all teacher forcing, one step ahead of what really came.
        loss: of the step ahead: "squared", "absolute" or "huber".
        delta: of "huber", in standard deviations.
    """

    bidirectional: bool = False
    hidden_size: int = Field(default=64, ge=1)
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    lags: int = Field(default=16, ge=0, le=10_000)
    penalty: float = Field(default=1e-4, ge=0, allow_inf_nan=False)
    difference: int = Field(default=0, ge=0, le=100_000)
    window: int = Field(default=128, ge=2)
    horizon: int = Field(default=16, ge=1, le=10_000)
    period: int | None = Field(default=None, ge=1)
    rollout: int = Field(default=0, ge=0, le=1000)
    loss: Literal["squared", "absolute", "huber"] = "squared"
    delta: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _only_what_is_known(self) -> Self:
        if self.bidirectional:
            raise ValueError("bidirectional: a forecast cannot read a series from its end; leave it false")
        if self.rollout >= self.window:
            raise ValueError(f"rollout is below window, got {self.rollout} and {self.window}")
        if self.delta is not None and self.loss != "huber":
            raise ValueError(f"delta is a parameter of the loss huber, not of {self.loss}")
        return self

    @property
    def memory(self) -> int:
        """Steps before the first forecast that make a difference to how good it can be."""
        return max(self.window, self.lags) + self.difference
