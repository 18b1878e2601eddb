"""What the state of a recurrent model holds over time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqwise.errors import ConfigurationError
from seqwise.explanation.answers import LayerStates, StateTrace, Token
from seqwise.explanation.classifiers import as_inputs, joined
from seqwise.explanation.classifiers import pieces_of as pieces_of_classifier
from seqwise.explanation.language import read
from seqwise.explanation.parts import read_places
from seqwise.explanation.taggers import encode, pieces_of
from seqwise.layers import Recurrent, trace_layers
from seqwise.layers.tracing import LayerTrace
from seqwise.prediction.language import LanguagePredictor
from seqwise.prediction.predictor import Predictor
from seqwise.prediction.regressor import RegressorPredictor
from seqwise.prediction.tagger import TaggerPredictor

MOST_STEPS, MOST_UNITS = 512, 64


def trace(predictor: Any, input: Any, *, steps: int = MOST_STEPS, units: int = MOST_UNITS) -> StateTrace:  # noqa: A002
    """Read an input and say what every state and every gate of the recurrent layers was at every step.

    Gates have the names of the cell's equations, whatever the cell. Of layers with more units than are shown those are that
    move most, by the variance of the first state.

    Args:
        predictor: a classifier's, regressor's, tagger's or language model's.
        input: one of what it reads.
        steps: how many are shown at most: the first ones.
        units: how many of a layer are shown at most.

    Raises:
        ConfigurationError: the model has no recurrent layers.
        DataError: the input is not what the model reads, or there is nothing in it.
    """
    with torch.inference_mode(False), torch.no_grad():
        tokens, layers, vectors = _read(predictor, input)
        found = []
        for place, layer in enumerate(layers):
            if not isinstance(layer, Recurrent):
                raise ConfigurationError("the model is a Transformer, which has no state to show")
            traced = trace_layers(layer, vectors)
            last = max(of.layer for of in traced)
            outputs = [next(iter(of.states.values())) for of in traced if of.layer == last]
            vectors = torch.cat(outputs, -1)
            found += [_shown(of, place + of.layer, steps, units) for of in traced]
    return StateTrace(
        [token.text for token in tokens[:steps]], [token.start for token in tokens[:steps]], len(tokens), found
    )


def _shown(traced: LayerTrace, number: int, steps: int, units: int) -> LayerStates:
    first = next(iter(traced.states.values()))
    moving = first.var(0, correction=0).argsort(descending=True)[:units].sort().values

    def plain(named: dict[str, Tensor]) -> dict[str, np.ndarray]:
        return {name: values[:steps, moving].float().cpu().numpy() for name, values in named.items()}

    direction = "backward" if traced.reverse else "forward"
    return LayerStates(f"layer {number + 1}", direction, moving.tolist(), plain(traced.states), plain(traced.gates))


def _read(predictor: Any, given: Any) -> tuple[list[Token], list[Any], Tensor]:
    """What is read in each step, the layers that read it, and the vectors of the steps, (T, D)."""
    if isinstance(predictor, LanguagePredictor):
        return _of_language_model(predictor, given)
    if isinstance(predictor, TaggerPredictor):
        return _of_tagger(predictor, given)
    if isinstance(predictor, Predictor | RegressorPredictor):
        return _of_classifier(predictor, given)
    raise ConfigurationError(
        f"{type(predictor).__name__}: the states of classifiers, taggers, language models and regressors can be shown"
    )


def _of_classifier(predictor: Any, given: Any) -> tuple[list[Token], list[Any], Tensor]:
    model = predictor._model if isinstance(predictor, Predictor) else predictor.model
    module = model.module
    if "recurrent" not in module.parts:
        raise ConfigurationError("the model has no recurrent layers whose state could be shown")
    part, given = module.parts["recurrent"], joined(predictor, given)
    tokens = pieces_of_classifier(model, predictor.config, given).tokens
    examples = model.encode(as_inputs(given))
    batch = examples.batch(np.zeros(1, np.int64)).to(module.scales.device)
    if not predictor.reads_frames:
        places, length = read_places(model.features, len(tokens))
        tokens = [tokens[place] for place in places] or [Token("<unk>", 0, 0)]
        if len(tokens) < length:  # <eos>
            tokens.append(Token("<eos>", tokens[-1].end, tokens[-1].end))
    return tokens, [part.recurrent.layers], part.placed(part.vectors(batch))[0]


def _of_tagger(predictor: TaggerPredictor, given: Any) -> tuple[list[Token], list[Any], Tensor]:
    network, pieces = predictor.network, pieces_of(predictor, given)
    batch = encode(predictor, [pieces.covered(())]).batch(np.zeros(1, np.int64)).to(network.head.weight.device)
    return pieces.tokens, [network.recurrent.layers], network.inputs(batch)[0]


def _of_language_model(predictor: LanguagePredictor, given: Any) -> tuple[list[Token], list[Any], Tensor]:
    network = predictor.network
    _, tokens, symbols = read(predictor, given)
    layers = [network.transformer] if network.transformer is not None else list(network.layers)
    numbers = torch.tensor([predictor.opening, *symbols], device=network.embedding.weight.device)
    return [Token("<start>", 0, 0), *tokens], layers, network.embedding(numbers)
