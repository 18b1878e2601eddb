"""A cell: a named recurrence, made from its equation with `@cell` or from the text of a program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from seqwise.cells.equations import Equations, write_equations
from seqwise.cells.program import Program
from seqwise.cells.trace import trace
from seqwise.errors import CellError


@dataclass(frozen=True, repr=False)
class Cell:
    """A recurrence that layers can run. Two cells are equal when their equations are.

    Attributes:
        program: The traced equation.
        equation: The function that was traced; None for a cell that was read from text.
    """

    program: Program
    equation: Callable[..., Any] | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.program.name

    @property
    def source(self) -> str:
        """Where the equation comes from: the docstring of its function."""
        return ((self.equation and self.equation.__doc__) or "").strip()

    def equations(self) -> Equations:
        """The equations, forward and the derived backpropagation through time, as text, LaTeX, Markdown or HTML."""
        return write_equations(self.program, self.source)

    @classmethod
    def from_string(cls, text: str) -> Cell:
        """The cell whose program has this text (`cell.program.to_string()`).

        Raises:
            CellError: The text is not a valid program.
        """
        return cls(Program.from_string(text))

    def __call__(self, *arguments: Any) -> Any:
        """Use this equation inside another one, while that one is traced."""
        if self.equation is None:
            raise CellError(f"cell {self.name!r} was read from text and has no equation to call")
        return self.equation(*arguments)

    def __repr__(self) -> str:
        return f"<cell {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # The module-level name of a decorated equation is the cell: the function itself cannot be copied to a process.
        return (Cell.from_string, (self.program.to_string(),))

    def __deepcopy__(self, memo: object) -> Cell:
        return self


def cell(equation: Callable[..., Any]) -> Cell:
    """Make a cell from its equation; used as a decorator.

    Args:
        equation: `f(x, state, ...)` or `f(x, state, ..., p)`; returns the next states in the order of the arguments.

    Returns:
        The cell, ready for `seqwise.layers.Recurrent`.

    Raises:
        CellError: The equation breaks a rule of the notation; the message names file, line and reason.
    """
    return Cell(trace(equation), equation)
