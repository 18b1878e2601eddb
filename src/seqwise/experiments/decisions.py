"""What a person asks of the decisions on the command line, checked before anything is read or trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seqwise.errors import ConfigurationError, nearest
from seqwise.metrics import (
    check_label_method,
    cost_table,
    label_cost_tables,
    parse_criterion,
)
from seqwise.metrics.calibrators import METHODS

AUTO, NEVER = "auto", "none"
FEW = 20  # validation examples of a class; a recall measured on fewer is uncertain by more than a fifth either way


@dataclass(frozen=True)
class DecisionRequest:
    """How the answers are to be decided.

    Attributes:
        threshold: a criterion as `parse_criterion` reads it; None for the most probable class.
        calibrate: a method of `fit_calibration`; "none" for the probabilities as they are; "auto" to calibrate only what
            a treatment of rare classes has distorted.
        costs: what mistakes cost, as `cost_table` reads them.
    """

    threshold: str | None = None
    calibrate: str = AUTO
    costs: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.calibrate not in (known := (*METHODS, AUTO, NEVER)):
            raise ConfigurationError(
                f"--calibrate: there is no method {self.calibrate!r}; {nearest(self.calibrate, known)}"
            )
        by_cost = self.threshold is not None and parse_criterion(self.threshold).name == "cost"
        if by_cost and not self.costs:
            raise ConfigurationError("--threshold cost needs what mistakes cost: --cost fp=1 --cost fn=20")
        if self.costs and not by_cost:
            raise ConfigurationError("--cost says what mistakes cost, and only --threshold cost asks for that")

    @property
    def anything(self) -> bool:
        """Whether something is asked for."""
        return self.threshold is not None or self.calibrate != AUTO

    def check(self, classes: Sequence[str], positive: str | None, *, multilabel: bool = False) -> None:
        """Refuse what does not fit the classes.

        Raises:
            ConfigurationError: costs for an unknown class, or a stated recall or precision of nobody knows which class.
        """
        if multilabel:
            if self.calibrate not in (AUTO, NEVER):
                check_label_method(self.calibrate)
            label_cost_tables(self.costs, list(classes))
            return
        number = 1 if len(classes) == 2 else None if positive is None else list(classes).index(positive)
        if self.costs:
            cost_table(self.costs, list(classes), number)
        if (
            self.threshold is not None
            and number is None
            and parse_criterion(self.threshold).name in ("recall", "precision")
        ):
            raise ConfigurationError(
                f"--threshold {self.threshold} needs the class of interest of {len(classes)}: name it with --positive"
            )

    def warnings(self, counts: Mapping[str, int], positive: str | None) -> list[str]:
        """Say if the thresholds of one class an example rest on few validation examples.

        Args:
            counts: validation examples of each class.
            positive: the class of interest; None looks at the rarest.
        """
        name = positive if positive is not None else min(counts, key=lambda label: counts[label])
        if self.threshold is None or counts[name] >= FEW:
            return []
        return [
            f"Few validation examples are {name!r} ({counts[name]}), so the threshold is largely chance; a larger "
            "data.validation, or a file of its own after --validation, makes it firmer."
        ]


def numbers_by_name(entries: Sequence[str], option: str) -> dict[str, float]:
    """Read NAME=NUMBER entries, also several with commas between them.

    Raises:
        ConfigurationError: an entry is not of this form, or a name is given twice.
    """
    read: dict[str, float] = {}
    for entry in (part for text in entries for part in text.split(",")):
        name, _, written = entry.rpartition("=")
        name = name.strip()
        try:
            number = float(written)
        except ValueError:
            name = ""
        if not name:
            raise ConfigurationError(f"{option} takes NAME=NUMBER, got {entry!r}")
        if name in read:
            raise ConfigurationError(f"{option} names {name!r} twice")
        read[name] = number
    return read
