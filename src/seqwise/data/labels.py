"""The names of classes: one spelling, whatever type the file gave the label."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.errors import DataError

SEPARATORS = ("|", ";", ",")  # tried in this order


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
        raise DataError(f"the label {value!r:.60} is a list of labels where one label is expected")
    raise DataError(f"the label {value!r:.60} is a {type(value).__name__}; classes are names or whole numbers")


def label_set(value: Any, separator: str | None = None) -> tuple[str, ...]:
    """The labels of an example that may have several or none, sorted, each once.

    Args:
        value: a list of labels; or, with a separator, a text that holds labels between separators (missing: no label).
        separator: of the labels in a text.

    Raises:
        DataError: a label of the list is missing, or names no label.
    """
    if separator is None:
        names = [label_name(item) for item in value]
        if None in names:
            raise DataError(f"the list {value!r:.60} holds a label without a name")
    else:
        text = label_name(value)
        names = [part.strip() for part in ("" if text is None else text).split(separator)]
    return tuple(sorted({name for name in names if name}))


def find_separator(labels: Iterable[str]) -> str | None:
    """The separator of texts that evidently hold several labels each, or None.

    Evident: most labels that stand beside others also occur without each of these, there are fewer labels than combinations
    of them, and at least one text in a hundred holds several. "Smith, John" is one label by this rule.
    """
    counts = Counter(labels)
    total = sum(counts.values())
    for separator in SEPARATORS:
        sets = {text: label_set(text, separator) for text in counts}
        joined = [names for names in sets.values() if len(names) > 1]
        if sum(count for text, count in counts.items() if len(sets[text]) > 1) < max(2, 0.01 * total):
            continue
        combinations: dict[str, list[set[str]]] = {}
        for names in sets.values():
            for name in names:
                combinations.setdefault(name, []).append(set(names))
        beside: dict[str, set[str]] = {}
        for group in joined:
            for name in group:
                beside.setdefault(name, set()).update(set(group) - {name})
        apart = sum(
            all(any(other not in names for names in combinations[name]) for other in others)
            for name, others in beside.items()
        )
        if 2 * apart > len(beside) and len(combinations) < len(set(sets.values())):
            return separator
    return None


def label_matrix(sets: Sequence[tuple[Any, ...]], labels: Sequence[Any]) -> NDArray[np.bool_]:
    """Which labels each example has, (n, L), columns in the order of the labels.

    Raises:
        KeyError: an example has a label that is not among them.
    """
    column = {name: number for number, name in enumerate(labels)}
    matrix = np.zeros((len(sets), len(labels)), dtype=np.bool_)
    for row, names in enumerate(sets):
        for name in names:
            matrix[row, column[name]] = True
    return matrix
