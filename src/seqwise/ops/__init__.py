"""Operations: check the arguments, choose a backend, run it. No arithmetic."""

from seqwise.kernels.contract import Result, Variant, Weights
from seqwise.ops.backends import BACKENDS, Backend, check_backend
from seqwise.ops.recurrence import recurrence

__all__ = ["BACKENDS", "Backend", "Result", "Variant", "Weights", "check_backend", "recurrence"]
