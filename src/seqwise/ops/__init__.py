"""Operations: check the arguments, choose a backend, run it. No arithmetic."""

from seqwise.kernels.contract import Result, Variant, Weights
from seqwise.ops.recurrence import BACKENDS, check_backend, recurrence

__all__ = ["BACKENDS", "Result", "Variant", "Weights", "check_backend", "recurrence"]
