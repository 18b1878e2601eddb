"""Operations: check the arguments, choose a backend, run it. No arithmetic."""

from seqwise.kernels.contract import Result, Variant, Weights
from seqwise.ops.backends import BACKENDS, Backend, check_backend
from seqwise.ops.recurrence import recurrence
from seqwise.ops.stepping import Steps

__all__ = ["BACKENDS", "Backend", "Result", "Steps", "Variant", "Weights", "check_backend", "recurrence"]
