"""What every thread of an OpenMP team runs: a kernel with one argument block after another, until none is left.

The data are 64-bit integers: how many blocks are taken, how many there are, and their addresses. Blocks are not dealt out
beforehand, since a core that another program keeps busy would then hold up all others.
"""

from __future__ import annotations

from llvmlite import ir

from seqwise.kernels.cpu.target import Target
from seqwise.kernels.cpu.vector import I64, POINTER, VOID, Kind, Writer, new_module


def write(target: Target) -> str:
    """The module with the function `team(address of the data)`, in LLVM's text form."""
    module = new_module(target)
    kernel = ir.Function(module, ir.FunctionType(VOID, [I64]), "kernel")
    w = Writer(module, "team", Kind("float32", target), ("data",))
    data = w.arguments["data"]
    again, done = (w.function.append_basic_block(name) for name in ("again", "done"))
    w.b.branch(again)
    w.b.position_at_end(again)
    taken = w.b.atomic_rmw("add", w.b.inttoptr(data, POINTER), ir.Constant(I64, 1), "monotonic")
    with w.when(w.less(taken, w.read(w.add(data, 8)))):
        w.b.call(kernel, [w.read(w.at(w.add(data, 16), taken, 8))])
        w.b.branch(again)
    w.b.branch(done)
    w.b.position_at_end(done)
    w.finish()
    return str(module)
