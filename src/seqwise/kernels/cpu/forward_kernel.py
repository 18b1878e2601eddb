"""The forward kernel of a cell: all steps of the rows of one thread.

Fused: the recurrent products, the gates, masks, zoneout, resets, and the zeros on padding. The input projection is a
product over as many steps as make a good left side; its result is read while it is in the cache. Rows come longest
first, so that those which still run are the first ones; rows that have ended cost nothing. A row's state is an address:
of the initial state, of a row of zeros after a reset, or of what the step before wrote. So nothing is copied.

Saved, when a backward pass will follow: what `plan.saved` says, for every step and row, and all states. Without one, the
same stores go to one row's worth of scratch memory (a step of 0 bytes), which stays in the cache.
"""

from __future__ import annotations

from llvmlite import ir

from seqwise.cells import Node
from seqwise.kernels.cpu.elementwise import Block, Fields, Registers, clear_row, copy_row, for_blocks
from seqwise.kernels.cpu.plan import Effects, Plan
from seqwise.kernels.cpu.products import SIGNATURES
from seqwise.kernels.cpu.target import Target
from seqwise.kernels.cpu.vector import I8, I64, VOID, Kind, Value, Vector, Writer, new_module


def fields(plan: Plan) -> Fields:
    """The argument block. Strides are in bytes; 0 for an address means that there is none."""
    names = ["steps", "rows", "hidden", "features", "batch", "reverse", "row_ids", "active", "alive"]
    names += ["x", "x_step", "x_row", "input_mask", "recurrent_mask", "kept", "kept_state", "kept_step", "kept_row"]
    names += ["input_weights", "input_bias", "vectors", "saved", "saved_step", "saved_row", "zeros"]
    names += ["projected", "projected_row", "chunk_steps", "masked_x", "x_table"]
    for k in range(len(plan.program.stages)):
        names += [f"weights_{k}", f"bias_{k}", f"product_{k}", f"product_row_{k}", f"operand_{k}", f"operand_table_{k}"]
    for k in range(len(plan.program.states)):
        names += [f"initial_{k}", f"final_{k}", f"state_{k}", f"state_step_{k}", f"state_row_{k}", f"clear_{k}"]
        names += [f"current_{k}"]
    return Fields(names)


def write(plan: Plan, dtype: str, target: Target, recurrent_mask: bool) -> str:
    """The module with the function `forward(address of the argument block)`, in LLVM's text form."""
    module = new_module(target)
    for name in ("product",):
        ir.Function(module, ir.FunctionType(VOID, [I64] * len(SIGNATURES[name])), name)
    w = Writer(module, "forward", Kind(dtype, target), ("block",))
    _Forward(plan, w, recurrent_mask).write()
    w.finish()
    return str(module)


class _Forward:
    def __init__(self, plan: Plan, w: Writer, recurrent_mask: bool) -> None:
        self.plan, self.w, self.masked = plan, w, recurrent_mask
        layout = fields(plan)
        self.f = {name: layout.read(w, name) for name in layout.names}
        self.row_bytes = w.mul(self.f["hidden"], w.kind.size)
        nodes = plan.program.nodes
        self.input_index = {name: k for k, name in enumerate(plan.program.input_gates)}
        self.vector_index = {name: k for k, name in enumerate(plan.program.vectors)}
        self.state_index = {name: k for k, name in enumerate(plan.program.states)}
        self.gate_place = {g: (s, k) for s, stage in enumerate(plan.program.stages) for k, g in enumerate(stage.gates)}
        self.saved_index = {node: k for k, node in enumerate(plan.saved)}
        self.nodes = nodes

    def write(self) -> None:
        w, f = self.w, self.f
        self._start()
        with w.loop(0, f["steps"], f["chunk_steps"]) as first:
            last = w.smaller(w.add(first, f["chunk_steps"]), f["steps"])
            self._project(first, last)
            pairs = w.variable(0)
            with w.loop(first, last) as i:
                t = self._time(i)
                active = w.read(w.at(f["active"], t, 8))
                self._step(t, active, w.get(pairs))
                w.set(pairs, w.add(w.get(pairs), active))
        self._end()

    def _time(self, i: Value) -> Value:
        w, f = self.w, self.f
        return w.select(w.equal(f["reverse"], 0), i, w.sub(w.sub(f["steps"], 1), i))

    def _start(self) -> None:
        """Every row's current state is its initial one; operands that are computed have fixed places."""
        w, f = self.w, self.f
        with w.loop(0, f["rows"]) as r:
            row = w.read(w.at(f["row_ids"], r, 8))
            for k in range(len(self.plan.program.states)):
                w.write(w.add(f[f"initial_{k}"], w.mul(row, self.row_bytes)), w.at(f[f"current_{k}"], r, 8))
            for k in range(len(self.plan.program.stages)):
                if k not in self.plan.direct:
                    place = w.add(f[f"operand_{k}"], w.mul(r, self.row_bytes))
                    w.write(place, w.at(f[f"operand_table_{k}"], r, 8))

    def _project(self, first: Value, last: Value) -> None:
        """The input projection of the steps from first to last."""
        w, f = self.w, self.f
        pairs = w.variable(0)
        with w.loop(first, last) as i:
            t = self._time(i)
            with w.loop(0, w.read(w.at(f["active"], t, 8))) as r:
                row = w.read(w.at(f["row_ids"], r, 8))
                source = w.add(f["x"], w.mul(t, f["x_step"]), w.mul(row, f["x_row"]))
                pair = w.get(pairs)
                place = w.at(f["x_table"], pair, 8)
                w.write(source, place)
                with w.when(w.b.not_(w.equal(f["input_mask"], 0))):
                    bytes_of_x = w.mul(f["features"], w.kind.size)
                    masked = w.add(f["masked_x"], w.mul(pair, bytes_of_x))
                    copy_row(w, source, masked, f["features"], w.add(f["input_mask"], w.mul(row, bytes_of_x)))
                    w.write(masked, place)
                w.set(pairs, w.add(pair, 1))
        registers = self._registers(len(self.plan.program.input_gates))
        w.call(
            "product", f["x_table"], w.get(pairs), f["features"], f["input_weights"], f["input_bias"],
            f["projected"], f["projected_row"], registers,
        )  # fmt: skip

    def _registers(self, gates: int) -> Value:
        w = self.w
        return w.divide(w.add(w.mul(self.f["hidden"], gates), w.kind.lanes - 1), w.kind.lanes)

    def _step(self, t: Value, active: Value, pairs: Value) -> None:
        w, f, plan = self.w, self.f, self.plan
        with w.when(w.b.not_(w.equal(f["alive"], 0))), w.loop(0, active) as r:
            row = w.read(w.at(f["row_ids"], r, 8))
            flag = w.read(w.add(f["alive"], w.mul(t, f["batch"]), row), I8)
            with w.when(w.b.icmp_signed("==", flag, ir.Constant(I8, 0))):
                for k in range(len(plan.program.states)):
                    w.write(f["zeros"], w.at(f[f"current_{k}"], r, 8))
        stored: set[int] = set()
        for level, effects in enumerate(plan.forward):
            last = level == len(plan.forward) - 1
            if effects.nodes() or last:
                computed: set[int] = set()
                with w.loop(0, active) as r:
                    part = _Part(self, t, r, pairs, frozenset(stored))
                    for_blocks(w, f["hidden"], lambda block, p=part, e=effects, c=computed: p.write(block, e, c))  # type: ignore[misc]
                    if last:
                        part.move_states()
                stored |= computed
            for k in plan.products[level]:
                table = f[f"current_{plan.direct[k]}"] if k in plan.direct else f[f"operand_table_{k}"]
                w.call(
                    "product", table, active, f["hidden"], f[f"weights_{k}"], f[f"bias_{k}"],
                    f[f"product_{k}"], f[f"product_row_{k}"], self._registers(len(plan.program.stages[k].gates)),
                )  # fmt: skip

    def _end(self) -> None:
        """Final states, and zeros where rows have ended."""
        w, f = self.w, self.f
        for k in range(len(self.plan.program.states)):
            with w.loop(0, f["rows"]) as r:
                row = w.read(w.at(f["row_ids"], r, 8))
                place = w.add(f[f"final_{k}"], w.mul(row, self.row_bytes))
                copy_row(w, w.read(w.at(f[f"current_{k}"], r, 8)), place, f["hidden"])
            with (
                w.when(w.equal(f[f"clear_{k}"], 1)),
                w.loop(0, f["steps"]) as t,
                w.loop(w.read(w.at(f["active"], t, 8)), f["rows"]) as r,
            ):
                row = w.read(w.at(f["row_ids"], r, 8))
                base = w.add(f[f"state_{k}"], w.mul(t, f[f"state_step_{k}"]), w.mul(row, f[f"state_row_{k}"]))
                clear_row(w, base, f["hidden"])


class _Part:
    """One elementwise part for one row."""

    def __init__(self, kernel: _Forward, t: Value, r: Value, pairs: Value, stored: frozenset[int]) -> None:
        w, f = kernel.w, kernel.f
        self.kernel, self.w, self.r, self.stored = kernel, w, r, stored
        row = w.read(w.at(f["row_ids"], r, 8))
        states = range(len(kernel.plan.program.states))
        self.mask = w.add(f["recurrent_mask"], w.mul(row, kernel.row_bytes))
        self.projected = w.add(f["projected"], w.mul(w.add(pairs, r), f["projected_row"]))
        self.saved = w.add(f["saved"], w.mul(t, f["saved_step"]), w.mul(row, f["saved_row"]))
        self.kept = w.add(f["kept"], w.mul(t, f["kept_step"]), w.mul(row, f["kept_row"]))
        self.old = [w.read(w.at(f[f"current_{k}"], r, 8)) for k in states]
        self.new = [
            w.add(f[f"state_{k}"], w.mul(t, f[f"state_step_{k}"]), w.mul(row, f[f"state_row_{k}"])) for k in states
        ]

    def write(self, block: Block, effects: Effects, computed: set[int]) -> None:
        w, kernel, plan = self.w, self.kernel, self.kernel.plan
        registers = Registers(w, kernel.nodes, lambda index, node: self._read(index, node, block))
        results: list[tuple[Vector, Value]] = []
        for k, node in effects.operands.items():
            value = registers[node]
            if kernel.masked:
                value = value * w.load(w.add(self.mask, block.offset), block.mask)
            row = w.add(kernel.f[f"operand_{k}"], w.mul(self.r, kernel.row_bytes))
            results.append((value, w.add(row, block.offset)))
        for k, node in effects.states.items():
            results.append((registers[node], w.add(self.new[k], block.offset)))
        if effects.states:  # the last part: whatever is saved has to be there
            for index in plan.saved:
                registers[index]
        for index, k in kernel.saved_index.items():
            if index in registers.computed and index not in self.stored:
                place = w.add(self.saved, w.mul(k, kernel.row_bytes), block.offset)
                results.append((registers.computed[index], place))
                computed.add(index)
        for value, place in results:  # after all loads: a state may take the place of its predecessor
            w.store(value, place, block.mask)

    def move_states(self) -> None:
        """The new states are the current ones."""
        for k, place in enumerate(self.new):
            self.w.write(place, self.w.at(self.kernel.f[f"current_{k}"], self.r, 8))

    def _read(self, index: int, node: Node, block: Block) -> Vector | None:
        w, kernel, f = self.w, self.kernel, self.kernel.f

        def at(row: Value, place: int) -> Vector:
            return w.load(w.add(row, w.mul(place, kernel.row_bytes), block.offset), block.mask)

        if index in self.stored:
            return at(self.saved, kernel.saved_index[index])
        match node.operation:
            case "input":
                return at(self.projected, kernel.input_index[node.name])
            case "recurrent":
                stage, place = kernel.gate_place[node.name]
                return at(w.add(f[f"product_{stage}"], w.mul(self.r, f[f"product_row_{stage}"])), place)
            case "state":
                return at(self.old[kernel.state_index[node.name]], 0)
            case "vector":
                return at(f["vectors"], kernel.vector_index[node.name])
            case "kept":
                k = kernel.state_index[node.name]
                return w.load(w.add(self.kept, w.mul(k, f["kept_state"]), block.offset), block.mask)
        return None
