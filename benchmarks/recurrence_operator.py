"""What does the way through PyTorch add to a recurrence? Microseconds of forward + backward, and of forward alone.

    python benchmarks/recurrence_operator.py [--repeats 40]

The kernel only allocates its results, so that nothing but the way is timed. `kernel` calls it bare; `Function` wraps it
in a torch.autograd.Function without an operator; `register_autograd` and `custom_op` are torch.library's ways to make
an operator differentiable; `ours` is `seqwise.ops.recurrence`, with its checks. Ways take turns, the fastest of the
repeats counts (other processes only ever add).
"""

import argparse
import time

import torch

from seqwise.cells import lstm
from seqwise.kernels.contract import Gradients
from seqwise.ops import BACKENDS, Backend, Result, Weights, recurrence

T, B, D, H = 2, 1, 2, 3
SCHEMA = "(Tensor x, Tensor[] initial, Tensor[] weights, str program, bool save, str backend) -> Tensor[]"
BACKWARD = (
    "(Tensor x, Tensor[] initial, Tensor[] weights, Tensor[] results, Tensor?[] upstream, str backend) -> Tensor[]"
)
TEXT = lstm.program.to_string()


def forward(program, x, initial, weights, variant, save):
    steps, batch, _ = x.shape
    hidden = initial[0].shape[1]
    result = Result(x.new_empty(steps, batch, hidden), tuple(x.new_empty(batch, hidden) for _ in initial))
    return result, [x.new_empty(steps, batch, 5 * hidden)] if save else []


def backward(program, x, initial, weights, variant, result, saved, upstream, needs_x):
    new = torch.empty_like
    parameters = Weights(*(None if w is None else new(w) for w in weights))
    return Gradients(new(x), tuple(new(s) for s in initial), parameters)


def run_forward(x, initial, weights, program, save, backend):
    result, saved = forward(program, x, initial, weights, None, save)
    return [result.outputs, *result.finals, *saved]


def run_backward(x, initial, weights, results, upstream, backend):
    gradients = backward(None, x, initial, weights, None, None, None, None, True)
    return [gradients.x, *gradients.initial, *(w for w in gradients.weights if w is not None)]


class Function(torch.autograd.Function):
    @staticmethod
    def forward(ctx, save, *tensors):
        results = run_forward(tensors[0], tensors[1:3], tensors[3:], TEXT, save, "")
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, *results)
        return tuple(results[:3])

    @staticmethod
    def backward(ctx, *upstream):
        saved = ctx.saved_tensors
        return None, *run_backward(saved[0], saved[1:3], saved[3:7], saved[7:], upstream, "")


def set_up(ctx, inputs, output):
    ctx.save_for_backward(inputs[0], *inputs[1], *inputs[2], *output)


def make_backward(operator):
    def differentiate(ctx, upstream):
        saved = ctx.saved_tensors
        found = operator(saved[0], saved[1:3], saved[3:7], saved[7:], upstream, "")
        return found[0], list(found[1:3]), list(found[3:]), None, None, None

    return differentiate


library = torch.library.Library("seqwise_benchmark", "DEF")
library.define("recurrence" + SCHEMA)
library.define("recurrence_backward" + BACKWARD)
library.impl("recurrence", run_forward, "CompositeExplicitAutograd")
library.impl("recurrence_backward", run_backward, "CompositeExplicitAutograd")
registered = torch.ops.seqwise_benchmark.recurrence.default
registered_backward = torch.ops.seqwise_benchmark.recurrence_backward.default
torch.library.register_autograd(
    "seqwise_benchmark::recurrence", make_backward(registered_backward), setup_context=set_up, lib=library
)
custom = torch.library.custom_op("seqwise_benchmark::custom", run_forward, mutates_args=(), schema=SCHEMA)
custom_backward = torch.library.custom_op(
    "seqwise_benchmark::custom_backward", run_backward, mutates_args=(), schema=BACKWARD
)
custom.register_autograd(make_backward(custom_backward), setup_context=set_up)


def make_ways():
    """For each way a function that runs forward, and one that runs forward and backward."""
    leaf = [torch.randn(s, requires_grad=True) for s in ((T, B, D), (B, H), (B, H), (12, D), (12, H), (12,), (12,))]
    x, initial, weights = leaf[0], tuple(leaf[1:3]), leaf[3:]
    fields = Weights(*weights)
    upstream = [torch.randn(T, B, H), torch.randn(B, H), torch.randn(B, H)]
    BACKENDS["nothing"] = Backend(
        lambda program, variant, x=None: "", forward, backward, lambda p, v, t, b, h: [(t, b, 5 * h)]
    )

    def ours():
        result = recurrence(lstm, x, initial, fields, backend="nothing")
        return [result.outputs, *result.finals]

    ways = {
        "kernel": lambda: run_forward(x, initial, weights, TEXT, torch.is_grad_enabled(), ""),
        "Function": lambda: Function.apply(torch.is_grad_enabled(), *leaf),
        "register_autograd": lambda: registered(x, initial, weights, TEXT, torch.is_grad_enabled(), "")[:3],
        "custom_op": lambda: custom(x, initial, weights, TEXT, torch.is_grad_enabled(), "")[:3],
        "ours": ours,
    }

    def train(name, run):
        results = run()
        if name == "kernel":
            run_backward(x, initial, weights, results, upstream, "")
        else:
            torch.autograd.grad(list(results), leaf, upstream)

    return {name: (run, lambda name=name, run=run: train(name, run)) for name, run in ways.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=40)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    ways, best = make_ways(), {}
    for _ in range(repeats):
        for name, (run, train) in ways.items():
            for what, call in (("forward", run), ("training", train)):
                with torch.set_grad_enabled(what == "training"):
                    begin = time.perf_counter()
                    for _ in range(200):
                        call()
                    taken = (time.perf_counter() - begin) / 200 * 1e6
                best[name, what] = min(taken, best.get((name, what), float("inf")))
    print(f"{'way':20}{'training':>10}{'forward':>10}   microseconds a call")
    for name in ways:
        print(f"{name:20}{best[name, 'training']:10.1f}{best[name, 'forward']:10.1f}")


if __name__ == "__main__":
    main()
