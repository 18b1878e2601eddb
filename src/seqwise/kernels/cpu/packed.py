"""Stacked recurrent layers with fixed weights, ready to answer: arrays in, arrays out, and no torch.

Weights are packed once, both directions of a layer write into one array, and rows are dealt out once for all layers: for
short sequences and small batches all this takes longer than the kernels themselves.

Axis letters: T steps, B batch, D input features, H hidden units, W = H of every direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqwise.cells import Program
from seqwise.kernels.cpu.cell_kernels import Sizes, find_kernels
from seqwise.kernels.cpu.forward_layout import find_matrices, make_layout, make_weight_layout
from seqwise.kernels.cpu.memory import POOL, aligned_zeros
from seqwise.kernels.cpu.schedule import Shard, make_shards
from seqwise.kernels.cpu.stepping import Stack, Stepper, state_fields
from seqwise.kernels.cpu.threads import count_threads, run


class LayerWeights(NamedTuple):
    """The parameters of one layer in one direction, as `seqwise.kernels.contract.Weights` has them; float32 arrays."""

    input: np.ndarray
    recurrent: np.ndarray | None = None
    input_bias: np.ndarray | None = None
    recurrent_bias: np.ndarray | None = None
    vectors: np.ndarray | None = None


class PackedLayers:
    """Recurrent layers over whole sequences, as in evaluation.

    Args:
        program: The cell.
        layers: Of each layer, bottom first, its directions: forward, and reverse if there is one. The arrays are copied.
    """

    def __init__(self, program: Program, layers: Sequence[Sequence[LayerWeights]]) -> None:
        self.hidden = layers[0][0].input.shape[0] // len(program.input_gates)
        self.program = program
        self.layers = [[_Packed(program, weights, self.hidden) for weights in layer] for layer in layers]

    def stack(self) -> Stack:
        """What takes single steps of one sequence, of layers that read forwards."""
        return Stack([layer[0].stepper() for layer in self.layers])

    def __call__(self, x: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Run all layers.

        Args:
            x: (T, B, D) float32; the last axis is contiguous.
            lengths: (B,) int64, 1 to T.

        Returns:
            Outputs of the last layer (T, B, W), zero beyond the lengths; and the first state after the last step of each
            row (of the reverse direction that is the first step), (B, W).
        """
        steps, batch, _ = x.shape
        ragged = None if batch == 1 or int(lengths.min()) == steps else lengths
        work = steps * batch * max(layer[0].work for layer in self.layers)
        shards, threads = make_shards(steps, batch, ragged, count_threads(), work)
        nothing = np.zeros(batch * self.hidden, np.float32)
        for layer in self.layers:
            outputs = np.empty((steps, batch, len(layer) * self.hidden), np.float32)
            finals = [
                packed.run(x, outputs, direction, shards, threads, nothing) for direction, packed in enumerate(layer)
            ]
            x = outputs
        return outputs, finals[0] if len(finals) == 1 else np.concatenate(finals, axis=1)


class _Packed:
    """One layer in one direction."""

    def __init__(self, program: Program, weights: LayerWeights, hidden: int) -> None:
        self._kernels = find_kernels(program, "float32", False, False)
        self._states, self._hidden, self._features = len(program.states), hidden, weights.input.shape[1]
        self._biases = weights.input_bias is not None, weights.recurrent_bias is not None
        self.work = (self._features + hidden) * hidden * len(program.input_gates)
        sizes = self._sizes(1, (1,))
        layout, size = make_weight_layout(sizes), sizes.kernels.size
        self._memory = aligned_zeros((layout.bytes,), "uint8")
        address = self._memory.ctypes.data
        zeros = aligned_zeros((max(*sizes.gates, self._features) + sizes.kernels.lanes,), "float32")
        vectors = None if weights.vectors is None else np.ascontiguousarray(weights.vectors)
        self._kept = (zeros, vectors)
        self._fixed = {"vectors": 0 if vectors is None else vectors.ctypes.data}
        pack, pack_transposed = self._kernels.products["pack"], self._kernels.products["pack_transposed"]
        for panels, bias, of_input, above, rows, depth in find_matrices(sizes):
            matrix = np.ascontiguousarray(weights.input if of_input else weights.recurrent)
            vector = weights.input_bias if of_input else weights.recurrent_bias
            self._fixed[panels] = address + layout.places[panels]
            source = matrix.ctypes.data + above * depth * size
            pack_transposed(source, depth * size, depth, rows, self._fixed[panels])
            if vector is None:
                self._fixed[bias] = zeros.ctypes.data
            else:
                vector = np.ascontiguousarray(vector)
                self._fixed[bias] = address + layout.places[bias]
                pack(vector.ctypes.data + above * size, 0, 1, rows, self._fixed[bias])

    def run(
        self,
        x: np.ndarray,
        outputs: np.ndarray,
        direction: int,
        shards: tuple[Shard, ...],
        threads: int,
        nothing: np.ndarray,
    ) -> np.ndarray:
        """Write this direction's part of the outputs (T, B, W), and return the first state's last values (B, H)."""
        steps, batch, width = outputs.shape
        row = self._hidden * 4
        finals = np.empty((self._states, batch, self._hidden), np.float32)
        zeros, final = nothing.ctypes.data, finals.ctypes.data
        fields = self._fixed | {
            "steps": steps, "reverse": direction, "alive": 0, "input_mask": 0, "recurrent_mask": 0,
            "x": x.ctypes.data, "x_step": x.strides[0], "x_row": x.strides[1],
            "kept": 0, "kept_state": 0, "kept_step": 0, "kept_row": 0,
        }  # fmt: skip
        for k in range(self._states):
            place = final + k * batch * row
            fields |= {f"initial_{k}": zeros, f"final_{k}": place, f"clear_{k}": 0}
            fields |= {f"state_{k}": place, f"state_step_{k}": 0, f"state_row_{k}": row}
        fields |= {"state_0": outputs.ctypes.data + direction * row, "clear_0": 1}
        fields |= {"state_step_0": batch * width * 4, "state_row_0": width * 4}
        layout = make_layout(
            self._sizes(batch, tuple([len(shard.rows) for shard in shards])), False, with_weights=False
        )
        memory = POOL.take(layout.bytes)
        own = [{"row_ids": shard.rows.ctypes.data, "active": shard.active.ctypes.data} for shard in shards]
        run(self._kernels.forward, layout.blocks(memory.ctypes.data, fields, own), threads)
        del memory  # the kernels had its address
        return finals[0]

    def stepper(self) -> Stepper:
        """What takes single steps of a batch of one, with these weights."""
        ((shard,), _) = make_shards(1, 1, None, 1, 0)
        layout = make_layout(self._sizes(1, (1,)), False, with_weights=False)
        memory = aligned_zeros((layout.bytes,), "uint8")
        names = ("reverse", "alive", "input_mask", "recurrent_mask", "x", "x_step", "x_row")
        nothing = dict.fromkeys((*names, "kept", "kept_state", "kept_step", "kept_row"), 0)
        fields = self._fixed | nothing | {"steps": 1} | state_fields(self._states)
        own = [{"row_ids": shard.rows.ctypes.data, "active": shard.active.ctypes.data}]
        blocks = layout.blocks(memory.ctypes.data, fields, own)
        return Stepper(self._kernels, blocks, 1, self._hidden, (self, shard, memory))

    def _sizes(self, batch: int, rows: tuple[int, ...]) -> Sizes:
        return Sizes(self._kernels, batch, self._features, self._hidden, rows, self._biases, False)
