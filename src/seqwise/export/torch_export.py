"""A trained model as a program of PyTorch: for `torch.export.load`, or compiled for this processor by AOTInductor."""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from seqwise.errors import ConfigurationError, FileError, SeqwiseError
from seqwise.prediction.folder import CONFIG, LABELS, VOCABULARY, read_folder
from seqwise.prediction.restoring import restore

SHAPES = ((1, 1), (4, 9), (3, 60))
"""Rows and steps of what the exported model is compared on."""
TIMED = ((1, 50), (16, 50))
LARGEST_DIFFERENCE = 1e-4
"""Of a logit or log-probability, relative to the largest: sums in another order differ by about 1e-6."""


@dataclass(frozen=True)
class TorchOutcome:
    """What has been written.

    Attributes:
        target: the file.
        aot: whether it is compiled.
        inputs: names, in the order of the program's arguments.
        outputs: what comes out, in words.
        bytes_written: size of the file.
        bytes_before: of model.safetensors.
        seconds: that it took.
        largest_difference: of an output from the model's own, relative to the largest output.
        milliseconds: "rows x steps" -> those of the model itself, and those of what was exported; medians, one thread.
    """

    target: str
    aot: bool
    inputs: list[str]
    outputs: str
    bytes_written: int
    bytes_before: int
    seconds: float
    largest_difference: float
    milliseconds: dict[str, tuple[float, float]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The same for a person."""
        kind = "compiled by AOTInductor" if self.aot else "an exported program"
        said = [
            f"{self.target}: {kind}, {self.bytes_written:,} bytes (weights before: {self.bytes_before:,}), "
            f"in {self.seconds:.0f} s",
            f"Inputs:  {', '.join(self.inputs)}",
            f"Outputs: {self.outputs}",
            f"Largest difference of an output from the model's, on random inputs: {self.largest_difference:.2g}",
        ]
        for size, (before, after) in self.milliseconds.items():
            said.append(f"{size}: {before:.2f} ms in Seqwise, {after:.2f} ms exported (one thread)")
        load = "torch._inductor.aoti_load_package(F)" if self.aot else "torch.export.load(F).module()"
        said.append(f"Load:    {load}, where F is the file; PyTorch alone is needed")
        return said


def export_torch(folder: Path, target: Path, *, aot: bool = False, overwrite: bool = False) -> TorchOutcome:
    """Export a trained model, with the number of rows and steps free.

    An exported program also carries config.json, vocabulary.json and labels.json (`extra_files` of `torch.export.load`).

    Args:
        folder: of the model.
        target: a file that ends in .pt2.
        aot: compile it for this kind of processor; this needs a C++ compiler here, and none where it runs.
        overwrite: replace such a file.

    Raises:
        ModelFolderError: there is no sound model in the folder.
        ConfigurationError: the model cannot be exported, or there is no compiler.
        FileError: the file is there already, or cannot be written.
    """
    import torch

    from seqwise.export.torch_entry import make_entry

    begun = time.perf_counter()
    if target.suffix != ".pt2":
        raise ConfigurationError(f"an exported program is a file that ends in .pt2, not {target}")
    if target.exists() and not overwrite:
        raise FileError(f"{target} is there already; --overwrite replaces it")
    if aot:
        _check_compiler()
    content = read_folder(folder)
    entry = make_entry(restore(content).module).eval()
    with torch.random.fork_rng(devices=[]), torch.no_grad(), _quiet():
        torch.manual_seed(0)
        program = _trace(entry)
        with _beside(target) as unfinished:
            if aot:
                run = _compile(program, unfinished)
            else:
                pieces = {
                    name: _text(folder / name) for name in (CONFIG, VOCABULARY, LABELS) if (folder / name).is_file()
                }
                torch.export.save(program, unfinished, extra_files=pieces)
                run = torch.export.load(unfinished).module()
            difference = _compare(entry, run)
            timed = _time(entry, run)
            unfinished.replace(target)
    return TorchOutcome(
        target=str(target),
        aot=aot,
        inputs=list(entry.axes),
        outputs=entry.outputs,
        bytes_written=target.stat().st_size,
        bytes_before=(folder / "model.safetensors").stat().st_size,
        seconds=time.perf_counter() - begun,
        largest_difference=difference,
        milliseconds=timed,
    )


def _trace(entry: Any) -> Any:
    """The program of a model, of PyTorch's own operators."""
    import torch

    from seqwise.export.torch_scan import open_recurrences

    sizes: dict[str, Any] = {}

    def free(axes: Any) -> Any:
        if isinstance(axes, list):
            return [free(part) for part in axes]
        return {axis: sizes.setdefault(name, torch.export.Dim(name)) for axis, name in axes.items()}

    shapes = {name: free(axes) for name, axes in entry.axes.items()}
    try:
        return open_recurrences(
            torch.export.export(entry, (), entry.random_inputs(3, 5), dynamic_shapes=shapes, strict=False)
        )
    except SeqwiseError:
        raise
    except Exception as error:  # of many kinds, with pages of advice to whoever wrote the model
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigurationError(f"PyTorch {torch.__version__} cannot export this model: {reason}") from error


def _compile(program: Any, target: Path) -> Callable[..., Any]:
    import torch

    try:
        torch._inductor.aoti_compile_and_package(program, package_path=str(target))
        run: Callable[..., Any] = torch._inductor.aoti_load_package(str(target))
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigurationError(f"AOTInductor ({torch.__version__}) cannot compile this model: {reason}") from error
    return run


def _check_compiler() -> None:
    from torch._inductor.cpp_builder import get_cpp_compiler

    try:
        get_cpp_compiler()
    except Exception:
        raise ConfigurationError(
            "--aot compiles the model and needs a C++ compiler, of which there is none here: install g++ or clang "
            "(Debian: apt-get install g++), or set CXX to one; without --aot no compiler is needed"
        ) from None


def _compare(entry: Any, run: Callable[..., Any]) -> float:
    """The largest difference of an output, relative to the largest output.

    Raises:
        ConfigurationError: it is more than rounding.
    """
    largest = 0.0
    for batch, steps in SHAPES:
        given = entry.random_inputs(batch, steps)
        for ours, theirs in zip(_flat(entry(**given)), _flat(run(**given)), strict=True):
            largest = max(largest, float((ours - theirs).abs().max() / ours.abs().max().clamp(min=1.0)))
    if not largest <= LARGEST_DIFFERENCE:
        raise ConfigurationError(
            f"the exported model differs from this one by {largest:.2g}, more than rounding explains: nothing was written"
        )
    return largest


def _time(entry: Any, run: Callable[..., Any]) -> dict[str, tuple[float, float]]:
    """Milliseconds of the model and of what was exported, on one thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = {}
        for batch, steps in TIMED:
            given = entry.random_inputs(batch, steps)
            times = tuple(_milliseconds(function, given) for function in (entry, run))
            found[f"{batch} x {steps} steps"] = (times[0], times[1])
        return found
    finally:
        torch.set_num_threads(threads)


def _milliseconds(function: Callable[..., Any], given: dict[str, Any], repeats: int = 5) -> float:
    function(**given)
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        function(**given)
        times.append(time.perf_counter() - begun)
    return 1e3 * median(times)


def _flat(found: Any) -> list[Any]:
    from torch.utils import _pytree

    return list(_pytree.tree_leaves(found))


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A file of another name in the same folder, which is gone afterwards unless it was renamed."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=".pt2", dir=target.parent)
    except OSError as error:
        raise FileError(f"{target} cannot be written: {error.strerror or error}") from None
    os.close(number)
    unfinished = Path(name)
    unfinished.chmod(0o644)
    try:
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """PyTorch warns here of its own deprecated parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
