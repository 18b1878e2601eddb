"""On which machine, and with which versions, a figure was made."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any

from seqwise._version import __version__

PACKAGES = ("torch", "numpy", "scikit-learn")


def environment() -> dict[str, Any]:
    """Return versions and machine as plain values."""
    return {
        "seqwise": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
