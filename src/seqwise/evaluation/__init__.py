"""Is the model any good? The baseline beside it, the report, the model card.

Nothing heavy is imported before it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqwise.evaluation.baseline import Baseline, fit_baseline
    from seqwise.evaluation.card import model_card
    from seqwise.evaluation.mistakes import worst_mistakes
    from seqwise.evaluation.report import ReportContent, write_report

__all__ = ["Baseline", "ReportContent", "fit_baseline", "model_card", "worst_mistakes", "write_report"]

_HOMES = {
    "Baseline": "baseline",
    "ReportContent": "report",
    "fit_baseline": "baseline",
    "model_card": "card",
    "worst_mistakes": "mistakes",
    "write_report": "report",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"seqwise.evaluation.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
