"""Is a cell linear in its state? Then h_t = a_t ⊙ h_{t-1} + b_t with a_t, b_t from the input alone, and a scan may run it.

Linear means affine, unit by unit: no matrix product reads a state, and the states are only added to each other and
multiplied by what no state enters. The answer is read off the program's operations, not off what they amount to:
h * h / h counts as not linear.
"""

from __future__ import annotations

from typing import NamedTuple

from seqwise.cells.program import Node, Program

_SUMS = frozenset(["add", "subtract", "negative"])


class Linearity(NamedTuple):
    """The answer and its reason, one sentence."""

    is_linear: bool
    reason: str


def find_linearity(program: Program) -> Linearity:
    """Say whether a cell is linear (affine) in its state, and why.

    Args:
        program: The cell.

    Returns:
        The answer; the reason names the gates that read a state, or the first expression that is not affine.
    """
    reads: list[tuple[str, ...]] = []  # for each node the states that enter it
    for node in program.nodes:
        own = (node.name,) if node.operation == "state" else ()
        entering = {name for argument in node.arguments for name in reads[argument]}.union(own)
        vanishes = node.operation == "power" and node.value == 0  # 1, whatever enters
        reads.append(tuple(state for state in program.states if state in entering and not vanishes))
    stages = [stage for stage in program.stages if reads[stage.operand]]
    if stages:
        parts = [f"{_name_gates(s.gates)} {_name_operand(program.nodes[s.operand], reads[s.operand])}" for s in stages]
        return Linearity(False, f"{'; '.join(parts)}: every unit depends on every other one.")
    for node in program.nodes:
        problem = _find_problem(node, [reads[a] for a in node.arguments])
        if problem:
            return Linearity(False, f"no gate projects a state, but {problem}.")
    states = _join(program.states)
    return Linearity(
        True,
        f"no gate projects a state, and {states} {'is' if len(program.states) == 1 else 'are'} only added to and "
        "multiplied by what no state enters.",
    )


def _find_problem(node: Node, reads: list[tuple[str, ...]]) -> str:
    """Why a node is not affine in the states that enter its arguments, given that these are affine; or nothing."""
    entering = [bool(states) for states in reads]
    if not any(entering) or node.operation in _SUMS:
        return ""
    first = _join(next(states for states in reads if states))
    match node.operation:
        case "multiply":
            if not all(entering):
                return ""
            return f"two expressions that read a state ({first} and {_join(reads[1])}) are multiplied"
        case "divide":
            return f"an expression of {_join(reads[1])} stands below a division" if entering[1] else ""
        case "power":
            return f"an expression of {first} is raised to the power {node.value:g}" * (node.value not in (0.0, 1.0))
    return f"{node.operation} is applied to an expression of {first}"


def _name_gates(gates: tuple[str, ...]) -> str:
    return f"gate {gates[0]} projects" if len(gates) == 1 else f"gates {_join(gates)} project"


def _name_operand(node: Node, states: tuple[str, ...]) -> str:
    if node.operation == "state":
        return f"the state {node.name}"
    return f"an expression of the state{'s' if len(states) > 1 else ''} {_join(states)}"


def _join(names: tuple[str, ...]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
