"""What mistakes cost: a table from a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from seqwise.errors import ConfigurationError, nearest


def cost_table(costs: Mapping[str, float], classes: Sequence[str], positive: int | None = None) -> np.ndarray:
    """Return the cost of answering j where i is true, (C, C).

    Args:
        costs: `fp` (another class is taken for the class of interest), `fn` (the class of interest is missed), the name of
            a class (every miss of it), or `TRUE>ANSWER` (one cell). Later entries overwrite earlier ones. What is not named
            costs 1, a right answer nothing.
        classes: The C names.
        positive: Number of the class of interest.

    Raises:
        ConfigurationError: an unknown class (the nearest is named), `fp` or `fn` without a class of interest, or a cost that
            is negative or no number.
    """
    table = 1.0 - np.eye(len(classes))
    for name, cost in costs.items():
        _check_cost(name, cost)
        true, arrow, answer = name.partition(">")
        if name in classes:
            table[classes.index(name)] = cost
        elif name in ("fp", "fn"):
            if positive is None:
                raise ConfigurationError(f"the cost {name} needs the class of interest: name it (--positive)")
            table[:, positive] = np.where(name == "fp", cost, table[:, positive])
            table[positive] = np.where(name == "fn", cost, table[positive])
        elif arrow and true in classes and answer in classes:
            table[classes.index(true), classes.index(answer)] = cost
        else:
            unknown = next((part for part in (true, answer) if arrow and part not in classes), name)
            raise _unknown(unknown, classes)
    np.fill_diagonal(table, 0.0)
    return table


def label_cost_tables(costs: Mapping[str, float], labels: Sequence[str]) -> np.ndarray:
    """The same for labels of which an example may have several: rows lacks, has; columns not given, given; (L, 2, 2).

    Args:
        costs: `fp` (any label is given wrongly), `fn` (any is missed), or the name of a label (it is missed). Later entries
            overwrite earlier ones. What is not named costs 1.
        labels: The L names.

    Raises:
        ConfigurationError: an unknown label (the nearest is named), or a cost that is negative or no number.
    """
    tables = np.tile(1.0 - np.eye(2), (len(labels), 1, 1))
    for name, cost in costs.items():
        _check_cost(name, cost)
        if name in labels:
            tables[labels.index(name), 1, 0] = cost
        elif name in ("fp", "fn"):
            tables[:, *((0, 1) if name == "fp" else (1, 0))] = cost
        else:
            raise _unknown(name, labels)
    return tables


def checked_label_costs(costs: ArrayLike, labels: int) -> np.ndarray:
    """Check costs of labels: (L, 2, 2) is returned as it is, (2, 2) as the table of every label.

    Args:
        costs: cost of answering j where i is true.
        labels: L.

    Raises:
        ConfigurationError: costs have another shape, or are not finite.
    """
    tables = np.asarray(costs, dtype=np.float64)
    if tables.shape not in ((2, 2), (labels, 2, 2)) or not np.isfinite(tables).all():
        raise ConfigurationError(
            f"costs of {labels} labels are a table of 2 x 2 finite numbers, or one for each label, not {tables.shape}"
        )
    return np.broadcast_to(tables, (labels, 2, 2))


def _check_cost(name: str, cost: float) -> None:
    if not 0 <= cost < float("inf"):
        raise ConfigurationError(f"the cost {name}={cost} is not a number of 0 or more")


def _unknown(name: str, classes: Sequence[str]) -> ConfigurationError:
    there = f"there are {', '.join(list(classes)[:30])}, and fp and fn for the two kinds of mistake"
    return ConfigurationError(f"costs: there is no class {name!r}; {nearest(name, [*classes, 'fp', 'fn'], there)}")
