"""The benchmark of recurrences: it compares what is equal, refuses what is wrong, and leaves a complete table."""

import csv

import pytest
import torch

from seqwise.cells import LIBRARY, lstm
from seqwise.errors import ConfigurationError
from seqwise.experiments.benchmarks import comparisons, peers, recurrent
from seqwise.experiments.benchmarks.cases import Shape, make_case, torch_side
from seqwise.experiments.benchmarks.comparisons import VARIANTS, Setting, compare
from seqwise.experiments.benchmarks.processes import ask_fresh_process
from seqwise.experiments.benchmarks.records import Machine, Measurement
from seqwise.experiments.benchmarks.recurrent import CRITERIA, EXPERIMENTS, RecurrentBenchmark, run_recurrent_benchmark
from seqwise.experiments.benchmarks.sides import TORCH_LAYERS, loop_side, our_side, torch_layer_side
from seqwise.experiments.benchmarks.stepping import onnx_stepping_side, torch_stepping_side
from seqwise.experiments.benchmarks.tables import COLUMNS, Criterion, Table, geometric_mean
from seqwise.experiments.benchmarks.timing import Sample, alternate, ratio_of_pairs
from seqwise.layers import Recurrent

SHAPE = Shape(5, 7, 3, 6)
QUICK = Setting(repeats=2, threads=1, quick=True)
# Rows that start neither compilers nor other processes.
LIGHT = ("lstm", "lstm-forward", "gru-original", "ragged-lstm", "step", "jax")


def run(*only, **options):
    heard = []
    request = RecurrentBenchmark(only=only, shapes=(1,), threads=1, quick=True, say=heard.append, **options)
    return run_recurrent_benchmark(request), heard


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_loop_by_hand_computes_what_the_oracle_does(variant):
    cell, dropout = VARIANTS[variant]
    case = make_case(cell, SHAPE, recurrent_dropout=dropout)
    for side in (loop_side(case), our_side(case)):
        assert case.find_disagreement(side, 1e-5)[0] == ""


@pytest.mark.parametrize("cell", TORCH_LAYERS, ids=lambda cell: cell.name)
@pytest.mark.parametrize("ragged", [False, True])
def test_both_layers_compute_what_the_oracle_does(cell, ragged):
    case = make_case(cell, SHAPE, ragged=ragged)
    for side in (torch_layer_side(case), our_side(case)):
        assert case.find_disagreement(side, 1e-5)[0] == ""


def test_walking_step_by_step_reaches_what_the_oracle_does():
    case = make_case(lstm, Shape(1, 6, 3, 4), training=False)
    assert case.find_disagreement(torch_stepping_side(case), 1e-5)[0] == ""
    for steps in (6, 5):  # the state lies in one or the other buffer at the end
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
        case = make_case(lstm, Shape(1, steps, 3, 4), training=False)
        assert case.find_disagreement(onnx_stepping_side(case), 1e-5)[0] == ""


def wrong_gradient(case, side):
    """The side with one gradient a little off, and nothing else."""

    def results():
        return side.results() | {"gradient of initial c": side.results()["gradient of initial c"] * 1.01}

    return side._replace(results=results)


def test_a_wrong_gradient_is_found_by_name():
    case = make_case(lstm, SHAPE)
    problem, difference = case.find_disagreement(wrong_gradient(case, our_side(case)))
    assert "gradient of initial c" in problem
    assert 0.001 < difference < 0.1


def test_swapped_states_and_missing_gradients_and_nan_are_found():
    case = make_case(lstm, SHAPE)
    side = torch_layer_side(case)
    right = side.results()
    swapped = right | {"final h": right["final c"], "final c": right["final h"]}
    missing = {name: value for name, value in right.items() if name != "gradient of weights input"}
    poisoned = right | {"outputs": right["outputs"] * float("nan")}
    for results, name in ((swapped, "final h"), (missing, "weights input"), (poisoned, "outputs")):
        assert name in case.find_disagreement(side._replace(results=lambda results=results: results))[0]


def test_what_is_wrong_is_never_timed(monkeypatch):
    timed = []
    monkeypatch.setattr(comparisons, "alternate", lambda *arguments: timed.append(arguments))
    case = make_case(lstm, SHAPE)
    measured, samples = compare("lstm", QUICK, [(case, wrong_gradient(case, our_side(case))), (case, loop_side(case))])
    assert measured.refused
    assert measured.ours is None
    assert samples == timed == []


def test_a_refused_row_is_said_in_the_summary(monkeypatch, tmp_path):
    def our_wrong_side(case, backend=None):
        return wrong_gradient(case, our_side(case, backend))

    monkeypatch.setattr(comparisons, "our_side", our_wrong_side)
    table, heard = run("lstm")
    assert table.refused
    assert [line["verdict"] for line in table.summary()] == ["REFUSED"]
    assert "refused: gradient of initial c" in heard[-1]
    assert "refused" in table.write(tmp_path, "wrong")[0].read_text()


def test_the_program_runs_and_writes_every_column(tmp_path):
    threads = torch.get_num_threads()
    table, heard = run(*LIGHT)
    assert torch.get_num_threads() == threads
    assert not table.refused
    path, page = table.write(tmp_path, "recurrent_cpu")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert {"device", "torch", "seqwise", "commit", "threads", "ours_median", "ours_p10", "ours_p90"} <= set(COLUMNS)
    first = rows[0]
    assert (first["row"], first["cell"], first["threads"], first["repeats"]) == ("lstm", "lstm", "1", "2")
    assert [int(first[name]) for name in ("batch", "steps", "features", "hidden")] == list(recurrent.QUICK_SHAPES[0])
    ours, theirs, figure = (float(first[name]) for name in ("ours_median", "theirs_median", "figure"))
    assert figure == pytest.approx(theirs / ours, rel=1e-2)
    assert 0 < float(first["difference"]) < 1e-4
    assert float(first["peak_share"]) > 0
    assert "geometric means" in page.read_text()
    assert len([line for line in heard if line.startswith("[")]) == len(rows)


def test_a_side_that_raises_is_refused_and_the_other_rows_go_on(monkeypatch):
    def raising(case):
        raise RuntimeError("out of order")

    monkeypatch.setattr(comparisons, "loop_side", raising)
    table, heard = run("gru-original", "rnn")
    assert table.refused
    assert "out of order" in "".join(heard)
    assert {m.criterion: m.figure is None for m in table.measurements} == {"gru-original": True, "rnn": False}


def test_a_peer_that_fails_is_left_out_and_refuses_nothing(monkeypatch):
    def failing(*arguments, **options):
        raise RuntimeError("no compiler\nand so on")

    monkeypatch.setattr(peers, "scan_side", lambda case: our_side(case)._replace(run=failing))
    table, _ = run("jax")
    assert {m.note for m in table.measurements} == {"not available: RuntimeError: no compiler"}
    assert not table.refused


def test_a_layer_with_step_is_compared(monkeypatch):
    def step(self, x, state):
        with torch.inference_mode():
            outputs, states = self(x.unsqueeze(0), state)
        return outputs[0], states

    if not hasattr(Recurrent, "step"):
        monkeypatch.setattr(Recurrent, "step", step, raising=False)
    table, _ = run("step")
    assert not table.refused
    measured = {m.criterion: m for m in table.measurements}
    assert measured["step-torch"].figure > 0
    assert set(measured) == {"step-torch", "step-onnx"}


def test_short_runs_are_repeated_until_the_seconds_have_passed():
    case = make_case(lstm, Shape(1, 2, 2, 2), training=False)
    side = torch_side("a", case, lambda: (), {})
    assert len(alternate([side], repeats=3)[0].values) == 3
    assert len(alternate([side], repeats=3, seconds=60)[0].values) == 30


def test_every_criterion_is_measured_by_some_row_and_named_once():
    names = [c.name for c in CRITERIA]
    assert len(set(names)) == len(names)
    assert {"compile", "jax"} <= set(EXPERIMENTS)
    for name in names:
        assert any(name.startswith(experiment) for experiment in EXPERIMENTS), name


def test_the_judgement_knows_that_small_is_good_for_shares():
    ratio, share = Criterion("a", "", "", 1.2, 1.8), Criterion("b", "", "", 0.55, 0.45, at_most=True)
    assert [ratio.judge(v) for v in (1.8, 1.3, 1.1)] == ["aim reached", "holds", "MISSED"]
    assert [share.judge(v) for v in (0.45, 0.5, 0.6)] == ["aim reached", "holds", "MISSED"]


def test_what_is_wanted_everywhere_is_judged_by_the_worst():
    def verdict(criterion):
        rows = [Measurement("a", "", figure=figure) for figure in (0.5, 4.0)]
        return Table("", Machine("", 1, "", "", ""), [criterion], rows, 1.0).summary()[0]["verdict"]

    assert verdict(Criterion("a", "", "", 1, 2)) == "holds"
    assert verdict(Criterion("a", "", "", 1, 2, everywhere=True)) == "MISSED"
    assert verdict(Criterion("a", "", "", 2, 1, at_most=True)) == "holds"
    assert verdict(Criterion("a", "", "", 2, 1, at_most=True, everywhere=True)) == "MISSED"


def test_figures_are_medians_and_geometric_means():
    sample = Sample.of([5.0, 1.0, 3.0, 2.0, 4.0])
    assert sample.median == 3
    assert sample.low == pytest.approx(1.4)
    assert sample.high == pytest.approx(4.6)
    assert ratio_of_pairs(Sample.of([2.0, 9.0, 4.0]), Sample.of([1.0, 3.0, 1.0])) == 3
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4)


def test_sides_take_turns_and_the_first_place_goes_round():
    order = []
    case = make_case(lstm, Shape(1, 2, 2, 2), training=False)

    def side(name):
        return torch_side(name, case, lambda: order.append(name), {})

    samples = alternate([side("a"), side("b")], repeats=4)
    assert [len(s.values) for s in samples] == [4, 4]
    rounds = list(zip(order[::2], order[1::2], strict=True))
    assert all(set(r) == {"a", "b"} for r in rounds)
    assert {r[0] for r in rounds[-4:]} == {"a", "b"}


@pytest.mark.parametrize("batch", [2, 32, 64, 128])
def test_ragged_lengths_fill_two_fifths(batch):
    lengths = make_case(LIBRARY["rnn"], Shape(batch, 200, 2, 2), ragged=True).lengths
    assert lengths.max() == 200
    assert lengths.min() >= 1
    # Two rows, one of which is the longest, cannot have a mean below one half.
    assert lengths.double().mean() / 200 == pytest.approx(0.4 if batch > 2 else 0.5, abs=0.01)


def test_operations_count_products_of_running_rows():
    shape = Shape(4, 10, 3, 6)
    forward = make_case(lstm, shape, training=False)
    assert forward.operations == 2 * 4 * 10 * (24 * 3 + 24 * 6)
    assert make_case(lstm, shape).operations == 3 * forward.operations
    ragged = make_case(lstm, shape, ragged=True, training=False)
    assert ragged.operations == forward.operations * int(ragged.lengths.sum()) / 40


@pytest.mark.slow
def test_fresh_processes_answer(tmp_path):
    for question in ("memory", "first-use"):
        figure, note = ask_fresh_process(question, "seqwise", "own_cell", SHAPE, 1, tmp_path)
        assert note == ""
        assert 0 <= figure < 60


def test_a_broken_process_is_a_note_and_no_crash():
    assert ask_fresh_process("memory", "seqwise", "no-such-cell", SHAPE, 1)[1].startswith("not available")


def test_wrong_choices_are_refused_by_name():
    for options, name in (
        ({"only": ("lstmm",)}, "lstmm"),
        ({"shapes": (6,)}, "--shapes 6"),
        ({"repeats": 0}, "--repeats 0"),
        ({"threads": 0}, "--threads 0"),
    ):
        with pytest.raises(ConfigurationError, match=name):
            run_recurrent_benchmark(RecurrentBenchmark(**options))
