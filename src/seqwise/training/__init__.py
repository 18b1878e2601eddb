"""One short loop over any module, its callbacks, and checkpoints that survive a crash.

Torch is imported when the loop is first touched: the settings alone are read without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seqwise.training.settings import TrainingSettings

if TYPE_CHECKING:
    from seqwise.training.callbacks import Callback
    from seqwise.training.history import History
    from seqwise.training.loop import train
    from seqwise.training.progress import Progress

__all__ = ["Callback", "History", "Progress", "TrainingSettings", "train"]

_HOMES = {"Callback": "callbacks", "History": "history", "Progress": "progress", "train": "loop"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"seqwise.training.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
