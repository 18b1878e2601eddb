"""The recurrence as PyTorch sees it: the operators `seqwise::recurrence` and `seqwise::recurrence_backward`.

They are opaque: tracing puts one node into the graph, and shapes come from the rules here. Programs travel as text,
absent tensors as None. The results of the forward operator are the outputs, the final states, the other states of
every step (the first state's are the outputs) and the buffers that a kernel saves. A caller leaves `save` False: the
autograd rule asks for the buffers by itself when a backward pass may follow, so that a graph that was exported without
gradients saves nothing and can still be trained.

A backend made of PyTorch's own functions saves nothing here; its backward pass runs it again and differentiates that.
Second derivatives are those of the reference, run again on the inputs.

Axis letters: B batch, T steps, D input features, H hidden units, S states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor
from torch.autograd import forward_ad

from seqwise.cells import Program
from seqwise.errors import ConfigurationError
from seqwise.kernels import reference
from seqwise.kernels.contract import Result, Upstream, Variant, Weights
from seqwise.ops.backends import choose_backend
from seqwise.ops.checks import check_lengths, check_tensors

_VARIANT = ("lengths", "resets", "input_mask", "recurrent_mask", "zoneout")  # the tensors, in the operator's order
_INPUTS = "Tensor x, Tensor[] initial, Tensor?[] weights, Tensor?[] variant"
_SETTINGS = "str program, bool reverse, bool all_states"

_OPAQUE = "{} cannot look into the operator seqwise::recurrence; use backend='reference', not compiled."

_library = torch.library.Library("seqwise", "DEF")  # the registrations last as long as this object
for _schema in (
    f"recurrence({_INPUTS}, {_SETTINGS}, bool save, str backend) -> Tensor[]",
    f"recurrence_backward({_INPUTS}, Tensor[] results, Tensor?[] upstream, {_SETTINGS}, str backend, bool needs_x)"
    " -> Tensor[]",
):
    _library.define(_schema, tags=(torch.Tag.pt2_compliant_tag,))
_FORWARD = torch.ops.seqwise.recurrence.default
_BACKWARD = torch.ops.seqwise.recurrence_backward.default


def call_operator(
    program: Program, x: Tensor, initial: tuple[Tensor, ...], weights: Weights, variant: Variant, backend: str
) -> Result:
    """Run the operator; arguments and errors as in `recurrence`."""
    around = [variant.lengths, variant.resets, variant.input_mask, variant.recurrent_mask, variant.zoneout]
    settings = (program.to_string(), variant.reverse, variant.all_states)
    results = _FORWARD(x, list(initial), list(weights), around, *settings, False, backend)
    return _unpack(results, len(initial), variant.all_states)


class _Call(NamedTuple):
    """What every backend takes, in its order."""

    program: Program
    x: Tensor
    initial: tuple[Tensor, ...]
    weights: Weights
    variant: Variant

    @property
    def tensors(self) -> list[Tensor]:
        """What gradients may be asked for: x, the initial states, and the weights that there are."""
        return [self.x, *self.initial, *(w for w in self.weights if w is not None)]

    def with_tensors(self, tensors: Iterable[Tensor]) -> _Call:
        """The same call on other tensors, in the order of `tensors`."""
        given = iter(tensors)
        x, initial = next(given), tuple(next(given) for _ in self.initial)
        weights = Weights(*(None if w is None else next(given) for w in self.weights))  # type: ignore[arg-type]
        return self._replace(x=x, initial=initial, weights=weights)


def _read_call(
    x: Tensor,
    initial: Sequence[Tensor],
    weights: Sequence[Tensor | None],
    variant: Sequence[Tensor | None],
    program: str,
    reverse: bool,
    all_states: bool,
) -> _Call:
    lengths, resets, input_mask, recurrent_mask, zoneout = variant
    around = Variant(lengths, resets, reverse, input_mask, recurrent_mask, zoneout, all_states)
    return _Call(_read_program(program), x, tuple(initial), Weights(*weights), around)  # type: ignore[arg-type]


_read_program = lru_cache(1024)(Program.from_string)


def _run_forward(*arguments: Any) -> list[Tensor]:
    *given, save, backend = arguments
    call = _read_call(*given)
    check_tensors(*call)
    chosen = choose_backend(backend, call.program, call.variant, call.x)
    ragged = check_lengths(call.variant.lengths, call.x.shape[0])
    with _without_autocast(call.x):
        if chosen.is_kernel:
            result, saved = chosen.forward(*call, save)
            return [*_flatten(result), *saved]
        if not ragged:
            call = call._replace(variant=call.variant._replace(lengths=None))
        with torch.no_grad():
            return _own(_flatten(chosen.forward(*call)), call.tensors)


def _infer_forward(*arguments: Any) -> list[Tensor]:
    *given, save, backend = arguments
    call = _read_call(*given)
    check_tensors(*call)
    chosen = choose_backend(backend, call.program, call.variant, call.x)
    (steps, batch, _), hidden = call.x.shape, call.initial[0].shape[1]
    shapes: list[tuple[int, ...]] = [(steps, batch, hidden), *[(batch, hidden)] * len(call.initial)]
    if call.variant.all_states:
        shapes += [(steps, batch, hidden)] * (len(call.initial) - 1)
    if save and chosen.saved_shapes is not None:
        shapes += chosen.saved_shapes(call.program, call.variant, steps, batch, hidden)
    return [call.x.new_empty(shape) for shape in shapes]


def _run_backward(*arguments: Any) -> list[Tensor]:
    inputs, (results, upstream), settings, (backend, needs_x) = _split_backward(arguments)
    call = _read_call(*inputs, *settings)
    chosen = choose_backend(backend, call.program, call.variant, call.x)
    states, all_states = len(call.initial), call.variant.all_states
    with _without_autocast(call.x):
        if chosen.backward is not None:
            saved = list(results[_count_results(states, all_states) :])
            into = _arrange_upstream(upstream, states, all_states)
            found = chosen.backward(*call, _unpack(results, states, all_states), saved, into, needs_x)
            return [g for g in (found.x if needs_x else None, *found.initial, *found.weights) if g is not None]
        leaves = [t.detach().requires_grad_(needs_x or k > 0) for k, t in enumerate(call.tensors)]
        with _with_autograd():
            gradients = _differentiate(chosen.forward, call.with_tensors(leaves), upstream, create_graph=False)
        wanted = [(leaf, g) for leaf, g in zip(leaves, gradients, strict=True) if leaf.requires_grad]
        return _own([torch.zeros_like(leaf) if g is None else g for leaf, g in wanted], upstream)


def _infer_backward(*arguments: Any) -> list[Tensor]:
    inputs, _, settings, (_, needs_x) = _split_backward(arguments)
    tensors = _read_call(*inputs, *settings).tensors
    return [t.new_empty(t.shape) for t in (tensors if needs_x else tensors[1:])]


def _split_backward(arguments: tuple[Any, ...]) -> tuple[tuple[Any, ...], ...]:
    return arguments[:4], arguments[4:6], arguments[6:9], arguments[9:]


def _record(keyset: Any, *arguments: Any) -> list[Tensor]:
    """The autograd rule: leave a node in the graph if anybody can want a gradient."""
    x, initial, weights, variant, *settings, save, backend = arguments
    if torch._C._functorch.peek_interpreter_stack() is not None:
        raise ConfigurationError(_OPAQUE.format("torch.func"))
    below, tensors = keyset & torch._C._after_autograd_keyset, (x, *initial, *weights)
    recorded = forward_ad._current_level >= 0  # somebody may have given tangents
    if torch.is_grad_enabled():
        for k, tensor in enumerate(variant):
            if tensor is not None and tensor.requires_grad:
                raise ConfigurationError(
                    f"{_VARIANT[k]}: there is a gradient with respect to it only with backend='reference', not compiled."
                )
        recorded = recorded or any(t is not None and t.requires_grad for t in tensors)
    if recorded:
        return list(_Recurrence.apply(below, len(initial), variant, settings, save, backend, *tensors))
    results: list[Tensor] = _FORWARD.redispatch(below, *arguments)
    return results


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        below: Any,
        states: int,
        variant: Sequence[Tensor | None],
        settings: list[Any],
        save: bool,
        backend: str,
        *tensors: Any,
    ) -> tuple[Tensor, ...]:
        x, initial, weights = tensors[0], tensors[1 : 1 + states], tensors[1 + states :]
        results = _FORWARD.redispatch(below, x, initial, weights, variant, *settings, True, backend)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, *variant, *results)
        ctx.states, ctx.settings, ctx.backend = states, settings, backend
        ctx.visible = _count_results(states, settings[-1])
        if not save:
            return tuple(results[: ctx.visible])
        ctx.mark_non_differentiable(*results[ctx.visible :])
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Any, ...]:
        upstream = upstream[: ctx.visible]
        states, saved = ctx.states, ctx.saved_tensors
        first = 1 + states  # of the weights
        around = first + len(Weights._fields)  # of the variant
        after = around + len(_VARIANT)  # of the results
        inputs = saved[0], saved[1:first], saved[first:around], saved[around:after]
        if torch.is_grad_enabled():
            call = _read_call(*inputs, *ctx.settings)
            # Views: what was computed from another input, or given twice, is then still an input of its own.
            call = call.with_tensors([t.view_as(t) for t in call.tensors])
            found = iter(_differentiate(reference.forward, call, upstream, create_graph=True))
            gradients = [None if t is None else next(found) for t in saved[:around]]
        else:
            needs_x = ctx.needs_input_grad[-around]
            found = iter(_BACKWARD(*inputs, saved[after:], upstream, *ctx.settings, ctx.backend, needs_x))
            gradients = [
                next(found) if t is not None and (needs_x or k > 0) else None for k, t in enumerate(saved[:around])
            ]
        return (*[None] * (len(ctx.needs_input_grad) - around), *gradients)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> NoReturn:
        raise ConfigurationError(_OPAQUE.format("forward-mode differentiation"))


def _refuse_vmap(*arguments: Any) -> NoReturn:
    raise ConfigurationError(_OPAQUE.format("torch.func.vmap"))


def _differentiate(
    forward: Callable[..., Result], call: _Call, upstream: Sequence[Tensor | None], *, create_graph: bool
) -> list[Tensor | None]:
    """For each of `call.tensors` that requires it a gradient, by running the call again under autograd."""
    with torch.enable_grad(), _without_autocast(call.x):
        results = _flatten(forward(*call))
    pairs = [(r, u) for r, u in zip(results, upstream, strict=True) if u is not None and r.requires_grad]
    wanted = [t for t in call.tensors if t.requires_grad]
    if not pairs or not wanted:
        return [None] * len(call.tensors)
    given, into = zip(*pairs, strict=True)
    found = iter(torch.autograd.grad(given, wanted, into, create_graph=create_graph, allow_unused=True))
    return [next(found) if t.requires_grad else None for t in call.tensors]


def _count_results(states: int, all_states: bool) -> int:
    return 2 * states if all_states else 1 + states


def _flatten(result: Result) -> list[Tensor]:
    return [result.outputs, *result.finals, *result.states[1:]]


def _unpack(results: Sequence[Tensor], states: int, all_states: bool) -> Result:
    others = tuple(results[1 + states : _count_results(states, all_states)])
    return Result(results[0], tuple(results[1 : 1 + states]), (results[0], *others) if all_states else ())


def _arrange_upstream(upstream: Sequence[Tensor | None], states: int, all_states: bool) -> Upstream:
    others = tuple(upstream[1 + states :])
    return Upstream(upstream[0], tuple(upstream[1 : 1 + states]), (None, *others) if all_states else ())


def _own(tensors: Iterable[Tensor], others: Iterable[Tensor | None]) -> list[Tensor]:
    """The tensors contiguous, and copied where they share memory with others or each other: an operator's must not."""
    taken = {t.untyped_storage().data_ptr() for t in others if t is not None}
    own = []
    for tensor in tensors:
        tensor = tensor.contiguous()
        if tensor.untyped_storage().data_ptr() in taken:
            tensor = tensor.clone()
        taken.add(tensor.untyped_storage().data_ptr())
        own.append(tensor)
    return own


def _without_autocast(x: Tensor) -> AbstractContextManager[Any]:
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()


def _with_autograd() -> AbstractContextManager[Any]:
    """PyTorch may run an operator with autograd switched off below it, where `enable_grad` does nothing."""
    guard: AbstractContextManager[Any] = torch._C._SetExcludeDispatchKeyGuard(
        torch._C.DispatchKey.AutogradFunctionality, False
    )
    return guard


_library.impl("recurrence", _run_forward, "CompositeExplicitAutograd")
_library.impl("recurrence_backward", _run_backward, "CompositeExplicitAutograd")
_library.impl("recurrence", _record, "Autograd", with_keyset=True)
# Second derivatives are taken one level up, in `_Recurrence.backward`.
_library.impl("recurrence_backward", torch.library.fallthrough_kernel, "Autograd")
torch.library.register_fake("seqwise::recurrence", _infer_forward, lib=_library)
torch.library.register_fake("seqwise::recurrence_backward", _infer_backward, lib=_library)
torch.library.register_vmap("seqwise::recurrence", _refuse_vmap, lib=_library)
