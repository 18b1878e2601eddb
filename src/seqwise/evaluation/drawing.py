"""Paper and pens of the report's figures: matplotlib drawn as SVG that is part of a page, and takes its colours.

Text stays text (it can be searched, selected and read aloud, and every script is drawn by the reader's own fonts), no
figure knows the date, and colours are written as `var(--name, #hex)`, so that the page's light, dark and printed themes
hold inside the figures too.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Every colour that a figure may use, each with the name of the page's variable. The model always has the one accent,
# the baseline always the grey.
MODEL, BASELINE, MISTAKE = "#0b6b66", "#8f9498", "#b4531f"
INK, MUTED, RULE, PAPER, DATA = "#1d2124", "#666c71", "#dcddd8", "#fefefc", "#5a6f86"
VARIABLES = {
    MODEL: "--model",
    BASELINE: "--baseline",
    MISTAKE: "--mistake",
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    PAPER: "--paper",
    DATA: "--data",
}
WIDTH, HEIGHT = 300, 250  # of one small panel
POINTS_PER_INCH = 72  # of matplotlib's SVG; the sizes below are therefore CSS pixels at a scale of 1
RULES = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # "$" in the name of a class is a dollar
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, wider than what a browser takes: nothing overflows
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.linewidth": 1,
    "axes.unicode_minus": True,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "none",
    "path.simplify": True,
}


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many CSS pixels."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width / POINTS_PER_INCH, height / POINTS_PER_INCH), dpi=POINTS_PER_INCH)


def panel(figure: Figure, left: float, top: float, right: float, bottom: float) -> Axes:
    """Add axes with the given margins in CSS pixels: two thin lines, no box, a faint horizontal grid."""
    width, height = figure.get_size_inches() * POINTS_PER_INCH
    axes = figure.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    )
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, pad=6)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def heading(figure: Figure, title: str, note: str | Sequence[tuple[str, str]] = "") -> None:
    """Write a panel's title at the left, and under it a note in grey, or short notes each in its colour."""
    width, height = figure.get_size_inches() * POINTS_PER_INCH
    figure.text(0, 1 - 14 / height, readable(title, 40), size=12.5, weight="bold", color=INK)
    for number, (text, colour) in enumerate([(note, MUTED)] if isinstance(note, str) else note):
        figure.text(88 * number / width, 1 - 31 / height, text, size=10.5, color=colour)


def unit_square(axes: Axes, x: str, y: str) -> None:
    """Let both axes run from 0 to 1."""
    marks, names = [0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"]
    axes.set_xlim(-0.01, 1.02)
    axes.set_ylim(0, 1.03)
    axes.set_xticks(marks, names)
    axes.set_yticks(marks, names)
    axes.set_xlabel(x, labelpad=4)
    axes.set_ylabel(y, labelpad=6, rotation=90, rotation_mode="anchor", ha="center", va="baseline")


def readable(text: str, limit: int = 22) -> str:
    """Shorten a text for a figure; what cannot be drawn (controls, halves of surrogate pairs) becomes a sign for it."""
    clean = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in {"Cc", "Cs"} else c for c in text)
    return clean if len(clean) <= limit else clean[: limit - 1].rstrip() + "…"


def to_svg(figure: Figure, name: str, description: str) -> str:
    """Draw a figure as an `<svg>` element.

    Args:
        figure: drawn under `rules()`.
        name: unique on the page; the ids inside the element start with it.
        description: what a reader who cannot see it should know.
    """
    from html import escape

    from matplotlib.backends.backend_svg import FigureCanvasSVG

    output = io.StringIO()
    with warnings.catch_warnings():
        # Only the measure of a text needs matplotlib's own font; the reader's browser draws the glyph.
        warnings.filterwarnings("ignore", message="(?s).*(Glyph|Matplotlib currently does not support)")
        FigureCanvasSVG(figure).print_svg(output, metadata={"Date": None, "Creator": None})
    text = output.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    head, body = text.split(">", 1)
    box = re.search(r'viewBox="([^"]+)"', head)
    width, height = (float(size) for size in (box.group(1) if box else "0 0 1 1").split()[2:])
    ids = sorted(set(re.findall(r' id="([^"]+)"', body)))
    used = {i for i in ids if f'"#{i}"' in body or f"(#{i})" in body}
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m.group(1)}"' if m.group(1) in used else "", body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r"font-family: [^;\"]+;? ?", "", body)
    body = re.sub(r"(fill|stroke): (#[0-9a-f]{6})", _variable, body)
    body = re.sub(r'\bxlink:href="', 'href="', body)
    return (
        f'<svg role="img" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'aria-label="{escape(description)}">{body.strip()}'
    )


def rules(name: str) -> Any:
    """Return a context in which matplotlib draws by the report's rules; its settings are restored afterwards."""
    import matplotlib

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)
        return matplotlib.rc_context({**matplotlib.rcParamsDefault, **RULES, "svg.hashsalt": name})


def _variable(match: re.Match[str]) -> str:
    kind, colour = match.groups()
    return f"{kind}: var({VARIABLES[colour]}, {colour})" if colour in VARIABLES else f"{kind}: {colour}"
