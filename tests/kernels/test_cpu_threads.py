"""Kernels called from several Python threads, from forked and from spawned processes; the interpreter is left alone."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import numpy as np
import pytest
import torch

from recurrence_cases import Case, compare, make_case, run_kernels, run_reference
from recurrence_oracle import CELLS
from seqwise.kernels import cpu
from seqwise.kernels.cpu import arguments, compiler, schedule, threads
from seqwise.kernels.cpu.threads import CREW, Crew


@pytest.fixture(autouse=True)
def always_two_threads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(schedule, "_WORTH_A_THREAD", 1)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def make(name: str, seed: int = 0) -> Case:
    return make_case(CELLS[name].program, 5 + seed, 4 + seed, 5, 17 + seed, seed, lengths=True, recurrent_mask=True)


def run(case: Case) -> dict[str, np.ndarray]:
    """Results and gradients, with whatever number of threads PyTorch has."""
    threads = torch.get_num_threads()
    results, gradients = run_kernels(case, threads=(threads, threads))
    return {name: t.numpy() for name, t in (results | {"d " + k: v for k, v in gradients.items()}).items()}


def test_eight_python_threads_compute_what_one_computes() -> None:
    cases = [make(name, seed) for seed in range(2) for name in CELLS]
    expected = [run(case) for case in cases]
    barrier, interval = threading.Barrier(8), sys.getswitchinterval()

    def work(first: int) -> None:
        barrier.wait()
        for k in range(40):
            number = (first * 5 + k * 3) % len(cases)
            case = cases[number]
            given = case.program, case.x, case.initial, case.weights, case.variant
            result, saved = cpu.forward(*given, save=True)
            found = cpu.backward(*given, result, saved, case.upstream, needs_x=True)
            np.testing.assert_array_equal(result.outputs, expected[number]["outputs"])
            np.testing.assert_array_equal(found.x, expected[number]["d x"])
            np.testing.assert_array_equal(found.weights.input, expected[number]["d input"])

    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            for future in [pool.submit(work, k) for k in range(8)]:
                future.result(timeout=120)
    finally:
        sys.setswitchinterval(interval)


def test_eight_python_threads_may_compile_the_same_cell(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQWISE_CACHE", str(tmp_path))
    arguments.find_kernels.cache_clear()
    case = make("two_stages")
    expected = run_reference(case)
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        given = case.program, case.x, case.initial, case.weights, case.variant
        result, saved = cpu.forward(*given, save=True)
        found = cpu.backward(*given, result, saved, case.upstream, needs_x=True)
        torch.testing.assert_close(result.outputs, expected[0]["outputs"])
        torch.testing.assert_close(found.x, expected[1]["x"])

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work) for _ in range(8)]:
            future.result(timeout=120)


def test_another_python_thread_goes_on_during_a_kernel() -> None:
    case = make_case(CELLS["lstm"].program, 1000, 32, 64, 128).to(torch.float32)
    given = case.program, case.x, case.initial, case.weights, case.variant
    torch.set_num_threads(1)
    result, saved = cpu.forward(*given, save=True)
    stop, began, ticks = threading.Event(), threading.Event(), [0]

    def tick() -> None:
        began.set()
        while not stop.is_set():
            time.sleep(0.001)
            ticks[0] += 1

    watcher = threading.Thread(target=tick)
    watcher.start()
    began.wait()
    before = ticks[0]
    cpu.forward(*given, save=False)
    between = ticks[0]
    cpu.backward(*given, result, saved, case.upstream, needs_x=True)
    after = ticks[0]
    stop.set()
    watcher.join()
    # Each takes some 50 ms at the least; a kernel that kept the interpreter would leave room for two or three.
    assert between - before > 10
    assert after - between > 10


def test_the_crew_runs_every_block_once_and_only_then_returns() -> None:
    crew, done, lock = Crew(), [], threading.Lock()

    def kernel(block: int) -> None:
        time.sleep(0.001)
        with lock:
            done.append(block)

    for count, most in ((1, 1), (2, 2), (9, 5), (3, 2), (2, 4)):
        done.clear()
        crew.run(kernel, range(count), most)
        assert sorted(done) == list(range(count))
    assert crew._workers == 4  # as many as the largest call needed, and the caller


def test_without_openmp_the_crew_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run(make("lstm"))
    monkeypatch.setattr(threads, "_find_team", lambda kernel: None)
    found = run(make("lstm"))
    assert CREW._workers >= 1
    for what, value in expected.items():
        np.testing.assert_array_equal(found[what], value, what)


def compute_in_a_child(connection: Connection, name: str) -> None:
    """What a child process does: the same call, on several threads of its own."""
    schedule._WORTH_A_THREAD = 1
    torch.set_num_threads(2)
    connection.send(run(make(name)))
    connection.send(CREW._workers)  # of our own: a forked child does not use OpenMP


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_a_child_process_computes_the_same(method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {method}")
    expected = run(make("lstm"))  # by now this process has OpenMP's threads, which a forked child does not inherit
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    child = context.Process(target=compute_in_a_child, args=(theirs, "lstm"))
    with warnings.catch_warnings():  # that threads exist at a fork is what this test is about
        warnings.filterwarnings("ignore", message=".*multi-threaded.*", category=DeprecationWarning)
        child.start()
    try:
        assert ours.poll(60), "the child hangs"
        found = ours.recv()
        assert method == "spawn" or ours.recv() == 1
    finally:
        child.join(10)
        child.kill()
    assert child.exitcode == 0
    assert found.keys() == expected.keys()
    for what, value in expected.items():
        np.testing.assert_array_equal(found[what], value, what)


def compile_in_a_child(connection: Connection) -> None:
    arguments.find_kernels.cache_clear()
    os.environ["SEQWISE_CACHE"] = os.devnull  # nothing is found there
    connection.send(run(make("gru")))


def test_a_fork_in_the_middle_of_a_compilation_leaves_a_child_that_can_compile() -> None:
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system cannot fork")
    expected = run(make("gru"))
    compiling, ours, theirs = threading.Event(), *multiprocessing.Pipe()

    def compile_slowly() -> None:
        with compiler._lock:
            compiling.set()
            time.sleep(0.3)

    other = threading.Thread(target=compile_slowly)
    other.start()
    compiling.wait()
    child = multiprocessing.get_context("fork").Process(target=compile_in_a_child, args=(theirs,))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*multi-threaded.*", category=DeprecationWarning)
        child.start()
    other.join()
    try:
        assert ours.poll(60), "the child hangs"
        found = ours.recv()
    finally:
        child.join(10)
        child.kill()
    for what, value in expected.items():
        np.testing.assert_array_equal(found[what], value, what)


def test_the_parent_goes_on_after_a_fork() -> None:
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system cannot fork")
    case = make("gru")
    expected = run_reference(case)
    compare(run_kernels(case, threads=(2, 2)), expected)
    child = multiprocessing.get_context("fork").Process(target=int)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*multi-threaded.*", category=DeprecationWarning)
        child.start()
    child.join(30)
    compare(run_kernels(case, threads=(2, 2)), expected)
