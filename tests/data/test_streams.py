import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.data.streams import Streams


@given(size=st.integers(1, 80), streams=st.integers(1, 7), steps=st.integers(1, 9), data=st.data())
def test_every_symbol_is_a_target_once_and_follows_the_symbol_before_it(size, streams, steps, data):
    symbols = np.arange(1, size + 1, dtype=np.int32)
    shift = data.draw(st.integers(0, steps - 1))
    windows = list(Streams(symbols, streams, steps, start=99).windows(shift))
    targets = np.concatenate([w.targets for w in windows], axis=1).ravel()
    read = np.concatenate([w.symbols for w in windows], axis=1).ravel()
    counted = targets > 0
    assert targets[counted].tolist() == symbols.tolist()
    assert read[counted].tolist() == [99, *symbols[:-1].tolist()]
    assert [w.first for w in windows] == [True] + [False] * (len(windows) - 1)
    assert all(1 <= w.symbols.shape[1] <= steps for w in windows)


def test_windows_are_cut_at_other_places_when_shifted():
    streams = Streams(np.arange(1, 21, dtype=np.int32), 2, 4, start=0)
    assert [w.symbols.shape[1] for w in streams.windows()] == [4, 4, 2]
    assert [w.symbols.shape[1] for w in streams.windows(3)] == [1, 4, 4, 1]


def test_a_window_beyond_the_last_is_an_index_error():
    windows = Streams(np.ones(4, np.int32), 1, 2, start=0).windows()
    with pytest.raises(IndexError):
        windows[2]
