"""Skip-gram and CBOW over encoded text: sentences, sub-sampling, windows, and the output rows of each objective.

A kernel works on the tokens from `start` to `stop`, which is where a sentence ends. Random numbers are splitmix64's
(Steele, Lea and Flood 2014), one draw for
* every token: its low 32 bits decide whether it is kept;
* every kept token: its high 32 bits choose the width of its window, 1 ... `window`;
* every negative: its high 32 bits choose an entry of the alias table, its low ones between the two words of the entry.

Skip-gram: the words around are the input rows, the word in the middle and its negatives the output rows. Negatives are
drawn once for a window, or for each of its pairs. CBOW: the one input row is the mean of the words around, and each of
them takes the whole update of the mean, as in word2vec. Hierarchical softmax: the output rows are the nodes on the word's
way through the tree. Output rows are taken in groups of the step's size; a group sees the updates of the ones before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from llvmlite import ir

from seqwise.kernels.cpu import compiler
from seqwise.kernels.cpu.elementwise import Fields
from seqwise.kernels.cpu.logistic_step import Shape, choose_shape, write_step
from seqwise.kernels.cpu.target import Target
from seqwise.kernels.cpu.vector import I8, I32, I64, POINTER, VOID, Kind, Value, Writer, integer, new_module

FIELDS = Fields(
    (
        "tokens",  # address of int32 word numbers; below 0 where a sentence ends
        "start",
        "stop",
        "inputs",  # address of the input rows
        "outputs",  # address of the output rows
        "stride",  # bytes of a row
        "columns",  # registers of a row
        "keep",  # address of (V,) uint32: a token is kept if 32 random bits are not above it
        "alias",  # address of (V, 2) uint32: threshold and other word
        "vocabulary",  # V
        "window",
        "rate",  # address of the learning rate
        "state",  # of the random numbers
        "sentence",  # address of int32 room for `longest` kept words
        "longest",
        "rows",  # address of room for 2 * window addresses
        "mean",  # address of two addresses: of CBOW's mean and of its update
        "targets",  # address of room for the addresses of all output rows of a window
        "labels",  # address of a register for each group: 1 for the positive
        "rates",  # address of a register for each group
        "scores",
        "shift",  # address of (V,) numbers: what is taken off the score of each word (noise-contrastive estimation)
        "shifts",  # address of a register for each group
        "loss",  # address of a register
        "paths",  # address of (V + 1,) int64: where the way of each word begins (hierarchical softmax)
        "nodes",  # address of int32: the inner nodes of all ways
        "turns",  # address of uint8: their labels
        "pairs",  # out: input rows of which `loss` is the sum
    )
)

_GOLDEN, _MIX_1, _MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_LINE = 64  # bytes of a cache line
_LOSS_EVERY = 16  # a power of two: the loss is that of every 16th window


class Variant(NamedTuple):
    """Which kernel.

    Attributes:
        model: "skipgram" or "cbow".
        objective: "negative", "nce" or "hierarchical".
        negatives: how many for each positive; 0 for hierarchical softmax.
        shared: negatives are drawn once for a window, not for each pair (skip-gram).
        dtype: "float32" or "float64".
    """

    model: str
    objective: str
    negatives: int
    shared: bool
    dtype: str

    def shape(self, target: Target) -> Shape:
        """How many rows the step takes at once."""
        targets = self.negatives + 1 if self.negatives else min(6, target.lanes(self.dtype))
        return choose_shape(targets, self.dtype, target)


def load(variant: Variant, target: Target) -> Callable[..., None]:
    """The compiled kernel; called with the address of its argument block."""
    address = compiler.load(f"words {variant}", lambda: write(variant, target), ("windows",), target)["windows"]
    return compiler.function(address)


def write(variant: Variant, target: Target) -> str:
    """The module with the function `windows(address of the argument block)`, in LLVM's text form."""
    return _Windows(variant, target).write()


class _Windows:
    """The function in the making."""

    def __init__(self, variant: Variant, target: Target) -> None:
        self.variant, self.shape = variant, variant.shape(target)
        self.module = new_module(target)
        self.w = Writer(self.module, "windows", Kind(variant.dtype, target), ("block",))
        self.shifted = variant.objective == "nce"
        write_step(self.module, "step", self.w, self.shape, shifted=self.shifted)

    def write(self) -> str:
        w = self.w
        self.f = {name: FIELDS.read(w, name) for name in FIELDS.names}
        self.rate = w.b.load(w.b.inttoptr(self.f["rate"], POINTER), typ=w.kind.scalar)
        self.state = w.variable(self.f["state"])
        self.position, self.pairs = w.variable(self.f["start"]), w.variable(0)
        self.length, self.ended, self.windows = w.variable(0), w.variable(0), w.variable(0)
        self.around = w.variable(0)
        with w.loop_while(lambda: w.less(w.get(self.position), self.f["stop"])):
            self._read_sentence()
            with w.loop(0, w.get(self.length)) as i:
                self._fetch_ahead(i)
                self._list_window(i)
                with w.when(w.less(0, w.get(self.around))):
                    self._learn(self._word(i))
        for name, variable in (("pairs", self.pairs), ("state", self.state)):
            w.write(w.get(variable), w.add(w.arguments["block"], 8 * FIELDS.index[name]))
        w.finish()
        return str(self.module)

    # Text ----------------------------------------------------------------------------------------------------------

    def _read_sentence(self) -> None:
        """The kept words up to the next end of a sentence, of the tokens, or of the room."""
        w, f = self.w, self.f
        w.set(self.length, 0)
        w.set(self.ended, 0)

        def more() -> Value:
            inside = w.b.and_(w.less(w.get(self.position), f["stop"]), w.less(w.get(self.length), f["longest"]))
            return w.b.and_(inside, w.equal(w.get(self.ended), 0))

        with w.loop_while(more):
            token = self._word32(f["tokens"], w.get(self.position))
            w.set(self.position, w.add(w.get(self.position), 1))
            with w.b.if_else(w.less(token, 0)) as (end, word):
                with end:
                    w.set(self.ended, 1)
                with word:
                    coin = w.b.and_(self._draw(), ir.Constant(I64, 0xFFFFFFFF))
                    kept = w.b.icmp_unsigned("<=", coin, self._unsigned32(f["keep"], token))
                    # Stored in any case, counted if kept: a branch would be mispredicted.
                    place = w.add(f["sentence"], w.mul(w.get(self.length), 4))
                    w.b.store(w.b.trunc(token, I32), w.b.inttoptr(place, POINTER))
                    w.set(self.length, w.add(w.get(self.length), w.b.zext(kept, I64)))

    def _list_window(self, i: Value) -> None:
        """Addresses of the input rows of the words around the kept word i."""
        w, f = self.w, self.f
        width = w.add(self._below(self._draw(), f["window"]), 1)
        low, high = w.sub(i, width), w.smaller(w.add(i, width, 1), w.get(self.length))
        low = w.select(w.less(low, 0), 0, low)
        w.set(self.around, 0)
        for start, stop in ((low, i), (w.add(i, 1), high)):
            with w.loop(start, stop) as j:
                row = w.add(f["inputs"], w.mul(self._word(j), f["stride"]))
                w.write(row, w.add(f["rows"], w.mul(w.get(self.around), 8)))
                w.set(self.around, w.add(w.get(self.around), 1))

    def _fetch_ahead(self, i: Value) -> None:
        """Ask for the rows that only the next windows need."""
        w, f = self.w, self.f
        last = w.sub(w.get(self.length), 1)
        entering = self._word(w.smaller(w.add(i, f["window"], 1), last))
        self._fetch(w.add(f["inputs"], w.mul(entering, f["stride"])))
        if self.variant.negatives:
            self._fetch(self._output(self._word(w.smaller(w.add(i, 1), last))))

    def _word(self, i: Value) -> Value:
        return self._word32(self.f["sentence"], i)

    # Learning ------------------------------------------------------------------------------------------------------

    def _learn(self, word: Value) -> None:
        """The steps of one window."""
        w, f = self.w, self.f
        count = w.get(self.around)
        w.set(self.windows, w.add(w.get(self.windows), 1))
        watched = w.equal(w.b.and_(w.get(self.windows), ir.Constant(I64, _LOSS_EVERY - 1)), 0)
        loss = w.select(watched, f["loss"], 0)
        if self.variant.model == "cbow":
            groups = self._choose_outputs(word)  # before the mean: their rows come to the cache meanwhile
            self._average(count)
            self._steps(f["mean"], w.add(f["mean"], 8), 1, groups, loss)
            self._spread_update(count)
            count = integer(1)
        elif self.variant.objective == "hierarchical" or self.variant.shared:
            groups = self._choose_outputs(word)
            self._steps(f["rows"], f["rows"], count, groups, loss)
        else:
            # All are drawn before the first step, so that their rows are on the way to the cache while others are worked on.
            with w.loop(0, count) as c:
                self._draw_negatives(word, w.mul(c, self._groups))
            with w.loop(0, count) as c:
                row = w.add(f["rows"], w.mul(c, 8))
                self._steps(row, row, 1, integer(self._groups), loss, w.mul(c, self._groups))
        w.set(self.pairs, w.add(w.get(self.pairs), w.select(watched, count, 0)))

    def _steps(self, rows: Value, into: Value, count: Value, groups: Value, loss: Value, first: Value = 0) -> None:
        """The steps of some groups of output rows, from the group `first` on."""
        w, f = self.w, self.f
        register = w.kind.lanes * w.kind.size
        with w.loop(first, w.add(first, groups)) as group:
            targets = w.add(f["targets"], w.mul(group, 8 * self.shape.targets))
            labels, rates, shifts = (w.add(f[name], w.mul(group, register)) for name in ("labels", "rates", "shifts"))
            w.call("step", rows, into, count, targets, labels, rates, f["scores"], f["columns"], loss, shifts)

    def _choose_outputs(self, word: Value) -> Value:
        """Write addresses, labels and rates of the output rows; how many groups there are."""
        if self.variant.negatives:
            return self._draw_negatives(word)
        return self._walk_tree(word)

    def _draw_negatives(self, word: Value, group: Value = 0) -> Value:
        """The word and its negatives, from a group on."""
        w, f = self.w, self.f
        register = w.kind.lanes * w.kind.size
        targets = w.add(f["targets"], w.mul(group, 8 * self.shape.targets))
        rates, shifts = (w.add(f[name], w.mul(group, register)) for name in ("rates", "shifts"))
        positive = self._output(word)
        w.write(positive, targets)
        self._set_lane(rates, 0, self.rate)
        self._set_shift(shifts, 0, word)
        zero = ir.Constant(w.kind.scalar, 0.0)
        for k in range(1, self.variant.negatives + 1):
            z = self._draw()
            entry = self._below(z, f["vocabulary"])
            coin = w.b.and_(z, ir.Constant(I64, 0xFFFFFFFF))
            other = w.add(f["alias"], w.mul(entry, 8))
            first = w.b.icmp_unsigned("<", coin, self._unsigned32(other, 0))
            drawn = w.select(first, entry, self._unsigned32(other, 1))
            w.write(self._output(drawn), w.add(targets, 8 * k))
            self._fetch(self._output(drawn))
            # Negative sampling: a negative that is the word itself does not count. As noise it does.
            rate = self.rate if self.shifted else w.b.select(w.equal(drawn, word), zero, self.rate)
            self._set_lane(rates, k, rate)
            self._set_shift(shifts, k, drawn)
        for k in range(self.variant.negatives + 1, self._groups * self.shape.targets):
            w.write(positive, w.add(targets, 8 * k))  # a place that is left over: its rate stays 0
        return integer(self._groups)

    @property
    def _groups(self) -> int:
        return -(-(self.variant.negatives + 1) // self.shape.targets)

    def _walk_tree(self, word: Value) -> Value:
        w, f = self.w, self.f
        start, stop = (w.read(w.add(f["paths"], w.mul(w.add(word, d), 8))) for d in (0, 1))
        length = w.sub(stop, start)
        groups = w.divide(w.add(length, self.shape.targets - 1), self.shape.targets)
        zero = ir.Constant(w.kind.scalar, 0.0)
        with w.loop(0, groups) as group:
            for k in range(self.shape.targets):
                n = w.add(w.mul(group, self.shape.targets), k)
                there = w.less(n, length)
                n = w.select(there, n, 0)  # a place that is left over: the root, at a rate of 0
                node = self._word32(f["nodes"], w.add(start, n))
                w.write(self._output(node), w.at(f["targets"], w.add(w.mul(group, self.shape.targets), k), 8))
                turn = w.b.load(w.b.inttoptr(w.add(f["turns"], start, n), POINTER), typ=I8)
                register = w.mul(group, w.kind.lanes * w.kind.size)
                self._set_lane(w.add(f["labels"], register), k, w.b.uitofp(turn, w.kind.scalar))
                self._set_lane(w.add(f["rates"], register), k, w.b.select(there, self.rate, zero))
        return groups

    def _output(self, row: Value) -> Value:
        return self.w.add(self.f["outputs"], self.w.mul(row, self.f["stride"]))

    def _fetch(self, row: Value) -> None:
        """Ask for a row to be brought to the cache."""
        w = self.w
        prefetch = w.declare("llvm.prefetch.p0", VOID, [POINTER, I32, I32, I32])
        write, near, data = (ir.Constant(I32, n) for n in (1, 3, 1))
        with w.loop(0, w.mul(self.f["columns"], w.kind.lanes * w.kind.size), _LINE) as offset:
            w.b.call(prefetch, [w.b.inttoptr(w.add(row, offset), POINTER), write, near, data])

    def _set_shift(self, shifts: Value, k: int, word: Value) -> None:
        if self.shifted:
            place = self.w.at(self.f["shift"], word)
            shift = self.w.b.load(self.w.b.inttoptr(place, POINTER), typ=self.w.kind.scalar, align=self.w.kind.size)
            self._set_lane(shifts, k, shift)

    def _set_lane(self, base: Value, k: int, value: Value) -> None:
        """The number of output row k of all, in every place of its group's register where it belongs."""
        w, places = self.w, self.shape.places
        group, lane = divmod(k, self.shape.targets)
        for copy in range(lane, w.kind.lanes, places):
            address = w.add(base, (group * w.kind.lanes + copy) * w.kind.size)
            w.b.store(value, w.b.inttoptr(address, POINTER), align=w.kind.size)

    # CBOW ----------------------------------------------------------------------------------------------------------

    def _average(self, count: Value) -> None:
        """The mean of the listed rows, and zeros where its update will be."""
        w, f = self.w, self.f
        number = w.b.sitofp(count, w.kind.scalar)
        share = w.b.fdiv(ir.Constant(w.kind.scalar, 1.0), number)
        factor = w.fill(share)
        with w.loop(0, f["columns"]) as column:
            offset = w.mul(column, w.kind.lanes * w.kind.size)
            with w.sums(count, [w.constant(0.0)]) as (c, total):
                row = w.read(w.add(f["rows"], w.mul(c, 8)))
                total[0] = total[0] + w.load(w.add(row, offset))
            w.store(total[0] * factor, w.add(w.read(f["mean"]), offset))
            w.store(w.constant(0.0), w.add(w.read(w.add(f["mean"], 8)), offset))

    def _spread_update(self, count: Value) -> None:
        """Add the mean's update to every listed row."""
        w, f = self.w, self.f
        with w.loop(0, f["columns"]) as column:
            offset = w.mul(column, w.kind.lanes * w.kind.size)
            update = w.load(w.add(w.read(w.add(f["mean"], 8)), offset))
            with w.loop(0, count) as c:
                place = w.add(w.read(w.add(f["rows"], w.mul(c, 8))), offset)
                w.store(w.load(place) + update, place)

    # Numbers -------------------------------------------------------------------------------------------------------

    def _draw(self) -> Value:
        """64 random bits."""
        w = self.w
        w.set(self.state, w.add(w.get(self.state), ir.Constant(I64, _GOLDEN)))
        z = w.get(self.state)
        for shift, factor in ((30, _MIX_1), (27, _MIX_2)):
            z = w.b.mul(w.b.xor(z, w.b.lshr(z, ir.Constant(I64, shift))), ir.Constant(I64, factor))
        return w.b.xor(z, w.b.lshr(z, ir.Constant(I64, 31)))

    def _below(self, bits: Value, bound: Value) -> Value:
        """A number from 0 to bound - 1, of the high 32 bits (Lemire 2019, without rejection: bias below bound / 2^32)."""
        w = self.w
        return w.b.lshr(w.mul(w.b.lshr(bits, ir.Constant(I64, 32)), bound), ir.Constant(I64, 32))

    def _word32(self, base: Value, index: Value) -> Value:
        """A signed 32-bit number of an array."""
        w = self.w
        return w.b.sext(w.read(w.add(base, w.mul(index, 4)), I32), I64)

    def _unsigned32(self, base: Value, index: Value) -> Value:
        w = self.w
        return w.b.zext(w.read(w.add(base, w.mul(index, 4)), I32), I64)
