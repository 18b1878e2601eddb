"""An ONNX graph while it is being written: nodes, constants, inputs and outputs, every value with a name of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

FLOAT, INT64, INT32, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL
Shape = Sequence[int | str]


class Names:
    """Names that no other value of a model has, those of its subgraphs included."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def new(self, wish: str) -> str:
        """The wish itself, or with a number behind it."""
        count = self._taken.get(wish, 0)
        self._taken[wish] = count + 1
        return f"{wish}_{count}" if count else wish


class Graph:
    """A graph that grows node by node.

    Args:
        name: of the graph.
        opset: version of the operators.
        outer: the graph around this one, whose values it may read and which holds its constants.
    """

    def __init__(self, name: str, opset: int, outer: Graph | None = None) -> None:
        self.name, self.opset, self._outer = name, opset, outer
        self._names: Names = Names() if outer is None else outer._names
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}
        self._known: dict[tuple[Any, ...], str] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, kind: int, shape: Shape) -> str:
        """Declare an input; sizes that vary have names."""
        name = self._names.new(name)
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, value: str, name: str, kind: int, shape: Shape) -> None:
        """Give a value out under a name."""
        name = self._names.new(name)
        self._nodes.append(helper.make_node("Identity", [value], [name], name=self._names.new("give")))
        self._outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def constant(self, value: Any, name: str = "constant") -> str:
        """A tensor that is part of the model; equal small ones are stored once."""
        if self._outer is not None:
            return self._outer.constant(value, name)
        array = np.asarray(value)
        key = (array.dtype.str, array.shape, array.tobytes()) if array.size <= 64 else ()
        if key and key in self._known:
            return self._known[key]
        name = self._names.new(name)
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        if key:
            self._known[key] = name
        return name

    def add(self, operation: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node and return the name of its output, or those of its outputs."""
        names = [self._names.new(operation.lower()) for _ in range(outputs)]
        node = helper.make_node(operation, list(inputs), names, name=self._names.new(operation), **attributes)
        self._nodes.append(node)
        return names[0] if outputs == 1 else names

    def integers(self, *values: int) -> str:
        """A constant row of int64."""
        return self.constant(np.array(values, np.int64))

    def number(self, value: float) -> str:
        """A constant float32."""
        return self.constant(np.array(value, np.float32))

    def size(self, value: str, axis: int) -> str:
        """The size of one axis, a row of one int64."""
        return self.add("Gather", self.add("Shape", value), self.integers(axis))

    def reshape(self, value: str, *sizes: int) -> str:
        """Reshape; 0 keeps an axis, -1 is what is left."""
        return self.add("Reshape", value, self.integers(*sizes))

    def transpose(self, value: str, *order: int) -> str:
        """Reorder the axes."""
        return self.add("Transpose", value, perm=list(order))

    def range(self, count: str) -> str:
        """0, 1, ... to before the count, int64; the count is a row of one."""
        zero, one = self.constant(np.int64(0)), self.constant(np.int64(1))
        return self.add("Range", zero, self.add("Squeeze", count, self.integers(0)), one)

    def linear(self, x: str, weight: np.ndarray, bias: np.ndarray | None, name: str) -> str:
        """x W^T + b over the last axis."""
        product = self.add("MatMul", x, self.constant(np.ascontiguousarray(weight.T), f"{name}.weight"))
        return product if bias is None else self.add("Add", product, self.constant(bias, f"{name}.bias"))

    def maximum(self, value: str, axis: int) -> str:
        """The largest along an axis, which goes."""
        if self.opset >= 18:  # the axes became an input
            return self.add("ReduceMax", value, self.integers(axis), keepdims=0)
        return self.add("ReduceMax", value, axes=[axis], keepdims=0)

    def mean(self, value: str, axis: int) -> str:
        """The mean along an axis, which stays with size 1."""
        if self.opset >= 18:
            return self.add("ReduceMean", value, self.integers(axis), keepdims=1)
        return self.add("ReduceMean", value, axes=[axis], keepdims=1)

    def sum(self, value: str, axis: int) -> str:
        """The sum along an axis, which goes."""
        return self.add("ReduceSum", value, self.integers(axis), keepdims=0)

    def finish(self) -> GraphProto:
        """The graph."""
        return helper.make_graph(
            self._nodes, self.name, self._inputs, self._outputs, initializer=list(self._constants.values())
        )


def model_of(graph: Graph, producer_version: str, metadata: Mapping[str, str]) -> ModelProto:
    """Return the model, in the oldest file format that has its operators.

    Args:
        graph: the whole of it.
        producer_version: of seqwise.
        metadata: text by name, which runtimes show.
    """
    opsets = [helper.make_opsetid("", graph.opset)]
    model = helper.make_model(graph.finish(), opset_imports=opsets, producer_name="seqwise")
    model.ir_version = helper.find_min_ir_version_for(opsets)
    model.producer_version = producer_version
    helper.set_model_props(model, dict(metadata))
    return model


def constants_of(model: ModelProto) -> int:
    """Bytes of the tensors that a model holds, those of subgraphs included."""

    def of(graph: GraphProto) -> int:
        inner = [a.g for node in graph.node for a in node.attribute if a.type == AttributeProto.GRAPH]
        return sum(len(tensor.raw_data) for tensor in graph.initializer) + sum(map(of, inner))

    return of(model.graph)
