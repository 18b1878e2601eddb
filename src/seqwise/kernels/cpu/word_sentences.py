"""The text as a kernel of windows reads it: kept words of one sentence after the other, and random numbers."""

from __future__ import annotations

from llvmlite import ir

from seqwise.kernels.cpu.vector import I32, I64, POINTER, Value, Writer

_GOLDEN, _MIX_1, _MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


class SentenceReader:
    """Code that reads encoded text, in a function in the making.

    Args:
        w: the function.
        f: the values of its fields: `tokens`, `start`, `stop`, `keep`, `state`, `sentence`, `longest`.

    Attributes:
        position: variable, of the next token.
        length: variable, kept words of the sentence.
        state: variable, of the random numbers.
    """

    def __init__(self, w: Writer, f: dict[str, Value]) -> None:
        self.w, self.f = w, f
        self.state, self.position = w.variable(f["state"]), w.variable(f["start"])
        self.length, self._ended = w.variable(0), w.variable(0)

    def read_sentence(self) -> None:
        """The kept words up to the next end of a sentence, of the tokens, or of the room."""
        w, f = self.w, self.f
        w.set(self.length, 0)
        w.set(self._ended, 0)

        def more() -> Value:
            inside = w.b.and_(w.less(w.get(self.position), f["stop"]), w.less(w.get(self.length), f["longest"]))
            return w.b.and_(inside, w.equal(w.get(self._ended), 0))

        with w.loop_while(more):
            token = self.word32(f["tokens"], w.get(self.position))
            w.set(self.position, w.add(w.get(self.position), 1))
            with w.b.if_else(w.less(token, 0)) as (end, word):
                with end:
                    w.set(self._ended, 1)
                with word:
                    coin = w.b.and_(self.draw(), ir.Constant(I64, 0xFFFFFFFF))
                    kept = w.b.icmp_unsigned("<=", coin, self.unsigned32(f["keep"], token))
                    # Stored in any case, counted if kept: a branch would be mispredicted.
                    place = w.add(f["sentence"], w.mul(w.get(self.length), 4))
                    w.b.store(w.b.trunc(token, I32), w.b.inttoptr(place, POINTER))
                    w.set(self.length, w.add(w.get(self.length), w.b.zext(kept, I64)))

    def word(self, i: Value) -> Value:
        """The number of the kept word i."""
        return self.word32(self.f["sentence"], i)

    def draw(self) -> Value:
        """64 random bits."""
        w = self.w
        w.set(self.state, w.add(w.get(self.state), ir.Constant(I64, _GOLDEN)))
        z = w.get(self.state)
        for shift, factor in ((30, _MIX_1), (27, _MIX_2)):
            z = w.b.mul(w.b.xor(z, w.b.lshr(z, ir.Constant(I64, shift))), ir.Constant(I64, factor))
        return w.b.xor(z, w.b.lshr(z, ir.Constant(I64, 31)))

    def below(self, bits: Value, bound: Value) -> Value:
        """A number from 0 to bound - 1, of the high 32 bits (Lemire 2019, without rejection: bias below bound / 2^32)."""
        w = self.w
        return w.b.lshr(w.mul(w.b.lshr(bits, ir.Constant(I64, 32)), bound), ir.Constant(I64, 32))

    def word32(self, base: Value, index: Value) -> Value:
        """A signed 32-bit number of an array."""
        w = self.w
        return w.b.sext(w.read(w.add(base, w.mul(index, 4)), I32), I64)

    def unsigned32(self, base: Value, index: Value) -> Value:
        """A 32-bit number of an array, from 0 on."""
        w = self.w
        return w.b.zext(w.read(w.add(base, w.mul(index, 4)), I32), I64)
