"""How fast are the recurrences on this CPU? Every line of the table, each against the honest opponent.

A row of the run is an experiment; it measures one or two criteria at each shape. Nothing is timed whose outputs, final
states or gradients disagree with the oracle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from seqwise.errors import ConfigurationError
from seqwise.experiments.benchmarks import comparisons, peers
from seqwise.experiments.benchmarks.cases import Shape
from seqwise.experiments.benchmarks.comparisons import Setting
from seqwise.experiments.benchmarks.peak import measure_peak
from seqwise.experiments.benchmarks.records import Machine, Measurement
from seqwise.experiments.benchmarks.tables import Criterion, Table

SHAPES = (
    Shape(32, 100, 64, 64),
    Shape(64, 200, 100, 128),
    Shape(64, 100, 300, 256),
    Shape(128, 30, 32, 128),
    Shape(1, 200, 100, 128),
)
QUICK_SHAPES = (Shape(4, 6, 5, 8), Shape(1, 5, 3, 7))

_TRAINING = "training step"
_LOOP = "the best plain PyTorch loop"
CRITERIA = (
    Criterion("lstm", f"LSTM {_TRAINING}", "torch.nn.LSTM", 1.2, 1.8),
    Criterion("lstm-forward", "LSTM forward", "torch.nn.LSTM under no_grad", 1.0, 1.4),
    Criterion("gru", f"reset-after GRU {_TRAINING}", "torch.nn.GRU", 2.5, 3.5),
    Criterion("rnn", f"tanh RNN {_TRAINING}", "torch.nn.RNN", 2.5, 3.5),
    Criterion("gru-original", f"original GRU {_TRAINING}", _LOOP, 6, 10),
    Criterion("lstm-dropout", f"LSTM with recurrent dropout .2, {_TRAINING}", _LOOP, 6, 10),
    Criterion("lstm-peephole", f"peephole LSTM {_TRAINING}", _LOOP, 6, 10),
    Criterion("own-cell", f"a user's own two-stage cell, {_TRAINING}", _LOOP, 6, 10),
    Criterion("dropout-free", "LSTM with recurrent dropout .2", "torch.nn.LSTM without", 0.9, 1.5),
    Criterion("ragged-lstm", f"ragged batch, LSTM {_TRAINING}", "pack_padded_sequence + torch.nn.LSTM", 3, 7),
    Criterion("ragged-lstm-padded", f"ragged batch, LSTM {_TRAINING}", "our own padded time", 0.55, 0.45, at_most=True),
    Criterion("ragged-gru", f"ragged batch, GRU {_TRAINING}", "pack_padded_sequence + torch.nn.GRU", 3, 7),
    Criterion("ragged-gru-padded", f"ragged batch, GRU {_TRAINING}", "our own padded time", 0.55, 0.45, at_most=True),
    Criterion("step-torch", "batch of one, step by step, LSTM H=128", "torch.nn.LSTMCell", 3.5, 5),
    Criterion("step-onnx", "batch of one, step by step, LSTM H=128", "ONNX Runtime, state by hand", 1, 3),
    Criterion(
        "auto", f"auto, {_TRAINING} of LSTM, GRU, RNN", "the better of vendor and ours", 0.95, 1, everywhere=True
    ),
    Criterion("busy", f"LSTM {_TRAINING} while a core is busy", "torch.nn.LSTM likewise", 3, 10),
    Criterion("memory", f"peak memory of the LSTM {_TRAINING}", "torch.nn.LSTM", 1.0, 1.5),
    Criterion("first-use-cold", "first use of a cell, empty cache", "seconds", 4, 2, at_most=True, everywhere=True),
    Criterion(
        "first-use-warm", "first use of a cell, filled cache", "seconds", 0.3, 0.1, at_most=True, everywhere=True
    ),
)


class Experiment(NamedTuple):
    """A row that `--only` names: how it is measured at one shape, and whether it chooses its own shape."""

    measure: Callable[[Setting, Shape], Iterator[Measurement]]
    fixed: Shape | None = None


EXPERIMENTS: dict[str, Experiment] = {
    "lstm": Experiment(comparisons.against_torch("lstm", "lstm")),
    "lstm-forward": Experiment(comparisons.against_torch("lstm-forward", "lstm", training=False)),
    "gru": Experiment(comparisons.against_torch("gru", "gru_reset_after")),
    "rnn": Experiment(comparisons.against_torch("rnn", "rnn")),
    **{name: Experiment(comparisons.against_loop(name)) for name in comparisons.VARIANTS},
    "dropout-free": Experiment(comparisons.dropout_against_torch),
    "ragged-lstm": Experiment(comparisons.ragged("ragged-lstm", "lstm")),
    "ragged-gru": Experiment(comparisons.ragged("ragged-gru", "gru_reset_after")),
    "step": Experiment(comparisons.step_by_step, Shape(1, 200, 100, 128)),
    "auto": Experiment(comparisons.auto),
    "busy": Experiment(comparisons.busy),
    "memory": Experiment(comparisons.memory),
    "first-use": Experiment(comparisons.first_use_of_cells, Shape(32, 100, 64, 64)),
    "compile": Experiment(peers.against_compiled_loop),
    "jax": Experiment(peers.against_scan),
}


@dataclass(frozen=True)
class RecurrentBenchmark:
    """What to measure.

    Attributes:
        only: Names of experiments; none means all.
        shapes: Numbers from 1 into `SHAPES`; none means all.
        repeats: Repetitions, each of which runs every side once.
        threads: Of PyTorch, and so of ours.
        quick: Tiny shapes and two repetitions: shows that the program runs, its figures mean nothing.
        say: Hears what is measured meanwhile.
    """

    only: Sequence[str] = ()
    shapes: Sequence[int] = ()
    repeats: int = 15
    threads: int = 2
    quick: bool = False
    say: Callable[[str], None] = print


def run_recurrent_benchmark(request: RecurrentBenchmark) -> Table:
    """Measure the table.

    Raises:
        ConfigurationError: An unknown experiment or shape, or a number below one.
    """
    _check(request)
    names = [n for n in EXPERIMENTS if n in request.only] if request.only else list(EXPERIMENTS)
    shapes = QUICK_SHAPES if request.quick else SHAPES
    chosen = [shapes[n - 1] for n in sorted(set(request.shapes))] if request.shapes else list(shapes)
    threads, random = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(request.threads)
    try:
        peaks = measure_peak(sizes=(64,), repeats=2) if request.quick else measure_peak()
        peak = max(peaks.values())
        best = ", ".join(f"{name} {speed:.0f}" for name, speed in peaks.items())
        request.say(f"Float32 product peak, GFLOP/s on {request.threads} threads: {best}")
        setting = Setting(2 if request.quick else request.repeats, request.threads, request.quick)
        measurements: list[Measurement] = []
        for number, name in enumerate(names, 1):
            experiment = EXPERIMENTS[name]
            fixed = experiment.fixed and [Shape(1, 4, 3, 8) if request.quick else experiment.fixed]
            for shape in fixed or chosen:
                for measured in _survive(name, shape, experiment.measure(setting, shape)):
                    if measured.gflops is not None:
                        measured = replace(measured, peak_share=measured.gflops / peak)
                    measurements.append(measured)
                    request.say(f"[{number}/{len(names)}] {measured.describe()}")
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(random)
    title = "Recurrences on the CPU" + (" (quick: figures mean nothing)" if request.quick else "")
    return Table(title, Machine.here(request.threads), CRITERIA, measurements, peak)


def _survive(name: str, shape: Shape, measurements: Iterator[Measurement]) -> Iterator[Measurement]:
    """The measurements; a side that raises is refused like one that is wrong, and the other rows go on."""
    try:
        yield from measurements
    except Exception as error:
        yield Measurement(name, "", shape, note=f"refused: {type(error).__name__}: {error}")


def _check(request: RecurrentBenchmark) -> None:
    unknown = [name for name in request.only if name not in EXPERIMENTS]
    if unknown:
        raise ConfigurationError(f"--only {unknown[0]}: expected one of {', '.join(EXPERIMENTS)}.")
    count = len(QUICK_SHAPES if request.quick else SHAPES)
    if any(not 1 <= number <= count for number in request.shapes):
        raise ConfigurationError(f"--shapes {', '.join(map(str, request.shapes))}: expected numbers from 1 to {count}.")
    for name in ("repeats", "threads"):
        if getattr(request, name) < 1:
            raise ConfigurationError(f"--{name} {getattr(request, name)}: expected a whole number above zero.")
