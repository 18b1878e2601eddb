"""What the CPU kernels save, and how many rows they project and gather at once: the figures behind docs/decisions.

    python benchmarks/kernel_choices.py [--threads 1] [--repeats 15]

LSTM, float32, milliseconds of one pass; ways take turns, the fastest of the repeats counts (other processes only ever
add).
"""

import argparse
import time

import torch

from seqwise.cells import lstm
from seqwise.kernels.contract import Upstream, Variant, Weights
from seqwise.kernels.cpu import arguments, gradients, launch, plan

SHAPES = [(32, 100, 64, 64), (64, 200, 100, 128), (64, 100, 300, 256), (128, 30, 32, 128), (1, 200, 100, 128)]
PAIRS = (1, 32, 64, 96, 128, 192, 256)
_usual = plan._choose_saved


def main():
    """Print both tables as CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print(f"# torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {options.threads} threads")
    compare_saving(options.repeats)
    compare_chunks(options.repeats)


def compare_saving(repeats):
    """Forward and backward, with tanh(c) recomputed (as the plan has it) and saved beside the gates."""
    print("B,T,D,H,recomputed_ms,saved_ms,recomputed_floats,saved_floats")
    for shape in SHAPES:
        ways = {"recomputed": _usual, "saved": save_every_tanh}
        best, floats = {}, {}
        for _ in range(repeats):
            for name, choose in ways.items():
                forward, backward = make_passes(shape, choose)
                floats[name] = len(arguments.find_kernels(lstm.program, "float32", False, False).plan.saved)
                best[name] = min(best.get(name, 1e9), clock(lambda f=forward, b=backward: b(f(True))))
        figures = [f"{best[way]:.2f}" for way in ways] + [floats[way] for way in ways]
        print(*shape, *figures, sep=",", flush=True)


def compare_chunks(repeats):
    """Rows of the input projection (forward) and behind a gradient of weights (backward)."""
    print("pass,B,T,D,H," + ",".join(f"{n}_rows_ms" for n in PAIRS))
    usual = launch._PAIRS_AHEAD, gradients._PAIRS_GATHERED
    for shape in SHAPES:
        forward, backward = make_passes(shape, _usual)
        saved, best = forward(True), {}
        for _ in range(repeats):
            for pairs in PAIRS:
                set_pairs(pairs, pairs)
                for name, run, given in (("forward", forward, False), ("backward", backward, saved)):
                    best[name, pairs] = min(best.get((name, pairs), 1e9), clock(lambda r=run, g=given: r(g)))
        for name in ("forward", "backward"):
            print(name, *shape, *(f"{best[name, pairs]:.2f}" for pairs in PAIRS), sep=",", flush=True)
    set_pairs(*usual)


def set_pairs(ahead, gathered):
    """Change both constants; layouts that were worked out with others are forgotten."""
    launch._PAIRS_AHEAD, gradients._PAIRS_GATHERED = ahead, gathered
    for module in (launch, gradients):
        module._make_layout.cache_clear()


def make_passes(shape, choose):
    """The two passes of one layer, planned with this way to choose what is saved."""
    original, plan._choose_saved = plan._choose_saved, choose
    for cached in (plan.make_plan, arguments.find_kernels):
        cached.cache_clear()
    arguments.find_kernels(lstm.program, "float32", False, False)
    plan._choose_saved = original
    batch, steps, features, hidden = shape
    x, initial = torch.randn(steps, batch, features), tuple(torch.zeros(batch, hidden) for _ in range(2))
    sizes = ((4 * hidden, features), (4 * hidden, hidden), (4 * hidden,), (4 * hidden,))
    weights = Weights(*(torch.randn(size) * 0.1 for size in sizes))
    upstream = Upstream(torch.randn(steps, batch, hidden), (None, None))

    def forward(save):
        return launch.forward(lstm.program, x, initial, weights, Variant(), save)

    def backward(given):
        return gradients.backward(lstm.program, x, initial, weights, Variant(), *given, upstream, True)

    return forward, backward


def save_every_tanh(derivative, parts):
    """What the plan saves, and every tanh."""
    nodes = enumerate(derivative.program.nodes)
    return tuple(sorted({*_usual(derivative, parts), *(i for i, n in nodes if n.operation == "tanh")}))


def clock(run):
    """Milliseconds of one call."""
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    main()
