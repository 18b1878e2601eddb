import json

from seqwise.data import find_duplicates


def test_texts_are_compared_without_case_and_spacing():
    found = find_duplicates(["A  b", "c", "a B\n", "ab"], [0, 0, 0, 0])
    assert found.duplicates == 1
    assert found.duplicate_rows == [(3, 1)]
    assert not found.conflicting


def test_conflicting_labels_name_a_row_that_disagrees():
    found = find_duplicates(["x", "y", "x", "X", "y"], ["p", "p", "p", "q", "p"])
    assert found.duplicates == 3
    assert found.conflicting == 3
    assert found.conflicting_rows == [(1, 4), (3, 4), (4, 1)]


def test_texts_of_the_test_part_that_stand_in_training_are_counted():
    found = find_duplicates(["x", "y", "x"], ["p", "q", "r"], ["z", "Y", "x", "X", "y"], ["p", "p", "r", "q", "q"])
    assert found.across == 4
    assert found.across_rows == [(2, 2), (3, 1), (4, 1), (5, 2)]
    assert found.across_conflicting_rows == [(2, 2), (4, 1)]  # row 3 agrees with row 3 of training
    assert found.across_conflicting == 2


def test_without_labels_of_the_other_part_no_conflict_is_claimed():
    found = find_duplicates(["x"], ["p"], ["x"])
    assert (found.across, found.across_conflicting) == (1, 0)


def test_only_the_first_rows_are_named_and_all_are_counted():
    found = find_duplicates(["same"] * 50, [0] * 50, ["same"] * 30, [1] * 30)
    assert (found.duplicates, len(found.duplicate_rows)) == (49, 20)
    assert found.duplicate_rows[0] == (2, 1)
    assert (found.across, len(found.across_rows)) == (30, 20)
    assert len(find_duplicates(["a"] * 9, [0] * 9, limit=3).duplicate_rows) == 3


def test_lists_of_tokens_streams_and_nothing_at_all_are_accepted():
    assert find_duplicates(iter([["New", "York"], ["new", "york"]]), iter([0, 0])).duplicates == 1
    assert not find_duplicates([], [], [], [])
    assert not find_duplicates([], [], ["x"], [1])
    assert not find_duplicates(["a"], [0], [], [])
    assert find_duplicates(["\ud800", "\ud800"], [0, 1]).conflicting == 2


def test_the_result_can_be_saved_as_json():
    found = find_duplicates(["x", "x"], [0, 1], ["x"], [2])
    assert json.loads(json.dumps(found.to_dict()))["conflicting_rows"] == [[1, 2], [2, 1]]
