"""The one place where a device's name becomes a device."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from seqwise.errors import DeviceError

if TYPE_CHECKING:
    import torch

_CUDA_FILES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvhost-gpu", "/dev/dxg", "/dev/kfd")
"""Without all of them a Linux has no device that PyTorch calls cuda."""


def is_processor(name: str) -> bool:
    """Whether a name means the processor; torch, which takes a second to import, is asked only where there may be CUDA."""
    if name != "auto":
        return name == "cpu"
    if "torch" not in sys.modules and sys.platform == "linux" and not any(map(Path.exists, map(Path, _CUDA_FILES))):
        return True
    return resolve_device(name).type == "cpu"


def resolve_device(name: str = "auto") -> torch.device:
    """Return the device that `name` means on this machine.

    Args:
        name: "auto" (CUDA where there is one, otherwise the CPU), "cpu", "cuda" or "cuda:N".

    Raises:
        DeviceError: no such device, or a name of another form.
    """
    import torch

    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise DeviceError(f"a device is auto, cpu, cuda or cuda:N, not {name!r}")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise DeviceError("no CUDA device is available: use --device cpu or auto")
        if device.index is not None and device.index >= torch.cuda.device_count():
            raise DeviceError(f"there is no {name}: this machine has {torch.cuda.device_count()} CUDA device(s)")
    return device
