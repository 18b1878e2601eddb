"""What holds for every cell, on every backend that can run it, against an oracle written by hand.

States are distinct and non-zero, upstream gradients random for every output and every final state, so that a swap or
a permutation cannot hide.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from recurrence_oracle import CELLS, run_by_hand
from seqwise.ops import BACKENDS, Variant, Weights, recurrence
from tolerances import assert_close

PAIRS = [
    (name, backend)
    for name, cell in CELLS.items()
    for backend, entry in BACKENDS.items()
    if not entry.find_obstacle(cell.program, Variant())
]
SIZES = [(1, 1, 5), (1, 3, 17), (63, 1, 17), (63, 3, 5)]  # T, B, H
FEATURES = 4
every_pair = pytest.mark.parametrize(("name", "backend"), PAIRS)
every_cell = pytest.mark.parametrize("name", CELLS)
both_directions = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])


def draw(name: str, steps: int, batch: int, hidden: int, dtype: torch.dtype = torch.float64, bias: bool = True):
    """Random input, distinct states and weights; every one a leaf that wants a gradient."""
    generator = torch.Generator().manual_seed(steps * 1000 + batch * 100 + hidden)
    program = CELLS[name].program

    def leaf(*shape: int, scale: float = 1.0) -> Tensor:
        return (torch.randn(shape, generator=generator, dtype=torch.float64) * scale).to(dtype).requires_grad_()

    rows, recurrent = len(program.input_gates) * hidden, len(program.recurrent_gates) * hidden
    small = hidden**-0.5
    weights = Weights(
        leaf(rows, FEATURES, scale=0.5),
        leaf(recurrent, hidden, scale=small) if recurrent else None,
        leaf(rows, scale=0.5) if bias else None,
        leaf(recurrent, scale=0.5) if recurrent and bias else None,
        leaf(len(program.vectors), hidden, scale=0.3) if program.vectors else None,
    )
    x = leaf(steps, batch, FEATURES)
    return x, tuple(leaf(batch, hidden, scale=0.7) for _ in program.states), weights


def leaves(x: Tensor, initial: tuple[Tensor, ...], weights: Weights) -> dict[str, Tensor]:
    named = {"x": x} | {f"state {k}": s for k, s in enumerate(initial)} | weights._asdict()
    return {name: tensor for name, tensor in named.items() if tensor is not None}


def compare(actual: tuple[Tensor, ...], expected: tuple[Tensor, ...], inputs: dict[str, Tensor]) -> None:
    """Values, and gradients of every input under the same random upstream gradients."""
    generator = torch.Generator().manual_seed(4)
    upstream = [torch.randn(a.shape, generator=generator).to(a.dtype) for a in actual]
    for k, (a, e) in enumerate(zip(actual, expected, strict=True)):
        assert_close(a, e, f"result {k}")
    ours = torch.autograd.grad(actual, list(inputs.values()), upstream)
    theirs = torch.autograd.grad(expected, list(inputs.values()), upstream)
    for what, a, e in zip(inputs, ours, theirs, strict=True):
        assert_close(a, e, f"gradient of {what}")


def ragged(steps: int, batch: int) -> Tensor:
    """Lengths that hold 1 and T, when there is room for both."""
    return torch.tensor([1, steps, max(1, steps // 3)][:batch])


def some_resets(steps: int, batch: int) -> Tensor:
    resets = torch.rand(steps, batch, generator=torch.Generator().manual_seed(1)) < 0.2
    resets[0, -1] = True  # at the very first step too
    return resets


@every_pair
@pytest.mark.parametrize(("steps", "batch", "hidden"), SIZES)
def test_a_cell_computes_its_equation(name: str, backend: str, steps: int, batch: int, hidden: int) -> None:
    x, initial, weights = draw(name, steps, batch, hidden)
    for reverse in (False, True):
        variant = Variant(reverse=reverse)
        result = recurrence(CELLS[name], x, initial, weights, variant, backend=backend)
        tracks, finals = run_by_hand(name, x, initial, weights, variant)
        compare((result.outputs, *result.finals), (tracks[0], *finals), leaves(x, initial, weights))


@every_pair
@both_directions
def test_ragged_rows_are_what_they_would_be_alone(name: str, backend: str, reverse: bool) -> None:
    x, initial, weights = draw(name, 13, 3, 5)
    variant = Variant(lengths=ragged(13, 3), reverse=reverse)
    result = recurrence(CELLS[name], x, initial, weights, variant, backend=backend)
    tracks, finals = run_by_hand(name, x, initial, weights, variant)
    compare((result.outputs, *result.finals), (tracks[0], *finals), leaves(x, initial, weights))


@every_cell
@both_directions
@pytest.mark.parametrize("lengths", [None, ragged(13, 3)], ids=["whole", "ragged"])
def test_every_option_at_once_computes_what_it_says(name: str, reverse: bool, lengths: Tensor | None) -> None:
    x, initial, weights = draw(name, 13, 3, 5)
    generator = torch.Generator().manual_seed(2)

    def mask(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    variant = Variant(
        lengths,
        some_resets(13, 3),
        reverse,
        input_mask=mask(3, FEATURES).round() * 2,
        recurrent_mask=mask(3, 5).round() * 2,
        zoneout=mask(len(initial), 13, 3, 5).round(),
        all_states=True,
    )
    result = recurrence(CELLS[name], x, initial, weights, variant)
    tracks, finals = run_by_hand(name, x, initial, weights, variant)
    compare((*result.states, *result.finals), (*tracks, *finals), leaves(x, initial, weights))
    assert_close(result.outputs, tracks[0])


@every_cell
@both_directions
def test_a_reset_is_the_beginning_of_another_sequence(name: str, reverse: bool) -> None:
    x, initial, weights = draw(name, 9, 2, 5)
    zeros = tuple(torch.zeros_like(s) for s in initial)
    resets = torch.zeros(9, 2, dtype=torch.bool)
    resets[4] = True
    whole = recurrence(CELLS[name], x, initial, weights, Variant(resets=resets, reverse=reverse))
    starts = (zeros, initial) if reverse else (initial, zeros)
    first, second = (
        recurrence(CELLS[name], part, start, weights, Variant(reverse=reverse))
        for part, start in zip((x[:4], x[4:]), starts, strict=True)
    )
    compare(
        (whole.outputs, *whole.finals),
        (torch.cat([first.outputs, second.outputs]), *(first if reverse else second).finals),
        leaves(x, initial, weights),
    )


@every_pair
@both_directions
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_padding_never_changes_an_output_or_a_gradient(
    name: str, backend: str, reverse: bool, dtype: torch.dtype
) -> None:
    x, initial, weights = draw(name, 11, 4, 5, dtype)
    lengths = torch.tensor([4, 1, 0, 7])  # no row is as long as the batch, one is empty
    padding = torch.arange(11).unsqueeze(1) >= lengths
    variant = Variant(lengths, reverse=reverse)
    if backend == "reference":  # what resets and masks hold on padding means nothing either
        variant = variant._replace(
            resets=some_resets(11, 4) | padding, zoneout=torch.full((len(initial), 11, 1, 1), 0.25).to(dtype)
        )
    results = []
    for filling in (0.0, float("nan"), float("inf")):
        filled = x.detach().clone()
        filled[padding] = filling
        filled.requires_grad_()
        inputs = leaves(filled, initial, weights)
        result = recurrence(CELLS[name], filled, initial, weights, variant, backend=backend)
        given = (result.outputs, *result.finals)
        generator = torch.Generator().manual_seed(3)
        upstream = [torch.randn(g.shape, generator=generator).to(dtype) for g in given]
        results.append((given, torch.autograd.grad(given, list(inputs.values()), upstream)))
        assert (result.outputs[padding] == 0).all()
        assert (results[-1][1][0][padding] == 0).all()  # the gradient of the input
        for start, final in zip(initial, result.finals, strict=True):
            assert torch.equal(final[2], start[2])  # the empty row ends where it began
    for other in results[1:]:
        for a, b in zip((*results[0][0], *results[0][1]), (*other[0], *other[1]), strict=True):
            assert torch.equal(a, b)


@every_pair
@both_directions
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_batch_of_one_gives_what_a_batch_of_sixty_four_gives(
    name: str, backend: str, reverse: bool, dtype: torch.dtype
) -> None:
    x, initial, weights = draw(name, 12, 64, 17, dtype)
    lengths = torch.arange(64) % 12 + 1
    together = recurrence(CELLS[name], x, initial, weights, Variant(lengths, reverse=reverse), backend=backend)
    for row in (0, 5, 11, 63):
        length = int(lengths[row])
        here = slice(row, row + 1)
        alone = recurrence(
            CELLS[name],
            x[:length, here],
            tuple(s[here] for s in initial),
            weights,
            Variant(reverse=reverse),
            backend=backend,
        )
        assert_close(together.outputs[:length, here], alone.outputs, f"outputs of row {row}")
        for k, (a, b) in enumerate(zip(together.finals, alone.finals, strict=True)):
            assert_close(a[here], b, f"final state {k} of row {row}")


@every_cell
@both_directions
def test_gradients_agree_with_finite_differences_twice(name: str, reverse: bool) -> None:
    x, initial, weights = draw(name, 3, 2, 2)
    inputs = leaves(x, initial, weights)
    variant = Variant(torch.tensor([3, 1]), torch.tensor([[False, False], [False, False], [True, True]]), reverse)

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        given = dict(zip(inputs, tensors, strict=True))
        states = tuple(given[f"state {k}"] for k in range(len(initial)))
        fields = Weights(*(given.get(field) for field in Weights._fields))  # type: ignore[arg-type]
        result = recurrence(CELLS[name], given["x"], states, fields, variant, backend="reference")
        return (result.outputs, *result.finals)

    assert torch.autograd.gradcheck(run, tuple(inputs.values()), fast_mode=True)
    assert torch.autograd.gradgradcheck(run, tuple(inputs.values()), fast_mode=True)


@every_pair
def test_float32_agrees_with_float64(name: str, backend: str) -> None:
    x, initial, weights = draw(name, 63, 3, 17, torch.float32)
    variant = Variant(ragged(63, 3))
    single = recurrence(CELLS[name], x, initial, weights, variant, backend=backend)
    double = recurrence(
        CELLS[name],
        x.double(),
        tuple(s.double() for s in initial),
        Weights(*(None if w is None else w.double() for w in weights)),  # type: ignore[arg-type]
        variant,
        backend="reference",
    )
    inputs = leaves(x, initial, weights)
    compare((single.outputs, *single.finals), (double.outputs.float(), *(f.float() for f in double.finals)), inputs)


@every_pair
def test_a_cell_without_biases_has_biases_of_zero(name: str, backend: str) -> None:
    x, initial, weights = draw(name, 5, 3, 5)
    zeros = {f: None if w is None or "bias" not in f else torch.zeros_like(w) for f, w in weights._asdict().items()}
    without = weights._replace(input_bias=None, recurrent_bias=None)
    with_zeros = weights._replace(input_bias=zeros["input_bias"], recurrent_bias=zeros["recurrent_bias"])
    a = recurrence(CELLS[name], x, initial, without, Variant(ragged(5, 3)), backend=backend)
    b = recurrence(CELLS[name], x, initial, with_zeros, Variant(ragged(5, 3)), backend=backend)
    compare((a.outputs, *a.finals), (b.outputs, *b.finals), leaves(x, initial, without))
