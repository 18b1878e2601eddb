"""Where things are on the page."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

MINUS = "\N{MINUS SIGN}"


def figure(value: float) -> str:
    """A number as the page writes it."""
    size = abs(value)
    if size != 0 and size < 1e-3:
        digits, exponent = f"{value:.2e}".split("e")
        return f"{digits}e{int(exponent)}".replace("-", MINUS)
    return f"{value:.{1 if size >= 100 else 2 if size >= 10 else 3}f}".replace("-", MINUS)


def panel(page: Any) -> Any:
    """What the chosen tab shows."""
    return page.locator("[role=tabpanel]:not([hidden])")


def text_box(page: Any, name: str = "Text") -> Any:
    return panel(page).get_by_role("textbox", name=name, exact=True)


def press(page: Any, name: str) -> None:
    panel(page).get_by_role("button", name=name, exact=True).click()


def choose_tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def tab_names(page: Any) -> list[str]:
    return page.get_by_role("tab").all_text_contents()


def said(page: Any) -> Any:
    """The answer in large letters."""
    return panel(page).locator(".headline .label-said")


def until(page: Any, true: Callable[[], Any], seconds: float = 30) -> Any:
    """What becomes true soon; the browser's events are heard meanwhile."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not become true"
        page.wait_for_timeout(10)
    return found
