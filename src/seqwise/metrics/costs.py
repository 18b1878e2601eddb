"""What mistakes cost: a table from a few words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import numpy as np

from seqwise.errors import ConfigurationError


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
        if not 0 <= cost < float("inf"):
            raise ConfigurationError(f"the cost {name}={cost} is not a number of 0 or more")
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
            near = difflib.get_close_matches(unknown, [*classes, "fp", "fn"], n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"the classes are {', '.join(map(repr, classes[:20]))}"
            raise ConfigurationError(f"costs: there is no class {unknown!r}; {hint}")
    np.fill_diagonal(table, 0.0)
    return table
