"""From LLVM's text to callable machine code, kept on disk.

Object code is cached under the hash of everything that it depends on: the text of the module (and so the cell, the
options, the type and the vector width), the CPU and the version of LLVM. A file that is damaged or foreign is as good as
none; a folder that cannot be written only costs the compilation.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import MappingProxyType

import llvmlite
import llvmlite.binding as llvm
from platformdirs import user_cache_path

from seqwise.kernels.cpu.target import Target

_lock = threading.RLock()  # LLVM's builders are not safe to share
_alive: list[llvm.ResourceTracker] = []  # code stays loaded: addresses of it are handed out
_MAGIC = b"seqwise object code\n"

if hasattr(os, "register_at_fork"):  # a child must not inherit LLVM in the middle of another thread's compilation
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def load(
    key: str,
    write: Callable[[], str],
    names: Sequence[str],
    target: Target,
    imports: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, int]:
    """The addresses of a module's functions; compiled at first use, then read from the cache.

    Args:
        key: Everything that the text of the module depends on, in words.
        write: Makes the text, when it is not in the cache.
        names: The functions wanted.
        target: The CPU to compile for.
        imports: Addresses of functions that the module calls and does not have.
    """
    versions = f"{llvmlite.__version__} {llvm.llvm_version_info} {_source()}"
    digest = hashlib.sha256(f"{key}\n{target}\n{versions}".encode()).hexdigest()[:40]
    with _lock:
        code = _read(digest)
        if code is None:
            code = compile_object(write(), target)
            _write(digest, code)
        library = llvm.JITLibraryBuilder().add_object_img(code).add_current_process()
        for name in names:
            library.export_symbol(name)
        for name, address in imports.items():
            library.import_symbol(name, address)
        tracker = library.link(_jit(), f"{digest}-{len(_alive)}")
        _alive.append(tracker)
        return {name: int(tracker[name]) for name in names}


def compile_object(text: str, target: Target) -> bytes:
    """Optimised object code of a module in LLVM's text form."""
    machine, module = optimise(text, target)
    return bytes(machine.emit_object(module))


def optimise(text: str, target: Target) -> tuple[llvm.TargetMachine, llvm.ModuleRef]:
    """The module after LLVM's passes, and the machine that can emit it."""
    machine = target.machine()
    module = llvm.parse_assembly(text)
    module.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=2)
    tuning.loop_unrolling = tuning.loop_vectorization = tuning.slp_vectorization = False  # the text is vectors already
    passes = llvm.create_pass_builder(machine, tuning)
    passes.getModulePassManager().run(module, passes)
    return machine, module


def function(address: int, arguments: int = 1) -> Callable[..., None]:
    """A Python callable on integers; the GIL is released while it runs."""
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * arguments)(address)


@cache
def _jit() -> llvm.LLJIT:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(reloc="pic", jit=True)
    return llvm.create_lljit_compiler(machine)


@cache
def _source() -> str:
    """A hash of this folder's code, so that a changed generator never meets old object code."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    for path in (Path(__file__).parents[2] / "cells" / name for name in ("derive.py", "program.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def cache_folder() -> Path:
    """Where object code is kept: `$SEQWISE_CACHE/kernels`, or the user's cache folder."""
    root = os.environ.get("SEQWISE_CACHE")
    return (Path(root) if root else user_cache_path("seqwise")) / "kernels"


def _read(digest: str) -> bytes | None:
    """The cached code, if it is whole and nobody else can have written it."""
    path = cache_folder() / f"{digest}.o"
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
                return None
            content = file.read()
    except OSError:
        return None
    head, code = content[: len(_MAGIC) + 32], content[len(_MAGIC) + 32 :]
    return code if head == _MAGIC + hashlib.sha256(code).digest() else None


def _write(digest: str, code: bytes) -> None:
    folder = cache_folder()
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + hashlib.sha256(code).digest() + code)
            Path(temporary).replace(folder / f"{digest}.o")
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
