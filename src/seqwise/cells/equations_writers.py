"""Mathematical terms, and how they are written: as plain text, as LaTeX, as MathML.

A term is a small tree. The writers differ in their marks only; brackets follow one table of how tightly a term binds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple, Protocol


class Term(NamedTuple):
    """One piece of a formula.

    Attributes:
        kind: `symbol`, `number`, `sum`, `negative`, `product` (elementwise), `applied` (a matrix times a vector, or an
            outer product), `transposed`, `quotient`, `power`, `function`, `positive` (1 where the part is > 0),
            `total` (a sum over t) or `partial` (dL / d part).
        parts: What it is made of.
        name: Of a symbol or function; the digits of a number; the exponent of a power.
        below: Lower index of a symbol beside the time: a gate, a state, a number.
        time: `t`, `t-1` or empty.
        mark: Of a symbol: `adjoint`, `whole` (adjoint with a star), `carried` (arrow to the left), `candidate` (tilde),
            `primed`, or empty.
    """

    kind: str
    parts: tuple[Term, ...] = ()
    name: str = ""
    below: str = ""
    time: str = ""
    mark: str = ""


class Writer(Protocol):
    """What a page needs of a way of writing."""

    def write(self, term: Term) -> str:
        """The whole term."""


_BINDING = {"sum": 1, "negative": 1, "total": 1, "product": 2, "applied": 2, "quotient": 2, "partial": 2, "power": 3}
_ATOM = 4


class _Brackets:
    """Puts brackets where a part binds less tightly than its place asks for."""

    binding = _BINDING

    def write(self, term: Term) -> str:
        return getattr(self, f"_{term.kind}")(term)

    def _part(self, term: Term, at_least: int) -> str:
        text = self.write(term)
        return text if self.binding.get(term.kind, _ATOM) >= at_least else self._bracket(text)

    def _bracket(self, text: str) -> str:
        raise NotImplementedError

    def _join(self, term: Term, minus: str, plus: str) -> str:
        texts: list[str] = []
        for part in term.parts:
            negative = part.kind == "negative"
            inner = self._part(part.parts[0] if negative else part, 2)
            texts.append((minus if texts else minus.strip()) + inner if negative else (plus if texts else "") + inner)
        return "".join(texts)


class TextWriter(_Brackets):
    """Plain text with a few mathematical signs: σ(W_i x_t + b_i), r_t ⊙ h_{t-1}."""

    def _bracket(self, text: str) -> str:
        return f"({text})"

    def _symbol(self, term: Term) -> str:
        below = ",".join(part for part in (term.below, term.time) if part)
        below = f"_{below}" if len(below) == 1 else f"_{{{below}}}" if below else ""
        before, after = _TEXT_MARKS[term.mark]
        return f"{before}{term.name}{after}{below}"

    def _number(self, term: Term) -> str:
        return term.name

    def _sum(self, term: Term) -> str:
        return self._join(term, " - ", " + ")

    def _negative(self, term: Term) -> str:
        return "-" + self._part(term.parts[0], 2)

    def _product(self, term: Term) -> str:
        texts = [self._part(part, 3) for part in term.parts]
        numbers = sum(part.kind == "number" for part in term.parts)
        return " · ".join([*texts[:numbers], " ⊙ ".join(texts[numbers:])])

    def _applied(self, term: Term) -> str:
        return " ".join(self._part(part, 3) for part in term.parts)

    def _transposed(self, term: Term) -> str:
        return self._part(term.parts[0], _ATOM) + "ᵀ"

    def _quotient(self, term: Term) -> str:
        return " / ".join(self._part(part, 3) for part in term.parts)

    def _power(self, term: Term) -> str:
        small = term.name.translate(_RAISED) if term.name.isdigit() else f"^{term.name}"
        return self._part(term.parts[0], _ATOM) + small

    def _function(self, term: Term) -> str:
        inner = self.write(term.parts[0])
        return f"|{inner}|" if term.name == "absolute" else f"{_SIGNS.get(term.name, term.name)}({inner})"

    def _positive(self, term: Term) -> str:
        return f"[{self.write(term.parts[0])} > 0]"

    def _total(self, term: Term) -> str:
        return "Σ_t " + self._part(term.parts[0], 2)

    def _partial(self, term: Term) -> str:
        return f"∂L/∂{self.write(term.parts[0])}"


_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SIGNS = {"sigmoid": "\u03c3"}  # a small sigma
_TEXT_MARKS = {
    "": ("", ""),
    "adjoint": ("∂", ""),
    "whole": ("∂", "*"),
    "carried": ("←", ""),
    "candidate": ("", "~"),
    "primed": ("", "'"),
}


class LatexWriter(_Brackets):
    r"""LaTeX that MathJax and KaTeX know: \sigma(W_{i} x_{t} + b_{i})."""

    binding = _BINDING | {"quotient": _ATOM, "partial": _ATOM}

    def _bracket(self, text: str) -> str:
        return rf"\left({text}\right)" if "\\frac" in text else f"({text})"

    def _symbol(self, term: Term) -> str:
        below = ",".join(part if part == term.time else _latex_name(part) for part in (term.below, term.time) if part)
        name = _GREEK.get(term.name) or _latex_name(term.name)
        wide = len(term.name) > 1
        match term.mark:
            case "adjoint":
                name = rf"\overline{{{name}}}" if wide else rf"\bar{{{name}}}"
            case "whole":
                name = (rf"\overline{{{name}}}" if wide else rf"\bar{{{name}}}") + r"^{\ast}"
            case "carried":
                name = rf"\overleftarrow{{{name}}}"
            case "candidate":
                name = rf"\widetilde{{{name}}}" if wide else rf"\tilde{{{name}}}"
            case "primed":
                name += "'"
        return f"{name}_{{{below}}}" if below else name

    def _number(self, term: Term) -> str:
        return _latex_number(term.name)

    def _sum(self, term: Term) -> str:
        return self._join(term, " - ", " + ")

    def _negative(self, term: Term) -> str:
        return "-" + self._part(term.parts[0], 2)

    def _product(self, term: Term) -> str:
        texts = [self._part(part, 3) for part in term.parts]
        numbers = sum(part.kind == "number" for part in term.parts)
        return r" \cdot ".join([*texts[:numbers], r" \odot ".join(texts[numbers:])])

    def _applied(self, term: Term) -> str:
        return " ".join(self._part(part, 3) for part in term.parts)

    def _transposed(self, term: Term) -> str:
        return self._part(term.parts[0], _ATOM) + r"^{\top}"

    def _quotient(self, term: Term) -> str:
        return rf"\frac{{{self.write(term.parts[0])}}}{{{self.write(term.parts[1])}}}"

    def _power(self, term: Term) -> str:
        inner, exponent = term.parts[0], f"^{{{_latex_number(term.name)}}}"
        if _is_named_function(inner):
            return self._function_name(inner) + exponent + self._bracket(self.write(inner.parts[0]))
        base = self.write(inner)
        if inner.mark:  # a star is an exponent already
            base = f"{{{base}}}"
        return (base if inner.kind in ("symbol", "number", "function") else self._bracket(base)) + exponent

    def _function(self, term: Term) -> str:
        inner = self.write(term.parts[0])
        if term.name == "absolute":
            return rf"\left|{inner}\right|"
        if term.name == "sqrt":
            return rf"\sqrt{{{inner}}}"
        return self._function_name(term) + self._bracket(inner)

    def _function_name(self, term: Term) -> str:
        return _LATEX_FUNCTIONS.get(term.name, rf"\mathrm{{{term.name}}}")

    def _positive(self, term: Term) -> str:
        return rf"\left[{self.write(term.parts[0])} > 0\right]"

    def _total(self, term: Term) -> str:
        return r"\sum_{t} " + self._part(term.parts[0], 2)

    def _partial(self, term: Term) -> str:
        return rf"\frac{{\partial L}}{{\partial {self.write(term.parts[0])}}}"


_GREEK = {"δ": r"\delta", "ε": r"\varepsilon"}
_LATEX_FUNCTIONS = {name: "\\" + name for name in ("tanh", "exp", "log", "sin", "cos")} | {"sigmoid": r"\sigma"}


def _latex_name(name: str) -> str:
    return name if len(name) == 1 or name.isdigit() else rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}"


def _latex_number(digits: str) -> str:
    mantissa, _, exponent = digits.partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else digits


class MathmlWriter(_Brackets):
    """MathML, which every browser shows without a script or a font from elsewhere."""

    binding = _BINDING | {"quotient": _ATOM, "partial": _ATOM}

    def _bracket(self, text: str) -> str:
        return f"<mrow>{_sign('(')}{text}{_sign(')')}</mrow>"

    def _symbol(self, term: Term) -> str:
        name = f"<mi>{escape(term.name)}</mi>"
        over = {"adjoint": _BAR, "whole": _BAR, "carried": "←", "candidate": "~"}.get(term.mark)
        if over:
            name = f"<mover>{name}<mo stretchy='true'>{over}</mo></mover>"
        parts = [f"<mi>{escape(part)}</mi>" for part in (term.below, term.time) if part and part != "t-1"]
        parts += [f"<mrow><mi>t</mi>{_sign(_MINUS)}<mn>1</mn></mrow>"] if term.time == "t-1" else []
        below = _row(parts, _sign(","))
        above = {"whole": _sign(_STAR), "primed": _sign(_PRIME)}.get(term.mark)
        if above:
            return f"<msubsup>{name}{below}{above}</msubsup>" if parts else f"<msup>{name}{above}</msup>"
        return f"<msub>{name}{below}</msub>" if parts else name

    def _number(self, term: Term) -> str:
        return f"<mn>{escape(term.name)}</mn>"

    def _sum(self, term: Term) -> str:
        return f"<mrow>{self._join(term, _sign(_MINUS), _sign('+'))}</mrow>"

    def _negative(self, term: Term) -> str:
        return f"<mrow>{_sign(_MINUS)}{self._part(term.parts[0], 2)}</mrow>"

    def _product(self, term: Term) -> str:
        texts = [self._part(part, 3) for part in term.parts]
        numbers = sum(part.kind == "number" for part in term.parts)
        return _row([*texts[:numbers], _row(texts[numbers:], _sign("⊙"))], _SPACE)

    def _applied(self, term: Term) -> str:
        return _row([self._part(part, 3) for part in term.parts], _SPACE)

    def _transposed(self, term: Term) -> str:
        inner = term.parts[0]
        if _has_only_an_index(inner):  # the T above the index
            inside = self._symbol(inner).removeprefix("<msub>").removesuffix("</msub>")
            return f"<msubsup>{inside}{_sign(_DOWN_TACK)}</msubsup>"
        return f"<msup>{self._part(inner, _ATOM)}{_sign(_DOWN_TACK)}</msup>"

    def _quotient(self, term: Term) -> str:
        return f"<mfrac>{self.write(term.parts[0])}{self.write(term.parts[1])}</mfrac>"

    def _power(self, term: Term) -> str:
        inner, exponent = term.parts[0], f"<mn>{escape(term.name)}</mn>"
        if _is_named_function(inner):
            name = f"<msup>{self._function_name(inner)}{exponent}</msup>"
            return f"<mrow>{name}{self._bracket(self.write(inner.parts[0]))}</mrow>"
        base = self.write(inner)
        if _has_only_an_index(inner):  # the exponent above the index
            return f"<msubsup>{base.removeprefix('<msub>').removesuffix('</msub>')}{exponent}</msubsup>"
        return (
            f"<msup>{base if inner.kind in ('symbol', 'number', 'function') else self._bracket(base)}{exponent}</msup>"
        )

    def _function(self, term: Term) -> str:
        inner = self.write(term.parts[0])
        if term.name == "absolute":
            return f"<mrow>{_sign('|')}{inner}{_sign('|')}</mrow>"
        if term.name == "sqrt":
            return f"<msqrt>{inner}</msqrt>"
        return f"<mrow>{self._function_name(term)}{self._bracket(inner)}</mrow>"

    def _function_name(self, term: Term) -> str:
        return f"<mi>{_SIGNS.get(term.name, term.name)}</mi>"

    def _positive(self, term: Term) -> str:
        return f"<mrow>{_sign('[')}{self.write(term.parts[0])}{_sign('>')}<mn>0</mn>{_sign(']')}</mrow>"

    def _total(self, term: Term) -> str:
        return f"<mrow><munder>{_sign('∑')}<mi>t</mi></munder>{self._part(term.parts[0], 2)}</mrow>"

    def _partial(self, term: Term) -> str:
        below = f"<mrow>{_sign('∂')}{self.write(term.parts[0])}</mrow>"
        return f"<mfrac><mrow>{_sign('∂')}<mi>L</mi></mrow>{below}</mfrac>"


_MINUS, _BAR, _STAR, _PRIME, _DOWN_TACK = "\u2212", "\u00af", "\u2217", "\u2032", "\u22a4"
_SPACE = '<mspace width="0.2em"/>'


def _is_named_function(term: Term) -> bool:
    """Written tanh(v), so that its square is tanh²(v)."""
    return term.kind == "function" and term.name not in ("absolute", "sqrt")


def _has_only_an_index(term: Term) -> bool:
    return term.kind == "symbol" and not term.mark and bool(term.below or term.time)


def _sign(sign: str) -> str:
    return f"<mo>{escape(sign)}</mo>"


def _row(parts: Sequence[str], between: str) -> str:
    return parts[0] if len(parts) == 1 else f"<mrow>{between.join(parts)}</mrow>"


def symbol(name: str, below: str = "", time: str = "", mark: str = "") -> Term:
    """A letter with its marks."""
    return Term("symbol", (), name, below, time, mark)


def negate(term: Term) -> Term:
    """-term, with two signs taken together."""
    if term.kind == "negative":
        return term.parts[0]
    if term.kind == "sum":
        return make_sum([negate(part) for part in term.parts])
    return Term("negative", (term,))


def make_sum(terms: Sequence[Term]) -> Term:
    """Terms added; one that is subtracted does not stand first where another could."""
    parts = [term.parts if term.kind == "sum" else (term,) for term in terms]
    first = next((k for k, several in enumerate(parts) if several[0].kind != "negative"), 0)
    parts.insert(0, parts.pop(first))
    flat = [part for several in parts for part in several]
    return flat[0] if len(flat) == 1 else Term("sum", tuple(flat))


def make_product(terms: Sequence[Term]) -> Term:
    """Terms multiplied elementwise: numbers together in front, signs outside, a square for twice the same."""
    signs = sum(term.kind == "negative" for term in terms)
    bare = [term.parts[0] if term.kind == "negative" else term for term in terms]
    flat = [part for term in bare for part in (term.parts if term.kind == "product" else (term,))]
    if len(flat) == 2 and flat[0] == flat[1]:
        flat = [Term("power", (flat[0],), "2")]
    number = math.prod(float(term.name) for term in flat if term.kind == "number")
    flat = [term for term in flat if term.kind != "number"]
    if number != 1 or not flat:
        flat.insert(0, make_number(number))
    product = flat[0] if len(flat) == 1 else Term("product", tuple(flat))
    return negate(product) if signs % 2 else product


def make_number(value: float) -> Term:
    """A number as people write it, its sign outside."""
    number = Term("number", name=f"{abs(value):.12g}")
    return negate(number) if math.copysign(1.0, value) < 0 else number
