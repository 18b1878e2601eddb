"""How fast are the recurrences on this CPU, beside torch.nn, hand-written loops, ONNX Runtime, torch.compile and JAX?

    python benchmarks/recurrent_cpu.py [--only ROW] [--shapes 1 2] [--repeats 15] [--threads 2] [--quick]

Prints the table and writes results/recurrent_cpu.csv and .md beside this file, unless --quick or --out says otherwise; a
partial run (--only, --shapes) needs --out. `seqwise bench recurrent` does the same from an installed package.
"""

import argparse
import sys
from pathlib import Path

from seqwise.experiments.benchmarks.recurrent import EXPERIMENTS, SHAPES, RecurrentBenchmark, run_recurrent_benchmark


def main():
    """Measure, print, write; exit with 1 if a result was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], choices=list(EXPERIMENTS), metavar="ROW")
    parser.add_argument(
        "--shapes", nargs="+", type=int, default=[], help=f"numbers from 1: {', '.join(map(str, SHAPES))}"
    )
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="tiny shapes: does it run?")
    parser.add_argument("--out", type=Path, help="folder for the results")
    options = parser.parse_args()
    table = run_recurrent_benchmark(
        RecurrentBenchmark(options.only, options.shapes, options.repeats, options.threads, options.quick, report)
    )
    print(table.to_markdown().split("\n## ")[0])
    partial = options.only or options.shapes or options.quick
    folder = options.out or (None if partial else Path(__file__).resolve().parent / "results")
    if folder:
        print(*table.write(folder, "recurrent_cpu"), sep="\n")
    sys.exit(1 if table.refused else 0)


def report(line):
    """Progress, at once."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
