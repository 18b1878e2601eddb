"""BPTT as derived, step by step: against autograd of equations by hand, and for cells drawn at random."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import recurrence_oracle as oracle
from random_programs import programs
from recurrence_cases import Case, compare, make_case, name_results, run_reference
from seqwise.kernels import derived
from seqwise.kernels.contract import Result, Upstream, Variant, Weights
from tolerances import assert_close

T, B, D, H = 6, 3, 5, 4


def run_derived(case: Case):
    """Results and gradients by name."""
    result, saved = derived.forward(case.program, case.x, case.initial, case.weights)
    found = derived.backward(case.program, case.x, case.initial, case.weights, saved, case.upstream)
    gradients = {"x": found.x} | {f"state {k}": g for k, g in enumerate(found.initial)}
    gradients |= {name: g for name, g in found.weights._asdict().items() if g is not None}
    if not case.variant.all_states:
        result = result._replace(states=())
    return name_results(result), gradients


@pytest.mark.parametrize("name", oracle.CELLS)
def test_every_cell_has_the_gradient_of_its_equation_by_hand(name):
    case = make_case(oracle.CELLS[name].program, T, B, D, H, all_states=True)

    def by_hand(program, x, initial, weights, variant):
        tracks, finals = oracle.run_by_hand(name, x, initial, weights, Variant())
        return Result(tracks[0], finals, tracks)

    compare(run_derived(case), run_reference(case, by_hand))


@given(
    programs(),
    st.sampled_from([(1, 1, 1, 1), (4, 2, 3, 5), (7, 3, 1, 2)]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 1, 2, 0b101, 0b1111110, 0b1111111]),
)
def test_any_cell_has_the_gradient_of_autograd(program, sizes, bias, all_states, absent):
    case = make_case(program, *sizes, bias=bias, all_states=all_states, absent=absent)
    compare(run_derived(case), run_reference(case))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["lstm_peephole", "gru", "min_gru"])
def test_everything_is_computed_in_the_type_of_the_input(name, dtype):
    exact = make_case(oracle.CELLS[name].program, T, B, D, H, all_states=True)

    def cast(group):
        return tuple(None if tensor is None else tensor.to(dtype) for tensor in group)

    upstream = Upstream(exact.upstream.outputs.to(dtype), cast(exact.upstream.finals), cast(exact.upstream.states))
    lower = replace(
        exact,
        x=exact.x.to(dtype),
        initial=cast(exact.initial),
        weights=Weights(*cast(exact.weights)),
        upstream=upstream,
    )
    for ours, theirs in zip(run_derived(lower), run_derived(exact), strict=True):
        assert ours.keys() == theirs.keys()
        assert {tensor.dtype for tensor in ours.values()} == {dtype}
        if dtype == torch.float32:
            for key, tensor in ours.items():
                assert_close(tensor, theirs[key], key)
