import numpy as np

from seqwise.evaluation.confusion import confusion, ordered_confusion
from seqwise.evaluation.drawing import MISTAKE, MODEL


def test_a_small_confusion_matrix_is_only_reordered_by_size():
    counts = np.array([[1, 2, 0], [3, 40, 5], [0, 6, 7]])
    matrix, names, left = ordered_confusion(counts, ["a", "b", "c"])
    assert (names, left) == (["b", "c", "a"], 0)
    assert matrix.tolist() == [[40, 5, 3], [6, 7, 0], [2, 0, 1]]


def test_many_classes_collapse_into_others_without_losing_an_example():
    counts = np.random.default_rng(0).integers(0, 9, (52, 52))
    counts[np.arange(52), np.arange(52)] += 10 * np.arange(52)
    matrix, names, left = ordered_confusion(counts, [str(number) for number in range(52)])
    assert (len(names), left, names[-1]) == (21, 32, "32 others")
    assert matrix.sum() == counts.sum()
    kept = [int(name) for name in names[:-1]]
    assert np.array_equal(matrix[:20, :20], counts[np.ix_(kept, kept)])
    rest = [number for number in range(52) if number not in kept]
    assert matrix[3, 20] == counts[kept[3], rest].sum()
    assert matrix[20, 4] == counts[rest, kept[4]].sum()
    assert min(counts[kept].sum(axis=1)) >= max(counts[rest].sum(axis=1))


def test_a_confusion_matrix_shows_its_numbers_and_marks_mistakes_by_colour():
    matrix = np.array([[90, 10], [0, 3]])
    counts = confusion(matrix, ["yes", "no"], normalised=False)
    shares = confusion(matrix, ["yes", "no"], normalised=True)
    assert all(f">{number}</text>" in counts for number in (90, 10, 3))
    assert all(f">{number}</text>" in shares for number in (90, 10, 100))
    assert f"var(--mistake, {MISTAKE})" in counts
    right = confusion(np.diag([3, 4]), ["yes", "no"], normalised=True)
    assert MISTAKE not in right
    assert MODEL in right


def test_percentages_round_neither_a_few_nor_nearly_all_away():
    shares = confusion(np.array([[999, 1], [0, 5]]), ["yes", "no"], normalised=True)
    assert "&lt;1</text>" in shares
    assert "&gt;99</text>" in shares


def test_an_empty_row_of_a_confusion_matrix_is_drawn_empty():
    assert "nan" not in confusion(np.array([[5, 1], [0, 0]]), ["yes", "no"], normalised=True)
