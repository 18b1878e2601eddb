from __future__ import annotations

import pytest
from pydantic import ValidationError

from seqwise.training import TrainingSettings


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("5m", 300),
        ("1h", 3600),
        ("1h30m", 5400),
        ("0.5m", 30),
        ("45", 45),
        (12, 12),
        (2.5, 2.5),
        (None, None),
    ],
)
def test_a_duration_is_read_as_a_person_writes_it(written, seconds):
    assert TrainingSettings(time_budget=written).time_budget == seconds


@pytest.mark.parametrize("written", ["soon", "5 minutes", "", "m", "-5m", 0, -1, float("inf"), "5m3h"])
def test_what_is_no_duration_is_refused(written):
    with pytest.raises(ValidationError):
        TrainingSettings(time_budget=written)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"optimizer": "lion"},
        {"learning_rate": 0},
        {"learning_rate": float("nan")},
        {"momentum": 1.0},
        {"weight_decay": -0.1},
        {"clip_norm": 0},
        {"clip_value": -1},
        {"schedule": "none"},
        {"warmup": 1.0},
        {"patience": 0},
        {"metric": "f2"},
        {"average": "mean"},
        {"average_decay": 1.0},
        {"precision": "float16"},
        {"device": "tpu"},
        {"seed": -1},
        {"checkpoint_seconds": 0},
        {"learning_rat": 0.1},
    ],
)
def test_values_out_of_range_and_unknown_keys_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        TrainingSettings(**wrong)


@pytest.mark.parametrize(
    "ignored",
    [
        {"momentum": 0.5},
        {"average_decay": 0.9},
        {"select": "last", "patience": 2},
        {"momentum": 0.5, "optimizer": "adam"},
    ],
)
def test_a_setting_that_would_be_ignored_is_refused(ignored):
    with pytest.raises(ValidationError, match=r"belongs to|one of the two"):
        TrainingSettings(**ignored)


def test_settings_survive_the_way_through_json():
    settings = TrainingSettings(time_budget="5m", optimizer="momentum", momentum=0.8, clip_norm=None)
    assert TrainingSettings.model_validate_json(settings.model_dump_json()) == settings
