"""What every report page has in common: templates that escape, one file, written in one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqwise.evaluation.wording import count, duration, number, percent, plain, signed


def render_page(template: str, **values: Any) -> str:
    """Return a page; whatever is a stranger's text is escaped.

    Args:
        template: name of a file in `templates/`.
        **values: what it shows.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader("seqwise.evaluation"), PackageLoader("seqwise.explanation")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "signed": signed,
        "count": count,
        "duration": duration,
        "percent": percent,
    }
    return environment.get_template(template).render(**values)


def write_page(path: str | Path, page: str) -> None:
    """Write a page in one step, whatever was there before."""
    target = Path(path)
    partial = target.with_name(f".{target.name}.partial")
    partial.write_bytes(page.encode("utf-8", "replace"))
    partial.replace(target)


def sections(configuration: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return a configuration as texts; single values outside any section come first, under no name."""
    single = {key: plain(value) for key, value in configuration.items() if not isinstance(value, Mapping)}
    sections = {
        section: {key: plain(value) for key, value in values.items()}
        for section, values in configuration.items()
        if isinstance(values, Mapping)
    }
    return ({"": single} if single else {}) | sections


def markup(svg: str) -> Any:
    """Mark what matplotlib has drawn, and escaped, as markup."""
    from markupsafe import Markup

    return Markup(svg)


def markup_all(pictures: Sequence[str]) -> list[Any]:
    """Mark every picture."""
    return [markup(picture) for picture in pictures]
