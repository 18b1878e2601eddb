"""Elementary functions of the CPU kernels over the whole range of both types, against numpy's extended precision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seqwise.kernels.cpu import compiler
from seqwise.kernels.cpu.elementwise import for_blocks
from seqwise.kernels.cpu.functions import FUNCTIONS, power
from seqwise.kernels.cpu.target import host
from seqwise.kernels.cpu.vector import Kind, Writer, new_module
from tolerances import UNITS_IN_THE_LAST_PLACE

DTYPES = ["float32", "float64"]
EXPONENTS = [-17.0, -3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 7.0, 16.0, 17.0]
OPERATIONS = FUNCTIONS | {f"power {e:g}": lambda x, e=e: power(x, e) for e in EXPONENTS}
BINARY = {"add", "subtract", "multiply", "divide", "masked"}
Functions = tuple[str, Callable[..., np.ndarray]]

EXACT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "sin": np.sin,
    "cos": np.cos,
    "absolute": np.abs,
    "relu": lambda x: np.maximum(x, 0),
    "negative": np.negative,
    "sign": np.sign,
} | {f"power {e:g}": lambda x, e=e: x ** np.longdouble(e) for e in EXPONENTS}

TORCH: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "softplus": lambda v: -F.logsigmoid(-v),
    "sin": torch.sin,
    "cos": torch.cos,
    "absolute": torch.abs,
    "relu": torch.relu,
    "negative": torch.neg,
} | {f"power {e:g}": lambda v, e=e: v**e for e in EXPONENTS}


@pytest.fixture(scope="module", params=DTYPES)
def functions(request: pytest.FixtureRequest) -> Functions:
    """The dtype, and all operations in one compiled module: evaluate(name, a, b)."""
    dtype, names = request.param, {name: f"f{k}" for k, name in enumerate(OPERATIONS)}

    def write() -> str:
        module = new_module(host())
        for name, symbol in names.items():
            w = Writer(module, symbol, Kind(dtype, host()), ("a", "b", "out", "count"))

            def block(part, w=w, name=name):
                load = [w.load(w.add(w.arguments[side], part.offset), part.mask) for side in "ab"]
                result = OPERATIONS[name](*load[: 2 if name in BINARY else 1])
                w.store(result, w.add(w.arguments["out"], part.offset), part.mask)

            for_blocks(w, w.arguments["count"], block)
            w.finish()
        return str(module)

    addresses = compiler.load(f"every function {dtype}", write, tuple(names.values()), host())

    def evaluate(name: str, a: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
        a = np.ascontiguousarray(a, dtype)
        b = np.ascontiguousarray(a if b is None else b, dtype)
        out = np.full(len(a) + 64, 7.0, dtype)
        compiler.function(addresses[names[name]], 4)(a.ctypes.data, b.ctypes.data, out.ctypes.data, len(a))
        assert (out[len(a) :] == 7.0).all()  # nothing is written behind the last number
        return out[: len(a)]

    return dtype, evaluate


def everywhere(dtype: str) -> np.ndarray:
    """Numbers of both signs and every size, denormal ones too, and many of the size that gates have."""
    info, rng = np.finfo(dtype), np.random.default_rng(1)
    exponents = np.linspace(np.log2(float(info.smallest_subnormal)), info.maxexp - 1e-3, 6001)
    sizes = np.exp2(exponents.astype(np.longdouble)).astype(dtype)
    dense = np.concatenate([np.linspace(-12, 12, 8001), np.linspace(-760, 760, 8001), rng.normal(size=4000)])
    near_one = 1 + np.linspace(-0.01, 0.01, 1001)
    return np.concatenate([sizes, -sizes, dense.astype(dtype), near_one.astype(dtype)])


def allowed(name: str, x: np.ndarray) -> np.ndarray | float:
    """Units in the last place that a function may be off."""
    kind = "rounding"
    if name in ("sin", "cos"):
        kind = "library"
    elif name.startswith("power") and abs(float(name.split()[1])) not in (0.0, 1.0):
        kind = "whole power" if name.split()[1].lstrip("-") in ("2", "3", "7", "16") else "library"
    elif name in ("exp", "log", "tanh", "softplus", "sigmoid"):
        kind = "polynomial"
    units = UNITS_IN_THE_LAST_PLACE["sigmoid" if name == "sigmoid" else kind]
    if name in ("power -0.5", "power 0.5"):  # a root and a quotient
        units = 2 * units
    return units + 1.5 * np.abs(x) if name == "sigmoid" else units


def find_unequal(name: str, x: np.ndarray, actual: np.ndarray, exact: np.ndarray) -> list[tuple[float, float, float]]:
    """Where a function is off by more than it may: argument, value, exact value."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(actual.dtype)
        same = (actual == rounded) | (np.isnan(actual) & np.isnan(rounded))
        apart = np.abs(actual.astype(np.longdouble) - exact)
        one_unit = np.spacing(np.abs(rounded)).astype(np.longdouble)
        close = (apart <= allowed(name, x) * one_unit) | (apart <= np.finfo(actual.dtype).tiny)
    wrong = ~(same | close)
    return list(zip(x[wrong].tolist(), actual[wrong].tolist(), rounded[wrong].tolist(), strict=True))


@pytest.mark.parametrize("name", EXACT)
def test_functions_are_as_precise_as_their_type(functions: Functions, name: str) -> None:
    dtype, evaluate = functions
    x = everywhere(dtype)
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(np.longdouble))
    assert find_unequal(name, x, evaluate(name, x), exact)[:5] == []


@pytest.mark.parametrize("name", TORCH)
def test_special_values_are_those_of_pytorch(functions: Functions, name: str) -> None:
    dtype, evaluate = functions
    info = np.finfo(dtype)
    sizes = [0.0, info.max, info.tiny, info.smallest_subnormal, 1e4, 1.0, 88.8, 103.5, 709.9, 745.2, 1e-30, np.inf]
    x = np.array([sign * size for size in sizes for sign in (1, -1)] + [np.nan], dtype)
    expected = TORCH[name](torch.from_numpy(x)).numpy()
    assert find_unequal(name, x, evaluate(name, x), expected.astype(np.longdouble)) == []


def test_gates_never_leave_their_range(functions: Functions) -> None:
    dtype, evaluate = functions
    x = everywhere(dtype)
    gate, squashed = evaluate("sigmoid", x), evaluate("tanh", x)
    assert ((gate >= 0) & (gate <= 1)).all()
    assert (np.abs(squashed) <= 1).all()
    assert (np.sign(squashed) == np.sign(x)).all()


def test_arithmetic_is_ieee(functions: Functions) -> None:
    dtype, evaluate = functions
    special = np.array([0.0, -0.0, 1.5, -2.25, np.inf, -np.inf, np.nan, np.finfo(dtype).max, 1e-40], dtype)
    a, b = (side.ravel() for side in np.meshgrid(special, special))
    with np.errstate(all="ignore"):
        for name in ("add", "subtract", "multiply", "divide"):
            np.testing.assert_array_equal(evaluate(name, a, b), getattr(np, name)(a, b), name)
    np.testing.assert_array_equal(evaluate("masked", a, b), np.where(b <= 0, 0, a))


@pytest.mark.parametrize("count", [0, 1, 3, 7, 8, 15, 16, 17, 31, 33])
def test_the_last_lanes_are_written_and_nothing_behind_them(functions: Functions, count: int) -> None:
    dtype, evaluate = functions
    x = np.linspace(-3, 3, 40).astype(dtype)
    np.testing.assert_array_equal(evaluate("tanh", x[:count]), evaluate("tanh", x)[:count])
