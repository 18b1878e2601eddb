"""The recurrence as one opaque operator of PyTorch: its rules, its gradients, and the compilers that trace it.

Where it matters what a kernel is told, `Opaque` stands in for it, whose numbers are the reference's.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
import torch
from opaque_backend import Opaque
from torch import Tensor, nn

from recurrence_oracle import CELLS
from seqwise.errors import ConfigurationError, InputError
from seqwise.layers import GRU, LSTM, Recurrent
from seqwise.ops import BACKENDS, Result, Variant, Weights, recurrence
from tolerances import assert_close

D, H = 3, 4
NAMES = ["lstm", "gru", "min_gru", "two_stages"]
SETTINGS = ["plain", "ragged", "everything"]


@pytest.fixture
def opaque() -> Iterator[Opaque]:
    """A kernel backend of the name "opaque", the first choice of "auto"."""
    rows, backend = dict(BACKENDS), Opaque()
    BACKENDS.clear()
    BACKENDS.update({"opaque": backend.row} | rows)
    yield backend
    BACKENDS.clear()
    BACKENDS.update(rows)


def draw(name: str, steps: int = 5, batch: int = 3, dtype: torch.dtype = torch.float64, bias: bool = True):
    torch.manual_seed(0)
    program = CELLS[name].program
    rows, recurrent = len(program.input_gates) * H, len(program.recurrent_gates) * H

    def leaf(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=dtype).mul(0.5).requires_grad_()

    weights = Weights(
        leaf(rows, D),
        leaf(recurrent, H) if recurrent else None,
        leaf(rows) if bias else None,
        leaf(recurrent) if recurrent and bias else None,
        leaf(len(program.vectors), H) if program.vectors else None,
    )
    return leaf(steps, batch, D), tuple(leaf(batch, H) for _ in program.states), weights


def arrange(setting: str, name: str, steps: int = 5, batch: int = 3, dtype: torch.dtype = torch.float64) -> Variant:
    if setting == "plain":
        return Variant()
    lengths = torch.tensor([steps, 0, 2])[:batch]
    if setting == "ragged":
        return Variant(lengths, reverse=True)
    return Variant(
        lengths,
        torch.rand(steps, batch) < 0.3,
        True,
        input_mask=torch.rand(batch, D, dtype=dtype),
        recurrent_mask=torch.rand(batch, H, dtype=dtype),
        zoneout=torch.rand(len(CELLS[name].program.states), steps, batch, H, dtype=dtype),
        all_states=True,
    )


def flatten(result: Result) -> list[Tensor]:
    return [result.outputs, *result.finals, *result.states]


def leaves(x: Tensor, initial: tuple[Tensor, ...], weights: Weights) -> list[Tensor]:
    return [x, *initial, *(w for w in weights if w is not None)]


def operator_arguments(name: str, setting: str, backend: str, save: bool):
    x, initial, weights = draw(name)
    variant = arrange(setting, name)
    tensors = [variant.lengths, variant.resets, variant.input_mask, variant.recurrent_mask, variant.zoneout]
    program = CELLS[name].program.to_string()
    return (x, list(initial), list(weights), tensors, program, variant.reverse, variant.all_states, save, backend)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("backend", ["opaque", "reference", "cpu"])
def test_the_forward_operator_keeps_pytorchs_rules(opaque: Opaque, name: str, setting: str, backend: str) -> None:
    # What a kernel saves on padding is whatever the memory held, which no two calls agree on.
    for save in (False,) if backend == "cpu" and setting != "plain" else (False, True):
        torch.library.opcheck(torch.ops.seqwise.recurrence.default, operator_arguments(name, setting, backend, save))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("backend", ["opaque", "reference", "cpu"])
def test_the_backward_operator_keeps_pytorchs_rules(opaque: Opaque, name: str, setting: str, backend: str) -> None:
    x, initial, weights, variant, *settings, _, _ = operator_arguments(name, setting, backend, save=True)
    x, initial = x.detach(), [s.detach() for s in initial]
    weights = [None if w is None else w.detach() for w in weights]
    results = torch.ops.seqwise.recurrence(x, initial, weights, variant, *settings, True, backend)
    count = 2 * len(initial) if settings[-1] else 1 + len(initial)
    upstream = [torch.randn_like(r) for r in results[:count]]
    upstream[-1] = None
    needs_x = setting != "plain"
    arguments = (x, initial, weights, variant, results, upstream, *settings, backend, needs_x)
    torch.library.opcheck(torch.ops.seqwise.recurrence_backward.default, arguments)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_values_and_gradients_of_everything_pass_through(opaque: Opaque, name: str, setting: str) -> None:
    for bias in (True, False):
        x, initial, weights = draw(name, bias=bias)
        variant = arrange(setting, name)
        found = []
        for backend in ("opaque", "reference"):
            results = flatten(recurrence(CELLS[name], x, initial, weights, variant, backend=backend))
            generator = torch.Generator().manual_seed(1)
            upstream = [torch.randn(r.shape, dtype=r.dtype, generator=generator) for r in results]
            found.append([*results, *torch.autograd.grad(results, leaves(x, initial, weights), upstream)])
        for k, (ours, expected) in enumerate(zip(*found, strict=True)):
            assert_close(ours, expected, f"number {k}")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("setting", ["ragged", "everything"])
def test_second_derivatives_are_the_references(opaque: Opaque, name: str, setting: str) -> None:
    x, initial, weights = draw(name, steps=3)
    variant = arrange(setting, name, steps=3)
    inputs = leaves(x, initial, weights)

    def run(*tensors: Tensor) -> list[Tensor]:
        given = iter(tensors)
        x, states = next(given), tuple(next(given) for _ in initial)
        fields = Weights(*(None if w is None else next(given) for w in weights))  # type: ignore[arg-type]
        return tuple(flatten(recurrence(CELLS[name], x, states, fields, variant, backend="opaque")))

    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


def test_second_derivatives_where_inputs_depend_on_each_other_or_are_one_tensor(opaque: Opaque) -> None:
    x, (h, _), weights = draw("lstm")
    found = []
    for backend in ("opaque", "reference"):
        state = h + x[0, :, :1]  # computed from x, and given twice
        result = recurrence(CELLS["lstm"], x, (state, state), weights, backend=backend)
        loss = result.outputs.square().sum() + result.finals[1].sin().sum()
        first = torch.autograd.grad(loss, [x, h, weights.input], create_graph=True)
        penalty = sum(g.square().sum() for g in first)
        found.append([*first, *torch.autograd.grad(penalty, [x, h, weights.input, weights.recurrent])])
    for k, (ours, expected) in enumerate(zip(*found, strict=True)):
        assert_close(ours, expected, f"number {k}")


def test_a_result_without_an_upstream_gradient_sends_none_to_the_kernel(opaque: Opaque) -> None:
    x, initial, weights = draw("lstm")
    for wanted in range(5):
        results = flatten(recurrence(CELLS["lstm"], x, initial, weights, Variant(all_states=True), backend="opaque"))
        expected = flatten(
            recurrence(CELLS["lstm"], x, initial, weights, Variant(all_states=True), backend="reference")
        )
        upstream = torch.randn_like(results[wanted])
        ours = torch.autograd.grad(results[wanted], leaves(x, initial, weights), upstream)
        theirs = torch.autograd.grad(
            expected[wanted], leaves(x, initial, weights), upstream, allow_unused=True, materialize_grads=True
        )
        for a, b in zip(ours, theirs, strict=True):
            assert_close(a, b)
        seen, needs_x = opaque.calls[-1][1]
        assert needs_x
        there = [seen.outputs is not None, *(f is not None for f in seen.finals), *(s is not None for s in seen.states)]
        # The first state of every step is the outputs: one tensor, one gradient.
        assert there == [k == (0 if wanted == 3 else wanted) for k in range(5)]


def test_only_what_is_wanted_is_saved_and_computed(opaque: Opaque) -> None:
    x, initial, weights = draw("gru")
    with torch.no_grad():
        recurrence(CELLS["gru"], x, initial, weights, backend="opaque")
    assert opaque.calls == [("forward", False)]
    fixed = tuple(s.detach() for s in initial)
    frozen = recurrence(
        CELLS["gru"], x.detach(), fixed, Weights(weights.input.detach(), *weights[1:]), backend="opaque"
    )
    assert opaque.calls[-1] == ("forward", True)
    frozen.outputs.mean().backward()
    assert opaque.calls[-1][1][1] is False  # nobody wants the gradient of x
    assert weights.recurrent.grad.abs().max() > 0
    assert weights.input.grad is None


def test_a_result_that_was_changed_in_place_raises_instead_of_giving_wrong_gradients(opaque: Opaque) -> None:
    x, initial, weights = draw("lstm")
    for k in range(3):
        results = flatten(recurrence(CELLS["lstm"], x, initial, weights, backend="opaque"))
        results[k].mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            results[0].sum().backward()
    result = recurrence(CELLS["lstm"], x, initial, weights, backend="opaque")
    with torch.no_grad():
        weights.recurrent.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.outputs.sum().backward()


def test_forward_passes_keep_to_themselves_and_a_kept_graph_can_be_used_again(opaque: Opaque) -> None:
    x, initial, weights = draw("lstm")
    other = x.detach().clone().mul_(3).requires_grad_()
    first = recurrence(CELLS["lstm"], x, initial, weights, backend="opaque").outputs
    second = recurrence(CELLS["lstm"], other, initial, weights, backend="opaque").outputs
    upstream = torch.randn_like(first)
    expected = [
        torch.autograd.grad(
            recurrence(CELLS["lstm"], v, initial, weights, backend="reference").outputs,
            [v, weights.recurrent],
            upstream,
        )
        for v in (x, other)
    ]
    for result, v, wanted in [(first, x, expected[0]), (second, other, expected[1]), (first, x, expected[0])]:
        ours = torch.autograd.grad(result, [v, weights.recurrent], upstream, retain_graph=True)
        for a, b in zip(ours, wanted, strict=True):
            assert_close(a, b)


def test_the_operator_refuses_what_the_function_refuses(opaque: Opaque) -> None:
    x, initial, weights = draw("lstm")
    for lengths, message in [
        (torch.tensor([1, 2, 6]), "lengths: expected values from 0 to T = 5, got 1 to 6"),
        (torch.tensor([-1, 2, 5]), "lengths: expected values from 0 to T = 5, got -1 to 5"),
        (torch.tensor([1, 2]), r"lengths: expected shape \(3,\), got \(2,\)"),
    ]:
        with pytest.raises(InputError, match=message):
            recurrence(CELLS["lstm"], x, initial, weights, Variant(lengths), backend="opaque")
    with pytest.raises(InputError, match="initial: expected 2 tensors"):
        recurrence(CELLS["lstm"], x, initial[:1], weights, backend="opaque")
    with pytest.raises(ConfigurationError, match=r"backend='opaque' cannot run torch\.float16"):
        recurrence(CELLS["lstm"], x.half(), initial, weights, backend="opaque")
    mask = torch.ones(3, H, dtype=torch.float64, requires_grad=True)
    with pytest.raises(ConfigurationError, match="cannot run a gradient with respect to the mask"):
        recurrence(CELLS["lstm"], x, initial, weights, Variant(recurrent_mask=mask), backend="opaque")
    result = recurrence(CELLS["lstm"], x, initial, weights, Variant(recurrent_mask=mask))  # auto finds another one
    assert torch.autograd.grad(result.outputs.sum(), mask)[0].abs().max() > 0


class Tagger(nn.Module):
    """Embedding, recurrence, linear: what people compile and export."""

    def __init__(self, kind: str, bidirectional: bool = False, layers: int = 1, **options) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(20, D)
        options |= {"batch_first": True, "bidirectional": bidirectional, "num_layers": layers}
        self.recurrent = {
            "lstm": lambda: LSTM(D, H, **options),
            "gru": lambda: GRU(D, H, reset_after=False, **options),
            "own": lambda: Recurrent(CELLS["two_stages"], D, H, **options),
        }[kind]()
        self.linear = nn.Linear(H * (2 if bidirectional else 1), 2)

    def forward(self, tokens: Tensor, lengths: Tensor | None = None) -> Tensor:
        outputs, finals = self.recurrent(self.embedding(tokens), lengths=lengths)
        final = finals[0] if isinstance(finals, tuple) else finals
        return self.linear(outputs) + final.sum()


KINDS = ["lstm", "gru", "own"]
backends = pytest.mark.parametrize("backend", ["auto", "reference", "cpu"])


def tokens_of(batch: int, steps: int, ragged: bool) -> tuple[Tensor, ...]:
    tokens = torch.randint(20, (batch, steps), generator=torch.Generator().manual_seed(batch))
    return (tokens, torch.arange(batch) % (steps + 1)) if ragged else (tokens,)


def gradients_of(model: nn.Module, output: Tensor) -> list[Tensor]:
    upstream = torch.randn(output.shape, generator=torch.Generator().manual_seed(5))
    return list(torch.autograd.grad(output, list(model.parameters()), upstream))


def agree_when_compiled(model: Tagger, ragged: bool, compiler: str) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, dynamic=True, backend=compiler)
    for count, (batch, steps) in enumerate([(3, 5), (7, 4), (4, 11)]):
        given = tokens_of(batch, steps, ragged)
        with torch.compiler.set_stance("default" if count == 0 else "fail_on_recompile"):
            torch.manual_seed(1)
            output = compiled(*given)
        torch.manual_seed(1)
        expected = model(*given)
        assert_close(output, expected)
        for a, b in zip(gradients_of(model, output), gradients_of(model, expected), strict=True):
            assert_close(a, b)


@backends
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ragged", [False, True])
def test_a_model_compiles_as_one_graph_with_batch_and_time_free(opaque, kind: str, backend: str, ragged: bool) -> None:
    agree_when_compiled(Tagger(kind, bidirectional=True, layers=2, backend=backend), ragged, "aot_eager")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["opaque", "reference"])
def test_masks_are_drawn_inside_the_graph(opaque: Opaque, backend: str) -> None:
    for kind in KINDS:
        model = Tagger(kind, recurrent_dropout=0.4, zoneout=0.2, backend=backend)
        agree_when_compiled(model, True, "aot_eager")
        agree_when_compiled(model.eval(), True, "aot_eager")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inductor's own
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
def test_a_model_compiles_with_inductor(opaque: Opaque) -> None:
    for backend in ("opaque", "reference"):
        agree_when_compiled(Tagger("own", bidirectional=True, backend=backend), True, "inductor")


@backends
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ragged", [False, True])
def test_a_model_exports_with_batch_and_time_free(opaque: Opaque, kind: str, backend: str, ragged: bool) -> None:
    """torch.nn.LSTM does not: export fixes its number of steps (torch 2.13), and compile wants a graph break."""
    model = Tagger(kind, bidirectional=True, layers=2, backend=backend).eval()
    batch, steps = torch.export.Dim("batch"), torch.export.Dim("steps")
    shapes = {"tokens": {0: batch, 1: steps}} | ({"lengths": {0: batch}} if ragged else {})
    exported = torch.export.export(model, tokens_of(3, 5, ragged), dynamic_shapes=shapes, strict=kind == "own")
    names = [str(node.target) for node in exported.graph.nodes]
    assert names.count("seqwise.recurrence.default") == 4
    for size in [(3, 5), (7, 4), (1, 1), (4, 11)]:
        given = tokens_of(*size, ragged)
        output, expected = exported.module()(*given), model(*given)
        assert_close(output, expected)
    # An exported model can be trained: the autograd rule is asked when it runs.
    module = exported.module()
    ours = dict(zip(dict(module.named_parameters()), gradients_of(module, module(*given)), strict=True))
    for name, gradient in zip(dict(model.named_parameters()), gradients_of(model, model(*given)), strict=True):
        assert_close(ours[name], gradient, name)
    with torch.no_grad():
        opaque.calls.clear()
        exported.module()(*tokens_of(3, 5, ragged))
        assert not any(save for _, save in opaque.calls)


def test_an_exported_model_can_be_saved_and_loaded(opaque: Opaque, tmp_path) -> None:
    model = Tagger("own", recurrent_dropout=0.1, backend="opaque").eval()
    given = tokens_of(3, 5, ragged=True)
    path = tmp_path / "model.pt2"
    torch.export.save(torch.export.export(model, given), path)
    assert_close(torch.export.load(path).module()(*given), model(*given))


def test_wrong_lengths_are_found_when_a_compiled_model_runs(opaque: Opaque) -> None:
    torch._dynamo.reset()
    model = Tagger("lstm", backend="opaque")
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    compiled(*tokens_of(3, 5, True))
    with pytest.raises(InputError, match="lengths: expected values from 0 to T = 5, got 6 to 6"):
        compiled(tokens_of(3, 5, False)[0], torch.tensor([6, 6, 6]))


@pytest.mark.parametrize("compiler", [None, "aot_eager"])
def test_autocast_runs_the_kernel_in_its_dtype_outside_autocast(opaque: Opaque, compiler: str | None) -> None:
    torch._dynamo.reset()
    model = Tagger("lstm", backend="reference")
    expected = model(*tokens_of(3, 5, True))
    run = torch.compile(model, fullgraph=True, backend=compiler) if compiler else model
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = run(*tokens_of(3, 5, True))
    assert output.dtype == torch.bfloat16
    assert_close(output, expected)
    for a, b in zip(gradients_of(model, output.float()), gradients_of(model, expected), strict=True):
        assert a.dtype == torch.float32
        assert nn.functional.cosine_similarity(a.flatten(), b.flatten(), 0) > 0.99


def test_a_model_runs_with_the_parameters_that_functional_call_gives(opaque: Opaque) -> None:
    model = Tagger("gru", backend="opaque")
    given = tokens_of(3, 5, True)
    doubled = {name: p.detach().mul(2).requires_grad_() for name, p in model.named_parameters()}
    output = torch.func.functional_call(model, doubled, given)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(2)
    expected = model(*given)
    assert_close(output, expected)
    upstream = torch.randn_like(output)
    ours = torch.autograd.grad(output, list(doubled.values()), upstream)
    for a, b in zip(ours, torch.autograd.grad(expected, list(model.parameters()), upstream), strict=True):
        assert_close(a, b)


def test_torch_func_takes_a_backend_that_it_can_look_into_or_says_so(opaque: Opaque) -> None:
    x, initial, weights = draw("gru")

    def loss(x: Tensor, backend: str = "auto") -> Tensor:
        state = tuple(s.detach() for s in initial)
        return recurrence(CELLS["gru"], x, state, Weights(*weights), backend=backend).outputs.square().sum()

    expected = torch.autograd.grad(loss(x, "reference"), x)[0]
    assert_close(torch.func.grad(loss)(x), expected)
    several = torch.stack([x, 2 * x]).detach()
    found = torch.func.vmap(torch.func.grad(loss))(several)
    assert_close(found[0], expected)
    assert not opaque.calls
    for transform in (torch.func.grad, torch.func.vmap):
        with pytest.raises(ConfigurationError, match=r"backend='opaque' cannot run inside torch\.func"):
            transform(lambda v: loss(v, "opaque"))(several if transform is torch.func.vmap else x)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # forward_ad's own
def test_compiled_transformations_and_forward_mode_are_refused_by_name(opaque: Opaque) -> None:
    x, initial, weights = draw("gru")
    state, fixed = tuple(s.detach() for s in initial), Weights(*(w if w is None else w.detach() for w in weights))

    def loss(x: Tensor) -> Tensor:
        return recurrence(CELLS["gru"], x, state, fixed).outputs.square().sum()

    for transform, given in [(torch.func.grad, x), (torch.func.vmap, torch.stack([x, x]))]:
        torch._dynamo.reset()
        with pytest.raises(Exception, match=r"torch\.func[.vmap]* cannot look into the operator seqwise::recurrence"):
            torch.compile(transform(loss), backend="aot_eager")(given.detach())
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x.detach(), torch.ones_like(x))
        with pytest.raises(ConfigurationError, match="forward-mode differentiation cannot look into the operator"):
            recurrence(CELLS["gru"], dual, state, fixed)


@pytest.mark.parametrize("name", ["lstm", "gru_reset_after", "rnn"])
def test_torch_func_differentiates_one_example_at_a_time(name: str) -> None:
    x, initial, weights = draw(name)
    state = tuple(torch.zeros(1, H, dtype=torch.float64) for _ in initial)

    def loss(matrix: Tensor, row: Tensor) -> Tensor:
        given = Weights(matrix, *weights[1:])
        return recurrence(CELLS[name], row.unsqueeze(1), state, given).outputs.square().sum()

    rows = x.detach().transpose(0, 1)
    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights.input, rows)
    for row, gradient in zip(rows, found, strict=True):
        assert_close(gradient, torch.autograd.grad(loss(weights.input, row), weights.input)[0])
