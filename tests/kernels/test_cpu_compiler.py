"""The cache of compiled kernels: when it is used, what it does not trust, and that nothing depends on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from platformdirs import user_cache_path

from seqwise.kernels.cpu import compiler
from seqwise.kernels.cpu.target import Target, host

TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache, which does not exist yet."""
    monkeypatch.setenv("SEQWISE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "kernels"


class Module:
    """A module that writes one number to an address, and counts how often it is compiled."""

    def __init__(self, number: int = 42) -> None:
        self.number, self.compilations = number, 0

    def write(self) -> str:
        self.compilations += 1
        return f"""
            target triple = "{host().triple}"
            define void @answer(i64 %address) {{
              %place = inttoptr i64 %address to ptr
              store i64 {self.number}, ptr %place
              ret void
            }}"""

    def run(self, key: str = "key", target: Target | None = None) -> int:
        address = compiler.load(key, self.write, ("answer",), target or host())["answer"]
        place = np.zeros(1, np.int64)
        compiler.function(address)(place.ctypes.data)
        return int(place[0])


def test_the_second_use_compiles_nothing(folder: Path) -> None:
    module = Module()
    assert [module.run(), module.run()] == [42, 42]
    assert module.compilations == 1
    assert len(list(folder.iterdir())) == 1  # and no temporary file stays behind


def test_the_cache_is_where_the_environment_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiler.cache_folder() == folder
    monkeypatch.delenv("SEQWISE_CACHE")
    assert compiler.cache_folder() == user_cache_path("seqwise") / "kernels"


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_only_its_owner_can_read_or_write_the_cache(folder: Path) -> None:
    Module().run()
    assert folder.stat().st_mode & 0o077 == 0
    assert next(folder.iterdir()).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda target: replace(target, cpu="x86-64" if target.cpu != "x86-64" else "generic"),
        lambda target: replace(target, features=target.features + ",-nonexistent"),
        lambda target: replace(target, bits=target.bits // 2),
    ],
    ids=["cpu", "features", "width"],
)
def test_code_for_another_cpu_is_other_code(
    folder: Path, change: Callable[[Target], Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, other = Module(), change(host())
    compile_object = compiler.compile_object
    monkeypatch.setattr(compiler, "compile_object", lambda text, _: compile_object(text, host()))  # it has to run here
    assert [module.run(), module.run(target=other), module.run(), module.run(target=other)] == [42] * 4
    assert module.compilations == 2
    assert len(list(folder.iterdir())) == 2


def test_other_options_other_versions_and_other_sources_are_other_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Module(1).run("zoneout=False") == 1
    assert Module(2).run("zoneout=True") == 2
    monkeypatch.setattr(compiler, "_source", lambda: "changed")
    assert Module(3).run("zoneout=True") == 3
    monkeypatch.setattr(compiler.llvmlite, "__version__", "0.0.1")
    assert Module(4).run("zoneout=True") == 4
    assert len(list(folder.iterdir())) == 4


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "longer": lambda content: content + b"\0",
    "flipped bit in the code": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "flipped bit in the hash": lambda content: content[:25] + bytes([content[25] ^ 1]) + content[26:],
    "another kind of file": lambda content: b"PK" + content[2:],
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_compiled_again_and_repaired(folder: Path, name: str) -> None:
    module = Module()
    module.run()
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(DAMAGE[name](whole))
    assert module.run() == 42
    assert module.compilations == 2
    assert file.read_bytes() == whole


def test_a_folder_in_the_place_of_the_file_costs_only_the_compilation(folder: Path) -> None:
    module = Module()
    module.run()
    (file,) = folder.iterdir()
    file.unlink()
    file.mkdir()
    assert [module.run(), module.run()] == [42, 42]
    assert module.compilations == 3
    assert list(folder.iterdir()) == [file]  # what could not be put there is gone


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666], ids=oct)
def test_code_that_others_could_have_written_is_refused(folder: Path, mode: int) -> None:
    module = Module()
    module.run()
    (file,) = folder.iterdir()
    file.chmod(mode)
    assert module.run() == 42
    assert module.compilations == 2
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="users are POSIX's")
def test_code_of_another_user_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = Module()
    module.run()
    someone = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: someone)
    assert module.run() == 42
    assert module.compilations == 2


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_read_only_folder_costs_only_the_compilation(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    try:
        module = Module()
        assert [module.run(), module.run()] == [42, 42]
        if os.geteuid():  # to root nothing is read-only
            assert module.compilations == 2
            assert list(folder.iterdir()) == []
    finally:
        folder.chmod(0o700)


def test_a_file_in_the_place_of_the_folder_costs_only_the_compilation(folder: Path) -> None:
    folder.parent.parent.mkdir(exist_ok=True)
    folder.parent.write_text("not a folder")
    module = Module()
    assert [module.run(), module.run()] == [42, 42]
    assert module.compilations == 2


def test_a_full_disk_costs_only_the_compilation(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    module = Module()
    assert [module.run(), module.run()] == [42, 42]
    assert module.compilations == 2
    assert list(folder.iterdir()) == []


RUN = """
import sys
sys.path.insert(0, {tests!r})
from recurrence_cases import compare, make_case, run_kernels, run_reference
from recurrence_oracle import CELLS
from seqwise.kernels.cpu import compiler
count, compile_object = [], compiler.compile_object
compiler.compile_object = lambda *args: (count.append(1), compile_object(*args))[1]
case = make_case(CELLS["lstm"].program, 5, 3, 5, 17, lengths=True)
compare(run_kernels(case), run_reference(case))
print(len(count))
"""


def run_in_a_new_process(**environment: str) -> int:
    """Compare a cell with the reference; how often something was compiled."""
    program = RUN.format(tests=str(TESTS))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ | environment
    )
    return int(done.stdout)


@pytest.mark.slow
def test_a_new_process_finds_the_code_of_an_earlier_one(folder: Path) -> None:
    assert run_in_a_new_process() == 3  # products, forward, backward
    assert run_in_a_new_process() == 0
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    assert run_in_a_new_process() == 3
