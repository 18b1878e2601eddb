"""The backward kernel of a cell: BPTT over all steps of the rows of one thread.

Steps run in the opposite order. Each recomputes what was not saved, computes the adjoints of its gates and sends them
through the transposed recurrent products. Adjoints of gates and what entered the products are gathered over as many
steps as make a good product (a chunk, which stays in the cache); then the gradients of weights, biases and input are
taken from the chunk and it is used again: they are never in memory as a whole.

The gradient of a state that is carried from step to step lives in one row per sequence and state; a reset cuts it.
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
    names = ["steps", "rows", "hidden", "features", "batch", "reverse", "row_ids", "lengths", "active", "alive"]
    names += ["x", "x_step", "x_row", "input_mask", "recurrent_mask", "kept", "kept_state", "kept_step", "kept_row"]
    names += ["vectors", "saved", "saved_step", "saved_row", "zeros"]
    names += ["dx", "dx_step", "dx_row", "input_weights", "capacity", "gathered_x", "gathered_x_row", "chunk_dx"]
    names += ["input_adjoints", "input_adjoints_row", "recurrent_adjoints", "recurrent_adjoints_row"]
    names += ["adjoint_table", "dx_table", "mask_table", "temporary", "temporary_row"]
    names += ["d_input", "d_input_bias", "d_recurrent", "d_recurrent_row", "d_recurrent_bias", "d_vectors"]
    for k in range(len(plan.program.stages)):
        names += [f"weights_{k}", f"operand_{k}", f"transposed_{k}"]
    names += ["gathered_row"]  # of operands and of transposed products
    for k in range(len(plan.program.states)):
        names += [f"initial_{k}", f"state_{k}", f"state_step_{k}", f"state_row_{k}", f"old_{k}", f"carry_{k}"]
        names += [f"upstream_{k}", f"upstream_step_{k}", f"upstream_row_{k}", f"d_final_{k}", f"d_final_row_{k}"]
        names += [f"d_initial_{k}"]
    return Fields(names)


def write(plan: Plan, dtype: str, target: Target, recurrent_mask: bool) -> str:
    """The module with the function `backward(address of the argument block)`, in LLVM's text form."""
    module = new_module(target)
    for name in ("product", "accumulate", "sum_columns"):
        ir.Function(module, ir.FunctionType(VOID, [I64] * len(SIGNATURES[name])), name)
    kind = Kind(dtype, target)
    layout = fields(plan)
    flush = Writer(module, "flush", kind, ("block", "pairs"), local=True)
    _write_flush(plan, flush, {name: layout.read(flush, name) for name in layout.names})
    w = Writer(module, "backward", kind, ("block",))
    _Backward(plan, w, {name: layout.read(w, name) for name in layout.names}, recurrent_mask).write()
    w.finish()
    return str(module)


class _Backward:
    def __init__(self, plan: Plan, w: Writer, f: dict[str, Value], recurrent_mask: bool) -> None:
        self.plan, self.w, self.f, self.masked = plan, w, f, recurrent_mask
        self.row_bytes = w.mul(f["hidden"], w.kind.size)
        self.vector_index = {name: k for k, name in enumerate(plan.program.vectors)}
        self.state_index = {name: k for k, name in enumerate(plan.program.states)}
        self.saved_index = {node: k for k, node in enumerate(plan.saved)}
        self.output_index = {node: k for k, node in reversed(list(enumerate(plan.program.outputs)))}

    def write(self) -> None:
        w, f = self.w, self.f
        states = range(len(self.plan.program.states))
        with w.loop(0, f["rows"]) as r:
            row = w.read(w.at(f["row_ids"], r, 8))
            for k in states:
                source = w.add(f[f"d_final_{k}"], w.mul(row, f[f"d_final_row_{k}"]))
                copy_row(w, source, self._carry(k, r), f["hidden"])
        pairs = w.variable(0)
        with w.loop(0, f["steps"]) as i:
            forward = w.equal(f["reverse"], 0)
            t = w.select(forward, w.sub(w.sub(f["steps"], 1), i), i)
            before = w.select(forward, w.sub(t, 1), w.add(t, 1))  # the step that this one came after
            active = w.read(w.at(f["active"], t, 8))
            with w.when(w.less(f["capacity"], w.add(w.get(pairs), active))):
                w.call("flush", w.arguments["block"], w.get(pairs))
                w.set(pairs, 0)
            self._step(t, before, active, w.get(pairs))
            w.set(pairs, w.add(w.get(pairs), active))
            self._clear_ended(t, active)
        w.call("flush", w.arguments["block"], w.get(pairs))
        with w.loop(0, f["rows"]) as r:
            row = w.read(w.at(f["row_ids"], r, 8))
            for k in states:
                copy_row(w, self._carry(k, r), w.add(f[f"d_initial_{k}"], w.mul(row, self.row_bytes)), f["hidden"])

    def _carry(self, k: int, r: Value) -> Value:
        return self.w.add(self.f[f"carry_{k}"], self.w.mul(r, self.row_bytes))

    def _clear_ended(self, t: Value, active: Value) -> None:
        """The gradient of padding is zero."""
        w, f = self.w, self.f
        with w.when(w.b.not_(w.equal(f["dx"], 0))), w.loop(active, f["rows"]) as r:
            row = w.read(w.at(f["row_ids"], r, 8))
            clear_row(w, w.add(f["dx"], w.mul(t, f["dx_step"]), w.mul(row, f["dx_row"])), f["features"])

    def _step(self, t: Value, before: Value, active: Value, pairs: Value) -> None:
        w, f, plan = self.w, self.f, self.plan
        with w.loop(0, active) as r:
            self._gather(t, before, r, w.add(pairs, r))
        for level, effects in enumerate(plan.backward):
            if effects.nodes():
                with w.loop(0, active) as r:
                    part = _Part(self, t, r, w.add(pairs, r), level)
                    for_blocks(w, f["hidden"], lambda block, p=part, e=effects: p.write(block, e))  # type: ignore[misc]
            for k in plan.transposed[level]:
                self._multiply(k, active, pairs)
        with w.when(w.b.not_(w.equal(f["alive"], 0))), w.loop(0, active) as r:
            row = w.read(w.at(f["row_ids"], r, 8))
            flag = w.read(w.add(f["alive"], w.mul(t, f["batch"]), row), I8)
            with w.when(w.b.icmp_signed("==", flag, ir.Constant(I8, 0))):
                for k in range(len(plan.program.states)):
                    clear_row(w, self._carry(k, r), f["hidden"])

    def _gather(self, t: Value, before: Value, r: Value, pair: Value) -> None:
        """For one row: where its old states are, where its input gradient goes, and a copy of its input."""
        w, f = self.w, self.f
        row = w.read(w.at(f["row_ids"], r, 8))
        started = w.b.or_(w.less(before, 0), w.equal(before, w.read(w.at(f["lengths"], r, 8))))
        dead = w.b.not_(w.equal(f["alive"], 0))
        flag = w.variable(1)
        with w.when(dead):
            w.set(flag, w.b.zext(w.read(w.add(f["alive"], w.mul(t, f["batch"]), row), I8), I64))
        for k in range(len(self.plan.program.states)):
            first = w.add(f[f"initial_{k}"], w.mul(row, self.row_bytes))
            later = w.add(f[f"state_{k}"], w.mul(before, f[f"state_step_{k}"]), w.mul(row, f[f"state_row_{k}"]))
            old = w.select(started, first, later)
            w.write(w.select(w.equal(w.get(flag), 0), f["zeros"], old), w.at(f[f"old_{k}"], r, 8))
        w.write(w.add(f["dx"], w.mul(t, f["dx_step"]), w.mul(row, f["dx_row"])), w.at(f["dx_table"], pair, 8))
        source = w.add(f["x"], w.mul(t, f["x_step"]), w.mul(row, f["x_row"]))
        target = w.add(f["gathered_x"], w.mul(pair, f["gathered_x_row"]))
        mask = w.add(f["input_mask"], w.mul(w.mul(row, f["features"]), w.kind.size))
        w.write(mask, w.at(f["mask_table"], pair, 8))
        with w.b.if_else(w.equal(f["input_mask"], 0)) as (plain, masked):
            with plain:
                copy_row(w, source, target, f["features"])
            with masked:
                copy_row(w, source, target, f["features"], mask)

    def _multiply(self, stage: int, active: Value, pairs: Value) -> None:
        """The transposed product of one stage: adjoints of its gates to the adjoint of its operand."""
        w, f, stages = self.w, self.f, self.plan.program.stages
        offset = w.mul(sum(len(s.gates) for s in stages[:stage]), self.row_bytes)
        base = w.add(f["recurrent_adjoints"], offset)
        with w.loop(0, active) as r:
            place = w.add(base, w.mul(w.add(pairs, r), f["recurrent_adjoints_row"]))
            w.write(place, w.at(f["adjoint_table"], r, 8))
        registers = w.divide(w.add(f["hidden"], w.kind.lanes - 1), w.kind.lanes)
        w.call(
            "product", f["adjoint_table"], active, w.mul(f["hidden"], len(stages[stage].gates)), f[f"weights_{stage}"],
            f["zeros"], f[f"transposed_{stage}"], f["gathered_row"], registers,
        )  # fmt: skip


class _Part:
    """One elementwise part for one row."""

    def __init__(self, kernel: _Backward, t: Value, r: Value, pair: Value, level: int) -> None:
        w, f = kernel.w, kernel.f
        self.kernel, self.w, self.r, self.pair, self.level = kernel, w, r, pair, level
        row = w.read(w.at(f["row_ids"], r, 8))
        states = range(len(kernel.plan.program.states))
        self.mask = w.add(f["recurrent_mask"], w.mul(row, kernel.row_bytes))
        self.saved = w.add(f["saved"], w.mul(t, f["saved_step"]), w.mul(row, f["saved_row"]))
        self.kept = w.add(f["kept"], w.mul(t, f["kept_step"]), w.mul(row, f["kept_row"]))
        self.temporary = w.add(f["temporary"], w.mul(r, f["temporary_row"]))
        self.old = [w.read(w.at(f[f"old_{k}"], r, 8)) for k in states]
        self.new, self.upstream = (
            [w.add(f[f"{name}_{k}"], w.mul(t, f[f"{name}_step_{k}"]), w.mul(row, f[f"{name}_row_{k}"])) for k in states]
            for name in ("state", "upstream")
        )
        self.input_adjoints, self.recurrent_adjoints = (
            w.add(f[name], w.mul(pair, f[f"{name}_row"])) for name in ("input_adjoints", "recurrent_adjoints")
        )

    def write(self, block: Block, effects: Effects) -> None:
        w, kernel, f = self.w, self.kernel, self.kernel.f
        registers = Registers(w, kernel.plan.derivative.nodes, lambda index, node: self._read(index, node, block))
        results: list[tuple[Vector, Value]] = []

        def put(value: Vector, row: Value, place: int = 0) -> None:
            results.append((value, w.add(row, w.mul(place, kernel.row_bytes), block.offset)))

        for k, node in effects.operands.items():
            value = registers[node]
            if kernel.masked:
                value = value * w.load(w.add(self.mask, block.offset), block.mask)
            put(value, w.add(f[f"operand_{k}"], w.mul(self.pair, f["gathered_row"])))
        for k, node in effects.input_gates.items():
            put(registers[node], self.input_adjoints, k)
        if not kernel.plan.one_adjoint:
            for k, node in effects.recurrent_gates.items():
                put(registers[node], self.recurrent_adjoints, k)
        for k, node in effects.temporary.items():
            put(registers[node], self.temporary, k)
        for k, node in effects.states.items():
            put(registers[node], kernel._carry(k, self.r))
        for k, node in effects.vectors.items():
            total = w.load(w.add(f["d_vectors"], w.mul(k, kernel.row_bytes), block.offset), block.mask)
            put(total + registers[node], f["d_vectors"], k)
        for value, place in results:  # after all loads: a carried gradient takes the place of its predecessor
            w.store(value, place, block.mask)

    def _read(self, index: int, node: Node, block: Block) -> Vector | None:
        w, kernel, f = self.w, self.kernel, self.kernel.f

        def at(row: Value, place: int = 0) -> Vector:
            return w.load(w.add(row, w.mul(place, kernel.row_bytes), block.offset), block.mask)

        slot = kernel.plan.temporaries.get(index)
        if slot is not None and index not in kernel.plan.backward[self.level].temporary.values():
            return at(self.temporary, slot)
        if index in kernel.saved_index:
            return at(self.saved, kernel.saved_index[index])
        if index in kernel.output_index:
            return at(self.new[kernel.output_index[index]])
        match node.operation:
            case "upstream":
                k = kernel.state_index[node.name]
                return at(kernel._carry(k, self.r)) + at(self.upstream[k])
            case "transposed":
                stage = int(node.value)
                value = at(w.add(f[f"transposed_{stage}"], w.mul(self.r, f["gathered_row"])))
                return value * at(self.mask) if kernel.masked else value
            case "state":
                return at(self.old[kernel.state_index[node.name]])
            case "vector":
                return at(f["vectors"], kernel.vector_index[node.name])
            case "kept":
                k = kernel.state_index[node.name]
                return w.load(w.add(self.kept, w.mul(k, f["kept_state"]), block.offset), block.mask)
        return None


def _write_flush(plan: Plan, w: Writer, f: dict[str, Value]) -> None:
    """Gradients of weights, biases and input from a chunk of pairs (step, row)."""
    lanes, size = w.kind.lanes, w.kind.size
    pairs, row_bytes = w.arguments["pairs"], w.mul(f["hidden"], size)

    def registers(columns: Value) -> Value:
        return w.divide(w.add(columns, lanes - 1), lanes)

    features = registers(f["features"])
    inputs = w.mul(f["hidden"], len(plan.program.input_gates))
    with w.when(w.less(0, pairs)):
        adjoints, stride = f["input_adjoints"], f["input_adjoints_row"]
        w.call(
            "accumulate", adjoints, stride, inputs, pairs, f["gathered_x"], f["gathered_x_row"],
            f["d_input"], f["gathered_x_row"], features,
        )  # fmt: skip
        w.call("sum_columns", adjoints, stride, pairs, f["d_input_bias"], registers(inputs))
        above = 0
        for k, stage in enumerate(plan.program.stages):
            left = w.add(f["recurrent_adjoints"], w.mul(above, row_bytes))
            target = w.add(f["d_recurrent"], w.mul(w.mul(above, f["hidden"]), f["d_recurrent_row"]))
            w.call(
                "accumulate", left, f["recurrent_adjoints_row"], w.mul(f["hidden"], len(stage.gates)), pairs,
                f[f"operand_{k}"], f["gathered_row"], target, f["d_recurrent_row"], registers(f["hidden"]),
            )  # fmt: skip
            above += len(stage.gates)
        if above and not plan.one_adjoint:
            columns = registers(w.mul(f["hidden"], above))
            w.call(
                "sum_columns",
                f["recurrent_adjoints"],
                f["recurrent_adjoints_row"],
                pairs,
                f["d_recurrent_bias"],
                columns,
            )
        with w.when(w.b.not_(w.equal(f["dx"], 0))):
            with w.loop(0, pairs) as pair:
                w.write(w.add(adjoints, w.mul(pair, stride)), w.at(f["adjoint_table"], pair, 8))
            w.call(
                "product", f["adjoint_table"], pairs, inputs, f["input_weights"], f["zeros"],
                f["chunk_dx"], f["gathered_x_row"], features,
            )  # fmt: skip
            with w.loop(0, pairs) as pair:
                source = w.add(f["chunk_dx"], w.mul(pair, f["gathered_x_row"]))
                target = w.read(w.at(f["dx_table"], pair, 8))
                with w.b.if_else(w.equal(f["input_mask"], 0)) as (plain, masked):
                    with plain:
                        copy_row(w, source, target, f["features"])
                    with masked:
                        copy_row(w, source, target, f["features"], w.read(w.at(f["mask_table"], pair, 8)))
    w.finish()
