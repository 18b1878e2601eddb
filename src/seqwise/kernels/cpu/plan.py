"""What a kernel computes when, what it saves for the backward pass, and what that recomputes.

A step is cut at its matrix products. Level l of the forward step is what needs l products one after another (the LSTM has
levels 0 and 1, the original GRU 0, 1 and 2), level l of the backward step likewise with the transposed products. Between two
products lies one elementwise part; it reads memory, computes in registers and has effects: numbers that must be in memory
later.

Saved for the backward pass: values that cannot be computed from states and other saved values without a product. For the
LSTM these are the four gates; for the tanh RNN nothing, since its state is all that its derivative needs. Everything else
is recomputed: on the machine of benchmarks/results a tanh costs 0.3 ns a unit where writing and reading back 4 bytes
costs as much in the best case, and memory is what long sequences run out of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from seqwise.cells import Derivative, Node, Program, derive


@dataclass(frozen=True)
class Effects:
    """What an elementwise part leaves in memory: node numbers by place. Keys are the index within the place.

    Attributes:
        operands: Stage -> operand of its product (forward: for the product; backward: for the gradient of its weights).
        states: State -> next state (forward), or its adjoint (backward).
        input_gates: Input gate -> adjoint.
        recurrent_gates: Recurrent gate -> adjoint.
        vectors: Learned vector -> adjoint, to be added up.
        temporary: Slot -> adjoint that a later part needs.
    """

    operands: dict[int, int] = field(default_factory=dict)
    states: dict[int, int] = field(default_factory=dict)
    input_gates: dict[int, int] = field(default_factory=dict)
    recurrent_gates: dict[int, int] = field(default_factory=dict)
    vectors: dict[int, int] = field(default_factory=dict)
    temporary: dict[int, int] = field(default_factory=dict)

    def nodes(self) -> list[int]:
        """All of them."""
        return [n for place in vars(self).values() for n in place.values()]


@dataclass(frozen=True)
class Plan:
    """How one cell runs.

    Attributes:
        program: The cell; with zoneout its outputs are mixed with the old states.
        derivative: Its BPTT.
        saved: Nodes that the forward pass saves, in the order of their places.
        forward: Effects of the elementwise parts.
        backward: The same of the backward step.
        products: For each level the stages whose product follows that part.
        transposed: For each level the stages whose transposed product follows that part of the backward step.
        direct: Stage -> the state that enters its product as it is, without a copy.
        temporaries: Node -> slot.
    """

    program: Program
    derivative: Derivative
    saved: tuple[int, ...]
    forward: tuple[Effects, ...]
    backward: tuple[Effects, ...]
    products: tuple[tuple[int, ...], ...]
    transposed: tuple[tuple[int, ...], ...]
    direct: dict[int, int]
    temporaries: dict[int, int]

    @property
    def one_adjoint(self) -> bool:
        """Input and recurrent gates are only ever added: one gradient serves both."""
        same_gates = self.program.input_gates == self.program.recurrent_gates
        return same_gates and self.derivative.input_gates == self.derivative.recurrent_gates


@cache
def make_plan(program: Program, zoneout: bool, recurrent_mask: bool) -> Plan:
    """Plan a cell, with or without zoneout, and with or without a mask on what enters its recurrent products."""
    step = _mix_states(program) if zoneout else program
    derivative = derive(step)
    levels = _forward_levels(step)
    states = {name: k for k, name in enumerate(step.states)}
    direct = {
        k: states[step.nodes[stage.operand].name]
        for k, stage in enumerate(step.stages)
        if step.nodes[stage.operand].operation == "state" and not recurrent_mask
    }
    depth = max((levels[stage.operand] + 1 for stage in step.stages), default=0)
    forward = tuple(Effects() for _ in range(depth + 1))
    products: list[tuple[int, ...]] = [() for _ in range(depth + 1)]
    for k, stage in enumerate(step.stages):
        level = levels[stage.operand]
        products[level] += (k,)
        if k not in direct:
            forward[level].operands[k] = stage.operand
    forward[depth].states.update(enumerate(step.outputs))
    backward, transposed, temporaries = _plan_backward(derivative)
    saved = _choose_saved(derivative, backward)
    return Plan(step, derivative, saved, forward, backward, tuple(products), transposed, direct, temporaries)


class _Mixed(Program):
    """A program that zoneout has changed: its extra leaves `kept` are the kernel's own, not part of the notation."""

    def __post_init__(self) -> None:
        """Made from a program that was checked."""


def _mix_states(program: Program) -> Program:
    """s' = kept * s + (1 - kept) * s'."""
    nodes = list(program.nodes)

    def add(node: Node) -> int:
        nodes.append(node)
        return len(nodes) - 1

    one, outputs = add(Node("constant", value=1.0)), []
    for name, new in zip(program.states, program.outputs, strict=True):
        old = next((i for i, n in enumerate(nodes) if n.operation == "state" and n.name == name), -1)
        kept = add(Node("kept", name=name))
        left = add(Node("multiply", (kept, old)))
        right = add(Node("multiply", (add(Node("subtract", (one, kept))), new)))
        outputs.append(add(Node("add", (left, right))))
    return _Mixed(program.name, program.states, tuple(nodes), tuple(outputs))


def _forward_levels(program: Program) -> list[int]:
    levels: list[int] = []
    for node in program.nodes:
        below = max((levels[a] for a in node.arguments), default=0)
        levels.append(below + (node.operation == "recurrent"))
    return levels


def _plan_backward(derivative: Derivative) -> tuple[tuple[Effects, ...], tuple[tuple[int, ...], ...], dict[int, int]]:
    levels = _backward_levels(derivative)
    stages = derivative.program.stages
    wanted = {"states": derivative.states, "input_gates": derivative.input_gates}
    wanted |= {"recurrent_gates": derivative.recurrent_gates, "vectors": derivative.vectors}
    depth = max(levels)
    parts = tuple(Effects() for _ in range(depth + 1))
    for place, nodes in wanted.items():
        for k, node in enumerate(nodes):
            getattr(parts[levels[node]], place)[k] = node
    parts[0].operands.update((k, stage.operand) for k, stage in enumerate(stages))
    transposed: list[tuple[int, ...]] = [() for _ in parts]
    for index, adjoint in enumerate(derivative.nodes):
        if adjoint.operation == "transposed":
            transposed[levels[index] - 1] += (int(adjoint.value),)
    slots: dict[int, int] = {}
    for level in range(depth, 0, -1):
        for node in _find_older(derivative, levels, level, parts[level].nodes()):
            slot = slots.setdefault(node, len(slots))
            parts[levels[node]].temporary[slot] = node
    return parts, tuple(transposed), slots


def _backward_levels(derivative: Derivative) -> list[int]:
    """Transposed products before each node; 0 for forward values."""
    levels: list[int] = []
    for index, node in enumerate(derivative.nodes):
        below = max((levels[a] for a in node.arguments), default=0)
        forward = index < len(derivative.program.nodes)
        levels.append(0 if forward else below + (node.operation == "transposed"))
    return levels


def _find_older(derivative: Derivative, levels: list[int], level: int, effects: list[int]) -> list[int]:
    """The adjoints of earlier levels that a part reads. Forward values are read or recomputed in any part."""
    pure = _find_pure(derivative)
    found, seen, waiting = [], set(), list(effects)
    while waiting:
        index = waiting.pop()
        if index in seen or index in pure:
            continue
        seen.add(index)
        if levels[index] < level:
            found.append(index)
        elif derivative.nodes[index].operation != "transposed":
            waiting += derivative.nodes[index].arguments
    return sorted(found)


def _find_pure(derivative: Derivative) -> set[int]:
    """Nodes that no adjoint enters."""
    pure: set[int] = set()
    for index, node in enumerate(derivative.nodes):
        forward = index < len(derivative.program.nodes)
        if forward or (node.operation not in ("upstream", "transposed") and pure.issuperset(node.arguments)):
            pure.add(index)
    return pure


def _choose_saved(derivative: Derivative, parts: tuple[Effects, ...]) -> tuple[int, ...]:
    """The forward values that the backward pass cannot have otherwise, in ascending order."""
    program = derivative.program
    seen: set[int] = set()
    waiting = [n for part in parts for n in part.nodes()]
    while waiting:
        index = waiting.pop()
        if index not in seen:
            seen.add(index)
            if index >= len(program.nodes):
                waiting += derivative.nodes[index].arguments
    known = set(program.outputs)
    saved: list[int] = []
    for index in sorted(i for i in seen if i < len(program.nodes)):
        if not _can_recompute(program, index, known):
            saved.append(index)
            known.add(index)
    return tuple(saved)


def _can_recompute(program: Program, index: int, known: set[int]) -> bool:
    node = program.nodes[index]
    if index in known or node.operation in ("state", "vector", "constant", "kept"):
        return True
    if node.operation in ("input", "recurrent"):
        return False
    return all(_can_recompute(program, a, known) for a in node.arguments)
