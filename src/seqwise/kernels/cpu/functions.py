"""Elementary functions of whole registers, for every lane count and both types.

Exponentials reduce to 2^n (1 + p), n whole and p = 2^r - 1 with |r| <= 1/2; logarithms to the area hyperbolic tangent of
a small number. Polynomials are interpolated at Chebyshev nodes when code is made, in decimals of 50 digits, with as many
terms as the type can tell. tanh and softplus are written with p and log(1 + v), so that small results keep their relative
precision. What overflows does so as in the C library, and NaN stays NaN. sin, cos and powers that are neither whole
numbers nor roots are the C library's, one lane at a time: no cell of the textbooks has them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import cache

import numpy as np

from seqwise.kernels.cpu.vector import Vector


def exp(x: Vector) -> Vector:
    """e^x."""
    kind = x.writer.kind
    bound = 1.2 * kind.bias * math.log(2.0)
    x = x.at_least(-bound).at_most(bound)
    whole, _ = _round(x * _LOG2E)
    # The remainder is taken from x in two steps: for large x the product with log2(e) has lost it.
    high = math.floor(math.log(2.0) * 2**10) / 2**10
    low = float(_LOG_2 - Decimal(high))  # to all of its own bits, which the rounded log(2) has not got
    rest = whole.times_plus(-low, whole.times_plus(-high, x))
    p = _power_minus_one(rest * _LOG2E)
    half = x.writer.intrinsic("floor", whole * 0.5)  # two powers of 2: one alone would overflow too early
    first = _two_to_the(half)
    return first.times_plus(p, first) * _two_to_the(whole - half)


def sigmoid(x: Vector) -> Vector:
    """1 / (1 + e^-x)."""
    scale, p = _short_exponential(x * -_LOG2E)
    return 1.0 / scale.times_plus(p + 1.0, 1.0)  # of an infinite scale exactly 0: p + 1 is above 0 where p may not be


def tanh(x: Vector) -> Vector:
    """(e^2x - 1) / (e^2x + 1)."""
    scale, p = _short_exponential(x.at_least(-30.0).at_most(30.0) * (2 * _LOG2E))
    below = scale.times_plus(p, scale - 1.0)  # e^2x - 1, without cancellation near 0
    return below / (below + 2.0)


def softplus(x: Vector) -> Vector:
    """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)."""
    return relu(x) + _log_1_plus(exp(-absolute(x)))


def log(x: Vector) -> Vector:
    """Natural logarithm; -inf at 0, NaN below."""
    w, kind = x.writer, x.writer.kind
    fraction = kind.fraction
    tiny = x.is_("<", 2.0 ** (1 - kind.bias))  # not normal: scaled up first
    scaled = (x * 2.0 ** (fraction + 2)).where(tiny, x)
    # The bits above those of sqrt(1/2) count the halvings; what is left of the number lies in [sqrt(1/2), sqrt(2)).
    origin = kind.whole(int(np.array(math.sqrt(0.5), kind.dtype).view(f"int{kind.bits}")))
    shifted = w.b.sub(scaled.bits(), origin)
    halvings = w.b.ashr(shifted, kind.whole(fraction))
    mantissa = x.from_bits(w.b.sub(scaled.bits(), w.b.shl(halvings, kind.whole(fraction))))
    exponent = Vector(w, w.b.sitofp(halvings, kind.vector))
    exponent = (exponent - (fraction + 2.0)).where(tiny, exponent)
    result = exponent.times_plus(math.log(2.0), _twice_area_tangent((mantissa - 1.0) / (mantissa + 1.0)))
    result = result.where(x.is_("<", math.inf), x)  # infinity and NaN
    return result.where(x.is_(">", 0.0), w.constant(-math.inf).where(x.is_("==", 0.0), x * math.nan))


def relu(x: Vector) -> Vector:
    """max(x, 0)."""
    return x.at_least(0.0)


def sqrt(x: Vector) -> Vector:
    """Square root."""
    return x.writer.intrinsic("sqrt", x)


def sin(x: Vector) -> Vector:
    """Sine."""
    return x.writer.intrinsic("sin", x)


def cos(x: Vector) -> Vector:
    """Cosine."""
    return x.writer.intrinsic("cos", x)


def absolute(x: Vector) -> Vector:
    """|x|."""
    return x.writer.intrinsic("fabs", x)


def sign(x: Vector) -> Vector:
    """-1, 0 or 1."""
    one = x.writer.constant(1.0)
    return one.where(x.is_(">", 0.0), (-one).where(x.is_("<", 0.0), x * 0.0))


def masked(value: Vector, condition: Vector) -> Vector:
    """The value, but 0 where the condition is <= 0."""
    return value.writer.constant(0.0).where(condition.is_("<=", 0.0), value)


def power(x: Vector, exponent: float) -> Vector:
    """x to the power of a number."""
    if exponent == int(exponent) and 0 < abs(exponent) <= 16:
        result = _whole_power(x, int(abs(exponent)))
        return result if exponent > 0 else 1.0 / result
    if abs(exponent) == 0.5:
        return sqrt(x) if exponent > 0 else 1.0 / sqrt(x)
    return x.writer.intrinsic("pow", x, x.writer.constant(exponent))


FUNCTIONS: dict[str, Callable[..., Vector]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "negative": lambda a: -a,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "relu": relu,
    "exp": exp,
    "log": log,
    "sqrt": sqrt,
    "softplus": softplus,
    "sin": sin,
    "cos": cos,
    "absolute": absolute,
    "sign": sign,
    "masked": masked,
}
"""The elementwise operations of programs and their derivatives, but `power`, which needs its exponent."""

_LOG2E = 1.0 / math.log(2.0)
_LOG_2 = Decimal("0.69314718055994530941723212145817656807550013436025525412")


def _whole_power(x: Vector, exponent: int) -> Vector:
    if exponent == 1:
        return x
    half = _whole_power(x, exponent // 2)
    return half * half * x if exponent % 2 else half * half


def _round(t: Vector) -> tuple[Vector, Vector]:
    """The nearest whole number, and a number whose low bits are that whole number."""
    magic = 1.5 * 2.0**t.writer.kind.fraction  # adding it leaves no room for a fraction
    shifted = t + magic
    return shifted - magic, shifted


def _short_exponential(t: Vector) -> tuple[Vector, Vector]:
    """2^t = s + s p: (s, p). s is infinite where 2^t is too large, and the smallest normal number where it is too small."""
    bias = t.writer.kind.bias
    t = t.at_least(1.0 - bias).at_most(bias + 1.0)
    whole, shifted = _round(t)
    return _make_power(shifted), _power_minus_one(t - whole)


def _two_to_the(whole: Vector) -> Vector:
    """2^n for whole n in the range of exponents."""
    _, shifted = _round(whole)
    return _make_power(shifted)


def _make_power(shifted: Vector) -> Vector:
    """2^n from the number whose low bits are n."""
    b, kind = shifted.writer.b, shifted.writer.kind
    return shifted.from_bits(b.shl(b.add(shifted.bits(), kind.whole(kind.bias)), kind.whole(kind.fraction)))


def _power_minus_one(r: Vector) -> Vector:
    """2^r - 1 for |r| <= 1/2."""
    return r * _polynomial(r, _power_coefficients(5 if r.writer.kind.bits == 32 else 11))


def _log_1_plus(v: Vector) -> Vector:
    """log(1 + v) for 0 <= v <= 1."""
    return _twice_area_tangent(v / (v + 2.0))


def _twice_area_tangent(s: Vector) -> Vector:
    """2 artanh(s) = log((1 + s) / (1 - s)) for |s| <= 1/3."""
    return s * _polynomial(s * s, _tangent_coefficients(5 if s.writer.kind.bits == 32 else 12))


def _polynomial(x: Vector, coefficients: tuple[float, ...]) -> Vector:
    """Horner's scheme; lowest coefficient first."""
    result = x.writer.constant(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        result = result.times_plus(x, coefficient)
    return result


@cache
def _power_coefficients(degree: int) -> tuple[float, ...]:
    return _interpolate(lambda r: ((r * _LOG_2).exp() - 1) / r, degree, -0.5, 0.5)  # an even number of nodes: none is 0


@cache
def _tangent_coefficients(degree: int) -> tuple[float, ...]:
    def f(square: Decimal) -> Decimal:
        s = square.sqrt()
        return ((1 + s) / (1 - s)).ln() / s

    return _interpolate(f, degree, 0.0, 1 / 9)


def _interpolate(f: Callable[[Decimal], Decimal], degree: int, low: float, high: float) -> tuple[float, ...]:
    """Coefficients of the polynomial through f at the Chebyshev nodes of an interval, lowest first."""
    angles = [math.pi * (k + 0.5) / (degree + 1) for k in range(degree + 1)]
    with localcontext(prec=50):
        nodes = [Decimal((low + high) / 2 + (high - low) / 2 * math.cos(a)) for a in angles]
        differences = [f(x) for x in nodes]  # Newton's divided differences, in place
        for order in range(1, degree + 1):
            for k in range(degree, order - 1, -1):
                differences[k] = (differences[k] - differences[k - 1]) / (nodes[k] - nodes[k - order])
        result: list[Decimal] = []
        for node, difference in zip(reversed(nodes), reversed(differences), strict=True):
            lower = [-node * c for c in result] + [Decimal(0)]
            result = [a + b for a, b in zip(lower, [Decimal(0), *result], strict=True)]
            result[0] += difference
        return tuple(float(c) for c in result[: degree + 1])
