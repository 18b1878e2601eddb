"""An explanation as one HTML page that needs nothing else.

Texts are a stranger's: the page is made with autoescaping on, has no script, and forbids itself by policy to load anything.
What speaks for the target is underlined, what speaks against it has a dotted line: nobody needs the colours.

Axis letters: T steps, U units.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqwise.explanation.answers import Explanation, StateTrace
from seqwise.explanation.shading import level_of, shaded, strongest

LISTED = 40  # tokens in the table
NAMED = 120  # steps under a heat map that has their names
POSITIVE, NEGATIVE = (11, 107, 102), (180, 83, 31)
METHODS = {
    "integrated_gradients": "integrated gradients",
    "occlusion": "occlusion",
    "gradient_x_input": "gradient x input",
}


def explanation_page(
    explanation: Explanation,
    *,
    model: str = "",
    meaning: str = "output",
    states: StateTrace | None = None,
    neighbours: Sequence[tuple[float, str, str]] = (),
) -> str:
    """Return a page with the tokens shaded, their values, heat maps of the states and the nearest examples.

    Args:
        explanation: what is shown.
        model: its name.
        meaning: of the output, in words.
        states: shown if given.
        neighbours: similarity, text and label of examples.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("seqwise.explanation"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["signed"] = lambda value: f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")
    largest = float(np.abs(explanation.values).max(initial=0))
    rows = [
        {
            "text": explanation.tokens[number].text,
            "value": explanation.values[number],
            "share": round(50 * abs(explanation.values[number]) / largest, 1) if largest else 0.0,
        }
        for number in strongest(explanation, LISTED)
    ]
    return environment.get_template("explanation.html").render(
        explanation=explanation,
        method=METHODS[explanation.method],
        model=model,
        meaning=meaning,
        pieces=shaded(explanation) if explanation.text else _steps(explanation, largest),
        asked=_asked(explanation),
        rows=rows,
        layers=[] if states is None else _heat_maps(states),
        steps=0 if states is None else states.steps,
        neighbours=neighbours,
    )


def _steps(explanation: Explanation, largest: float) -> list[Any]:
    from seqwise.explanation.shading import Shaded

    pieces: list[Any] = []
    for token, value in zip(explanation.tokens, explanation.values.tolist(), strict=True):
        pieces += [Shaded(token.text, value, level_of(value, largest)), Shaded(" ")]
    return pieces


def _asked(explanation: Explanation) -> str | None:
    """The token that is asked about."""
    place = explanation.position
    return explanation.tokens[place].text if place is not None and place < len(explanation.tokens) else None


def _heat_maps(states: StateTrace) -> list[dict[str, Any]]:
    named = states.symbols if len(states.symbols) <= NAMED else []
    return [
        {
            "name": f"{layer.name}, {layer.direction}" if len(states.layers) > 1 else layer.name,
            "units": len(layer.units),
            "symbols": named,
            "wide": max((len(symbol) for symbol in named), default=0) > 1,
            "pictures": [
                {"kind": kind, "name": name, "source": picture(values), **_range(values)}
                for kind, group in (("state", layer.states), ("gate", layer.gates))
                for name, values in group.items()
            ],
        }
        for layer in states.layers
    ]


def _range(values: np.ndarray) -> dict[str, float]:
    return {"low": float(values.min()), "high": float(values.max())}


def picture(values: np.ndarray) -> str:
    """Draw (T, U) as a PNG in a data URI, a pixel a value, time to the right: the stronger the larger, see-through at 0."""
    from matplotlib.image import imsave

    largest = float(np.abs(values).max(initial=0)) or 1.0
    pixels = np.empty((*values.T.shape, 4), np.uint8)
    pixels[..., :3] = np.where(values.T[..., None] >= 0, POSITIVE, NEGATIVE)
    pixels[..., 3] = np.round(255 * np.abs(values.T) / largest)
    output = io.BytesIO()
    imsave(output, pixels, format="png")
    return "data:image/png;base64," + base64.b64encode(output.getvalue()).decode()
