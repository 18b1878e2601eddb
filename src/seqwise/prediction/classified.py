"""What a classifier says of one example."""

from __future__ import annotations

from typing import Any, NamedTuple

DIGITS = 6  # of probabilities that are written


class Prediction(NamedTuple):
    """The answer to one text: its class, or None where the model abstains; of several labels a tuple."""

    text: str
    label: str | tuple[str, ...] | None
    probabilities: dict[str, float]

    @property
    def probability(self) -> float:
        """Of the class that was chosen; where the model abstains or gives several labels, the greatest one."""
        return self.probabilities[self.label] if isinstance(self.label, str) else max(self.probabilities.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain values: `label`, or `labels` where an example may have several, `probability` and `probabilities`."""
        said = {"labels": list(self.label)} if isinstance(self.label, tuple) else {"label": self.label}
        probabilities = {name: round(value, DIGITS) for name, value in self.probabilities.items()}
        return {**said, "probability": round(self.probability, DIGITS), "probabilities": probabilities}
