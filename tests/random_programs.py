"""Cells drawn at random, for tests that must hold for any cell: Hypothesis writes an equation, the tracer reads it.

Every operation of the notation can appear, in a form that is safe: no logarithm, root or negative power of what may be
zero or negative, no exponential of what may be large, and states that stay in about [-2, 2] whatever the weights are.
What may grow is squashed before it is used, so float32 computes these cells as well as it computes an LSTM.
"""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

from hypothesis import strategies as st

from seqwise.cells import Program, absolute, cos, exp, log, relu, sigmoid, sin, softplus, sqrt, tanh
from seqwise.cells.trace import trace

STATES = ("h", "c", "m")


class _Term(NamedTuple):
    """An expression and a bound on its absolute value."""

    vector: Any
    bound: float


_LARGEST = 4.0
_UNARY = {
    "negative": lambda v: -v,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "relu": relu,
    "exp": lambda v: exp(tanh(v)),
    "small exp": lambda v: exp(-softplus(v)),
    "log": lambda v: log(1.5 + absolute(v)),
    "sqrt": lambda v: sqrt(0.5 + v**2),
    "softplus": softplus,
    "sin": sin,
    "cos": cos,
    "absolute": absolute,
    "square": lambda v: 0.25 * v**2,
    "cube": lambda v: v**3 / 16,
    "root": lambda v: (1 + absolute(v)) ** 0.5,
    "reciprocal": lambda v: (2 + sin(v)) ** -1,
    "complement": lambda v: 1 - v,
    "first power": lambda v: v**1,
    "zeroth power": lambda v: v**0 * v,
}
_BINARY = {
    "add": lambda v, w: v + w,
    "subtract": lambda v, w: v - w,
    "multiply": lambda v, w: 0.5 * (v * w),
    "gate": lambda v, w: sigmoid(v) * w,
    "divide": lambda v, w: v / (1.5 + absolute(w)),
    "swapped divide": lambda v, w: 1.25 / (1 + exp(tanh(v))) * w,
}
_GROWTH = {"add": 2.0, "subtract": 2.0, "multiply": 0.5 * _LARGEST, "softplus": 1.5, "complement": 1.5, "exp": 3.0}


@st.composite
def programs(
    draw: st.DrawFn, *, max_states: int = 3, max_stages: int = 3, max_gates: int = 3, max_vectors: int = 2
) -> Program:
    """A valid program.

    Args:
        draw: Given by Hypothesis.
        max_states: 1 to 3 states.
        max_stages: Up to this many recurrent products; later ones may read the gates of earlier ones.
        max_gates: Gates of one product.
        max_vectors: Learned vectors.

    Returns:
        A program as the tracer makes them: every argument is used, every projection reaches a state.
    """
    states = STATES[: draw(st.integers(1, max_states))]
    stages = draw(st.integers(0, max_stages))
    vectors = tuple(f"p{k}" for k in range(draw(st.integers(0, max_vectors))))
    arguments = ("x", *states, *(("p",) if vectors else ()))

    def drawn(*symbols: Any) -> Any:
        return _Writer(draw, symbols[0], symbols[1 : 1 + len(states)], symbols[-1], vectors).write(stages, max_gates)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    drawn.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in arguments])  # type: ignore[attr-defined]
    return trace(drawn)


class _Writer:
    """Writes one equation; what has been written and not yet used is kept, so that all of it reaches a state."""

    reads_input = False

    def __init__(self, draw: st.DrawFn, x: Any, states: tuple[Any, ...], p: Any, vectors: tuple[str, ...]) -> None:
        self.draw, self.x = draw, x
        self.pool = [_Term(s, 2.0) for s in states] + [_Term(getattr(p, name), 1.0) for name in vectors]
        self.unused = list(self.pool)
        self.states = list(self.pool[: len(states)])
        self.gates = 0

    def write(self, stages: int, max_gates: int) -> tuple[Any, ...]:
        for _ in range(self.draw(st.integers(0, 2)) if stages else 1):
            self._add(self._project(None))
        for _ in range(stages):
            # A state comes in, so that the operand is no constant. With gates of earlier stages the product is chained;
            # a bare state that an earlier stage projects already adds its gates to that stage.
            operand = self.draw(st.sampled_from(self.states))
            if self.draw(st.booleans()):
                operand = self._combine(operand, self._take())
            for _ in range(self.draw(st.integers(1, max_gates))):
                self._add(self._project(operand.vector))
        if not self.reads_input:
            self._add(self._project(None))
        return tuple(self._finish(k) for k in range(len(self.states)))

    def _project(self, operand: Any) -> _Term:
        """A new gate that reads the input, a vector, or both; squashed, because weights may be anything."""
        name = f"g{self.gates}"
        self.gates += 1
        both = operand is not None and self.draw(st.booleans())
        value = getattr(self.x if operand is None else operand, name)
        self.reads_input |= operand is None or both
        if both:
            own = getattr(self.x, name)
            value = value + own if self.draw(st.booleans()) else sigmoid(own) * value
        if self.draw(st.booleans()):
            value = value + self._take().vector
        if self.draw(st.booleans()):
            value = _UNARY[self.draw(st.sampled_from(["relu", "softplus", "absolute", "log", "sqrt", "root"]))](value)
        squash = self.draw(st.sampled_from(["sigmoid", "tanh", "sin", "small exp"]))
        return _Term(_UNARY[squash](value), 1.0)

    def _take(self) -> _Term:
        """An expression of up to three operations."""
        term = self._leaf()
        for _ in range(self.draw(st.integers(0, 3))):
            if self.draw(st.booleans()):
                name = self.draw(st.sampled_from(sorted(_UNARY)))
                bound = 1.0 if name in ("sigmoid", "tanh", "sin", "cos") else term.bound * _GROWTH.get(name, 1.0)
                term = self._squash(_Term(_UNARY[name](term.vector), max(bound, 1.0)))
            else:
                term = self._combine(term, self._leaf())
        return term

    def _combine(self, a: _Term, b: _Term) -> _Term:
        name = self.draw(st.sampled_from(sorted(_BINARY)))
        bound = max(a.bound, b.bound) * _GROWTH.get(name, 1.0)
        return self._squash(_Term(_BINARY[name](a.vector, b.vector), bound))

    def _leaf(self) -> _Term:
        term = self.draw(st.sampled_from(self.pool))
        self.unused = [other for other in self.unused if other is not term]
        return term

    def _add(self, term: _Term) -> None:
        self.pool.append(term)
        self.unused.append(term)

    def _finish(self, state: int) -> Any:
        """The next value of a state: bounded, dependent on something that varies; the last one takes what is left."""
        value = tanh(self._take().vector + self.draw(st.sampled_from(self.states)).vector)
        left = self.unused if state == len(self.states) - 1 else []
        for term in left:
            value = value - 0.5 * tanh(term.vector) if self.draw(st.booleans()) else value * cos(term.vector)
        return tanh(value) + 0.5 * value / (1 + absolute(value)) if left else value

    def _squash(self, term: _Term) -> _Term:
        return term if term.bound <= _LARGEST else _Term(tanh(term.vector), 1.0)
