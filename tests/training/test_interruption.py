from __future__ import annotations

import os
import signal
import threading
import time

import pytest
import torch
from toy_fit import Batches, loss, network, parameters_of, validate

from seqwise.training import Callback, TrainingSettings, train
from seqwise.training.interruption import Interruption


class PressControlC(Callback):
    def __init__(self, epoch, times=1):
        self.epoch, self.times = epoch, times

    def on_step(self, run):
        if run.epoch == self.epoch and run.step == 2:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)  # Python runs the handler between two bytecodes of this thread


def test_ctrl_c_finishes_the_step_and_returns_the_best_weights(capsys):
    kept = []

    def remember(model):
        kept.append(parameters_of(model))
        return validate(model)

    before = signal.getsignal(signal.SIGINT)
    model = network()
    history = train(
        model,
        Batches,
        loss,
        settings=TrainingSettings(metric="accuracy"),
        validate=remember,
        callbacks=[PressControlC(epoch=2)],
    )
    assert history.interrupted
    assert len(kept) == 2
    assert torch.equal(parameters_of(model), kept[history.best_epoch - 1])
    assert history.epochs[-1]["complete"] is False
    assert history.epochs[-1]["steps"] == 3  # the step after the key was pressed still counts
    assert "Ctrl-C again" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_is_a_keyboard_interrupt_and_the_handler_is_put_back(capsys):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(network(), Batches, loss, settings=TrainingSettings(), callbacks=[PressControlC(epoch=0, times=2)])
    assert signal.getsignal(signal.SIGINT) is before
    capsys.readouterr()


def test_a_fit_in_another_thread_installs_no_handler():
    before = signal.getsignal(signal.SIGINT)
    during = []

    class Look(Callback):
        def on_step(self, run):
            during.append(signal.getsignal(signal.SIGINT))

    settings = TrainingSettings(epochs=1)
    thread = threading.Thread(target=lambda: train(network(), Batches, loss, settings=settings, callbacks=[Look()]))
    thread.start()
    thread.join()
    assert during
    assert set(during) == {before}


def test_an_ignored_sigint_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGINT)
        assert not interruption.requested
    finally:
        signal.signal(signal.SIGINT, before)
