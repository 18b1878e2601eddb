from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqwise.training import TrainingSettings
from seqwise.training.schedule import rate_factor


def test_cosine_is_torchs_cosine():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    expected = []
    for _ in range(20):
        expected.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    ours = [rate_factor(TrainingSettings(schedule="cosine"), step / 20) for step in range(20)]
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_one_cycle_is_torchs_one_cycle():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    # torch's phases end on whole steps: 0.3 * 101 - 1 and 101 - 1. Its lowest rate is not quite 0.
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=101, cycle_momentum=False, pct_start=31 / 101, final_div_factor=1e9
    )
    expected = []
    for _ in range(101):
        expected.append(scheduler.get_last_lr()[0])
        optimizer.step()
        if len(expected) < 101:
            scheduler.step()
    ours = [rate_factor(TrainingSettings(schedule="one_cycle"), step / 100) for step in range(101)]
    np.testing.assert_allclose(ours, expected, atol=1e-8)


@pytest.mark.parametrize(
    ("schedule", "progress", "factor"),
    [("constant", 0.9, 1), ("linear", 0.0, 1), ("linear", 0.25, 0.75), ("linear", 1, 0), ("cosine", 0.5, 0.5)],
)
def test_known_points(schedule, progress, factor):
    assert rate_factor(TrainingSettings(schedule=schedule), progress) == pytest.approx(factor)


@given(
    schedule=st.sampled_from(["constant", "cosine", "one_cycle", "linear"]),
    warmup=st.none() | st.floats(0, 0.99),
    progress=st.floats(-1, 2),
)
def test_every_schedule_stays_between_zero_and_one(schedule, warmup, progress):
    factor = rate_factor(TrainingSettings(schedule=schedule, warmup=warmup), progress)
    assert -1e-12 <= factor <= 1 + 1e-12


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle", "linear"])
def test_the_rate_peaks_at_the_end_of_the_warmup(schedule):
    settings = TrainingSettings(schedule=schedule, warmup=0.25)
    assert rate_factor(settings, 0.25) == pytest.approx(1)
    assert rate_factor(settings, 0.1) < rate_factor(settings, 0.2) < 1
