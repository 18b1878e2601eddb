"""The model card as HTML: of a stranger's Markdown, only what can do nothing but be read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

CARD = "README.md"
LONGEST = 2**20  # bytes of a card that are shown
ELSEWHERE = "noopener noreferrer nofollow"


class _Harmless(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        """Whether an address leads to another place and runs nothing here."""
        return url.lower().startswith(("https://", "http://", "mailto:"))


def read_card(folder: Path) -> str:
    """The card of a model folder as HTML, "" where there is none.

    Args:
        folder: of the model; a file, such as one of word vectors, has no card.
    """
    path = folder / CARD
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return render_card(file.read(LONGEST).decode("utf-8", "replace"))


def render_card(markdown: str) -> str:
    """Markdown as HTML.

    Raw HTML comes out as the text that it is; links lead to web and mail addresses only; pictures become their
    description, as they would tell another server who reads this; headings begin one level lower, below that of the page.
    """
    return str(_renderer().render(_without_front_matter(markdown)))


@cache
def _renderer() -> MarkdownIt:
    renderer = _Harmless("commonmark", {"html": False}).enable("table")
    for name in ("heading_open", "heading_close"):
        renderer.add_render_rule(name, _heading)
    for name in ("th_open", "td_open"):
        renderer.add_render_rule(name, _cell)
    renderer.add_render_rule("link_open", _link)
    renderer.add_render_rule("image", _picture)
    return renderer


def _heading(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
    return str(renderer.renderToken(tokens, index, options, env))


def _cell(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """A cell whose alignment is a class: the page allows no styles within elements."""
    style = str(tokens[index].attrs.pop("style", ""))
    if "right" in style:
        tokens[index].attrSet("class", "number")
    return str(renderer.renderToken(tokens, index, options, env))


def _link(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    tokens[index].attrSet("rel", ELSEWHERE)
    return str(renderer.renderToken(tokens, index, options, env))


def _picture(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return str(renderer.renderInlineAsText(tokens[index].children or [], options, env))


def _without_front_matter(markdown: str) -> str:
    """The text behind the YAML block between two lines of three dashes with which cards of a hub begin."""
    if not markdown.startswith("---\n"):
        return markdown
    end = markdown.find("\n---\n", 3)
    return markdown if end < 0 else markdown[end + 5 :]
