"""Every exception that Seqwise raises on purpose, as one tree.

SeqwiseError
├── InputError (also ValueError)       what the user gave is wrong; the command line prints it and exits with 2
│   ├── FileError                      a file is missing, unreadable, empty, of an unknown kind, wrongly encoded
│   ├── DataError                      its columns, rows or labels are not what is needed
│   ├── ConfigurationError             an unknown key, a value out of range
│   ├── CellError                      a malformed recurrence
│   ├── ModelFolderError               a saved model is damaged, newer than this version, or not one
│   └── DeviceError                    the device asked for is not there
├── MissingExtraError (also ImportError)   an optional package is not installed; exits with 2
└── DivergenceError (also ArithmeticError) the loss became NaN or infinite; exits with 1
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SeqwiseError(Exception):
    """Base of every exception that Seqwise raises on purpose."""


class InputError(SeqwiseError, ValueError):
    """What the user gave is wrong: the message says which file, row or argument, and what was expected."""


class FileError(InputError):
    """A file is missing, unreadable, empty, of an unknown kind, or wrongly encoded."""


class DataError(InputError):
    """Columns, rows or labels are not what the task needs."""


class ConfigurationError(InputError):
    """An unknown configuration key, or a value out of its range."""


class CellError(InputError):
    """A recurrence that breaks a rule of the notation; the message names the line and the reason."""


class ModelFolderError(InputError):
    """A model folder is missing a part, damaged, or made by a newer version."""


class DeviceError(InputError):
    """The device that was asked for is not available."""


class MissingExtraError(SeqwiseError, ImportError):
    """An optional package is needed; the message gives the command that installs it."""


class DivergenceError(SeqwiseError, ArithmeticError):
    """Training produced a loss that is not finite."""


def nearest(name: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """Say, for the end of a message, which of the known names was probably meant.

    Args:
        name: that is not among them.
        known: the names that there are.
        otherwise: said if none is near; None lists the first thirty.
    """
    names = list(dict.fromkeys(known))
    if near := difflib.get_close_matches(name, names, n=1, cutoff=0.6):
        return f"did you mean {near[0]}?"
    return otherwise or f"there are {', '.join(names[:30])}"
