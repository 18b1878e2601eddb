"""The compiled code of a cell, and the sizes on which the layout of a call's memory depends. No torch.

Axis letters: B batch, D input features, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

from seqwise.cells import Program
from seqwise.kernels.cpu import backward_kernel, compiler, forward_kernel, products
from seqwise.kernels.cpu.elementwise import Fields
from seqwise.kernels.cpu.plan import Plan, make_plan
from seqwise.kernels.cpu.target import host


@dataclass(frozen=True, eq=False)
class Kernels:
    """What is compiled for one cell, type, and set of options."""

    plan: Plan
    forward: Callable[[int], None]
    forward_fields: Fields
    backward: Callable[[int], None]
    backward_fields: Fields
    products: dict[str, Callable[..., None]]
    lanes: int
    size: int


@cache
def find_kernels(program: Program, dtype: str, zoneout: bool, recurrent_mask: bool) -> Kernels:
    """The kernels of a cell, compiled if they are neither in memory nor in the cache."""
    target, cell = host(), make_plan(program, zoneout, recurrent_mask)
    parts = products.addresses(dtype, target)
    key = f"{program.to_string()} {dtype} zoneout={zoneout} mask={recurrent_mask} saved={cell.saved}"
    pair = []
    for name, write in (("forward", forward_kernel.write), ("backward", backward_kernel.write)):
        text = partial(write, cell, dtype, target, recurrent_mask)
        pair.append(compiler.load(f"{name} {key}", text, (name,), target, parts)[name])
    return Kernels(
        cell,
        compiler.function(pair[0]),
        forward_kernel.fields(cell),
        compiler.function(pair[1]),
        backward_kernel.fields(cell),
        {name: compiler.function(parts[name], len(products.SIGNATURES[name])) for name in parts},
        target.lanes(dtype),
        int(dtype.removeprefix("float")) // 8,
    )


class Sizes(NamedTuple):
    """What the layout of a call's memory depends on.

    Attributes:
        kernels: The cell's.
        batch: B.
        features: D.
        hidden: H.
        rows: How many each shard has.
        biases: Whether there are input and recurrent ones.
        masked: Whether there is an input mask.
    """

    kernels: Kernels
    batch: int
    features: int
    hidden: int
    rows: tuple[int, ...]
    biases: tuple[bool, bool]
    masked: bool

    @property
    def row(self) -> int:
        """Bytes of the units of one state."""
        return self.hidden * self.kernels.size

    @property
    def gates(self) -> tuple[int, int]:
        """Gx H and Gh H."""
        program = self.kernels.plan.program
        return len(program.input_gates) * self.hidden, len(program.recurrent_gates) * self.hidden

    @property
    def stages(self) -> list[int]:
        """Rows of U of each stage."""
        return [len(stage.gates) * self.hidden for stage in self.kernels.plan.program.stages]

    def padded(self, columns: int) -> int:
        """Bytes of a row of whole registers."""
        return -(-columns // self.kernels.lanes) * self.kernels.lanes * self.kernels.size
