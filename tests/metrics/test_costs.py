import numpy as np
import pytest

from seqwise.errors import ConfigurationError
from seqwise.metrics import cost_table

CLASSES = ["fine", "ill", "dead"]


def test_what_is_not_named_costs_one_and_a_right_answer_nothing():
    np.testing.assert_array_equal(cost_table({}, CLASSES), [[0, 1, 1], [1, 0, 1], [1, 1, 0]])


def test_fp_and_fn_are_the_column_and_the_row_of_the_class_of_interest():
    np.testing.assert_array_equal(cost_table({"fp": 2, "fn": 20}, CLASSES, 1), [[0, 2, 1], [20, 0, 20], [1, 2, 0]])


def test_a_class_is_its_row_and_a_pair_one_cell_and_later_entries_win():
    table = cost_table({"dead": 50, "dead>ill": 7, "fine>dead": 3}, CLASSES)
    np.testing.assert_array_equal(table, [[0, 1, 3], [1, 0, 1], [50, 7, 0]])


@pytest.mark.parametrize(
    ("costs", "positive", "message"),
    [
        ({"deaf": 3}, None, "no class 'deaf'; did you mean dead"),
        ({"dead>il": 3}, None, "no class 'il'; did you mean ill"),
        ({"fn": 3}, None, "needs the class of interest"),
        ({"dead": -1}, None, "not a number of 0 or more"),
        ({"dead": float("nan")}, None, "not a number of 0 or more"),
    ],
)
def test_wrong_costs_are_named(costs, positive, message):
    with pytest.raises(ConfigurationError, match=message):
        cost_table(costs, CLASSES, positive)
