from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from torch import nn
from toy_fit import INPUTS, TARGETS, Batches, N, loss, network, parameters_of, validate

from seqwise.errors import ConfigurationError, DivergenceError
from seqwise.training import Callback, TrainingSettings, train


def fit(model, *, size=16, noisy=False, **options):
    settings = options.pop("settings", {})
    return train(
        model,
        lambda epoch: Batches(epoch, size, noisy),
        options.pop("loss", loss),
        settings=TrainingSettings(**settings),
        **options,
    )


def test_a_fit_is_the_plain_torch_loop():
    ours, theirs = network(), network()
    settings = {"epochs": 3, "learning_rate": 0.05, "schedule": "linear", "clip_norm": 0.4, "weight_decay": 0.0}
    history = fit(ours, settings=settings)

    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.05)
    norms, losses = [], []
    for epoch in range(3):
        for step, (inputs, targets) in enumerate(Batches(epoch)):
            optimizer.param_groups[0]["lr"] = 0.05 * (1 - (epoch * 6 + step + 0.5) / 18)
            optimizer.zero_grad()
            mean = nn.functional.cross_entropy(theirs(inputs), targets)
            mean.backward()
            norms.append(nn.utils.clip_grad_norm_(theirs.parameters(), 0.4).item())
            losses.append(mean.item())
            optimizer.step()
    torch.testing.assert_close(parameters_of(ours), parameters_of(theirs))
    np.testing.assert_allclose(history.gradient_norms, norms, rtol=1e-5)
    np.testing.assert_allclose(history.losses, losses, rtol=1e-5)
    last = history.epochs[-1]
    assert (last["epoch"], last["steps"], last["examples"], last["complete"]) == (3, 6, N, True)
    assert last["loss"] == pytest.approx(np.mean(losses[-6:]))
    assert last["gradient_norm"] == pytest.approx(np.mean(norms[-6:]), rel=1e-5)
    assert last["gradient_norm_max"] == pytest.approx(max(norms[-6:]), rel=1e-5)
    assert max(norms) > 0.4  # logged before clipping
    assert history.stopped == "finished"
    assert not history.interrupted


def test_gradient_descent_takes_one_step_an_epoch_with_the_mean_gradient_of_all_examples():
    ours, theirs = network(), network()
    settings = {"epochs": 4, "optimizer": "gradient_descent", "learning_rate": 0.5, "clip_norm": 0.3, "clip_value": 0.1}
    history = fit(ours, size=20, settings=settings)  # 20 does not divide 96
    for _ in range(4):
        theirs.zero_grad()
        nn.functional.cross_entropy(theirs(INPUTS), TARGETS).backward()
        nn.utils.clip_grad_value_(theirs.parameters(), 0.1)
        nn.utils.clip_grad_norm_(theirs.parameters(), 0.3)
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter -= 0.5 * parameter.grad
    torch.testing.assert_close(parameters_of(ours), parameters_of(theirs))
    assert len(history.gradient_norms) == 4


def test_value_clipping_bounds_every_step():
    model, start = network(), parameters_of(network())
    fit(model, settings={"epochs": 1, "optimizer": "sgd", "learning_rate": 1.0, "clip_norm": None, "clip_value": 1e-4})
    moved = (parameters_of(model) - start).abs().max()
    assert 0 < moved <= 6 * 1e-4 * 1.001


def test_a_weight_of_two_counts_as_the_example_twice_in_the_sum():
    def weighted(model, batch):
        return loss(model, batch), torch.full((len(batch[1]),), 2.0)

    ours, theirs = network(), network()
    settings = {"epochs": 2, "optimizer": "sgd", "learning_rate": 0.1, "clip_norm": None}
    fit(ours, settings=settings, loss=weighted)
    fit(theirs, settings={**settings, "learning_rate": 0.2})
    torch.testing.assert_close(parameters_of(ours), parameters_of(theirs))


def test_the_mean_divides_by_the_number_of_examples_not_by_their_weights():
    weights = torch.rand(N, generator=torch.Generator().manual_seed(3))

    def weighted(model, batch):
        return loss(model, batch), weights[: len(batch[1])]

    history = fit(network(), settings={"epochs": 1}, loss=weighted, size=N)
    inputs, targets = next(iter(Batches(0, N)))
    expected = (loss(network(), (inputs, targets)) * weights).sum() / N
    assert history.losses == pytest.approx([expected.item()], rel=1e-6)


def test_a_loss_that_is_not_per_example_is_refused():
    with pytest.raises(ValueError, match=r"one value per example, \(B,\)"):
        fit(network(), loss=lambda model, batch: loss(model, batch).mean())


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    fitted = []
    for seed in (3, 3, 4):
        model = network(dropout=0.3)
        random.random()  # the state of the caller's generators must not matter
        torch.rand(1)
        fit(model, settings={"epochs": 2, "seed": seed})
        fitted.append(parameters_of(model))
    assert torch.equal(fitted[0], fitted[1])
    assert not torch.equal(fitted[0], fitted[2])


def test_a_fit_leaves_the_callers_generators_as_they_were():
    torch.manual_seed(1)
    random.seed(1)
    expected = torch.rand(1), random.random()
    torch.manual_seed(1)
    random.seed(1)
    fit(network(dropout=0.3), settings={"epochs": 1})
    assert (torch.rand(1), random.random()) == expected


def test_the_model_is_left_with_the_weights_of_the_best_epoch():
    seen = []

    def rising_then_falling(model):
        seen.append(parameters_of(model))
        return {"macro_f1": [0.1, 0.9, 0.5, math.nan][len(seen) - 1]}

    model = network()
    history = fit(model, settings={"epochs": 4}, validate=rising_then_falling)
    assert torch.equal(parameters_of(model), seen[1])
    assert not torch.equal(seen[1], seen[3])
    assert (history.best_epoch, history.best_value) == (2, 0.9)
    assert [entry["best"] for entry in history.epochs] == [True, True, False, False]
    assert not model.training


def test_a_validation_sees_evaluation_mode_and_no_gradients():
    modes = []

    def look(model):
        modes.append((model.training, torch.is_grad_enabled()))
        return validate(model)

    fit(network(dropout=0.5), settings={"epochs": 2, "metric": "accuracy"}, validate=look)
    assert modes == [(False, False)] * 2


def test_a_validation_without_the_monitored_metric_is_an_error_that_names_what_there_is():
    with pytest.raises(ConfigurationError, match=r"macro_f1.*accuracy, log_loss"):
        fit(network(), validate=validate)


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_with_advice_and_keeps_the_best_weights(poison):
    kept = []

    def poisoned(model, batch):
        return loss(model, batch) * (poison if len(kept) == 2 else 1.0)

    def remember(model):
        kept.append(parameters_of(model))
        return validate(model)

    model = network()
    with pytest.raises(DivergenceError, match=r"epoch 3, step 1.*learning_rate.*clip_norm.*float32"):
        fit(model, settings={"epochs": 5, "metric": "accuracy"}, loss=poisoned, validate=remember)
    assert any(torch.equal(parameters_of(model), weights) for weights in kept)


def test_a_gradient_that_is_not_finite_never_reaches_the_weights():
    def explode(model, batch):
        return loss(model, batch) + (model[0].weight.sum() * 0).sqrt()  # 0, with an infinite derivative

    model = network()
    before = parameters_of(model)
    with pytest.raises(DivergenceError, match="gradient norm became nan in epoch 1, step 1"):
        fit(model, loss=explode)
    assert torch.equal(parameters_of(model), before)


def test_epochs_without_batches_are_an_error():
    with pytest.raises(ConfigurationError, match="no batch"):
        train(network(), lambda epoch: [], loss, settings=TrainingSettings())


def test_callbacks_see_every_step_epoch_and_the_end_even_of_a_failed_fit():
    class Witness(Callback):
        def __init__(self):
            self.calls = []

        def on_start(self, run):
            self.calls.append("start")

        def on_step(self, run):
            self.calls.append((run.epoch, run.step, run.steps))

        def on_epoch(self, run, record):
            self.calls.append(record["epoch"])

        def on_end(self, run):
            self.calls.append("end")

    good, bad = Witness(), Witness()
    fit(network(), size=48, settings={"epochs": 2}, callbacks=[good])
    assert good.calls == ["start", (0, 1, 2), (0, 2, 2), 1, (1, 1, 2), (1, 2, 2), 2, "end"]
    with pytest.raises(ZeroDivisionError):
        fit(network(), loss=lambda model, batch: 1 / 0, callbacks=[bad])
    assert bad.calls == ["start", "end"]


def test_a_callback_can_stop_a_fit():
    class Enough(Callback):
        def on_step(self, run):
            if run.step == 4:
                run.stop = "enough"

    history = fit(network(), callbacks=[Enough()])
    assert history.stopped == "enough"
    assert [(entry["steps"], entry["complete"]) for entry in history.epochs] == [(4, False)]


def test_frozen_parameters_stay_and_need_no_group():
    model = network()
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    fit(model, settings={"epochs": 1})
    assert torch.equal(model[0].weight, before)


def test_two_fits_of_different_precision_live_in_one_process():
    seen = []

    def watching(model, batch):
        logits = model(batch[0])
        seen.append(logits.dtype)
        return nn.functional.cross_entropy(logits.float(), batch[1], reduction="none")

    fitted = []
    for precision in ("float32", "bfloat16", "float32"):
        model = network()
        fit(model, settings={"epochs": 2, "precision": precision}, loss=watching)
        assert all(p.dtype is torch.float32 for p in model.parameters())
        fitted.append(parameters_of(model))
    assert set(seen[:12]) == {torch.float32}
    assert set(seen[12:24]) == {torch.bfloat16}
    assert torch.equal(fitted[0], fitted[2])
    assert not torch.equal(fitted[0], fitted[1])


def test_select_last_keeps_the_last_weights_of_a_fit_that_came_to_its_end():
    figures = iter([0.1, 0.9, 0.5])
    best, last = network(), network()
    kept = fit(best, settings={"epochs": 3}, validate=lambda model: {"macro_f1": next(figures)})
    assert kept.kept_epoch == kept.best_epoch == 2
    figures = iter([0.1, 0.9, 0.5])
    history = fit(last, settings={"epochs": 3, "select": "last"}, validate=lambda model: {"macro_f1": next(figures)})
    assert (history.best_epoch, history.kept_epoch) == (2, 3)
    plain = network()
    fit(plain, settings={"epochs": 3})
    assert torch.equal(parameters_of(last), parameters_of(plain))
    assert not torch.equal(parameters_of(last), parameters_of(best))


def test_select_last_still_goes_back_to_the_best_when_the_fit_diverges():
    kept = []

    def remember(model):
        kept.append(parameters_of(model))
        return {"macro_f1": [0.9, 0.5][len(kept) - 1]}

    def poisoned(model, batch):
        return loss(model, batch) * (math.nan if len(kept) == 2 else 1.0)

    model = network()
    with pytest.raises(DivergenceError):
        fit(model, settings={"epochs": 3, "select": "last"}, loss=poisoned, validate=remember)
    assert torch.equal(parameters_of(model), kept[0])
