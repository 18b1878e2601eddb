"""The comparisons behind the table of recurrences: which sides meet over which case, and what is made of their times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import NamedTuple

from seqwise.cells import LIBRARY, Cell, gru, lstm, lstm_peephole
from seqwise.experiments.benchmarks.cases import Case, Shape, Side, make_case
from seqwise.experiments.benchmarks.loops import own_cell
from seqwise.experiments.benchmarks.processes import ask_fresh_process, busy_core, first_use
from seqwise.experiments.benchmarks.records import Measurement
from seqwise.experiments.benchmarks.sides import loop_side, our_backend, our_side, torch_layer_side
from seqwise.experiments.benchmarks.stepping import onnx_stepping_side, our_stepping_side, torch_stepping_side
from seqwise.experiments.benchmarks.timing import Sample, alternate, ratio_of_pairs

DROPOUT = 0.2
FRESH_PROCESSES = 3

# Name of the row -> cell and recurrent dropout.
VARIANTS: dict[str, tuple[Cell, float]] = {
    "gru-original": (gru, 0.0),
    "lstm-dropout": (lstm, DROPOUT),
    "lstm-peephole": (lstm_peephole, 0.0),
    "own-cell": (own_cell, 0.0),
}


class Setting(NamedTuple):
    """How to measure: repetitions, threads, and whether this is only a try."""

    repeats: int
    threads: int
    quick: bool

    @property
    def seconds(self) -> float:
        """For so long the shortest runs are repeated more often."""
        return 0.0 if self.quick else 1.0


Measure = Callable[[Setting, Shape], Iterator[Measurement]]


def compare(
    criterion: str,
    setting: Setting,
    checks: Sequence[tuple[Case, Side]],
    *,
    during: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> tuple[Measurement, list[Sample]]:
    """Check every side against its case, then time them in turns; ours comes first, theirs second.

    Returns:
        The comparison of the first two, and the times of all; no times and a note when a result is wrong.
    """
    case, ours = checks[0]
    worst = 0.0
    for checked, side in checks:
        problem, difference = checked.find_disagreement(side)
        worst = max(worst, difference)
        if problem:
            refused = f"refused: {problem}"
            return Measurement(criterion, case.cell.name, case.shape, difference=difference, note=refused), []
    with during():
        samples = alternate([side for _, side in checks], setting.repeats, setting.seconds)
    mine, other = samples[0], samples[1]
    return (
        Measurement(
            criterion,
            case.cell.name,
            case.shape,
            "ms",
            mine,
            other,
            ours.name,
            checks[1][1].name,
            other.median / mine.median,
            ratio_of_pairs(other, mine),
            case.operations / mine.median / 1e6,
            difference=worst,
        ),
        samples,
    )


def against_torch(criterion: str, cell: str, *, training: bool = True) -> Measure:
    """Ours against torch.nn's layer."""

    def measure(setting: Setting, shape: Shape) -> Iterator[Measurement]:
        case = make_case(LIBRARY[cell], shape, training=training)
        yield compare(criterion, setting, [(case, our_side(case)), (case, torch_layer_side(case))])[0]

    return measure


def against_loop(variant: str) -> Measure:
    """A cell that torch.nn lacks against the loop by hand."""

    def measure(setting: Setting, shape: Shape) -> Iterator[Measurement]:
        cell, dropout = VARIANTS[variant]
        case = make_case(cell, shape, recurrent_dropout=dropout)
        yield compare(variant, setting, [(case, our_side(case)), (case, loop_side(case))])[0]

    return measure


def dropout_against_torch(setting: Setting, shape: Shape) -> Iterator[Measurement]:
    """Ours with recurrent dropout against torch.nn's layer, which has none."""
    ours, theirs = make_case(lstm, shape, recurrent_dropout=DROPOUT), make_case(lstm, shape)
    yield compare("dropout-free", setting, [(ours, our_side(ours)), (theirs, torch_layer_side(theirs))])[0]


def ragged(criterion: str, cell: str) -> Measure:
    """Ours with lengths against packing, and against our own time for the padded batch."""

    def measure(setting: Setting, shape: Shape) -> Iterator[Measurement]:
        if shape.batch == 1:
            yield Measurement(criterion, cell, shape, note="not available: a batch of one has no padding")
            return
        case, padded = make_case(LIBRARY[cell], shape, ragged=True), make_case(LIBRARY[cell], shape)
        whole = our_side(padded)
        sides = [(case, our_side(case)), (case, torch_layer_side(case)), (padded, whole)]
        measured, samples = compare(criterion, setting, sides)
        yield measured
        if samples:
            yield _against_padded(measured, samples, whole.name)

    return measure


def _against_padded(measured: Measurement, samples: list[Sample], name: str) -> Measurement:
    ours, _, padded = samples
    return Measurement(
        f"{measured.criterion}-padded",
        measured.cell,
        measured.shape,
        "ms",
        ours,
        padded,
        measured.ours_is,
        f"{name}, padded",
        ours.median / padded.median,
        1 / ratio_of_pairs(padded, ours),
        measured.gflops,
        difference=measured.difference,
    )


def step_by_step(setting: Setting, shape: Shape) -> Iterator[Measurement]:
    """One stream, one step at a time; the times are those of all T steps."""
    case = make_case(lstm, shape, training=False)
    ours = our_stepping_side(case)
    onnx = onnx_stepping_side(case)
    for criterion, theirs in (("step-torch", torch_stepping_side(case)), ("step-onnx", onnx)):
        if ours is None or theirs is None:
            missing = "this version has no step()" if ours is None else "onnx or onnxruntime is not installed"
            yield Measurement(criterion, "lstm", shape, note=f"not available: {missing}")
        else:
            yield compare(criterion, setting, [(case, ours), (case, theirs)])[0]


def auto(setting: Setting, shape: Shape) -> Iterator[Measurement]:
    """`auto` against the better of the backends that it chooses from."""
    for cell in ("lstm", "gru_reset_after", "rnn"):
        if our_backend() == "auto":
            yield Measurement("auto", cell, shape, note="not available: this version has no backend cpu")
            continue
        case = make_case(LIBRARY[cell], shape)
        sides = [(case, our_side(case, backend)) for backend in ("auto", "vendor", our_backend())]
        measured, samples = compare("auto", setting, sides)
        if samples:
            k = min((1, 2), key=lambda k: samples[k].median)
            better, mine = samples[k], samples[0]
            measured = replace(
                measured,
                theirs=better,
                theirs_is=sides[k][1].name,
                figure=better.median / mine.median,
                pair_ratio=ratio_of_pairs(better, mine),
            )
        yield measured


def busy(setting: Setting, shape: Shape) -> Iterator[Measurement]:
    """The LSTM against torch.nn's while another process keeps one core busy."""
    case = make_case(lstm, shape)
    sides = [(case, our_side(case)), (case, torch_layer_side(case))]
    yield compare("busy", setting, sides, during=busy_core)[0]


def memory(setting: Setting, shape: Shape) -> Iterator[Measurement]:
    """What a training step adds to the peak, each side in processes of its own; above 1 ours needs less."""
    found: dict[str, list[float]] = {"seqwise": [], "torch": []}
    for _ in range(1 if setting.quick else FRESH_PROCESSES):
        for side, figures in found.items():
            figure, note = ask_fresh_process("memory", side, "lstm", shape, setting.threads)
            if note:
                yield Measurement("memory", "lstm", shape, note=note)
                return
            figures.append(max(figure, 1 / 256))  # a page: nothing measurable
    ours, theirs = Sample.of(found["seqwise"]), Sample.of(found["torch"])
    yield Measurement(
        "memory",
        "lstm",
        shape,
        "MiB",
        ours,
        theirs,
        f"seqwise ({our_backend()})",
        "torch.nn.LSTM",
        theirs.median / ours.median,
        ratio_of_pairs(theirs, ours),
    )


def first_use_of_cells(setting: Setting, shape: Shape) -> Iterator[Measurement]:
    """Seconds by which the first step of a cell takes longer than the second."""
    for cell in ("lstm", "own_cell"):
        cold, warm, note = first_use(cell, shape, setting.threads, 1 if setting.quick else FRESH_PROCESSES)
        for criterion, seconds in (("first-use-cold", cold), ("first-use-warm", warm)):
            if note:
                yield Measurement(criterion, cell, shape, note=note)
                continue
            sample, name = Sample.of(seconds), f"seqwise ({our_backend()})"
            yield Measurement(criterion, cell, shape, "s", sample, ours_is=name, figure=sample.median)
