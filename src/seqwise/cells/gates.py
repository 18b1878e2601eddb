"""The value that people call a gate: which node of a traced cell it is.

A program has no names inside: the person's variables are gone once it is traced. They are found again from its shape: the
first activation that all of a gate's projections reach is what people call the gate.
"""

from __future__ import annotations

from seqwise.cells.program import Program

ACTIVATIONS = frozenset(["sigmoid", "tanh", "relu", "exp", "softplus", "sin", "cos", "absolute", "sqrt", "log"])
PROJECTIONS = frozenset(["input", "recurrent"])


def count_uses(program: Program) -> list[int]:
    """How many nodes and outputs read each node."""
    uses = [0] * len(program.nodes)
    for node in program.nodes:
        for argument in set(node.arguments):
            uses[argument] += 1
    for out in program.outputs:
        uses[out] += 1
    return uses


def find_gate_values(program: Program) -> dict[str, int | None]:
    """For every gate the node that people call by its name, or None where there is no such node."""
    uses = count_uses(program)
    return {gate: _find_gate_value(program, gate, uses) for gate in program.gates}


def _find_gate_value(program: Program, gate: str, uses: list[int]) -> int | None:
    nodes = program.nodes
    starts = [i for i, n in enumerate(nodes) if n.operation in PROJECTIONS and n.name == gate]
    paths = [_follow(program, start, uses) for start in starts]
    common = [index for index in paths[0] if all(index in path for path in paths)]
    active = [index for index in common if nodes[index].operation in ACTIVATIONS]
    first = [next(i for i in [*p, -1] if i < 0 or nodes[i].operation in ACTIVATIONS) for p in paths]
    if active:
        return active[0] if set(first) == {active[0]} else None
    return common[0] if common else None


def _follow(program: Program, index: int, uses: list[int]) -> list[int]:
    """The node and the chain of nodes that use it, as long as there is one user only."""
    path = [index]
    while uses[index] == 1 and index not in program.outputs:
        index = next(i for i, node in enumerate(program.nodes) if index in node.arguments)
        if program.nodes[index].operation == "recurrent":
            break
        path.append(index)
    return path
