"""Steps of one sequence from a torch module, with its weights of this moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from seqwise.kernels.cpu.readout import POOLINGS
from seqwise.layers import Recurrent
from seqwise.models.classifier import RecurrentPart, SequenceModel
from seqwise.models.language import LanguageNetwork
from seqwise.models.one_sequence import SequenceSteps, Sizes
from seqwise.models.pretrained import PartlyFrozenEmbedding
from seqwise.models.symbol_rows import SymbolRows

LARGEST_WEIGHTS = 2**24
"""Numbers of a last layer that are packed: those of larger ones stay where they are, once."""

_Key = tuple[Any, ...]
_KNOWN: WeakKeyDictionary[nn.Module, tuple[_Key, SequenceSteps | None]] = WeakKeyDictionary()


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
    part = module.parts["recurrent"] if list(module.parts) == ["recurrent"] else None
    if not isinstance(part, RecurrentPart) or not isinstance(part.recurrent.layers, Recurrent):
        return None
    layers, poolings = part.recurrent.layers, tuple(part.pooling.names)
    (*hidden, last) = part.head
    if hidden or not set(poolings) <= set(POOLINGS) or layers.bidirectional or layers.prepare(1).stack is None:
        return None
    assert isinstance(last, nn.Linear)
    weight, bias = last.weight * module.scales[0], last.bias * module.scales[0] + module.shift
    positions = None if part.positions is None else part.positions.weight
    return _steps(part.embedding, positions, [layers], poolings, weight, bias)


def _of_language(module: LanguageNetwork) -> SequenceSteps | None:
    weight = module.embedding.weight[1:] if module.weight is None else module.weight
    if module.transformer is not None or module.adaptive is not None or weight.numel() > LARGEST_WEIGHTS:
        return None
    layers = [layer for layer in module.layers if isinstance(layer, Recurrent)]
    if any(layer.prepare(1).stack is None for layer in layers):
        return None
    assert module.bias is not None
    return _steps(module.embedding, None, layers, ("last",), weight, module.bias)


def _steps(
    embedding: nn.Embedding | PartlyFrozenEmbedding | None,
    positions: Tensor | None,
    layers: Sequence[Recurrent],
    poolings: tuple[str, ...],
    weight: Tensor,
    bias: Tensor,
) -> SequenceSteps:
    stacks = [stack for layer in layers if (stack := layer.prepare(1).stack) is not None]
    sizes = [Sizes(layer.num_layers, len(layer.cell.program.states), layer.hidden_size) for layer in layers]
    places = None if positions is None else positions.numpy(force=True)
    symbols = None
    if isinstance(embedding, PartlyFrozenEmbedding):
        given = embedding.given.numpy(force=True), embedding.free.numpy(force=True)
        symbols = SymbolRows(embedding.learned.weight.numpy(force=True), stacks[0], places, given)
    elif embedding is not None:
        symbols = SymbolRows(embedding.weight.numpy(force=True), stacks[0], places)
    return SequenceSteps(symbols, stacks, sizes, poolings, weight.numpy(force=True), bias.numpy(force=True))
