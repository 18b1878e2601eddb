"""One sequence that comes step by step, on the CPU: everything of it in one block of memory, a step in a few microseconds.

For the usual models: recurrent layers that have compiled steps; above them the last output, the mean or the maximum, and one
linear layer. What else there is takes the steps of its module, which are the same to rounding.

Axis letters: L layers, H hidden units, D numbers of a step, K numbers of the pooled vector, C outputs, V symbols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from seqwise.errors import DataError
from seqwise.layers import Recurrent
from seqwise.models.classifier import RecurrentPart, SequenceModel
from seqwise.models.language import LanguageNetwork
from seqwise.models.pretrained import PartlyFrozenEmbedding
from seqwise.models.symbol_rows import SymbolRows

LARGEST_WEIGHTS = 2**24
"""Numbers of a last layer that are packed: those of larger ones stay where they are, once."""

MOST_STEPS = 2**53
_LINE = 64  # bytes of a cache line
_Key = tuple[Any, ...]
_KNOWN: WeakKeyDictionary[nn.Module, tuple[_Key, SequenceSteps | None]] = WeakKeyDictionary()


@dataclass(frozen=True)
class OneSequence:
    """Where a model is in one sequence. Steps write to it.

    Attributes:
        memory: all of it, bytes.
        address: of the memory.
        layers: addresses of the states of every layer, for each recurrent module.
        outputs: what the last step gave, (C,): a view of the memory.
        kept: by name, views of what the next step needs.
    """

    memory: np.ndarray
    address: int = field(repr=False)
    layers: list[list[list[int]]] = field(repr=False)
    outputs: np.ndarray
    kept: dict[str, np.ndarray] = field(repr=False)

    def parts(self) -> dict[str, np.ndarray]:
        """What makes the state, for who stores it."""
        return self.kept

    def check(self, growing: Mapping[str, int]) -> None:
        """Refuse a count that no sequence has; nothing of it grows.

        Raises:
            DataError: it is negative, or beyond all counting.
        """
        if not 0 <= int(self.kept["count"][0]) < MOST_STEPS:
            raise DataError("the state is damaged: the count of its steps is none")


class _Sizes(NamedTuple):
    """Of a recurrent module: how many layers and states, and units of each."""

    layers: int
    states: int
    hidden: int


class SequenceSteps:
    """Steps of one sequence, with the weights of this moment.

    Args:
        embedding: of symbols; None reads frames.
        positions: vectors that are added to those of the first steps, (places, D); None: none.
        recurrent: modules, the lowest first.
        poolings: see `Readout`.
        weight: of the last layer, (C, K).
        bias: (C,).
    """

    def __init__(
        self,
        embedding: nn.Embedding | PartlyFrozenEmbedding | None,
        positions: Tensor | None,
        recurrent: Sequence[Recurrent],
        poolings: tuple[str, ...],
        weight: Tensor,
        bias: Tensor,
    ) -> None:
        from seqwise.kernels.cpu.readout import Readout

        self._dtype, self._outputs = str(weight.dtype).removeprefix("torch."), len(weight)
        self._size = weight.element_size()
        self._steps = [module.prepare(1) for module in recurrent]
        self._symbols = None if embedding is None else SymbolRows(embedding, positions, self._steps[0])
        self._sizes = [_Sizes(m.num_layers, len(m.cell.program.states), m.hidden_size) for m in recurrent]
        self._readout = Readout(poolings, weight, bias)
        self._places: dict[str, int] = {}
        self._layers: list[list[list[int]]] = []
        self._length = self._lay_out()
        self._readout.place(self._places)

    def start(self) -> OneSequence:
        """Where a sequence begins."""
        block = np.zeros(self._length + _LINE, np.uint8)
        begin = -block.ctypes.data % _LINE
        sequence = self._over(block[begin : begin + self._length])
        sequence.kept["largest"][:] = -np.inf
        return sequence

    def copied(self, sequence: OneSequence) -> OneSequence:
        """The same place, which steps from the given one do not change."""
        return self._over(sequence.memory.copy())

    def step(self, x: int | np.ndarray, sequence: OneSequence) -> np.ndarray:
        """Read one step.

        Args:
            x: a symbol, from 0 to V - 1; or a frame (D,).
            sequence: which is written to.

        Returns:
            (C,): a view that holds until the next step.
        """
        steps, layers, row = self._steps, sequence.layers, None
        if not isinstance(x, np.ndarray):
            assert self._symbols is not None
            row = self._symbols.find(x)
            x = self._symbols.vector(x, self.count(sequence)) if row is None else x
        if row is None:
            vector = np.ascontiguousarray(x, self._dtype)  # alive as long as its address is used
            steps[0].take(vector.ctypes.data, layers[0])
        else:
            steps[0].take_row(row, layers[0])
        for place in range(1, len(steps)):
            steps[place].take(layers[place - 1][-1][0], layers[place])
        self._readout(sequence.address)
        return sequence.outputs

    def count(self, sequence: OneSequence) -> int:
        """How many steps have been read."""
        return int(sequence.kept["count"][0])

    def _lay_out(self) -> int:
        """Give everything its place, on lines of the cache, and return how many bytes there are."""
        length = 0

        def take(size: int) -> int:
            nonlocal length
            place, length = length, length + -(-size // _LINE) * _LINE
            return place

        for sizes in self._sizes:
            of_layers = [[take(sizes.hidden * self._size) for _ in range(sizes.states)] for _ in range(sizes.layers)]
            self._layers.append(of_layers)
        self._places = {name: take(size) for name, size in self._readout.sizes.items()}
        self._places["output"] = self._layers[-1][-1][0]
        return length

    def _over(self, memory: np.ndarray) -> OneSequence:
        address, result = memory.ctypes.data, self._places["result"]
        layers = [[[address + place for place in own] for own in module] for module in self._layers]
        outputs = memory[result : result + self._outputs * self._size].view(self._dtype)
        places, sizes = self._places, self._readout.sizes
        kept = {"count": memory[places["count"] :][:8].view(np.int64)}
        for name in ("total", "largest"):
            kept[name] = memory[places[name] :][: sizes[name]].view(self._dtype)
        for number, (module, size) in enumerate(zip(self._layers, self._sizes, strict=True)):
            for layer, own in enumerate(module):
                for state, place in enumerate(own):
                    kept[f"states.{number}.{layer}.{state}"] = memory[place:][: size.hidden * self._size].view(
                        self._dtype
                    )
        return OneSequence(memory, address, layers, outputs, kept)


def prepare_steps(module: nn.Module) -> SequenceSteps | None:
    """What takes the steps of one sequence, or None where only the module itself does.

    Args:
        module: a `SequenceModel` or a `LanguageNetwork`, in evaluation mode.
    """
    key: _Key = tuple((tensor.data_ptr(), tensor._version) for tensor in module.state_dict(keep_vars=True).values())
    known = _KNOWN.get(module)
    if known is None or known[0] != key:
        known = _KNOWN[module] = (key, _prepare(module))
    return known[1]


@torch.no_grad()
def _prepare(module: nn.Module) -> SequenceSteps | None:
    like = next(module.parameters())
    if like.device.type != "cpu" or like.dtype not in (torch.float32, torch.float64):
        return None
    if isinstance(module, LanguageNetwork):
        return _of_language(module)
    return _of_classifier(module) if isinstance(module, SequenceModel) else None


def _of_classifier(module: SequenceModel) -> SequenceSteps | None:
    from seqwise.kernels.cpu.readout import POOLINGS

    part = module.parts["recurrent"] if list(module.parts) == ["recurrent"] else None
    if not isinstance(part, RecurrentPart) or not isinstance(part.recurrent.layers, Recurrent):
        return None
    layers, poolings = part.recurrent.layers, tuple(part.pooling.names)
    (*hidden, last) = part.head
    if hidden or not set(poolings) <= set(POOLINGS) or layers.bidirectional or not layers.prepare(1).compiled:
        return None
    assert isinstance(last, nn.Linear)
    weight, bias = last.weight * module.scales[0], last.bias * module.scales[0] + module.shift
    positions = None if part.positions is None else part.positions.weight
    return SequenceSteps(part.embedding, positions, [layers], poolings, weight, bias)


def _of_language(module: LanguageNetwork) -> SequenceSteps | None:
    weight = module.embedding.weight[1:] if module.weight is None else module.weight
    if module.transformer is not None or module.adaptive is not None or weight.numel() > LARGEST_WEIGHTS:
        return None
    layers = [layer for layer in module.layers if isinstance(layer, Recurrent)]
    if not all(layer.prepare(1).compiled for layer in layers):
        return None
    assert module.bias is not None
    return SequenceSteps(module.embedding, None, layers, ("last",), weight, module.bias)
