"""Recurrences with every option, drawn at random, and two ways to run them: the reference under autograd, or kernels.

The kernels are called as the operator calls them, forward and then backward, without autograd between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from seqwise.cells import Program
from seqwise.kernels import cpu, reference
from seqwise.kernels.contract import Result, Upstream, Variant, Weights
from tolerances import assert_close

Values = dict[str, Tensor]


@dataclass(frozen=True)
class Case:
    """What a recurrence is given, and the gradients of what it gives."""

    program: Program
    x: Tensor
    initial: tuple[Tensor, ...]
    weights: Weights
    variant: Variant
    upstream: Upstream

    def map(self, change: Callable[[Tensor], Tensor]) -> Case:
        """The same with every tensor of real numbers changed."""

        def each(value: Any) -> Any:
            if isinstance(value, Tensor):
                return change(value) if value.is_floating_point() else value
            if isinstance(value, tuple):
                parts = [each(v) for v in value]
                return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
            return value

        return Case(self.program, *(each(v) for v in list(vars(self).values())[1:]))

    def to(self, dtype: torch.dtype) -> Case:
        return self.map(lambda t: t.to(dtype))

    def with_variant(self, **changes: Any) -> Case:
        return replace(self, variant=self.variant._replace(**changes))


def make_case(
    program: Program,
    steps: int,
    batch: int,
    features: int,
    hidden: int,
    seed: int = 0,
    *,
    bias: bool = True,
    lengths: bool = False,
    resets: bool = False,
    reverse: bool = False,
    input_mask: bool = False,
    recurrent_mask: bool = False,
    zoneout: tuple[bool, bool, bool] | None = None,
    all_states: bool = False,
    absent: int = 0,
    scale: float = 1.0,
) -> Case:
    """A case in float64.

    Args:
        program: The cell.
        steps: T; then B, D, H, and the seed of every number.
        bias: Whether there are biases.
        lengths: Whether rows are ragged; some may be empty.
        resets: Whether states are reset here and there.
        reverse: See `Variant`, as the following.
        zoneout: Which of its axes (T, B, H) are whole, as opposed to 1; None for no zoneout.
        absent: Bits: which upstream gradients are None, in the order outputs, finals, states.
        scale: Of the weights.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64) * scale

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    states, rows = len(program.states), len(program.input_gates) * hidden
    recurrent = len(program.recurrent_gates) * hidden
    weights = Weights(
        normal(rows, features, scale=scale * features**-0.5),
        normal(recurrent, hidden, scale=scale * hidden**-0.5) if recurrent else None,
        normal(rows, scale=0.5) if bias else None,
        normal(recurrent, scale=0.5) if recurrent and bias else None,
        normal(len(program.vectors), hidden, scale=0.3) if program.vectors else None,
    )
    x, initial = normal(steps, batch, features), tuple(normal(batch, hidden, scale=0.7) for _ in range(states))
    sizes = tuple(n if whole else 1 for n, whole in zip((steps, batch, hidden), zoneout or (), strict=False))
    variant = Variant(
        torch.randint(0, steps + 1, (batch,), generator=generator) if lengths else None,
        uniform(steps, batch) < 0.3 if resets else None,
        reverse,
        (uniform(batch, features) < 0.7) / 0.7 if input_mask else None,
        (uniform(batch, hidden) < 0.7) / 0.7 if recurrent_mask else None,
        uniform(states, *sizes) if zoneout is not None else None,
        all_states,
    )
    variant = variant._replace(
        **{k: v.double() for k, v in variant._asdict().items() if k.endswith("_mask") and v is not None}
    )
    outputs, finals = normal(steps, batch, hidden), tuple(normal(batch, hidden) for _ in range(states))
    tracks = tuple(normal(steps, batch, hidden) for _ in range(states)) if all_states else ()
    everything = [None if absent >> k & 1 else t for k, t in enumerate((outputs, *finals, *tracks))]
    upstream = Upstream(everything[0], tuple(everything[1 : 1 + states]), tuple(everything[1 + states :]))
    return Case(program, x, initial, weights, variant, upstream)


@st.composite
def cases(draw: st.DrawFn, programs: st.SearchStrategy[Program], *, largest: int = 1 << 30) -> Case:
    """Any program at awkward sizes with any options; `largest` bounds T, B, D and H."""
    odd = st.sampled_from([n for n in (1, 5, 16, 17, 33) if n <= largest])
    flag = st.booleans()
    return make_case(
        draw(programs),
        draw(st.sampled_from([n for n in (1, 2, 9, 20) if n <= largest])),
        draw(st.sampled_from([n for n in (1, 2, 3, 7, 17) if n <= largest])),
        draw(odd),
        draw(odd),
        draw(st.integers(0, 2**16)),
        bias=draw(flag),
        lengths=draw(flag),
        resets=draw(flag),
        reverse=draw(flag),
        input_mask=draw(flag),
        recurrent_mask=draw(flag),
        zoneout=draw(st.none() | st.tuples(flag, flag, flag)),
        all_states=draw(flag),
        absent=draw(st.sampled_from([0, 0, 1, 2, 0b101, 0b1111111, 0b1111110])),
    )


def name_results(result: Result) -> Values:
    """Outputs, finals and states by name."""
    named = {"outputs": result.outputs}
    named |= {f"final {k}": f for k, f in enumerate(result.finals)}
    return named | {f"states {k}": s for k, s in enumerate(result.states)}


def run_reference(case: Case, forward: Callable[..., Result] = reference.forward) -> tuple[Values, Values]:
    """Results and gradients by name, of any backend that autograd differentiates."""
    case = case.map(lambda t: t.detach().clone())
    inputs = {"x": case.x} | {f"state {k}": s for k, s in enumerate(case.initial)}
    inputs |= {name: w for name, w in case.weights._asdict().items() if w is not None}
    for tensor in inputs.values():
        tensor.requires_grad_()
    results = name_results(forward(case.program, case.x, case.initial, case.weights, case.variant))
    upstream = (case.upstream.outputs, *case.upstream.finals, *case.upstream.states)
    pairs = [(r, u) for r, u in zip(results.values(), upstream, strict=True) if u is not None]
    if pairs:
        total = torch.stack([(r * u).sum() for r, u in pairs]).sum()
        found = torch.autograd.grad(total, list(inputs.values()), allow_unused=True)
    else:
        found = tuple(None for _ in inputs)
    gradients = {
        name: torch.zeros_like(tensor) if grad is None else grad
        for (name, tensor), grad in zip(inputs.items(), found, strict=True)
    }
    return {name: r.detach() for name, r in results.items()}, gradients


def run_kernels(case: Case, threads: tuple[int, int] = (1, 1)) -> tuple[Values, Values]:
    """Results and gradients by name of the CPU kernels, with so many threads forward and backward."""
    before = torch.get_num_threads()
    given = case.program, case.x, case.initial, case.weights, case.variant
    try:
        torch.set_num_threads(threads[0])
        result, saved = cpu.forward(*given, save=True)
        torch.set_num_threads(threads[1])
        found = cpu.backward(*given, result, saved, case.upstream, needs_x=True)
    finally:
        torch.set_num_threads(before)
    gradients = {"x": found.x} | {f"state {k}": g for k, g in enumerate(found.initial)}
    gradients |= {name: g for name, g in found.weights._asdict().items() if g is not None}
    return name_results(result), gradients


def compare(actual: tuple[Values, Values], expected: tuple[Values, Values], dtype: torch.dtype | None = None) -> None:
    """The same results and the same gradients, no more and no fewer, within the tolerance of the dtype of `actual`."""
    for kind, ours, theirs in zip(("", "gradient of "), actual, expected, strict=True):
        assert ours.keys() == theirs.keys()
        for name in ours:
            assert_close(ours[name], theirs[name], kind + name, dtype)
