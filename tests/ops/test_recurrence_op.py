"""The operation: what it refuses and how it says so, the choice of a backend, autocast."""

from __future__ import annotations

import re

import pytest
import torch

from seqwise.cells import gru, lstm, lstm_peephole, min_gru
from seqwise.errors import ConfigurationError, InputError
from seqwise.ops import BACKENDS, Variant, Weights, recurrence
from tolerances import assert_close

T, B, D, H = 4, 3, 2, 5


def arguments(cell=lstm, dtype=torch.float32):
    torch.manual_seed(0)
    rows = len(cell.program.gates) * H
    recurrent = len(cell.program.recurrent_gates) * H
    weights = Weights(
        torch.randn(rows, D, dtype=dtype),
        torch.randn(recurrent, H, dtype=dtype) if recurrent else None,
        torch.randn(rows, dtype=dtype),
        torch.randn(recurrent, dtype=dtype) if recurrent else None,
        torch.randn(len(cell.program.vectors), H, dtype=dtype) if cell.program.vectors else None,
    )
    initial = tuple(torch.randn(B, H, dtype=dtype) for _ in cell.program.states)
    return {"x": torch.randn(T, B, D, dtype=dtype), "initial": initial, "weights": weights, "variant": Variant()}


def test_a_cell_and_its_program_are_the_same_to_the_operation() -> None:
    given = arguments()
    assert torch.equal(recurrence(lstm, **given).outputs, recurrence(lstm.program, **given).outputs)


WRONG = [
    ({"x": torch.zeros(T, B)}, "x: expected a shape (T, B, D) without zeros, got (4, 3)"),
    ({"x": torch.zeros(0, B, D)}, "x: expected a shape (T, B, D) without zeros, got (0, 3, 2)"),
    ({"x": torch.zeros(T, B, D + 1)}, "weights.input: expected shape (20, 3), got (20, 2)"),
    ({"initial": (torch.zeros(B, H),)}, "initial: expected 2 tensors (h, c), got 1"),
    ({"initial": (torch.zeros(B, H), torch.zeros(B, H + 1))}, "initial[1]: expected shape (3, 5), got (3, 6)"),
    ({"initial": (torch.zeros(H), torch.zeros(H))}, "initial[0]: expected a shape (3, H), got (5,)"),
    ({"initial": (torch.zeros(B, H), torch.zeros(B, H).double())}, "initial[1]: expected dtype torch.float32"),
    ({"initial": (torch.zeros(B, H), torch.zeros(B, H, device="meta"))}, "initial[1]: expected device cpu"),
]
WRONG_WEIGHTS = [
    ({"recurrent": torch.zeros(20, 4)}, "weights.recurrent: expected shape (20, 5), got (20, 4)"),
    ({"recurrent": None}, "weights.recurrent: cell lstm needs recurrent weights"),
    ({"input_bias": torch.zeros(19)}, "weights.input_bias: expected shape (20,), got (19,)"),
    ({"recurrent_bias": torch.zeros(19)}, "weights.recurrent_bias: expected shape (20,), got (19,)"),
    ({"vectors": torch.zeros(1, 5)}, "weights.vectors: cell lstm has no learned vectors"),
]
WRONG_VARIANTS = [
    ({"lengths": torch.tensor([1, 2])}, "lengths: expected shape (3,), got (2,)"),
    ({"lengths": torch.tensor([1.0, 2.0, 3.0])}, "lengths: expected dtype torch.int64, got torch.float32"),
    ({"lengths": torch.tensor([1, 2, 5])}, "lengths: expected values from 0 to T = 4, got 1 to 5"),
    ({"lengths": torch.tensor([-1, 2, 4])}, "lengths: expected values from 0 to T = 4, got -1 to 4"),
    ({"resets": torch.zeros(B, T, dtype=torch.bool)}, "resets: expected shape (4, 3), got (3, 4)"),
    ({"resets": torch.zeros(T, B)}, "resets: expected dtype torch.bool, got torch.float32"),
    ({"input_mask": torch.ones(B, H)}, "input_mask: expected shape (3, 2), got (3, 5)"),
    ({"recurrent_mask": torch.ones(B, D)}, "recurrent_mask: expected shape (3, 5), got (3, 2)"),
    ({"zoneout": torch.ones(T, B, H)}, "zoneout: expected shape (2, 4, 3, 5), got (4, 3, 5)"),
    ({"zoneout": torch.ones(1, T, B, H)}, "zoneout: expected shape (2, 4, 3, 5), got (1, 4, 3, 5)"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_wrong_tensors_are_named_with_both_shapes(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        recurrence(lstm, **(arguments() | changes))


@pytest.mark.parametrize(("changes", "message"), WRONG_WEIGHTS)
def test_wrong_weights_are_named_with_both_shapes(changes: dict, message: str) -> None:
    given = arguments()
    with pytest.raises(InputError, match=re.escape(message)):
        recurrence(lstm, **(given | {"weights": given["weights"]._replace(**changes)}))


@pytest.mark.parametrize(("changes", "message"), WRONG_VARIANTS)
def test_wrong_variants_are_named_with_both_shapes(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        recurrence(lstm, **(arguments() | {"variant": Variant(**changes)}))


def test_weights_of_parts_that_a_cell_lacks_or_needs_are_named() -> None:
    given = arguments(min_gru)
    with pytest.raises(InputError, match="cell min_gru has no recurrent weights"):
        recurrence(min_gru, **(given | {"weights": given["weights"]._replace(recurrent=torch.zeros(10, 5))}))
    with pytest.raises(InputError, match=r"weights.recurrent_bias: cell min_gru has no recurrent weights"):
        recurrence(min_gru, **(given | {"weights": given["weights"]._replace(recurrent_bias=torch.zeros(10))}))
    given = arguments(lstm_peephole)
    with pytest.raises(InputError, match="cell lstm_peephole needs learned vectors"):
        recurrence(lstm_peephole, **(given | {"weights": given["weights"]._replace(vectors=None)}))


def test_a_backend_that_cannot_says_what_it_cannot() -> None:
    for variant, name in [
        (Variant(resets=torch.zeros(T, B, dtype=torch.bool)), "resets"),
        (Variant(recurrent_mask=torch.ones(B, H)), "recurrent_dropout"),
        (Variant(zoneout=torch.zeros(2, 1, 1, 1)), "zoneout"),
    ]:
        with pytest.raises(ConfigurationError, match=f"backend='vendor' cannot run {name}"):
            recurrence(lstm, **(arguments() | {"variant": variant}), backend="vendor")
    with pytest.raises(ConfigurationError, match="backend='vendor' cannot run cell gru"):
        recurrence(gru, **arguments(gru), backend="vendor")
    with pytest.raises(ConfigurationError, match=r"backend='fast': expected one of auto, cpu, vendor, reference"):
        recurrence(lstm, **arguments(), backend="fast")


def test_auto_takes_the_first_backend_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    for name, entry in list(BACKENDS.items()):

        def forward(*given, name=name, run=entry.forward):
            taken.append(name)
            return run(*given)

        monkeypatch.setitem(BACKENDS, name, entry._replace(forward=forward))
    recurrence(lstm, **arguments())
    recurrence(gru, **arguments(gru))
    recurrence(lstm, **(arguments() | {"variant": Variant(resets=torch.zeros(T, B, dtype=torch.bool))}))
    recurrence(lstm, **arguments(), backend="reference")
    assert taken == ["cpu", "cpu", "cpu", "reference"]
    taken.clear()
    for cell in (lstm, gru):  # a type that the CPU's kernels do not have
        given = arguments(cell)
        half = {
            "x": given["x"].bfloat16(),
            "initial": tuple(s.bfloat16() for s in given["initial"]),
            "weights": Weights(*(None if w is None else w.bfloat16() for w in given["weights"])),
        }
        recurrence(cell, **half)
    assert taken == ["vendor", "reference"]


@pytest.mark.parametrize("cell", [lstm, gru, lstm_peephole], ids=lambda cell: cell.name)
def test_autocast_computes_in_its_dtype_and_gives_float32_gradients(cell) -> None:
    given = arguments(cell)
    weights = Weights(*(None if w is None else w.mul(0.3).requires_grad_() for w in given["weights"]))
    variant = Variant(torch.tensor([2, 4, 1]))
    leaves = [w for w in weights if w is not None]
    exact = recurrence(cell, given["x"], given["initial"], weights, variant)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        # A layer above may hand over bfloat16 beside float32 weights.
        rough = recurrence(cell, given["x"].bfloat16(), given["initial"], weights, variant)
    assert rough.outputs.dtype == torch.bfloat16
    assert_close(rough.outputs, exact.outputs)
    upstream = torch.randn(exact.outputs.shape)
    for a, b in zip(
        torch.autograd.grad(rough.outputs.float(), leaves, upstream, allow_unused=True),
        torch.autograd.grad(exact.outputs, leaves, upstream, allow_unused=True),
        strict=True,
    ):
        assert a.dtype == torch.float32
        assert torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), 0) > 0.999
