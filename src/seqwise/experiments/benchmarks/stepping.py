"""One stream, one step at a time, as generation and live input run: `Recurrent.step`, `torch.nn.LSTMCell`, ONNX Runtime.

Every side walks through the same T inputs with the state carried from step to step; a run is the whole walk. Each keeps the
hidden state of every step only when results are asked for.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqwise.experiments.benchmarks.cases import Case, Side
from seqwise.experiments.benchmarks.sides import our_backend
from seqwise.layers import Recurrent
from seqwise.prediction.exported import QUIET


def our_stepping_side(case: Case) -> Side | None:
    """`layer.step(x, state)`, or None in a version without it."""
    _, _, features, hidden = case.shape
    layer: Any = Recurrent(case.cell, features, hidden, backend=our_backend())
    if not hasattr(layer, "step"):
        return None
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), _parameters(case), strict=True):
            parameter.copy_(value)
    inputs = case.x.unbind(0)

    def walk(outputs: list[Tensor] | None = None) -> tuple[Tensor, ...]:
        state = tuple(s.unsqueeze(0).clone() for s in case.initial)
        for x in inputs:
            output, state = layer.step(x, state)
            if outputs is not None:
                outputs.append(output.clone())
        return tuple(state)

    return _make_side(f"seqwise step ({our_backend()})", case, walk)


def torch_stepping_side(case: Case) -> Side:
    """`torch.nn.LSTMCell` under `inference_mode`."""
    _, _, features, hidden = case.shape
    layer = nn.LSTMCell(features, hidden)
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), _parameters(case), strict=True):
            parameter.copy_(value)
    inputs = case.x.unbind(0)

    def walk(outputs: list[Tensor] | None = None) -> tuple[Tensor, ...]:
        with torch.inference_mode():
            h, c = case.initial
            for x in inputs:
                h, c = layer(x, (h, c))
                if outputs is not None:
                    outputs.append(h.clone())
            return h, c

    return _make_side("torch.nn.LSTMCell", case, walk)


def onnx_stepping_side(case: Case) -> Side | None:
    """ONNX Runtime's LSTM operator with bound buffers, or None where onnx or onnxruntime is not installed.

    Two bindings, made once, swap the roles of two pairs of state buffers: nothing is allocated or copied per step but x.
    One thread: the product of one row is too small to share (measured: two gain under 10%, and spin afterwards in the
    time of the others).
    """
    os.environ.setdefault(*QUIET)
    try:
        runtime = importlib.import_module("onnxruntime")
        model = _make_model(case)
    except ImportError:
        return None
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    batch, _, features, hidden = case.shape
    buffer = np.zeros((1, batch, features), np.float32)
    even, odd = ([np.zeros((1, batch, hidden), np.float32) for _ in "hc"] for _ in range(2))

    def bind(source: list[np.ndarray], target: list[np.ndarray]) -> Any:
        binding = session.io_binding()
        for name, array in zip(("x", "h", "c"), (buffer, *source), strict=True):
            binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for name, array in zip(("next_h", "next_c"), target, strict=True):
            binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return binding

    bindings, targets = (bind(even, odd), bind(odd, even)), (odd, even)
    inputs, initial = list(case.x.numpy()), [s.numpy() for s in case.initial]

    def walk(outputs: list[Tensor] | None = None) -> tuple[Tensor, ...]:
        for state, value in zip(even, initial, strict=True):
            state[0] = value
        for t, x in enumerate(inputs):
            buffer[0] = x
            session.run_with_iobinding(bindings[t & 1])
            if outputs is not None:
                outputs.append(torch.from_numpy(targets[t & 1][0].copy()))
        return tuple(torch.from_numpy(s[0]) for s in targets[(len(inputs) - 1) & 1])

    return _make_side("ONNX Runtime", case, walk)


def _make_side(name: str, case: Case, walk: Any) -> Side:
    def results() -> dict[str, Tensor]:
        outputs: list[Tensor] = []
        finals = [s.clone() for s in walk(outputs)]
        named = {f"final {s}": v for s, v in zip(case.cell.program.states, finals, strict=True)}
        return {"outputs": torch.stack(outputs)} | named

    return Side(name, walk, results)


def _parameters(case: Case) -> list[Tensor]:
    return [w for w in case.weights if w is not None]


def _make_model(case: Case) -> bytes:
    """One step of the LSTM as an ONNX model: x (1, B, D), h and c (1, B, H) -> next h and c."""
    onnx = importlib.import_module("onnx")
    helper, numbers = onnx.helper, onnx.numpy_helper
    batch, _, features, hidden = case.shape

    def arrange(rows: Tensor) -> np.ndarray:
        """Gates i, f, g, o in ONNX's order i, o, f, g."""
        i, f, g, o = rows.chunk(4)
        return torch.cat([i, o, f, g]).numpy()

    weights, recurrent, input_bias, recurrent_bias = (arrange(w) for w in _parameters(case))
    constants = {"W": weights[None], "R": recurrent[None], "B": np.concatenate([input_bias, recurrent_bias])[None]}

    def value(name: str, size: int) -> Any:
        return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, batch, size])

    node = helper.make_node("LSTM", ["x", "W", "R", "B", "", "h", "c"], ["", "next_h", "next_c"], hidden_size=hidden)
    graph = helper.make_graph(
        [node],
        "lstm_step",
        [value("x", features), value("h", hidden), value("c", hidden)],
        [value("next_h", hidden), value("next_c", hidden)],
        [numbers.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
