"""One time step at a time gives what the whole sequence gives."""

from __future__ import annotations

import copy
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from recurrence_oracle import CELLS
from seqwise.errors import ConfigurationError, InputError
from seqwise.layers import GRU, LSTM, Recurrent
from tolerances import assert_close


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_steps_are_the_whole_sequence(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    layer = Recurrent(CELLS[name], 5, 17, num_layers=2, dtype=dtype, zoneout=0.2).eval()
    x = torch.randn(6, 3, 5, dtype=dtype)
    start = tuple(torch.randn(2, 3, 17, dtype=dtype) for _ in CELLS[name].program.states)
    outputs, finals = layer(x, start if len(start) > 1 else start[0])
    finals = finals if isinstance(finals, tuple) else (finals,)
    state = tuple(s.clone() for s in start)
    for t in range(6):
        output, after = layer.step(x[t], state if len(state) > 1 else state[0])
        assert_close(output, outputs[t], f"output of step {t}")
    after = after if isinstance(after, tuple) else (after,)
    for given, returned, final in zip(state, after, finals, strict=True):
        assert returned is given
        assert_close(given, final, "final state")


def test_a_type_without_kernels_steps_too() -> None:
    layer = GRU(5, 7, reset_after=False, dtype=torch.bfloat16)
    x = torch.randn(4, 2, 5, dtype=torch.bfloat16)
    outputs, _ = layer(x)
    state = None
    for t in range(4):
        output, state = layer.step(x[t], state)
        assert_close(output, outputs[t].detach())


def test_a_step_sees_changed_weights() -> None:
    layer, x = LSTM(4, 8), torch.randn(2, 4)
    layer.step(x)
    with torch.no_grad():
        layer.weight_ih_l0.mul_(2)
    output, _ = layer.step(x)
    assert_close(output, layer(x.unsqueeze(0))[0][0].detach())
    layer.load_state_dict(LSTM(4, 8).state_dict())
    output, _ = layer.step(x)
    assert_close(output, layer(x.unsqueeze(0))[0][0].detach())


def test_a_layer_that_has_stepped_can_be_copied() -> None:
    layer, x = LSTM(4, 8), torch.randn(2, 4)
    output, _ = layer.step(x)
    assert torch.equal(copy.deepcopy(layer).step(x)[0], output)


def test_streams_of_several_threads_do_not_mix() -> None:
    layer = LSTM(4, 8)
    xs = torch.randn(8, 50, 1, 4)

    def run(x: torch.Tensor) -> torch.Tensor:
        state = None
        for now in x:
            output, state = layer.step(now, state)
        return output.clone()

    expected = [run(x) for x in xs]
    with ThreadPoolExecutor(8) as pool:
        for found, wanted in zip(pool.map(run, xs), expected, strict=True):
            assert torch.equal(found, wanted)


def test_steps_allocate_nothing() -> None:
    layer, x = LSTM(4, 8), torch.randn(1, 4)
    _, state = layer.step(x)
    for _ in range(100):
        layer.step(x, state)
    tracemalloc.start()
    try:
        layer.step(x, state)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(1000):
            layer.step(x, state)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1000  # bytes for 1000 steps


def test_wrong_arguments_are_named() -> None:
    layer = LSTM(4, 8)
    state = (torch.zeros(1, 2, 8), torch.zeros(1, 2, 8))
    with pytest.raises(ConfigurationError, match="bidirectional"):
        LSTM(4, 8, bidirectional=True).step(torch.zeros(2, 4))
    with pytest.raises(InputError, match=r"input: expected shape \(2, 4\)"):
        layer.step(torch.zeros(2, 5), state)
    with pytest.raises(InputError, match=r"input: expected shape \(B, 4\)"):
        layer.step(torch.zeros(2, 1, 4), state)
    with pytest.raises(InputError, match=r"state c: expected shape \(1, 2, 8\)"):
        layer.step(torch.zeros(2, 4), (state[0], torch.zeros(1, 3, 8)))
    with pytest.raises(InputError, match="state: expected 2 tensors"):
        layer.step(torch.zeros(2, 4), state[:1])
    with pytest.raises(InputError, match="state h: expected a contiguous tensor"):
        layer.step(torch.zeros(2, 4), (torch.zeros(1, 8, 2).mT, state[1]))
    with pytest.raises(InputError, match=r"input: expected torch\.float32"):
        layer.step(torch.zeros(2, 4, dtype=torch.float64), state)
