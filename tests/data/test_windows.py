import numpy as np
import pytest

from seqwise.data.windows import Windows
from seqwise.errors import ConfigurationError

LENGTHS = np.array([23, 4, 10, 1])


def covered(windows):
    steps = [(row, step) for row, start, stop in windows.tolist() for step in range(start, stop)]
    assert len(steps) == len(set(steps))
    return set(steps)


@pytest.mark.parametrize("size", [1, 3, 10, 50])
def test_an_epoch_reads_every_step_once_and_cuts_elsewhere_than_the_one_before(size):
    windows = Windows(LENGTHS, size, seed=3)
    everything = {(row, step) for row, length in enumerate(LENGTHS) for step in range(length)}
    epochs = [windows(epoch) for epoch in range(6)]
    for epoch in epochs:
        assert covered(epoch) == everything
        assert ((epoch[:, 2] - epoch[:, 1]) <= size).all()
    # Windows of one step, or that hold whole sequences, can lie in one way only.
    assert (len({epoch.tobytes() for epoch in epochs}) > 1) == (size in (3, 10))
    np.testing.assert_array_equal(windows(2), Windows(LENGTHS, size, seed=3)(2))


def test_without_a_size_sequences_are_read_whole():
    assert Windows(LENGTHS, None)(4).tolist() == [[0, 0, 23], [1, 0, 4], [2, 0, 10], [3, 0, 1]]


def test_a_sampler_draws_windows_around_steps_of_rare_labels():
    targets = np.zeros(1000, np.int64)
    targets[500:510] = 1
    targets[900:] = -1
    shares = []
    for sampler in ("instance", "square_root", "class_balanced"):
        windows = Windows(np.array([1000]), 20, sampler=sampler, targets=targets, seed=0, epochs=10)
        drawn = np.concatenate([windows(epoch) for epoch in range(10)])
        assert (drawn[:, 1] >= 0).all()
        assert (drawn[:, 2] <= 1000).all()
        read = np.concatenate([targets[start:stop] for _, start, stop in drawn])
        shares.append((read == 1).mean())
    assert shares[0] == pytest.approx(0.01)
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > 0.15


def test_a_sampler_has_nothing_to_draw_from_whole_sequences():
    with pytest.raises(ConfigurationError, match=r"set model\.window"):
        Windows(LENGTHS, None, sampler="class_balanced", targets=np.zeros(38, np.int64))
