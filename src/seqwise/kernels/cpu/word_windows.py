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

With n-grams a word has several input rows. CBOW: the mean is of the rows of all words around. Skip-gram: the one input is
the mean of the rows of the word in the middle, which predicts the words around one after the other, each with negatives of
its own; at the end each row takes the whole change of the mean (fastText; Bojanowski et al. 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from llvmlite import ir

from seqwise.kernels.cpu import compiler
from seqwise.kernels.cpu.elementwise import Fields
from seqwise.kernels.cpu.logistic_step import Shape, choose_shape, write_step
from seqwise.kernels.cpu.target import Target
from seqwise.kernels.cpu.vector import I8, I32, I64, POINTER, VOID, Kind, Value, Writer, integer, new_module
from seqwise.kernels.cpu.word_sentences import SentenceReader

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
        "rows",  # address of room for the addresses of all input rows of a window
        "around",  # address of int64 room for the numbers of the 2 * window words around
        "row_ends",  # address of (V + 1,) int64: where the rows of each word begin (n-grams)
        "row_numbers",  # address of int32: the rows of all words
        "mean",  # address of two addresses: of the mean and of its update, or of the mean before its updates
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
        ngrams: words have several input rows; skip-gram's negatives are then drawn for each pair.
    """

    model: str
    objective: str
    negatives: int
    shared: bool
    dtype: str
    ngrams: bool = False

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
        self.text = SentenceReader(w, self.f)
        self.pairs, self.windows = w.variable(0), w.variable(0)
        self.around = w.variable(0)  # how many input rows, or with n-grams how many words around
        self.rows = w.variable(0)  # how many input rows
        with w.loop_while(lambda: w.less(w.get(self.text.position), self.f["stop"])):
            self.text.read_sentence()
            with w.loop(0, w.get(self.text.length)) as i:
                self._fetch_ahead(i)
                self._list_window(i)
                with w.when(w.less(0, w.get(self.around))):
                    self._learn(self.text.word(i))
        for name, variable in (("pairs", self.pairs), ("state", self.text.state)):
            w.write(w.get(variable), w.add(w.arguments["block"], 8 * FIELDS.index[name]))
        w.finish()
        return str(self.module)

    # Windows -------------------------------------------------------------------------------------------------------

    def _list_window(self, i: Value) -> None:
        """Addresses of the input rows of the words around the kept word i."""
        w, f = self.w, self.f
        width = w.add(self.text.below(self.text.draw(), f["window"]), 1)
        low, high = w.sub(i, width), w.smaller(w.add(i, width, 1), w.get(self.text.length))
        low = w.select(w.less(low, 0), 0, low)
        w.set(self.around, 0)
        for start, stop in ((low, i), (w.add(i, 1), high)):
            with w.loop(start, stop) as j:
                if self.variant.ngrams:
                    w.write(self.text.word(j), w.at(f["around"], w.get(self.around), 8))
                else:
                    w.write(self._input(self.text.word(j)), w.at(f["rows"], w.get(self.around), 8))
                w.set(self.around, w.add(w.get(self.around), 1))

    def _fetch_ahead(self, i: Value) -> None:
        """Ask for the rows that only the next windows need."""
        w, f = self.w, self.f
        last = w.sub(w.get(self.text.length), 1)
        distance = 1 if self.variant.ngrams and self.variant.model == "skipgram" else w.add(f["window"], 1)
        entering = self.text.word(w.smaller(w.add(i, distance), last))
        if self.variant.ngrams:
            with self._rows_of(entering) as row:
                self._fetch(row)
        else:
            self._fetch(self._input(entering))
        if self.variant.negatives:
            self._fetch(self._output(self.text.word(w.smaller(w.add(i, 1), last))))

    @contextmanager
    def _rows_of(self, word: Value) -> Iterator[Value]:
        """For the address of every input row of a word."""
        w, f = self.w, self.f
        start, stop = (w.read(w.at(f["row_ends"], w.add(word, d), 8)) for d in (0, 1))
        with w.loop(start, stop) as n:
            yield self._input(self.text.word32(f["row_numbers"], n))

    def _add_rows_of(self, word: Value) -> None:
        """Put the input rows of a word on the list."""
        w = self.w
        with self._rows_of(word) as row:
            w.write(row, w.at(self.f["rows"], w.get(self.rows), 8))
            w.set(self.rows, w.add(w.get(self.rows), 1))

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
            rows = count
            if self.variant.ngrams:
                w.set(self.rows, 0)
                with w.loop(0, count) as c:
                    self._add_rows_of(w.read(w.at(f["around"], c, 8)))
                rows = w.get(self.rows)
            self._average(rows)
            self._steps(f["mean"], w.add(f["mean"], 8), 1, groups, loss)
            self._spread_update(rows)
            count = integer(1)
        elif self.variant.ngrams:
            self._predict_around(word, count, loss)
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

    def _predict_around(self, word: Value, count: Value, loss: Value) -> None:
        """Skip-gram with n-grams: the mean of the word's rows predicts the words around."""
        w, f = self.w, self.f
        w.set(self.rows, 0)
        self._add_rows_of(word)
        if self.variant.negatives:
            with w.loop(0, count) as c:
                self._draw_negatives(w.read(w.at(f["around"], c, 8)), w.mul(c, self._groups))
        self._average(w.get(self.rows))
        with w.loop(0, count) as c:
            if self.variant.negatives:
                first, groups = w.mul(c, self._groups), integer(self._groups)
            else:
                first, groups = integer(0), self._walk_tree(w.read(w.at(f["around"], c, 8)))
            self._steps(f["mean"], f["mean"], 1, groups, loss, first)
        self._spread_update(w.get(self.rows))

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
        if self.variant.ngrams:
            self._fetch(positive)
        self._set_lane(rates, 0, self.rate)
        self._set_shift(shifts, 0, word)
        zero = ir.Constant(w.kind.scalar, 0.0)
        for k in range(1, self.variant.negatives + 1):
            z = self.text.draw()
            entry = self.text.below(z, f["vocabulary"])
            coin = w.b.and_(z, ir.Constant(I64, 0xFFFFFFFF))
            other = w.add(f["alias"], w.mul(entry, 8))
            first = w.b.icmp_unsigned("<", coin, self.text.unsigned32(other, 0))
            drawn = w.select(first, entry, self.text.unsigned32(other, 1))
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
                node = self.text.word32(f["nodes"], w.add(start, n))
                w.write(self._output(node), w.at(f["targets"], w.add(w.mul(group, self.shape.targets), k), 8))
                turn = w.b.load(w.b.inttoptr(w.add(f["turns"], start, n), POINTER), typ=I8)
                register = w.mul(group, w.kind.lanes * w.kind.size)
                self._set_lane(w.add(f["labels"], register), k, w.b.uitofp(turn, w.kind.scalar))
                self._set_lane(w.add(f["rates"], register), k, w.b.select(there, self.rate, zero))
        return groups

    def _input(self, row: Value) -> Value:
        return self.w.add(self.f["inputs"], self.w.mul(row, self.f["stride"]))

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

    # Means ---------------------------------------------------------------------------------------------------------

    def _average(self, count: Value) -> None:
        """The mean of the listed rows; beside it zeros for its update, or the mean again where it changes itself."""
        w, f = self.w, self.f
        number = w.b.sitofp(count, w.kind.scalar)
        share = w.b.fdiv(ir.Constant(w.kind.scalar, 1.0), number)
        factor = w.fill(share)
        with w.loop(0, f["columns"]) as column:
            offset = w.mul(column, w.kind.lanes * w.kind.size)
            with w.sums(count, [w.constant(0.0)]) as (c, total):
                row = w.read(w.add(f["rows"], w.mul(c, 8)))
                total[0] = total[0] + w.load(w.add(row, offset))
            mean = total[0] * factor
            w.store(mean, w.add(w.read(f["mean"]), offset))
            w.store(mean if self._changing else w.constant(0.0), w.add(w.read(w.add(f["mean"], 8)), offset))

    @property
    def _changing(self) -> bool:
        return self.variant.model == "skipgram"

    def _spread_update(self, count: Value) -> None:
        """Add the mean's update to every listed row."""
        w, f = self.w, self.f
        with w.loop(0, f["columns"]) as column:
            offset = w.mul(column, w.kind.lanes * w.kind.size)
            update = w.load(w.add(w.read(w.add(f["mean"], 8)), offset))
            if self._changing:
                update = w.load(w.add(w.read(f["mean"]), offset)) - update
            with w.loop(0, count) as c:
                place = w.add(w.read(w.add(f["rows"], w.mul(c, 8))), offset)
                w.store(w.load(place) + update, place)
