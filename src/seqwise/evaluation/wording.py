"""Numbers and values as the report writes them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np


def plain(value: Any) -> str:
    """A value of the configuration as a person would write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def number(value: float | None, digits: int = 3) -> str:
    """A figure with so many digits; from 10 up, such as a perplexity, with one."""
    if value is None or not np.isfinite(value):
        return "undefined"
    return f"{value:.{digits}f}" if abs(value) < 10 else f"{value:,.1f}"


def signed(value: float | None, digits: int = 3) -> str:
    """A difference with its sign; one that rounds to nothing has none."""
    if value is None or not np.isfinite(value):
        return "\N{EN DASH}"
    text = f"{abs(value):.{digits}f}"
    return text if float(text) == 0 else ("+" if value > 0 else "\N{MINUS SIGN}") + text


def count(value: float) -> str:
    """A whole number with thousands apart."""
    return f"{value:,.0f}"


def percent(share: float) -> str:
    """A probability in percent; one that is not quite 0 or 1 is not rounded to it."""
    if 0 < share < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= share < 1 else f"{100 * share:.1f}%"


def duration(seconds: float) -> str:
    """Seconds as a person would say them."""
    if seconds < 120:
        return f"{seconds:.1f} seconds" if seconds < 10 else f"{seconds:.0f} seconds"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
