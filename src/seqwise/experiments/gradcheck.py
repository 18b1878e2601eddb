"""Is a gradient that was derived by hand, or by Seqwise, the gradient? Autograd and finite differences say so.

A `Problem` is a number computed from named tensors, with a gradient in closed form. Cells and losses become one each.

Axis letters: B batch, T steps, D input features, H hidden units.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqwise.cells import LIBRARY, Cell, Program
from seqwise.cells.loading import load_cell
from seqwise.errors import ConfigurationError, nearest
from seqwise.kernels import derived, reference
from seqwise.kernels.contract import Upstream, Variant, Weights
from seqwise.losses import CLOSED_FORMS, ClosedForm

AUTOGRAD_TOLERANCE = 1e-10
"""Two orders of adding the same few hundred float64 numbers."""
DIFFERENCES_TOLERANCE = 1e-6
"""Central differences lose a third of float64's 16 digits by rounding, and the third derivative takes some more."""
_STEP = torch.finfo(torch.float64).eps ** (1 / 3)  # where rounding and truncation are about equal
_SMALLEST = 1e-3  # a tensor whose gradient is all smaller is measured against this: rounding does not shrink with it
_B, _T, _D, _H = 3, 4, 3, 5

Tensors = dict[str, Tensor]


class Problem(NamedTuple):
    """A number computed from tensors, and its gradient in closed form.

    Attributes:
        inputs: The tensors by name, float64.
        value: value(inputs): the number, differentiable by autograd and by `torch.func.vmap`.
        gradient: gradient(inputs): the gradient with respect to each of them.
    """

    inputs: Tensors
    value: Callable[[Tensors], Tensor]
    gradient: Callable[[Tensors], Tensors]


class GradientCheck(NamedTuple):
    """How far a closed form is from two other ways to the same gradient.

    Attributes:
        name: The cell or the loss.
        against_autograd: The largest difference from float64 autograd, relative to the largest entry of the tensor;
            infinite where something is not finite or has another shape.
        against_differences: The same from central finite differences.
    """

    name: str
    against_autograd: float
    against_differences: float

    @property
    def passed(self) -> bool:
        """Whether both are within what rounding explains."""
        return self.against_autograd <= AUTOGRAD_TOLERANCE and self.against_differences <= DIFFERENCES_TOLERANCE


def check_gradients(names: Iterable[str] = ()) -> list[GradientCheck]:
    """Check cells and losses by name.

    Args:
        names: Keys of `seqwise.cells.LIBRARY` and of `seqwise.losses.CLOSED_FORMS`, and FILE:NAME for a cell of one's
            own. None: all that Seqwise has.

    Raises:
        ConfigurationError: There is nothing of this name.
        CellError: FILE:NAME is not a cell.
        FileError: There is no such FILE.
    """
    names = list(dict.fromkeys(names)) or [*LIBRARY, *CLOSED_FORMS]
    found = {name: _find(name) for name in names}  # an unknown name stops it before anything is computed
    return [check_problem(name, pose(subject)) for name, subject in found.items()]


def check_problem(name: str, problem: Problem) -> GradientCheck:
    """Compare the closed form of a problem with autograd and with central finite differences."""
    ours = problem.gradient(problem.inputs)
    return GradientCheck(
        name,
        _largest_difference(ours, _differentiate(problem)),
        _largest_difference(ours, _difference_quotients(problem)),
    )


def pose(subject: Cell | ClosedForm, seed: int = 0) -> Problem:
    """Make a problem of a cell (a few steps of BPTT) or of a loss, with drawn numbers."""
    generator = torch.Generator().manual_seed(seed)
    return _pose_cell(subject.program, generator) if isinstance(subject, Cell) else _pose_loss(subject, generator)


def _pose_cell(program: Program, generator: torch.Generator) -> Problem:
    """Every state of every step, and every final state once more, reaches the number with a weight of its own."""
    initial = {f"initial {name}": _draw(generator, _B, _H) for name in program.states}
    inputs, recurrent = len(program.input_gates) * _H, len(program.recurrent_gates) * _H
    shapes = {
        "input": (inputs, _D),
        "recurrent": (recurrent, _H),
        "input_bias": (inputs,),
        "recurrent_bias": (recurrent,),
        "vectors": (len(program.vectors), _H),
    }
    weights = {name: 0.5 * _draw(generator, *shape) for name, shape in shapes.items() if math.prod(shape)}
    outputs, *tracks = (_draw(generator, _T, _B, _H) for _ in program.states)
    finals = tuple(_draw(generator, _B, _H) for _ in program.states)
    upstream = Upstream(outputs, finals, (None, *tracks))  # the states of the first are the outputs

    def take(inputs: Tensors) -> tuple[Tensor, tuple[Tensor, ...], Weights]:
        parameters = {name: tensor for name, tensor in inputs.items() if name in Weights._fields}
        return inputs["x"], tuple(inputs[name] for name in initial), Weights(**parameters)

    def value(inputs: Tensors) -> Tensor:
        result = reference.forward(program, *take(inputs), Variant(all_states=True))
        pairs = zip((*result.states, *result.finals), (outputs, *tracks, *finals), strict=True)
        return torch.stack([(value * factor).sum() for value, factor in pairs]).sum()

    def gradient(inputs: Tensors) -> Tensors:
        x, states, parameters = take(inputs)
        _, saved = derived.forward(program, x, states, parameters)
        found = derived.backward(program, x, states, parameters, saved, upstream)
        named: dict[str, Any] = {"x": found.x, **dict(zip(initial, found.initial, strict=True))}
        return named | {name: tensor for name, tensor in found.weights._asdict().items() if tensor is not None}

    return Problem({"x": _draw(generator, _T, _B, _D), **initial, **weights}, value, gradient)


def _pose_loss(form: ClosedForm, generator: torch.Generator) -> Problem:
    """The sum of the losses of a few examples, as a function of the arguments that have a gradient."""
    drawn = form.draw(generator)
    inputs = {f"argument {k}": tensor for k, tensor in enumerate(drawn[: form.differentiable])}
    others = drawn[form.differentiable :]

    def value(inputs: Tensors) -> Tensor:
        return form.loss(*inputs.values(), *others).sum()

    def gradient(inputs: Tensors) -> Tensors:
        return dict(zip(inputs, form.gradient(*inputs.values(), *others), strict=True))

    return Problem(inputs, value, gradient)


def _differentiate(problem: Problem) -> Tensors:
    """The gradient by autograd; 0 where autograd sees no connection."""
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in problem.inputs.items()}
    gradients = torch.autograd.grad(problem.value(leaves), list(leaves.values()), materialize_grads=True)
    return dict(zip(leaves, gradients, strict=True))


def _difference_quotients(problem: Problem) -> Tensors:
    """The gradient by central finite differences: every number of every tensor is moved, all of a tensor at once."""

    def quotients(name: str, tensor: Tensor) -> Tensor:
        moves = _STEP * torch.eye(tensor.numel(), dtype=tensor.dtype).reshape(-1, *tensor.shape)
        value = torch.func.vmap(lambda move: problem.value(problem.inputs | {name: tensor + move}))
        return ((value(moves) - value(-moves)) / (2 * _STEP)).reshape(tensor.shape)

    return {name: quotients(name, tensor) for name, tensor in problem.inputs.items()}


def _largest_difference(ours: Tensors, expected: Tensors) -> float:
    if ours.keys() != expected.keys():
        return math.inf
    return max(_relative_difference(ours[name], expected[name]) for name in expected)


def _relative_difference(ours: Tensor, expected: Tensor) -> float:
    if ours.shape != expected.shape or not (ours.isfinite().all() and expected.isfinite().all()):
        return math.inf
    return float((ours - expected).abs().max()) / max(float(expected.abs().max()), _SMALLEST)


def _draw(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def _find(name: str) -> Cell | ClosedForm:
    if ":" in name:
        return load_cell(name)
    known: dict[str, Cell | ClosedForm] = {**LIBRARY, **CLOSED_FORMS}
    if name not in known:
        raise ConfigurationError(f"There is no cell or loss {name!r}; {nearest(name, known)}")
    return known[name]
