import numpy as np
import pytest

from seqwise.text import Ragged
from seqwise.text.ragged import RaggedWriter

ROWS = Ragged.from_rows([[1, 2, 3], [], [4], [5, 6]])
VALUED = Ragged(ROWS.ids, ROWS.offsets, np.arange(6, dtype=np.float32))


def as_lists(ragged: Ragged) -> list[list[int]]:
    return [row.tolist() for row in ragged]


def test_rows_come_back_as_they_were():
    assert len(ROWS) == 4
    assert as_lists(ROWS) == [[1, 2, 3], [], [4], [5, 6]]
    assert ROWS[-1].tolist() == [5, 6]
    assert ROWS.lengths.tolist() == [3, 0, 1, 2]
    assert ROWS.ids.dtype == np.int32
    assert ROWS.offsets.dtype == np.int64
    for row in (4, -5):
        with pytest.raises(IndexError):
            ROWS[row]


def test_taking_rows_keeps_order_repeats_and_values():
    taken = VALUED.take([3, 1, 0, 3])
    assert as_lists(taken) == [[5, 6], [], [1, 2, 3], [5, 6]]
    assert taken.values.tolist() == [4, 5, 0, 1, 2, 4, 5]
    assert as_lists(ROWS.take([])) == []


def test_a_part_is_a_view():
    part = VALUED.part(1, 3)
    assert as_lists(part) == [[], [4]]
    assert part.values.tolist() == [3]
    assert np.shares_memory(part.ids, VALUED.ids)


def test_padding_is_no_wider_than_the_longest_row():
    assert ROWS.padded(fill=-1).tolist() == [[1, 2, 3], [-1, -1, -1], [4, -1, -1], [5, 6, -1]]
    assert Ragged.from_rows([[], []]).padded().shape == (2, 0)
    assert Ragged.from_rows([]).padded().shape == (0, 0)


def test_concatenation_keeps_all_rows_in_order():
    both = Ragged.concatenate([VALUED, VALUED.take([2])])
    assert as_lists(both) == [*as_lists(ROWS), [4]]
    assert both.values.tolist() == [0, 1, 2, 3, 4, 5, 3]
    assert len(Ragged.concatenate([])) == 0
    with pytest.raises(ValueError, match="some have none"):
        Ragged.concatenate([VALUED, ROWS])


def test_inconsistent_arrays_are_refused():
    with pytest.raises(ValueError, match="offsets"):
        Ragged(np.arange(3), np.array([0, 2]))
    with pytest.raises(ValueError, match="beside ids"):
        Ragged(np.arange(2), np.array([0, 2]), np.ones(3))


@pytest.mark.parametrize("on_disk", [False, True])
def test_the_writer_gives_the_same_rows_from_memory_and_from_disk(tmp_path, on_disk):
    writer = RaggedWriter(tmp_path / "new" if on_disk else None, valued=True)
    writer.append(np.array([1, 2]), [2, 0], np.array([0.5, 0.25]))
    writer.append(np.array([3]), [1], np.array([1.0]))
    result = writer.finish()
    assert isinstance(result.ids, np.memmap) == on_disk
    assert as_lists(result) == [[1, 2], [], [3]]
    assert result.values.tolist() == [0.5, 0.25, 1.0]
    assert (result.ids.dtype, result.values.dtype) == (np.int32, np.float32)
    assert as_lists(result.take([2, 0])) == [[3], [1, 2]]


def test_an_empty_result_can_be_on_disk(tmp_path):
    writer = RaggedWriter(tmp_path)
    writer.append(np.empty(0, np.int32), [0])
    assert as_lists(writer.finish()) == [[]]


def test_two_results_in_one_folder_do_not_touch_each_other(tmp_path):
    results = []
    for i in (1, 2):
        writer = RaggedWriter(tmp_path)
        writer.append(np.array([i]), [1])
        results.append(writer.finish())
    assert [as_lists(result) for result in results] == [[[1]], [[2]]]
