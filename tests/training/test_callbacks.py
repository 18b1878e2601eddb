from __future__ import annotations

import json
import math
import time

import pytest
import torch
from toy_fit import Batches, loss, network, parameters_of, validate

from seqwise.errors import ConfigurationError
from seqwise.training import Callback, TrainingSettings, train


@pytest.fixture(scope="module", autouse=True)
def torch_has_its_optimisers():
    """The first optimiser of a process imports torch's compiler: seconds that are not the fit's."""
    torch.optim.SGD([torch.zeros(1, requires_grad=True)])


def fit(model, *, callbacks=(), validate=None, folder=None, batches=Batches, loss=loss, **settings):
    return train(
        model,
        batches,
        loss,
        settings=TrainingSettings(**settings),
        callbacks=callbacks,
        validate=validate,
        folder=folder,
    )


class Trace(Callback):
    """Remembers the raw weights after every step and epoch, and the learning rates."""

    def __init__(self):
        self.steps, self.epochs, self.rates = [], [], []

    def on_step(self, run):
        self.steps.append(parameters_of(run.model))
        self.rates.append(run.optimizer.param_groups[0]["lr"])

    def on_epoch(self, run, record):
        self.epochs.append(parameters_of(run.model))


def scripted(values, metric="macro_f1"):
    iterator = iter(values)
    return lambda model: {metric: next(iterator)}


def test_patience_counts_epochs_without_improvement():
    history = fit(network(), validate=scripted([0.5, 0.4, 0.6, 0.6, 0.5, 0.9]), patience=2, epochs=6)
    assert history.stopped == "patience"
    assert len(history.epochs) == 5
    assert history.best_epoch == 3


def test_a_lower_log_loss_is_better():
    history = fit(network(), validate=scripted([0.5, 0.3, 0.4], "log_loss"), metric="log_loss", epochs=3)
    assert history.best_epoch == 2


def test_a_metric_that_is_never_a_number_keeps_the_last_weights():
    trace = Trace()
    model = network()
    history = fit(model, validate=scripted([math.nan] * 2), epochs=2, callbacks=[trace])
    assert history.best_epoch is None
    assert torch.equal(parameters_of(model), trace.epochs[-1])


def test_patience_without_a_validation_is_refused():
    with pytest.raises(ConfigurationError, match=r"patience.*validation"):
        fit(network(), patience=3)


def test_ema_is_the_running_average_of_every_step_and_is_what_is_kept():
    trace, seen = Trace(), []

    def look(model):
        seen.append(parameters_of(model))
        return validate(model)

    model = network()
    fit(model, average="ema", average_decay=0.8, epochs=2, metric="accuracy", validate=look, callbacks=[trace])
    average = trace.steps[0].double()
    for count, weights in enumerate(trace.steps[1:], start=2):
        average = average + (1 - min(0.8, (1 + count) / (10 + count))) * (weights.double() - average)
    torch.testing.assert_close(seen[-1].double(), average, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(seen[-1], trace.steps[-1])
    assert any(torch.equal(parameters_of(model), weights) for weights in seen)


def test_validating_the_average_does_not_disturb_the_raw_weights():
    plain, averaged = Trace(), Trace()
    fit(network(), epochs=3, metric="accuracy", validate=validate, callbacks=[plain])
    fit(network(), epochs=3, metric="accuracy", validate=validate, callbacks=[averaged], average="ema")
    assert torch.equal(plain.steps[-1], averaged.steps[-1])


def test_swa_is_the_mean_over_the_epoch_ends_of_the_second_half():
    trace, model = Trace(), network()
    fit(model, average="swa", epochs=6, callbacks=[trace])
    torch.testing.assert_close(parameters_of(model), torch.stack(trace.epochs[2:]).mean(0))


def test_full_batch_descent_averages_once_an_epoch():
    trace, model = Trace(), network()
    fit(
        model,
        average="ema",
        average_decay=0.5,
        optimizer="gradient_descent",
        learning_rate=1.0,
        epochs=2,
        callbacks=[trace],
    )
    first, second = trace.epochs
    torch.testing.assert_close(parameters_of(model), first + (1 - 3 / 12) * (second - first))


def test_the_history_has_one_json_line_an_epoch_and_no_nan(tmp_path):
    history = fit(network(), validate=scripted([0.5, math.nan, 0.7]), epochs=3, folder=tmp_path)
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    records = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert [record["validation"]["macro_f1"] for record in records] == [0.5, None, 0.7]
    assert records[0] == history.epochs[0]


def slow_validation(model):
    time.sleep(0.15)
    return validate(model)


def slow_loss(model, batch):
    time.sleep(0.01)
    return loss(model, batch)


@pytest.mark.parametrize("size", [1, 48])
def test_a_time_budget_ends_well_in_time_and_the_schedule_with_it(size):
    trace = Trace()
    start = time.monotonic()
    history = fit(
        network(),
        batches=lambda epoch: Batches(epoch, size),
        loss=slow_loss,
        validate=slow_validation,
        metric="accuracy",
        epochs=10_000,
        time_budget=2,
        schedule="linear",
        callbacks=[trace],
    )
    assert time.monotonic() - start < 2
    assert history.seconds > 1.2  # it is used, too
    assert history.stopped == "time"
    assert history.epochs[-1]["validation"]
    assert trace.rates[-1] < 0.25 * trace.rates[0]
    assert all(later <= earlier for earlier, later in zip(trace.rates, trace.rates[1:], strict=False))


def test_a_budget_that_a_validation_alone_uses_up_still_ends_in_time():
    start = time.monotonic()
    history = fit(network(), validate=slow_validation, metric="accuracy", epochs=10_000, time_budget=0.3)
    assert time.monotonic() - start < 0.6
    assert history.stopped == "time"
    assert history.epochs == []


def test_a_budget_that_is_not_needed_changes_nothing():
    models = [network(), network()]
    for model, budget in zip(models, (None, "1h"), strict=True):
        fit(model, epochs=2, schedule="cosine", time_budget=budget)
    assert torch.equal(parameters_of(models[0]), parameters_of(models[1]))
