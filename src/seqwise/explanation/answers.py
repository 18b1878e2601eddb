"""What an explanation says: plain values.

Axis letters: T tokens or steps, U units that are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


class Token(NamedTuple):
    """A piece of the input that is given a value.

    Attributes:
        text: as it stands in the text; of frames the time, or the number of the step or the name of the channel.
        start: where it begins: a character of the text, or a step that was given.
        end: where it ends, exclusive.
    """

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Explanation:
    """What each token contributes to an output of the model.

    Attributes:
        text: that was read; empty of frames.
        tokens: its T tokens.
        values: contribution of each, (T,), in the unit of the output: positive speaks for the target.
        method: "integrated_gradients", "occlusion" or "gradient_x_input".
        target: class, label, tag, symbol or name of a number that is explained.
        output: of the model for the target: the log-odds ln(p / (1 - p)) of a class or tag, the log-probability of a
            language model's symbol, a regressor's number before its scale. Before calibration and thresholds.
        baseline: the same where every token is covered; None of gradient_x_input, which compares with nothing.
        delta: by how much the values miss output - baseline together; None where they need not add up to it.
        steps: gradients that were computed; None where none was.
        position: number of the token that is asked about, of taggers and language models.
    """

    text: str
    tokens: list[Token]
    values: np.ndarray
    method: str
    target: str
    output: float
    baseline: float | None = None
    delta: float | None = None
    steps: int | None = None
    position: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "method": self.method,
            "target": self.target,
            "output": self.output,
            "baseline": self.baseline,
            "delta": self.delta,
            "steps": self.steps,
            "position": self.position,
            "text": self.text,
            "tokens": [
                {**token._asdict(), "value": value}
                for token, value in zip(self.tokens, self.values.tolist(), strict=True)
            ],
        }


@dataclass(frozen=True)
class LayerStates:
    """What one layer in one direction holds.

    Attributes:
        name: "layer 1" and so on.
        direction: "forward" or "backward".
        units: numbers of the U units that are shown.
        states: name -> its value after each step, (T, U).
        gates: name in the cell's equations -> its value in each step, (T, U).
    """

    name: str
    direction: str
    units: list[int]
    states: dict[str, np.ndarray]
    gates: dict[str, np.ndarray]


@dataclass(frozen=True)
class StateTrace:
    """What the state of a recurrent model holds over time.

    Attributes:
        symbols: what was read in each of the T steps that are shown.
        starts: where each begins: a character of the text, or a step that was given.
        steps: how many were read; those that are shown are the first.
        layers: from the lowest.
    """

    symbols: list[str]
    starts: list[int]
    steps: int
    layers: list[LayerStates]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to five digits."""

        def plain(named: dict[str, np.ndarray]) -> dict[str, list[list[float]]]:
            return {name: np.round(values.astype(np.float64), 5).tolist() for name, values in named.items()}

        return {
            "symbols": self.symbols,
            "starts": self.starts,
            "steps": self.steps,
            "layers": [
                {
                    "name": of.name,
                    "direction": of.direction,
                    "units": of.units,
                    "states": plain(of.states),
                    "gates": plain(of.gates),
                }
                for of in self.layers
            ],
        }


class Neighbour(NamedTuple):
    """An example that is like another one.

    Attributes:
        number: its place among the examples, from 0.
        similarity: cosine of both vectors.
    """

    number: int
    similarity: float
