"""Kernels for other processors: those that this machine can run are run, NEON is read as assembly."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recurrence_oracle import CELLS
from seqwise.kernels.cpu import backward_kernel, compiler, forward_kernel, products
from seqwise.kernels.cpu.plan import make_plan
from seqwise.kernels.cpu.target import Target, describe, host

TESTS = Path(__file__).parents[1]
LINUX = "x86_64-unknown-linux-gnu"
NEON = describe("aarch64-unknown-linux-gnu", "neoverse-n1")


@pytest.mark.parametrize(
    ("triple", "cpu", "bits", "registers"),
    [
        (LINUX, "x86-64-v2", 128, 16),
        (LINUX, "haswell", 256, 16),
        (LINUX, "znver3", 256, 16),
        (LINUX, "znver4", 512, 32),
        (LINUX, "x86-64-v4", 512, 32),
        ("x86_64-apple-darwin", "haswell", 256, 16),
        ("x86_64-pc-windows-msvc", "haswell", 256, 16),
        ("aarch64-unknown-linux-gnu", "neoverse-n1", 128, 32),
        ("arm64-apple-darwin", "apple-m1", 128, 32),
    ],
)
def test_the_vector_width_is_that_of_the_cpu(triple: str, cpu: str, bits: int, registers: int) -> None:
    target = describe(triple, cpu)
    assert (target.bits, target.registers) == (bits, registers)
    assert (target.lanes("float32"), target.lanes("float64")) == (bits // 32, bits // 64)


def assemble(text: str, target: Target) -> str:
    machine, module = compiler.optimise(text, target)
    return str(machine.emit_assembly(module))


def assemble_cell(name: str, target: Target, dtype: str = "float32") -> str:
    """The forward and the backward kernel of a cell."""
    plan = make_plan(CELLS[name].program, False, False)
    return "\n".join(
        assemble(module.write(plan, dtype, target, False), target) for module in (forward_kernel, backward_kernel)
    )


def find_function(assembly: str, name: str) -> str:
    found = re.search(rf"^{name}:.*?^\.Lfunc_end", assembly, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found.group()


def find_calls(assembly: str) -> set[str]:
    """What is called, but for our own functions."""
    called = set(re.findall(r"^\s*(?:bl|b|callq?|jmp)\s+(?:\*?)([A-Za-z_]\w*)", assembly, re.MULTILINE))
    own = r"product|accumulate|sum_columns|flush|pack|product_\d_\d|accumulate_\d_\d"
    return {name for name in called if not re.fullmatch(own, name)}


@pytest.mark.parametrize(("dtype", "shape"), [("float32", "4s"), ("float64", "2d")])
def test_neon_kernels_multiply_and_add_in_vectors(dtype: str, shape: str) -> None:
    tile = find_function(assemble(products.write(dtype, NEON), NEON), "product_6_4")
    assert len(re.findall(rf"fmla\s+v\d+\.{shape}", tile)) >= 6 * 4
    assert re.search(rf"fdiv\s+v\d+\.{shape}", find_function(assemble_cell("lstm", NEON, dtype), "forward"))


@pytest.mark.parametrize("name", ["lstm", "lstm_peephole", "gru"])
def test_gates_call_no_scalar_functions(name: str) -> None:
    for target in (NEON, describe(LINUX, "haswell")):
        assert find_calls(assemble_cell(name, target)) == set()


@pytest.mark.parametrize("target", [NEON, describe(LINUX, "haswell")], ids=lambda target: target.cpu)
def test_calls_of_scalar_functions_would_be_found(target: Target) -> None:
    called = find_calls(assemble_cell("every_function", target))
    assert "sinf" in called
    assert called <= {"sinf", "cosf", "sincosf"}


@pytest.mark.parametrize(("cpu", "register"), [("haswell", "ymm"), ("znver4", "zmm")])
def test_x86_tiles_keep_their_sums_in_registers(cpu: str, register: str) -> None:
    target = describe(LINUX, cpu)
    height, width = products.tile_shape(target)
    tile = find_function(assemble(products.write("float32", target), target), f"product_{height}_{width}")
    assert len(re.findall(rf"vfmadd\w+ps\s.*%{register}", tile)) >= height * width
    assert not re.search(rf"rsp\).*%{register}|%{register}.*rsp\)", tile)  # nothing waits on the stack


RUN = """
import sys
sys.path.insert(0, {tests!r})
import torch
from recurrence_cases import compare, make_case, run_kernels, run_reference
from recurrence_oracle import CELLS
from seqwise.kernels.cpu import memory
from seqwise.kernels.cpu.target import host
assert (host().bits, host().cpu) == ({bits}, {cpu!r}), host()
memory.poison = True
for name in ("lstm", "every_function", "two_stages"):
    for steps, batch, features, hidden in ((9, 7, 5, 17), (3, 13, 33, 16), (4, 1, 1, 1)):
        case = make_case(CELLS[name].program, steps, batch, features, hidden, lengths=True, resets=True, reverse=True,
            input_mask=True, recurrent_mask=name != "lstm", zoneout=None if name == "lstm" else (True, True, True),
            all_states=True)
        for dtype in (torch.float32, torch.float64):
            given = case.to(dtype)
            compare(run_kernels(given), run_reference(given.to(torch.float64)))
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="needs an x86 processor")
@pytest.mark.parametrize(("cpu", "bits"), [("x86-64-v2", 128), ("haswell", 256)])
def test_kernels_of_older_processors_compute_the_same(cpu: str, bits: int) -> None:
    if bits > host().bits:
        pytest.skip(f"this processor has vectors of {host().bits} bits")
    program = RUN.format(tests=str(TESTS), bits=bits, cpu=cpu)
    environment = os.environ | {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": ""}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
