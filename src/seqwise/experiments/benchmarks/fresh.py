"""What must be measured in a new process: peak memory, and the first use of a cell. Prints one line of JSON.

python -m seqwise.experiments.benchmarks.fresh memory seqwise lstm 32 100 64 64 --threads 2
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from pathlib import Path

import torch

from seqwise.cells import LIBRARY
from seqwise.experiments.benchmarks.cases import Shape, Side, make_case
from seqwise.experiments.benchmarks.loops import own_cell
from seqwise.experiments.benchmarks.sides import our_side, torch_layer_side

CELLS = {cell.name: cell for cell in (*LIBRARY.values(), own_cell)}
STEPS = 5  # enough for pools and caches of memory to reach their size
_SMALL = Shape(2, 3, 4, 8)


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("question", choices=["memory", "first-use"])
    parser.add_argument("side", choices=["seqwise", "torch"])
    parser.add_argument("cell", choices=sorted(CELLS))
    parser.add_argument("sizes", type=int, nargs=4)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    measure = measure_memory if options.question == "memory" else measure_first_use
    print(json.dumps(measure(options.side, options.cell, Shape(*options.sizes))))


def measure_memory(side: str, cell: str, shape: Shape) -> dict[str, float]:
    """MiB by which training steps raise the peak over what was there before them: inputs, weights, libraries, code."""
    _make_side(side, cell, _SMALL).run()  # thread pools, compiled code
    made = _make_side(side, cell, shape)
    gc.collect()
    before = _reset_peak()
    for _ in range(STEPS):
        made.clear()
        made.run()
    return {"MiB": (_read_peak() - before) / 1024}


def measure_first_use(side: str, cell: str, shape: Shape) -> dict[str, float]:
    """Seconds that the first training step takes longer than the second; PyTorch's own first step is over by then."""
    _make_side("torch", "lstm", shape).run()
    made = _make_side(side, cell, shape)
    seconds = []
    for _ in range(2):
        made.clear()
        start = time.perf_counter()
        made.run()
        seconds.append(time.perf_counter() - start)
    return {"s": max(seconds[0] - seconds[1], 1e-3)}


def _make_side(side: str, cell: str, shape: Shape) -> Side:
    case = make_case(CELLS[cell], shape)
    return our_side(case) if side == "seqwise" else torch_layer_side(case)


def _reset_peak() -> int:
    """KiB in memory now; from here on the peak is counted anew, where the system can do that."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return _read_peak()
    return _read_status("VmRSS")


def _read_peak() -> int:
    """KiB, the most that was ever in memory (since `_reset_peak`)."""
    if Path("/proc/self/status").exists():
        return _read_status("VmHWM")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


def _read_status(key: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(f"{key}:")).split()[1])


if __name__ == "__main__":
    main()
