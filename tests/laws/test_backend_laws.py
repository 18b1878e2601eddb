"""What holds for every backend, every cell and all options at once: results and gradients are the reference's.

The reference is checked against an oracle by hand in test_cell_laws.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from random_programs import programs
from recurrence_cases import Case, cases, compare, make_case, run_kernels, run_reference
from recurrence_oracle import CELLS
from seqwise.kernels import cpu, vendor
from seqwise.kernels.contract import Upstream
from seqwise.kernels.cpu import memory, schedule

KNOWN = st.sampled_from([cell.program for cell in CELLS.values()])
every_cell = pytest.mark.parametrize("name", CELLS)


def searching(examples: int) -> settings:
    # Fixtures hold for the whole test, which is what is wanted of them here. A case is small enough to read unshrunk.
    ignored = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(
        max_examples=examples, derandomize=True, database=None, deadline=None, suppress_health_check=ignored
    )


@pytest.fixture(autouse=True)
def poisoned_buffers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every number that nobody wrote is NaN, in pooled memory as in PyTorch's own; threads are worth their while."""
    monkeypatch.setattr(memory, "poison", True)
    monkeypatch.setattr(schedule, "_WORTH_A_THREAD", 1)
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@searching(80)
@given(cases(KNOWN))
def test_the_kernels_of_a_cell_agree_with_the_reference(case: Case) -> None:
    compare(run_kernels(case), run_reference(case))


@pytest.mark.slow
@searching(15)
@given(cases(programs()))
def test_the_kernels_of_any_cell_agree_with_the_reference(case: Case) -> None:
    compare(run_kernels(case), run_reference(case))


@searching(40)
@given(cases(KNOWN))
def test_the_kernels_in_float32_agree_with_the_reference_in_float64(case: Case) -> None:
    single = case.to(torch.float32)
    compare(run_kernels(single), run_reference(single.to(torch.float64)))


@pytest.mark.slow
@searching(8)
@given(cases(programs(), largest=17))
def test_the_kernels_of_any_cell_in_float32_agree_with_the_reference_in_float64(case: Case) -> None:
    single = case.to(torch.float32)
    compare(run_kernels(single), run_reference(single.to(torch.float64)))


@searching(30)
@given(cases(KNOWN), st.integers(1, 4), st.integers(1, 4))
def test_the_number_of_threads_changes_nothing_but_the_order_of_sums(case: Case, ahead: int, back: int) -> None:
    one = run_kernels(case)
    several = run_kernels(case, threads=(ahead, back))
    for name, value in one[0].items():
        assert torch.equal(several[0][name], value)
    compare(several, one)


@searching(30)
@given(cases(KNOWN), st.sampled_from([torch.float32, torch.float64]))
def test_saving_for_the_backward_pass_changes_no_result(case: Case, dtype: torch.dtype) -> None:
    case = case.to(dtype)
    given_to = case.program, case.x, case.initial, case.weights, case.variant
    without, nothing = cpu.forward(*given_to, save=False)
    result, saved = cpu.forward(*given_to, save=True)
    assert nothing == []
    steps, batch, hidden = result.outputs.shape
    shapes = cpu.saved_shapes(case.program, case.variant, steps, batch, hidden)
    assert [tuple(buffer.shape) for buffer in saved] == shapes
    for a, b in zip(
        (without.outputs, *without.finals, *without.states),
        (result.outputs, *result.finals, *result.states),
        strict=True,
    ):
        assert torch.equal(a, b)


@searching(20)
@given(cases(KNOWN))
def test_the_gradient_of_the_input_can_be_left_out(case: Case) -> None:
    given_to = case.program, case.x, case.initial, case.weights, case.variant
    result, saved = cpu.forward(*given_to, save=True)
    whole, less = (cpu.backward(*given_to, result, saved, case.upstream, needs_x=needs) for needs in (True, False))
    assert less.x is None
    for a, b in zip((*whole.initial, *whole.weights), (*less.initial, *less.weights), strict=True):
        assert (a is None and b is None) or torch.equal(a, b)


@searching(20)
@given(cases(st.sampled_from([CELLS[name].program for name in ("rnn", "rnn_relu", "gru_reset_after", "lstm")])))
def test_the_vendor_agrees_with_the_reference(case: Case) -> None:
    case = case.with_variant(resets=None, input_mask=None, recurrent_mask=None, zoneout=None, all_states=False)
    case = replace(case, upstream=case.upstream._replace(states=()))
    assert vendor.find_obstacle(case.program, case.variant) == ""
    compare(run_reference(case, vendor.forward), run_reference(case))


@every_cell
def test_any_strides_will_do(name: str) -> None:
    """Batch first and transposed, every second feature, one gradient for all steps or units."""
    case = make_case(
        CELLS[name].program, 7, 3, 6, 17, lengths=True, resets=True, input_mask=True, recurrent_mask=True,
        zoneout=(True, True, True), all_states=True,
    )  # fmt: skip
    expected = run_reference(case)

    def transposed(t: torch.Tensor) -> torch.Tensor:
        return t.transpose(0, 1).contiguous().transpose(0, 1) if t.dim() > 1 else t

    def turned(t: torch.Tensor) -> torch.Tensor:
        return t.transpose(-1, -2).contiguous().transpose(-1, -2) if t.dim() > 1 else t

    def every_second(t: torch.Tensor) -> torch.Tensor:
        return torch.stack([t, torch.full_like(t, torch.nan)], -1).flatten(-2)[..., ::2]

    for change in (transposed, turned, every_second):
        compare(run_kernels(case.map(change)), expected)


@every_cell
@pytest.mark.parametrize("broadcast", [(1, 1, 1), (1, 3, 17), (7, 1, 17), (7, 3, 1)], ids=str)
def test_expanded_inputs_and_upstream_gradients_will_do(name: str, broadcast: tuple[int, int, int]) -> None:
    case = make_case(CELLS[name].program, 7, 3, 17, 17, lengths=True, all_states=True)

    def narrow(t: torch.Tensor) -> torch.Tensor:
        return t[tuple(slice(n) for n in broadcast)].expand_as(t)

    upstream = Upstream(
        narrow(case.upstream.outputs), case.upstream.finals, tuple(narrow(s) for s in case.upstream.states)
    )
    finals = tuple(f[:1, :1].expand_as(f) for f in upstream.finals)
    case = replace(case, x=narrow(case.x), upstream=upstream._replace(finals=finals))
    compare(run_kernels(case), run_reference(case))


@every_cell
def test_padding_is_never_read(name: str) -> None:
    case = make_case(
        CELLS[name].program, 9, 4, 5, 17, lengths=True, resets=True, zoneout=(True, True, True), all_states=True
    )
    case = case.with_variant(lengths=torch.tensor([4, 0, 9, 1]))
    padding = torch.arange(9).unsqueeze(1) >= case.variant.lengths
    results = []
    for filling in (0.0, float("nan"), float("inf")):
        filled = case.map(torch.Tensor.clone)
        filled.x[padding] = filling
        filled.upstream.outputs[padding] = filling
        filled.variant.zoneout[:, padding] = filling
        for track in filled.upstream.states:
            track[padding] = filling
        results.append(
            run_kernels(filled.with_variant(resets=case.variant.resets | padding if filling else case.variant.resets))
        )
    compare(results[0], run_reference(case.map(lambda t: t)))
    assert (results[0][0]["outputs"][padding] == 0).all()
    assert (results[0][1]["x"][padding] == 0).all()
    for other in results[1:]:
        for ours, theirs in zip(results[0], other, strict=True):
            for what, value in ours.items():
                assert torch.equal(theirs[what], value), what


@pytest.mark.parametrize("name", ["lstm", "gru", "two_stages"])
def test_long_sequences_and_wide_layers_agree_with_the_reference(name: str) -> None:
    """More rows than a chunk holds, many chunks, several panels of weights."""
    for steps, batch, features, hidden in ((130, 3, 70, 40), (4, 150, 9, 70), (60, 1, 130, 65)):
        case = make_case(CELLS[name].program, steps, batch, features, hidden, lengths=True)
        compare(run_kernels(case, threads=(2, 3)), run_reference(case))


@pytest.mark.parametrize("name", ["lstm", "min_gru", "every_function"])
@pytest.mark.parametrize("lengths", [[0, 0, 0], [0, 5, 0], [5, 5, 5]], ids=str)
def test_rows_may_all_be_empty(name: str, lengths: list[int]) -> None:
    case = make_case(CELLS[name].program, 6, 3, 5, 5, all_states=True)
    case = case.with_variant(lengths=torch.tensor(lengths))
    compare(run_kernels(case), run_reference(case))
