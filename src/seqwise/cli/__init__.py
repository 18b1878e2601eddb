"""The command line: one file per command, each of which parses, calls one function of ``experiments``, and prints.

Nothing here imports torch, scikit-learn or Numba before a command needs it: ``seqwise --help`` answers at once.
"""

from __future__ import annotations

from seqwise.cli.application import app, main

__all__ = ["app", "main"]
