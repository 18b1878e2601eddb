"""What `seqwise predict` was asked, whatever the task of the model."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Asked:
    """The options of `seqwise predict` that every task understands.

    Attributes:
        folder: of the model.
        texts: given on the command line; "-" alone reads standard input.
        input: a file in place of them.
        column: of that file, if not as in training.
        output: a file for the answers.
        overwrite: replace it.
        device: where the model runs.
        json: print one document.
        beam: hypotheses kept of each text, where there is a search; None: as the model says.
        n_best: answers for each text; None: one.
        horizon: steps ahead, of forecasts; None: as in training.
    """

    folder: Path
    texts: list[str]
    input: Path | None = None
    column: str | None = None
    output: Path | None = None
    overwrite: bool = False
    device: str = "auto"
    json: bool = False
    beam: int | None = None
    n_best: int | None = None
    horizon: int | None = None

    def lines(self) -> list[str]:
        """The texts of the command line, or the lines of standard input."""
        return [line.rstrip("\n") for line in sys.stdin] if self.texts == ["-"] else self.texts
