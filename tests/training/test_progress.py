from __future__ import annotations

import sys

import pytest
from toy_fit import Batches, loss, network, validate

from seqwise.training import Progress, TrainingSettings, train
from seqwise.training.progress import clock


def fit(progress, **settings):
    settings = TrainingSettings(**{"epochs": 2, "metric": "accuracy", **settings})
    train(network(), Batches, loss, settings=settings, validate=validate, callbacks=[progress])


def test_without_a_terminal_it_is_quiet(capsys):
    fit(Progress())
    assert capsys.readouterr() == ("", "")


def test_verbose_without_a_terminal_prints_one_line_an_epoch_on_standard_error(capsys):
    fit(Progress(verbose=True))
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert "accuracy 0." in lines[0]
    assert "best so far" in lines[0]


def test_on_a_terminal_the_bar_shows_loss_metric_and_remaining_time(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    shown = []
    progress = Progress()
    original = progress.on_step

    def look(run):
        original(run)
        shown.append(progress._bar.tasks[0].fields["text"])

    monkeypatch.setattr(progress, "on_step", look)
    fit(progress)
    out, err = capsys.readouterr()
    assert out == ""
    assert "training" in err
    assert shown[0].startswith("loss ")
    assert shown[0].endswith(" left")
    assert "accuracy" in shown[-1]
    assert progress._bar is None


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0:00"), (7, "0:07"), (750, "12:30"), (3723, "1:02:03")])
def test_durations_read_like_a_clock(seconds, text):
    assert clock(seconds) == text
