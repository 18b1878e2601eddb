"""Layers and folders through onnxruntime, for the tests of the export."""

from __future__ import annotations

import numpy as np
import torch

from seqwise.export.onnx_graph import FLOAT, INT64, Graph, model_of
from seqwise.export.onnx_recurrent import add_recurrent, find_steps


def normal_(module, seed=0, scale=0.4):
    """Give every weight another random value: biases and peepholes that start at zero would hide a swap."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point() and "forbidden" not in name:
                tensor.normal_(generator=generator).mul_(scale)
    return module.eval()


def recurrent_model(layers, opset=17, with_states=False):
    """The layers as an ONNX model: x (T, B, D), lengths (B,), states -> outputs, and every final state."""
    graph = Graph("layers", opset)
    size, hidden = layers.input_size, layers.hidden_size
    x = graph.input("x", FLOAT, ("time", "batch", size))
    lengths = graph.input("lengths", INT64, ("batch",))
    directions = 2 if layers.bidirectional else 1
    count = layers.num_layers * directions
    states = None
    if with_states:
        states = [graph.input(f"state_{name}", FLOAT, (count, "batch", hidden)) for name in layers.cell.program.states]
    outputs, finals = add_recurrent(graph, layers, x, find_steps(graph, lengths, x, 0), states)
    graph.output(outputs, "outputs", FLOAT, ("time", "batch", hidden * directions))
    for place, of_layer in enumerate(finals):
        for name, state in zip(layers.cell.program.states, of_layer, strict=True):
            graph.output(state, f"final_{place}_{name}", FLOAT, ("batch", hidden))
    return model_of(graph, "0", {"about": "a test"})


def ragged(batch, steps, size, seed=0):
    """x (T, B, D) whose padding is NaN, and lengths (B,): the longest, a single step, and between."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(steps, batch, size, generator=generator)
    lengths = torch.randint(1, steps + 1, (batch,), generator=generator)
    lengths[0] = steps
    if batch > 2:
        lengths[2] = 1
    x[torch.arange(steps)[:, None] >= lengths] = float("nan")
    return x, lengths


def expected_of(layers, x, lengths, states=None):
    """What PyTorch gives, in the order of the model's outputs."""
    with torch.no_grad():
        outputs, finals = layers(
            x, None if states is None else states if len(states) > 1 else states[0], lengths=lengths
        )
    finals = finals if isinstance(finals, tuple) else (finals,)
    return [outputs, *(state[place] for place in range(len(finals[0])) for state in finals)]


def run(model, **inputs):
    """What onnxruntime gives."""
    from seqwise.prediction.exported import Network

    given = {name: np.asarray(value) for name, value in inputs.items()}
    return [torch.from_numpy(found) for found in Network(model.SerializeToString(), "the model")(given)]
