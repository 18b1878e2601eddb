"""The CPU that code is made for: its name, its features, and the shape of its vector registers.

`NUMBA_CPU_NAME` and `NUMBA_CPU_FEATURES` override what the machine says, as they do for Numba: `NUMBA_CPU_NAME=haswell`
makes AVX2 code on any newer x86.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm


@dataclass(frozen=True)
class Target:
    """What code is generated for.

    Attributes:
        triple: LLVM's name of the platform.
        cpu: LLVM's name of the processor.
        features: LLVM's feature list.
        bits: Width of a vector register.
        registers: How many there are.
    """

    triple: str
    cpu: str
    features: str
    bits: int
    registers: int

    def lanes(self, dtype: str) -> int:
        """How many numbers of this type ("float32", "float64") a register holds."""
        return self.bits // int(dtype.removeprefix("float"))

    def machine(self) -> llvm.TargetMachine:
        """LLVM's compiler for this target."""
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        target = llvm.Target.from_triple(self.triple)
        return target.create_target_machine(self.cpu, self.features, opt=3, reloc="pic", codemodel="default", jit=False)


@cache
def host() -> Target:
    """This machine, or what the environment says it is."""
    cpu = os.environ.get("NUMBA_CPU_NAME", "")
    features = os.environ.get("NUMBA_CPU_FEATURES", "")
    if not cpu:
        cpu = llvm.get_host_cpu_name()
        features = features or llvm.get_host_cpu_features().flatten()
    return describe(llvm.get_process_triple(), cpu, features)


def describe(triple: str, cpu: str, features: str = "") -> Target:
    """The target with this name; vector width is read from LLVM's own tables, by compiling a probe."""
    probe = Target(triple, cpu, features, 0, 0).machine()
    architecture = triple.split("-")[0]
    if architecture not in ("x86_64", "amd64"):  # NEON and its likes
        return Target(triple, cpu, features, 128, 32)
    wide = probe.emit_assembly(llvm.parse_assembly(_PROBE.replace("TRIPLE", triple)))
    if "zmm" in wide:
        return Target(triple, cpu, features, 512, 32)
    return Target(triple, cpu, features, 256 if "ymm" in wide else 128, 16)


_PROBE = """
target triple = "TRIPLE"
define void @probe(ptr %p) {
  %v = load <16 x float>, ptr %p, align 4
  %w = fadd <16 x float> %v, %v
  store <16 x float> %w, ptr %p, align 4
  ret void
}
"""
