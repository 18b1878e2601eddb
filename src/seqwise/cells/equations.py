"""A cell as a lecture shows it: the forward equations, gate by gate, and backpropagation through time derived from them.

Nothing here is typed by hand for a cell: names and formulas come from the program and its derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from seqwise.cells.derive import derive
from seqwise.cells.equations_terms import Naming
from seqwise.cells.equations_writers import LatexWriter, MathmlWriter, Term, TextWriter, symbol
from seqwise.cells.program import Program, Stage

_LOSS = symbol("L")


class Equation(NamedTuple):
    """One or more left sides and what they are equal to."""

    left: tuple[Term, ...]
    right: Term


class Section(NamedTuple):
    """A part of the page.

    Attributes:
        title: Its heading.
        prose: Sentences, in pieces of text and terms.
        lines: The equations, those of one line together.
    """

    title: str
    prose: tuple[str | Term, ...]
    lines: tuple[tuple[Equation, ...], ...] = ()


@dataclass(frozen=True)
class Equations:
    """The equations of a cell, forward and backward.

    Attributes:
        title: The name of the cell.
        source: Where its equation comes from; may be empty.
        sections: Forward; what arrives from later steps; one step backward; the gradients; what has to be kept.
    """

    title: str
    source: str
    sections: tuple[Section, ...]

    def to_text(self) -> str:
        """Plain text for a terminal, with a few mathematical signs of Unicode."""
        writer = TextWriter()
        blocks = [self.title + (f": {self.source}" if self.source else "")]
        for section in self.sections:
            blocks.append(section.title + "\n" + "-" * len(section.title))
            blocks.append(_wrap(_write_prose(section.prose, writer.write)))
            lines = [[_write_equation(e, writer.write, " = ") for e in line] for line in section.lines]
            if lines:
                blocks.append("\n".join("  " + _fill(line) for line in lines))
        return "\n\n".join(blocks) + "\n"

    def to_latex(self) -> str:
        r"""A fragment for a LaTeX document that loads amsmath."""
        writer = LatexWriter()
        blocks = [rf"\section*{{{_escape_latex(self.title)}}}"]
        blocks += [_escape_latex(self.source)] if self.source else []
        for section in self.sections:
            blocks.append(rf"\subsection*{{{section.title}}}")
            blocks.append(_write_prose(section.prose, lambda term: f"${writer.write(term)}$"))
            if section.lines:
                blocks.append("\\begin{align*}\n" + _align(section, writer) + "\n\\end{align*}")
        return "\n\n".join(blocks) + "\n"

    def to_markdown(self) -> str:
        """A page of Markdown with LaTeX in blocks that GitHub and most readers of notes render."""
        writer = LatexWriter()
        blocks = [f"# `{self.title}`"]
        blocks += [self.source] if self.source else []
        for section in self.sections:
            blocks.append(f"## {section.title}")
            blocks.append(_wrap(_write_prose(section.prose, lambda term: f"${writer.write(term)}$")))
            if section.lines:
                blocks.append("$$\n\\begin{aligned}\n" + _align(section, writer) + "\n\\end{aligned}\n$$")
        return "\n\n".join(blocks) + "\n"

    def to_html(self) -> str:
        """A page of its own in MathML: it loads nothing, and a browser shows it without a network."""
        writer = MathmlWriter()
        blocks = [f"<h1>{escape(self.title)}</h1>"]
        blocks += [f"<p>{escape(self.source)}</p>"] if self.source else []
        for section in self.sections:
            blocks.append(f"<h2>{escape(section.title)}</h2>")
            pieces = [escape(p) if isinstance(p, str) else f"<math>{writer.write(p)}</math>" for p in section.prose]
            blocks.append(f"<p>{''.join(pieces)}</p>")
            rows = [row for line in section.lines for row in line]
            if rows:
                blocks.append("<table>\n" + "\n".join(_write_row(row, writer) for row in rows) + "\n</table>")
        return _PAGE.format(title=escape(self.title), body="\n".join(blocks))

    def __str__(self) -> str:
        """The text."""
        return self.to_text()


def write_equations(program: Program, source: str = "") -> Equations:
    """Write down a program and the backpropagation through time that is derived from it.

    Args:
        program: The cell.
        source: Where its equation comes from.

    Returns:
        The equations, to be had as text, LaTeX, Markdown and HTML.
    """
    naming = Naming(derive(program))
    sections = (
        _write_forward(naming),
        _write_arrivals(naming),
        _write_step(naming),
        _write_gradients(naming),
        _write_needs(naming),
    )
    return Equations(program.name, source, sections)


def _write_forward(naming: Naming) -> Section:
    program = naming.program
    prose: list[str | Term] = ["At step t the cell reads the input ", naming.input(), " and, from the step before, "]
    prose += _list([naming.state(s, "t-1") for s in program.states])
    gate = program.input_gates[0]
    prose += [". ", naming.matrix(gate, recurrent=False), " and ", naming.bias(gate, recurrent=False)]
    prose += [f" are the weights and the bias with which gate {gate} reads the input"]
    if program.stages:
        gate = gate if gate in program.recurrent_gates else program.recurrent_gates[0]
        reads = f"{'it' if gate == program.input_gates[0] else 'gate ' + gate} reads a state"
        prose += ["; ", naming.matrix(gate, recurrent=True), " and ", naming.bias(gate, recurrent=True)]
        prose += [f" those with which {reads}"]
    prose += [", and likewise for the other gates"] if len(program.gates) > 1 else []
    if program.vectors:
        prose += ["; ", *_list([naming.vector(v) for v in program.vectors]), " "]
        prose += ["are learned vectors" if len(program.vectors) > 1 else "is a learned vector"]
    prose += [". The sign ⊙ multiplies element by element."]
    if len(program.stages) > 1:
        prose += [f" There are {len(program.stages)} recurrent products, one after the other: "]
        prose += ["; then ".join(", ".join(s.gates) for s in program.stages) + "."]
    lines = [(Equation((name,), formula),) for name, formula in naming.lines(backward=False)]
    for state, out in zip(program.states, program.outputs, strict=True):
        name = naming.state(state)
        if naming.names.get(out) != name:  # the next value is another state, old or new
            lines.append((Equation((name,), naming.term(out)),))
    return Section("Forward", tuple(prose), tuple(lines))


def _write_arrivals(naming: Naming) -> Section:
    states = naming.program.states
    first = states[0]
    prose = (
        "Let L be the loss. ",
        naming.state(first, "t", "adjoint"),
        " is the gradient ",
        Term("partial", (naming.state(first),)),
        ", and likewise for every other value. It comes from two sides: ",
        symbol("ε", first, "t"),
        ", what the loss or the layer above sends to this step, and ",
        naming.state(first, "t", "carried"),
        ", what step t + 1 hands back. After the last step the latter is the gradient of the final state, "
        "or 0 where nothing reads it. The steps are undone from the last to the first.",
    )
    lines = tuple(
        (
            Equation(
                (naming.state(s, "t", "adjoint"),),
                Term("sum", (symbol("ε", s, "t"), naming.state(s, "t", "carried"))),
            ),
        )
        for s in states
    )
    return Section("Backward: what arrives at step t", prose, lines)


def _write_step(naming: Naming) -> Section:
    program, derivative = naming.program, naming.derivative
    gate = program.gates[0]
    has_both = gate in program.input_gates and gate in program.recurrent_gates
    prose: list[str | Term] = [symbol("δ", gate, "t"), f" is the gradient with respect to what gate {gate} projects"]
    prose += [", before any function is applied to it"]
    split = [g for g in program.recurrent_gates if naming.delta(g, recurrent=True).mark]
    if split:
        deltas = _list([naming.delta(g, recurrent=True) for g in split])
        prose += ["; with a prime it is that of the recurrent projection alone (", *deltas, ")"]
    elif has_both:
        prose += [", be it the input or a state"]
    prose += [". Each line is one of the forward equations undone, the last one first."]
    whole = [name for name in naming.names.values() if name.mark == "whole"]
    if whole:
        prose += [" A star marks the gradient that includes what step t itself does with the new state."]
    if program.stages:
        prose += [" A recurrent product is undone by its transposed matrix"]
        if len(program.stages) > 1:
            order = "; then ".join(", ".join(s.gates) for s in _undone(naming))
            prose += [f", the last product first: {order}"]
        prose += ["."]
    lines = [(Equation((name,), formula),) for name, formula in naming.lines(backward=True)]
    known = set(naming.names.values())
    others = [
        *((naming.delta(g, recurrent=False), k) for g, k in _pairs(program.input_gates, derivative.input_gates)),
        *((naming.delta(g, recurrent=True), k) for g, k in _pairs(program.recurrent_gates, derivative.recurrent_gates)),
        *((naming.state(s, "t-1", "carried"), k) for s, k in _pairs(program.states, derivative.states)),
    ]
    for name, index in others:
        if name not in known:  # equal to something that has a name, or zero
            known.add(name)
            place = len(lines)
            if name.name == "δ":  # before the transposed matrix takes it
                place = next((k for k, line in enumerate(lines) if _mentions(line[0].right, name)), place)
            lines.insert(place, (Equation((name,), naming.term(index)),))
    return Section("Backward: one step undone", tuple(prose), tuple(lines))


def _write_gradients(naming: Naming) -> Section:
    program = naming.program
    prose = (
        "Each weight acts at every step, so its gradient is a sum over all steps (and over the rows of the batch).",
    )
    operands = {g: naming.term(stage.operand) for stage in program.stages for g in stage.gates}
    lines: list[tuple[Equation, ...]] = []
    for gate in program.gates:
        line: list[Equation] = []
        biases: dict[Term, list[Term]] = {}
        for recurrent, gates, operand in (
            (False, program.input_gates, naming.input()),
            (True, program.recurrent_gates, operands.get(gate)),
        ):
            if gate in gates and operand is not None:
                delta = naming.delta(gate, recurrent=recurrent)
                outer = Term("applied", (delta, Term("transposed", (operand,))))
                matrix = naming.matrix(gate, recurrent=recurrent)
                line.append(Equation((_partial(matrix),), Term("total", (outer,))))
                biases.setdefault(delta, []).append(_partial(naming.bias(gate, recurrent=recurrent)))
        line += [Equation(tuple(left), Term("total", (delta,))) for delta, left in biases.items()]
        lines.append(tuple(line))
    for vector, index in _pairs(program.vectors, naming.derivative.vectors):
        total = Term("total", (naming.term(index),))
        lines.append((Equation((_partial(naming.vector(vector)),), total),))
    lines.append((Equation((_partial(naming.input()),), naming.sent_down()),))
    return Section("Gradients", prose, tuple(lines))


def _write_needs(naming: Naming) -> Section:
    program = naming.program
    weights = dict.fromkeys([naming.input(), *(naming.term(stage.operand) for stage in program.stages)])
    needed = naming.needed()
    prose: list[str | Term] = []
    if needed:
        prose += ["One step backward reads ", *_list(needed), " of the forward pass. "]
    else:
        prose += ["One step backward reads no value of the forward pass. "]
    prose += ["The gradients of the weights read ", *_list(list(weights)), "."]
    return Section("What the forward pass has to leave behind", tuple(prose))


def _undone(naming: Naming) -> list[Stage]:
    order = [int(node.value) for node in naming.derivative.nodes if node.operation == "transposed"]
    return [naming.program.stages[k] for k in order]


def _pairs(names: tuple[str, ...], indices: tuple[int, ...]) -> list[tuple[str, int]]:
    return list(zip(names, indices, strict=True))


def _partial(term: Term) -> Term:
    return Term("partial", (term,))


def _mentions(term: Term, part: Term) -> bool:
    return term == part or any(_mentions(inner, part) for inner in term.parts)


def _list(terms: list[Term]) -> list[str | Term]:
    """a, b and c."""
    pieces: list[str | Term] = []
    for k, term in enumerate(terms):
        pieces += [term] if k == 0 else [" and " if k == len(terms) - 1 else ", ", term]
    return pieces


def _write_prose(prose: tuple[str | Term, ...], write: Callable[[Term], str]) -> str:
    return "".join(piece if isinstance(piece, str) else write(piece) for piece in prose)


def _write_equation(equation: Equation, write: Callable[[Term], str], equals: str) -> str:
    return equals.join([*map(write, equation.left), write(equation.right)])


def _align(section: Section, writer: LatexWriter) -> str:
    """Lines of an align environment, all at their first equals sign."""
    lines = []
    for equations in section.lines:
        for equation in equations:
            first, *more = [writer.write(term) for term in (*equation.left, equation.right)]
            lines.append(f"{first} &= " + " = ".join(more))
    return " \\\\\n".join(lines)


def _write_row(equation: Equation, writer: MathmlWriter) -> str:
    left = writer.write(equation.left[0])
    right = "<mo>=</mo>".join(writer.write(term) for term in (*equation.left[1:], equation.right))
    cells = f'<td class="left"><math displaystyle="true">{left}</math></td>'
    return f'<tr>{cells}<td><math displaystyle="true"><mrow><mo>=</mo>{right}</mrow></math></td></tr>'


def _fill(equations: list[str], width: int = 118) -> str:
    """Equations of one line of the page beside each other, as far as they fit."""
    lines = [equations[0]]
    for equation in equations[1:]:
        joined = f"{lines[-1]},   {equation}"
        if len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(equation)
    return "\n  ".join(lines)


def _wrap(text: str, width: int = 118) -> str:
    """Lines of prose; never broken inside a formula, whose blanks are part of it."""
    lines, inside = [""], False
    for word in text.split(" "):
        if not inside and lines[-1] and len(lines[-1]) + len(word) + 1 > width:
            lines.append(word)
        else:
            lines[-1] += (" " if lines[-1] else "") + word
        inside ^= word.count("$") % 2 == 1
    return "\n".join(lines)


def _escape_latex(text: str) -> str:
    return "".join("\\" + sign if sign in "&%$#_{}" else sign for sign in text)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: equations and backpropagation through time</title>
<style>
body {{ font: 17px/1.55 Georgia, "Times New Roman", serif; color: #222; background: #fff; max-width: 46em;
  margin: 2em auto; padding: 0 1em; }}
h1, h2 {{ font-family: system-ui, sans-serif; line-height: 1.2; }}
h2 {{ font-size: 1.15em; margin-top: 2em; }}
table {{ display: block; overflow: auto hidden; border-spacing: 0; }}
td {{ padding: 0.22em 0.15em; vertical-align: middle; white-space: nowrap; }}
td.left {{ text-align: right; }}
math {{ font-size: 1.08em; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
