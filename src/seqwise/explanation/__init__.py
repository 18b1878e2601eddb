"""Why a model answers as it does: what each token contributes, what the state holds, which examples are alike.

Nothing heavy is imported before it is used; torch not at all for a model without gradients.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqwise.explanation.answers import Explanation, Neighbour, StateTrace, Token
    from seqwise.explanation.explaining import METHODS, explain
    from seqwise.explanation.neighbours import nearest
    from seqwise.explanation.page import explanation_page
    from seqwise.explanation.states import trace

__all__ = [
    "METHODS",
    "Explanation",
    "Neighbour",
    "StateTrace",
    "Token",
    "explain",
    "explanation_page",
    "nearest",
    "trace",
]

_HOMES = {
    "METHODS": "explaining",
    "Explanation": "answers",
    "Neighbour": "answers",
    "StateTrace": "answers",
    "Token": "answers",
    "explain": "explaining",
    "explanation_page": "page",
    "nearest": "neighbours",
    "trace": "states",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'seqwise.explanation' has no attribute {name!r}")
    return getattr(import_module(f"seqwise.explanation.{_HOMES[name]}"), name)
