"""The backends by name, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from seqwise.cells import Program
from seqwise.errors import ConfigurationError
from seqwise.kernels import cpu, reference, vendor
from seqwise.kernels.contract import Gradients, Variant


class Backend(NamedTuple):
    """A way to run a program; signatures in `seqwise.kernels.contract`.

    Attributes:
        find_obstacle: What keeps it from running this program in this variant, in words; empty if nothing does.
        forward: Runs it.
        backward: Differentiates it once; None where PyTorch differentiates `forward` itself.
        saved_shapes: The shapes of the buffers that `forward` keeps for `backward`.
        stepper: Prepares single steps; None where a step is a run over one.
    """

    find_obstacle: Callable[..., str]
    forward: Callable[..., Any]
    backward: Callable[..., Gradients] | None = None
    saved_shapes: Callable[..., list[tuple[int, ...]]] | None = None
    stepper: Callable[..., Any] | None = None

    @property
    def is_kernel(self) -> bool:
        """Whether PyTorch cannot look into it."""
        return self.backward is not None


# `auto` takes the first that has no obstacle. On the CPU the generated kernels are level with oneDNN's LSTM or ahead of it,
# and far ahead of ATen's loops, at every shape of benchmarks/results/recurrent_cpu.md (row `auto`: at worst within a
# hundredth of the better one), so no sizes are asked for here. The vendor's code is what is left for CUDA and for types
# narrower than float32, and the reference for everything else.
BACKENDS: dict[str, Backend] = {
    "cpu": Backend(cpu.find_obstacle, cpu.forward, cpu.backward, cpu.saved_shapes, cpu.make_stepper),
    "vendor": Backend(vendor.find_obstacle, vendor.forward),
    "reference": Backend(reference.find_obstacle, reference.forward),
}


def check_backend(backend: str, program: Program, variant: Variant, x: Tensor | None = None) -> None:
    """Raise ConfigurationError unless this is "auto", or the name of a backend that can run the program so.

    Args:
        backend: The name.
        program: What to run.
        variant: Only what is there matters, not its shapes or values.
        x: Its device and dtype matter; None while they are not known.
    """
    if backend == "auto":
        return
    if backend not in BACKENDS:
        raise ConfigurationError(f"backend={backend!r}: expected one of auto, {', '.join(BACKENDS)}.")
    obstacle = BACKENDS[backend].find_obstacle(program, variant, x)
    if obstacle:
        raise ConfigurationError(f"backend={backend!r} cannot run {obstacle}; use backend='auto' or 'reference'.")


def choose_backend(backend: str, program: Program, variant: Variant, x: Tensor) -> Backend:
    """The backend of that name, or for "auto" the first one without an obstacle.

    Args:
        backend: The name.
        program: What to run.
        variant: Only what is there matters, not its shapes or values, which are unknown while PyTorch traces.
        x: Its device and dtype matter.

    Raises:
        ConfigurationError: No such backend, or it cannot do what is asked.
    """
    if backend != "auto":
        check_backend(backend, program, variant, x)
        return BACKENDS[backend]
    return next(b for b in BACKENDS.values() if not b.find_obstacle(program, variant, x))
