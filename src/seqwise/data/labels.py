"""The names of classes: one spelling, whatever type the file gave the label."""

from __future__ import annotations

import math
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

from seqwise.errors import DataError


def label_name(value: Any) -> str | None:
    """The class as a string, or None if there is no label.

    Text is taken as it is; 1, 1.0 and numpy's numbers are "1"; booleans are "True" and "False" (as Python writes them into
    a CSV file). None, NaN and text without visible characters are missing.

    Raises:
        DataError: if the value is a list (several labels), a number with a fraction, or something else that names no class.
    """
    if isinstance(value, str):
        return value if value.strip() else None
    if value is None or (isinstance(value, Real | Decimal) and math.isnan(value)):
        return None
    if isinstance(value, bool) or type(value).__name__ == "bool":  # numpy's bool too, without importing it
        return str(bool(value))
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real | Decimal):
        number = float(value)
        if number.is_integer():
            return str(int(number))
        raise DataError(f"the label {value} is a number with a fraction; classes are names or whole numbers")
    if isinstance(value, list | tuple | set):
        raise DataError("the labels are lists: multi-label is not supported yet by this task")
    raise DataError(f"the label {value!r:.60} is a {type(value).__name__}; classes are names or whole numbers")
