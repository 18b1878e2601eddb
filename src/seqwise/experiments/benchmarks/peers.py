"""Optional opponents of the cells that torch.nn lacks: torch.compile and JAX, left out with a line where missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

from seqwise.experiments.benchmarks.cases import Case, Shape, Side, make_case
from seqwise.experiments.benchmarks.comparisons import VARIANTS, Setting, compare
from seqwise.experiments.benchmarks.records import Measurement
from seqwise.experiments.benchmarks.scan import scan_side
from seqwise.experiments.benchmarks.sides import compiled_loop_side, our_side


def against_compiled_loop(setting: Setting, shape: Shape) -> Iterator[Measurement]:
    """The variants against torch.compile, where there is a C++ compiler for it."""
    compiler = next((c for c in ("g++", "clang++", "cl") if shutil.which(c)), None)
    yield from _against_peer("compile", setting, shape, compiled_loop_side, "" if compiler else "no C++ compiler")


def against_scan(setting: Setting, shape: Shape) -> Iterator[Measurement]:
    """The variants against jax.lax.scan, where JAX is installed."""
    yield from _against_peer("jax", setting, shape, scan_side, "")


def _against_peer(
    criterion: str, setting: Setting, shape: Shape, make: Callable[[Case], Side | None], missing: str
) -> Iterator[Measurement]:
    for cell, dropout in VARIANTS.values():
        case = make_case(cell, shape, recurrent_dropout=dropout)
        theirs = None if missing else make(case)
        note = f"not available: {missing or f'{criterion} is not installed'}"
        if theirs is not None:
            try:
                theirs.run()
            except Exception as error:  # a compiler that fails is the peer's trouble
                theirs, note = None, f"not available: {type(error).__name__}: {str(error).strip().splitlines()[0]}"
        if theirs is None:
            yield Measurement(criterion, cell.name, shape, note=note)
        else:
            yield compare(criterion, setting, [(case, our_side(case)), (case, theirs)])[0]
