"""Starting other processes: fresh ones that measure, and a busy one that disturbs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqwise.experiments.benchmarks.cases import Shape

TIME_LIMIT = 600.0  # seconds
_MODULE = "seqwise.experiments.benchmarks.fresh"


def ask_fresh_process(
    question: str, side: str, cell: str, shape: Shape, threads: int, cache: Path | None = None
) -> tuple[float, str]:
    """The figure that a new process measures, and an empty note; or 0 and why there is none.

    Args:
        question: "memory" or "first-use".
        side: "seqwise" or "torch".
        cell: Name of the cell.
        shape: B, T, D, H.
        threads: Of PyTorch.
        cache: Folder of compiled code in place of the user's.
    """
    command = [sys.executable, "-m", _MODULE, question, side, cell, *map(str, shape), "--threads", str(threads)]
    environment = dict(os.environ) | ({} if cache is None else {"SEQWISE_CACHE": str(cache)})
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIME_LIMIT, env=environment)
        return next(iter(json.loads(done.stdout.splitlines()[-1]).values())), ""
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:] or [f"exit code {error.returncode}"]
        return 0.0, f"not available: {last[0]}"
    except (OSError, subprocess.SubprocessError) as error:
        return 0.0, f"not available: {error}"


def first_use(cell: str, shape: Shape, threads: int, runs: int) -> tuple[list[float], list[float], str]:
    """Seconds of the first use with an empty cache and with a filled one, one of each per run; and why there are none."""
    cold: list[float] = []
    warm: list[float] = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            for seconds in (cold, warm):
                figure, note = ask_fresh_process("first-use", "seqwise", cell, shape, threads, Path(folder))
                if note:
                    return [], [], note
                seconds.append(figure)
    return cold, warm, ""


@contextmanager
def busy_core() -> Iterator[None]:
    """Another process keeps one core busy meanwhile."""
    process = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()  # it runs
        yield
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
