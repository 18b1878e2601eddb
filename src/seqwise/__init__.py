"""Seqwise: recurrent networks for sequences in which rare classes count."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from seqwise._version import __version__

# Name -> module that defines it. Importing seqwise imports none of them: torch alone takes longer than a command may.
_EXPORTS = {
    "cell": "seqwise.cells",
    "LanguageModel": "seqwise.estimators",
    "SequenceClassifier": "seqwise.estimators",
    "SequenceGenerator": "seqwise.estimators",
    "SequenceTagger": "seqwise.estimators",
    "Transcriber": "seqwise.estimators",
    "Translator": "seqwise.estimators",
    "VectorClassifier": "seqwise.estimators",
}

__all__ = [
    "LanguageModel",
    "SequenceClassifier",
    "SequenceGenerator",
    "SequenceTagger",
    "Transcriber",
    "Translator",
    "VectorClassifier",
    "__version__",
    "cell",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'seqwise' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
