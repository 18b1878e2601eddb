"""Recurrences on the CPU kernels where numbers are extreme: large, tiny, infinite, not numbers."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from recurrence_cases import Values, compare, make_case, run_kernels, run_reference
from recurrence_oracle import CELLS
from seqwise.cells import LIBRARY
from seqwise.kernels import cpu
from seqwise.kernels.contract import Variant
from tolerances import TOLERANCES

every_cell = pytest.mark.parametrize("name", CELLS)
library_cell = pytest.mark.parametrize("name", LIBRARY)
both_dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def compare_with_nan(actual: tuple[Values, Values], expected: tuple[Values, Values]) -> None:
    """As `compare`, but NaN equals NaN and infinity infinity."""
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            tolerance = TOLERANCES[value.dtype]
            torch.testing.assert_close(
                value,
                theirs[name],
                rtol=tolerance.relative,
                atol=tolerance.absolute,
                equal_nan=True,
                msg=lambda message, name=name: f"{name}: {message}",
            )


@library_cell
@both_dtypes
@pytest.mark.parametrize("size", [30.0, 1e2, 1e4])
def test_saturated_gates_are_those_of_pytorch(name: str, dtype: torch.dtype, size: float) -> None:
    """Inputs of gates of +-size, open and closed in many combinations."""
    case = make_case(LIBRARY[name].program, 4, 7, 5, 17, lengths=True).to(dtype)
    signs = torch.sign(case.weights.input_bias)
    weights = case.weights._replace(input_bias=signs * size)
    case = replace(case, weights=weights)
    if name == "rnn_relu":  # grows with every step: one is enough
        case = case.with_variant(lengths=torch.ones(7, dtype=torch.int64))
    compare(run_kernels(case), run_reference(case))


@library_cell
@both_dtypes
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")], ids=str)
def test_nan_and_infinity_stay_in_their_row_as_in_pytorch(name: str, dtype: torch.dtype, value: float) -> None:
    case = make_case(LIBRARY[name].program, 5, 3, 5, 17).to(dtype)
    case = case.map(Tensor.clone)
    case.x[2, 1, 3] = value
    actual, expected = run_kernels(case), run_reference(case)
    compare_with_nan(actual, expected)
    others = [0, 2]
    assert actual[0]["outputs"][:, others].isfinite().all()
    assert actual[1]["x"][:, others].isfinite().all()
    if value != value:
        assert actual[0]["outputs"][2:, 1].isnan().any()


@library_cell
@both_dtypes
def test_nan_in_a_state_or_an_upstream_gradient_is_seen(name: str, dtype: torch.dtype) -> None:
    case = make_case(LIBRARY[name].program, 3, 3, 5, 17).to(dtype).map(Tensor.clone)
    case.initial[-1][1, 4] = float("nan")
    case.upstream.outputs[1, 2, 0] = float("nan")
    compare_with_nan(run_kernels(case), run_reference(case))


@every_cell
@both_dtypes
def test_denormal_numbers_are_kept(name: str, dtype: torch.dtype) -> None:
    tiny = torch.finfo(dtype).tiny
    case = make_case(CELLS[name].program, 3, 2, 5, 17, bias=False).to(dtype)
    case = replace(case, x=case.x * tiny / 64, initial=tuple(s * tiny / 64 for s in case.initial))
    actual, expected = run_kernels(case), run_reference(case)
    compare(actual, expected)
    if name in ("rnn", "rnn_relu"):
        torch.testing.assert_close(actual[0]["outputs"], expected[0]["outputs"], rtol=1e-2, atol=tiny * 1e-5)
        assert (actual[0]["outputs"] != 0).any()


def test_no_upstream_gradient_gives_zero_gradients() -> None:
    case = make_case(CELLS["two_stages"].program, 4, 3, 5, 17, lengths=True, absent=0b1111, all_states=False)
    _, gradients = run_kernels(case)
    assert all((g == 0).all() for g in gradients.values())


def test_arguments_are_left_as_they_were() -> None:
    case = make_case(
        CELLS["every_function"].program, 6, 3, 5, 17, lengths=True, resets=True, input_mask=True, recurrent_mask=True,
        zoneout=(True, True, True), all_states=True,
    )  # fmt: skip
    before = case.map(Tensor.clone)
    run_kernels(case)
    pairs = zip((case.x, *case.initial, *case.weights), (before.x, *before.initial, *before.weights), strict=True)
    upstream = zip(case.upstream.states, before.upstream.states, strict=True)
    masks = zip(case.variant[:2] + case.variant[3:6], before.variant[:2] + before.variant[3:6], strict=True)
    for ours, theirs in (*pairs, *upstream, *masks, (case.upstream.outputs, before.upstream.outputs)):
        assert ours is theirs or torch.equal(ours, theirs)


def test_what_cannot_be_computed_is_said() -> None:
    program, x = LIBRARY["lstm"].program, torch.zeros(2, 3, 4)
    assert cpu.find_obstacle(program, Variant(), None) == ""
    assert cpu.find_obstacle(program, Variant(), x) == ""
    assert "bfloat16" in cpu.find_obstacle(program, Variant(), x.bfloat16())
    assert "meta" in cpu.find_obstacle(program, Variant(), x.to("meta"))
    mask = torch.ones(3, 5, requires_grad=True)
    assert "recurrent_dropout" in cpu.find_obstacle(program, Variant(recurrent_mask=mask), x)


def test_llvm_is_not_loaded_before_a_kernel_runs() -> None:
    program = "import sys, seqwise.kernels.cpu, seqwise.ops, seqwise.layers; sys.exit('llvmlite' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
