"""The learning rate over a run, as a pure function of how much of the run is over."""

from __future__ import annotations

import math

from seqwise.training.settings import TrainingSettings

_ONE_CYCLE_WARMUP = 0.3  # the shares and the starting divisor of Smith and Topin 2018, as torch's OneCycleLR has them
_ONE_CYCLE_START = 1 / 25


def rate_factor(settings: TrainingSettings, progress: float) -> float:
    """What the base learning rate is multiplied by.

    * constant: 1 after the warm-up
    * linear: falls in a straight line to 0
    * cosine: falls along half a cosine to 0 (Loshchilov and Hutter 2017)
    * one_cycle: rises along a cosine from 1/25 to 1, then falls along one to 0 (Smith and Topin 2018)

    Progress instead of a step number: a time budget stretches or squeezes the same curve.

    Args:
        settings: `schedule` and `warmup` are read.
        progress: share of the run that is over, 0 to 1.
    """
    one_cycle = settings.schedule == "one_cycle"
    warmup = settings.warmup if settings.warmup is not None else _ONE_CYCLE_WARMUP if one_cycle else 0.0
    progress = min(max(progress, 0.0), 1.0)
    if progress < warmup:
        risen = progress / warmup
        return _ONE_CYCLE_START + (1 - _ONE_CYCLE_START) * (1 - math.cos(math.pi * risen)) / 2 if one_cycle else risen
    fallen = (progress - warmup) / (1 - warmup)
    if settings.schedule == "constant":
        return 1.0
    if settings.schedule == "linear":
        return 1 - fallen
    return (1 + math.cos(math.pi * fallen)) / 2
