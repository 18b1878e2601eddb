"""Pooled buffers: who may have them, when they come back, and how many are kept."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest
import torch

from recurrence_cases import make_case, name_results, run_kernels, run_reference
from recurrence_oracle import CELLS
from seqwise.kernels import cpu
from seqwise.kernels.cpu import memory
from seqwise.kernels.cpu.memory import POOL, Pool
from tolerances import assert_close


def find_address(block: np.ndarray) -> int:
    return block.ctypes.data


def test_a_block_comes_back_when_its_last_array_is_gone_and_not_before() -> None:
    pool = Pool()
    block = pool.take(10_000)
    address, view = find_address(block), block[100:200].view(np.float32)
    del block
    other = pool.take(10_000)
    assert find_address(other) != address
    del view
    again = pool.take(10_000)
    assert find_address(again) == address


def test_a_block_lives_as_long_as_a_tensor_over_it() -> None:
    pool = Pool()
    block = pool.take(10_000)
    address, tensor = find_address(block), torch.from_numpy(block).view(torch.float32)[10:20].reshape(2, 5)
    del block
    assert find_address(pool.take(10_000)) != address
    kept = tensor.detach()[0]
    del tensor
    assert find_address(pool.take(10_000)) != address
    kept.fill_(3.0)
    assert kept.sum() == 15
    del kept
    gc.collect()
    assert address in [find_address(b) for b in [pool.take(10_000) for _ in range(2)]]


@pytest.mark.parametrize("size", [1, 63, 64, 4096, 4097, 5000, 100_000, 12_345_678])
def test_blocks_begin_on_a_cache_line_and_are_little_longer_than_asked(size: int) -> None:
    block = Pool().take(size)
    assert find_address(block) % 64 == 0
    assert size <= len(block) <= 1.13 * size + 4096


def test_blocks_of_similar_size_are_shared() -> None:
    pool = Pool()
    address = find_address(pool.take(1_000_000))
    assert find_address(pool.take(1_001_000)) == address
    assert find_address(pool.take(2_000_000)) != address


def test_no_more_is_kept_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_KEPT_BYTES", 1 << 16)
    pool = Pool()
    blocks = [pool.take(1 << 14) for _ in range(10)]
    addresses = {find_address(b) for b in blocks}
    assert len(addresses) == 10
    del blocks
    assert pool._kept <= 1 << 16
    assert sum(len(free) for free in pool._free.values()) == 4
    pool.take(1 << 14)
    assert pool._kept <= 1 << 16
    pool.clear()
    assert (pool._kept, pool._free) == (0, {})


def test_threads_never_get_the_same_block() -> None:
    pool, wrong = Pool(), []

    def work(number: int) -> None:
        for _ in range(500):
            block = pool.take(5000)
            block[:8].view(np.int64)[0] = number
            second = pool.take(5000)
            second[:8].view(np.int64)[0] = -number
            if block[:8].view(np.int64)[0] != number:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_several_forward_passes_before_a_backward_pass() -> None:
    """What one saved is not overwritten by the others; backward may be called again, as with retain_graph."""
    cases = [make_case(CELLS[name].program, 9, 3, 5, 17, seed) for seed in (1, 2) for name in ("lstm", "two_stages")]
    given = [(c.program, c.x, c.initial, c.weights, c.variant) for c in cases]
    results = [cpu.forward(*g, save=True) for g in given]
    for case, g, (result, saved) in reversed(list(zip(cases, given, results, strict=True))):
        values, gradients = run_reference(case)
        for _ in range(2):
            found = cpu.backward(*g, result, saved, case.upstream, needs_x=True)
            assert_close(found.x, gradients["x"], "gradient of x")
            assert_close(found.weights.recurrent, gradients["recurrent"], "gradient of U")
        for what, value in name_results(result).items():
            assert_close(value, values[what], what)


def test_saved_buffers_come_back_and_serve_the_next_call() -> None:
    case = make_case(CELLS["lstm"].program, 20, 16, 5, 33)
    given = case.program, case.x, case.initial, case.weights, case.variant
    POOL.clear()
    _, saved = cpu.forward(*given, save=True)
    addresses = {buffer.data_ptr() for buffer in saved}
    _, others = cpu.forward(*given, save=True)
    assert addresses.isdisjoint(buffer.data_ptr() for buffer in others)
    addresses |= {buffer.data_ptr() for buffer in others}
    del saved, others
    _, again = cpu.forward(*given, save=True)
    assert addresses.issuperset(buffer.data_ptr() for buffer in again)


def test_repeated_calls_take_no_new_memory() -> None:
    case = make_case(CELLS["gru"].program, 20, 16, 5, 33, lengths=True, resets=True, recurrent_mask=True)
    for _ in range(2):
        run_kernels(case)
    gc.collect()
    kept = POOL._kept
    for _ in range(10):
        run_kernels(case)
    gc.collect()
    assert POOL._kept == kept


def test_results_are_not_in_pooled_memory() -> None:
    """A result may be kept for ever, and its numbers must stay."""
    case = make_case(CELLS["lstm"].program, 5, 3, 4, 17, all_states=True)
    results, gradients = run_kernels(case)
    copies = [t.clone() for t in (*results.values(), *gradients.values())]
    for seed in range(3):
        run_kernels(make_case(CELLS["lstm"].program, 5, 3, 4, 17, seed, all_states=True))
    for tensor, copy in zip((*results.values(), *gradients.values()), copies, strict=True):
        assert torch.equal(tensor, copy)


def test_results_and_gradients_share_no_memory_with_anything() -> None:
    case = make_case(CELLS["every_function"].program, 5, 3, 4, 17, all_states=True)
    results, gradients = run_kernels(case)
    named = results | gradients
    del named["outputs"]  # may be states[0]
    given = [case.x, *case.initial, *(w for w in case.weights if w is not None)]
    addresses = [t.untyped_storage().data_ptr() for t in (*named.values(), *given)]
    assert len(set(addresses)) == len(addresses)
    assert all(t.is_contiguous() for t in named.values())
