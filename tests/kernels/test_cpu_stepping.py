"""Single steps: the same numbers as the whole sequence, and no memory taken on the way."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
import torch
from torch import Tensor

from recurrence_cases import Case, make_case
from recurrence_oracle import CELLS
from seqwise.kernels import cpu, reference
from seqwise.kernels.contract import Variant
from seqwise.kernels.cpu import memory, schedule
from seqwise.kernels.cpu.memory import POOL
from seqwise.kernels.cpu.stepping import prepare_stepper
from tolerances import assert_close


def walk(case: Case, zoneout: float = 0.0) -> tuple[list[Tensor], tuple[Tensor, ...]]:
    """The first state after every step, and all states after the last."""
    _, batch, hidden = case.upstream.outputs.shape
    stepper = prepare_stepper(case.program, case.weights, batch, hidden, zoneout)
    states = tuple(s.clone() for s in case.initial)
    outputs = []
    for x in case.x:
        stepper.step(x.contiguous().data_ptr(), [s.data_ptr() for s in states])
        outputs.append(states[0].clone())
    return outputs, states


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_steps_give_what_the_whole_sequence_gives(
    name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "poison", True)
    for batch, features, hidden in ((1, 5, 17), (3, 1, 33), (7, 17, 1)):
        case = make_case(CELLS[name].program, 6, batch, features, hidden).to(dtype)
        outputs, states = walk(case)
        whole, _ = cpu.forward(case.program, case.x, case.initial, case.weights, Variant(), save=False)
        assert_close(torch.stack(outputs), whole.outputs, "outputs")
        for k, (state, final) in enumerate(zip(states, whole.finals, strict=True)):
            assert_close(state, final, f"state {k}")
        double = case.to(torch.float64)
        exact = reference.forward(double.program, double.x, double.initial, double.weights, Variant())
        assert_close(torch.stack(outputs), exact.outputs, "outputs against the reference")


@pytest.mark.parametrize("name", ["lstm", "gru", "every_function", "min_gru"])
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_zoneout_keeps_the_share_that_it_keeps_in_evaluation(name: str, share: float) -> None:
    case = make_case(CELLS[name].program, 5, 3, 4, 17)
    outputs, states = walk(case, share)
    kept = torch.full((len(states), 1, 1, 1), share, dtype=torch.float64)
    exact = reference.forward(case.program, case.x, case.initial, case.weights, Variant(zoneout=kept))
    assert_close(torch.stack(outputs), exact.outputs, "outputs")
    for state, final in zip(states, exact.finals, strict=True):
        assert_close(state, final, "final")


def test_steps_on_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "_WORTH_A_THREAD", 1)
    case = make_case(CELLS["two_stages"].program, 4, 9, 5, 17)
    alone, _ = walk(case)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        together, _ = walk(case)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(torch.stack(alone), torch.stack(together))


def test_cells_without_biases_step_too() -> None:
    case = make_case(CELLS["gru_reset_after"].program, 4, 2, 5, 17, bias=False)
    outputs, _ = walk(case)
    whole, _ = cpu.forward(case.program, case.x, case.initial, case.weights, Variant(), save=False)
    assert_close(torch.stack(outputs), whole.outputs)


def test_two_steppers_do_not_disturb_each_other() -> None:
    first, second = (make_case(CELLS["lstm"].program, 6, 2, 5, 17, seed) for seed in (1, 2))
    expected = [walk(case)[1] for case in (first, second)]
    steppers = [prepare_stepper(case.program, case.weights, 2, 17) for case in (first, second)]
    states = [[s.clone() for s in case.initial] for case in (first, second)]
    for t in range(6):
        for case, stepper, own in zip((first, second), steppers, states, strict=True):
            stepper.step(case.x[t].data_ptr(), [s.data_ptr() for s in own])
    for own, final in zip(states, expected, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(own, final, strict=True))


def test_later_changes_of_the_weights_are_not_seen() -> None:
    case = make_case(CELLS["lstm"].program, 1, 2, 5, 17).map(torch.Tensor.clone)
    stepper = prepare_stepper(case.program, case.weights, 2, 17)
    _, expected = walk(case)
    for weight in case.weights:
        if weight is not None:
            weight.fill_(torch.nan)
    states = [s.clone() for s in case.initial]
    stepper.step(case.x[0].data_ptr(), [s.data_ptr() for s in states])
    for state, final in zip(states, expected, strict=True):
        assert torch.equal(state, final)


def test_a_step_takes_no_memory() -> None:
    case = make_case(CELLS["lstm"].program, 1, 2, 5, 17)
    stepper = prepare_stepper(case.program, case.weights, 2, 17)
    states = [s.clone() for s in case.initial]
    x, addresses = case.x[0].data_ptr(), [s.data_ptr() for s in states]
    stepper.step(x, addresses)
    gc.collect()
    free = {size: len(blocks) for size, blocks in POOL._free.items()}
    tracemalloc.start()
    try:
        stepper.step(x, addresses)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(1000):
            stepper.step(x, addresses)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1000  # bytes for 1000 steps: nothing that a step takes stays
    assert {size: len(blocks) for size, blocks in POOL._free.items()} == free
