"""One step of logistic regression between a few input rows and a few output rows: the inner loop of word vectors.

For N input rows x_c and a group of K output rows t_k with labels y_k in {0, 1} and learning rates r_k:

    g_ck = r_k (y_k - sigmoid(x_c . t_k - b_k)),   x_c += sum_k g_ck t_k,   t_k += sum_c g_ck x_c,

(b_k are shifts, which noise-contrastive estimation has and the other objectives have not) with all products taken before
all updates (of an input row that stands there twice, the second update sees the first). Three passes: products (an output
row is read once for several input rows, in registers), errors (whole registers of scores), updates (column by column, so
that the sums over c and over k stay in registers and every number is loaded and stored once). A rate of 0 is an output row
that is not there: a place of the group that is left over, or a negative that is the positive. Rows may repeat on either
side: every update is a load, an addition and a store, so none is lost. Nothing is atomic: threads that meet in one row may
lose an update (Hogwild; Niu et al. 2011).
"""

from __future__ import annotations

from typing import NamedTuple

from llvmlite import ir

from seqwise.kernels.cpu.functions import sigmoid, softplus
from seqwise.kernels.cpu.target import Target
from seqwise.kernels.cpu.vector import I32, Value, Vector, Writer

ARGUMENTS = ("rows", "into", "count", "targets", "labels", "rates", "scores", "columns", "loss", "shifts")
"""Of the function `step`, all integers.

rows: address of N addresses of input rows.
into: address of N addresses of the rows that take the inputs' updates (skip-gram: the same rows).
count: N, at least 1.
targets: address of K addresses of output rows.
labels, rates: addresses of one register each, the K numbers repeated every `places`.
scores: address of room for N * places + lanes numbers.
columns: length of a row in registers.
loss: address of a register to which the losses are added, or 0.
shifts: address of one register like labels and rates; not read unless the step is written `shifted`.
"""


class Shape(NamedTuple):
    """How many rows are worked on at once.

    Attributes:
        targets: K, output rows of a group.
        places: K rounded up to a power of two: how far the scores of two input rows are apart.
        inputs: input rows whose products are taken together.
    """

    targets: int
    places: int
    inputs: int


def choose_shape(targets: int, dtype: str, target: Target) -> Shape:
    """The groups into which `targets` output rows are cut: as few and as even as registers allow."""
    lanes = target.lanes(dtype)
    most = min(8, lanes)
    groups = -(-targets // most)
    size = -(-targets // groups)
    inputs = max(1, (target.registers - size - 2) // size)
    return Shape(size, 1 << (size - 1).bit_length(), min(inputs, 4))


def write_step(module: ir.Module, name: str, w: Writer, shape: Shape, *, shifted: bool = False) -> None:
    """Add the function to a module.

    Args:
        module: Where it goes.
        name: What it is called.
        w: Any writer of the module (for its kind).
        shape: How many rows at once.
        shifted: Whether scores have shifts.
    """
    step = Writer(module, name, w.kind, ARGUMENTS, local=True)
    a = step.arguments
    targets = [step.read(step.add(a["targets"], 8 * k)) for k in range(shape.targets)]
    whole = step.mul(step.divide(a["count"], shape.inputs), shape.inputs)
    with step.loop(0, whole, shape.inputs) as first:
        _products(step, shape, targets, first, shape.inputs)
    if shape.inputs > 1:
        with step.loop(whole, a["count"]) as first:
            _products(step, shape, targets, first, 1)
    _errors(step, shape, shifted)
    _updates(step, shape, targets)
    step.finish()


def _products(w: Writer, shape: Shape, targets: list[Value], first: Value, inputs: int) -> None:
    a = w.arguments
    rows = [w.read(w.add(a["rows"], w.mul(w.add(first, c), 8))) for c in range(inputs)]
    register = w.kind.lanes * w.kind.size
    with w.sums(a["columns"], [w.constant(0.0)] * (inputs * shape.targets)) as (column, sums):
        offset = w.mul(column, register)
        outputs = [w.load(w.add(row, offset)) for row in targets]
        for c, row in enumerate(rows):
            x = w.load(w.add(row, offset))
            for k, t in enumerate(outputs):
                sums[c * shape.targets + k] = x.times_plus(t, sums[c * shape.targets + k])
    for c in range(inputs):
        total = _add_across(w, sums[c * shape.targets : (c + 1) * shape.targets], shape.places)
        # The whole register is stored: what lies behind `places` is overwritten by the next row's, or never read.
        w.store(total, w.at(a["scores"], w.mul(w.add(first, c), shape.places)))


def _add_across(w: Writer, vectors: list[Vector], places: int) -> Vector:
    """A register whose lane k is the sum of the lanes of vector k."""
    lanes = w.kind.lanes
    level: list[Vector | None] = [*vectors, *[None] * (places - len(vectors))]
    width = lanes  # lanes that still have to be added in each vector, all copies being the same
    while len(level) > 1:
        # Two vectors become one: each is folded in half, and the halves stand in turn, blocks of `width // 2` lanes.
        half = width // 2
        pairs = zip(level[: len(level) // 2], level[len(level) // 2 :], strict=True)
        level = [_fold_pair(w, a, b, half) for a, b in pairs]
        width = half
    total = level[0]
    assert total is not None
    while width > 1:
        total = total + _shuffle(w, total, None, [lane ^ (width // 2) for lane in range(lanes)])
        width //= 2
    # Lane l holds the sum of vector `order[l // ...]`: bring them into order.
    where = {_owner(lane, places, lanes): lane for lane in reversed(range(lanes))}
    return _shuffle(w, total, None, [where[lane % places] for lane in range(lanes)])


def _owner(lane: int, places: int, lanes: int) -> int:
    """Which of the `places` vectors ends up in this lane: each fold takes one bit of its number from a lane's bit."""
    vector, half, count = 0, lanes // 2, places // 2
    while count:
        vector += count if lane & half else 0
        half, count = half // 2, count // 2
    return vector


def _fold_pair(w: Writer, a: Vector | None, b: Vector | None, half: int) -> Vector | None:
    """a + a's other half where the lane's bit `half` is 0, the same of b where it is 1."""
    if a is None:
        return None
    lanes = w.kind.lanes
    if b is None:
        return a + _shuffle(w, a, None, [lane ^ half for lane in range(lanes)])
    low = [lane if not lane & half else lanes + (lane ^ half) for lane in range(lanes)]
    high = [lane ^ half if not lane & half else lanes + lane for lane in range(lanes)]
    return _shuffle(w, a, b, low) + _shuffle(w, a, b, high)


def _shuffle(w: Writer, a: Vector, b: Vector | None, lanes: list[int]) -> Vector:
    other = a.value if b is None else b.value
    return Vector(w, w.b.shuffle_vector(a.value, other, ir.Constant(ir.VectorType(I32, len(lanes)), lanes)))


def _errors(w: Writer, shape: Shape, shifted: bool) -> None:
    """Scores become rate * (label - sigmoid(score - shift))."""
    a, lanes = w.arguments, w.kind.lanes
    shifts = w.load(a["shifts"]) if shifted else None

    def score(first: Value) -> Vector:
        read = w.load(w.at(a["scores"], first))
        return read if shifts is None else read - shifts

    labels, rates = w.load(a["labels"]), w.load(a["rates"])
    numbers = w.mul(a["count"], shape.places)
    with w.when(w.b.icmp_signed("!=", a["loss"], ir.Constant(a["loss"].type, 0))), w.loop(0, numbers, lanes) as first:
        s = score(first)
        one = softplus(s - labels * s * 2.0)  # -log(sigmoid(s)) or -log(1 - sigmoid(s))
        there = w.b.and_(w.first_lanes(w.sub(numbers, first)), rates.is_(">", 0.0))
        w.store(w.load(a["loss"]) + one.where(there, 0.0), a["loss"])
    with w.loop(0, numbers, lanes) as first:
        w.store((labels - sigmoid(score(first))) * rates, w.at(a["scores"], first))


def _updates(w: Writer, shape: Shape, targets: list[Value]) -> None:
    a = w.arguments
    register = w.kind.lanes * w.kind.size
    with w.loop(0, a["columns"]) as column:
        offset = w.mul(column, register)
        outputs = [w.load(w.add(row, offset)) for row in targets]
        with w.sums(a["count"], [w.constant(0.0)] * shape.targets) as (c, changes):
            x = w.load(w.add(w.read(w.add(a["rows"], w.mul(c, 8))), offset))
            place = w.add(w.read(w.add(a["into"], w.mul(c, 8))), offset)
            updated = w.load(place)
            for k, t in enumerate(outputs):
                g = w.spread(w.at(a["scores"], w.add(w.mul(c, shape.places), k)))
                changes[k] = g.times_plus(x, changes[k])
                updated = g.times_plus(t, updated)
            w.store(updated, place)
        for row, change in zip(targets, changes, strict=True):
            place = w.add(row, offset)
            w.store(w.load(place) + change, place)  # loaded again: the same row may stand in two places
