"""Examples that a model's encoder takes for alike.

Axis letters: n examples of a chunk, W numbers of a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch

from seqwise.data import Frames
from seqwise.errors import ConfigurationError
from seqwise.explanation.answers import Neighbour
from seqwise.explanation.classifiers import as_inputs, joined
from seqwise.models import run_batched
from seqwise.prediction.predictor import Predictor, chunks
from seqwise.prediction.regressor import RegressorPredictor
from seqwise.prediction.tagger import TaggerPredictor

CHUNK = 1024  # sentences of a tagger that are read at a time


def nearest(predictor: Any, input: Any, examples: Iterable[Any], k: int = 5) -> list[Neighbour]:  # noqa: A002
    """Find the examples whose vectors have the largest cosine with that of an input; exact.

    The vector is what the head of a classifier or regressor reads of the recurrent layers (the pooled outputs), of a tagger
    the mean of the outputs. Examples are read once, chunk by chunk, and of each only its number is kept.

    Args:
        predictor: a classifier's, regressor's or tagger's.
        input: one of what it reads.
        examples: more of the same, of any number.
        k: how many at most.

    Returns:
        The most similar first; of equals the first one.

    Raises:
        ConfigurationError: the model has no recurrent part, or k is not positive.
        DataError: something is not what the model reads.
    """
    if k < 1:
        raise ConfigurationError(f"at least one example is looked for, not {k}")
    vectors_of = _encoder(predictor)
    (query,) = vectors_of(as_inputs(input))
    best = np.empty((2, 0))  # number, similarity
    first = 0
    for vectors in map(vectors_of, _chunks(predictor, examples)):
        found = np.stack([first + np.arange(len(vectors)), vectors @ query])
        first += len(vectors)
        best = np.concatenate([best, found], axis=1)
        best = best[:, np.argsort(-best[1], kind="stable")[:k]]
    return [Neighbour(int(number), float(similarity)) for number, similarity in best.T]


def _chunks(predictor: Any, examples: Iterable[Any]) -> Iterator[Any]:
    if predictor.config["unit"] == "frames":
        yield from chunks(examples, "frames")
    elif isinstance(predictor, TaggerPredictor):
        iterator = iter(examples)
        while chunk := list(islice(iterator, CHUNK)):
            yield chunk
    else:
        yield from chunks((joined(predictor, example) for example in examples), predictor.config["unit"])


def _encoder(predictor: Any) -> Callable[[Any], np.ndarray]:
    """From a chunk of inputs to vectors of length 1, (n, W) float64."""
    if isinstance(predictor, TaggerPredictor):
        return lambda chunk: _unit(_mean_outputs(predictor, chunk))
    if not isinstance(predictor, Predictor | RegressorPredictor):
        raise ConfigurationError(
            f"{type(predictor).__name__}: classifiers, regressors and taggers have vectors of examples"
        )
    model = predictor._model if isinstance(predictor, Predictor) else predictor.model
    module = model.module
    if "recurrent" not in module.parts:
        raise ConfigurationError("the model has no recurrent part, whose vectors could be compared")
    pooled, device = module.parts["recurrent"].pooled, module.scales.device

    def vectors(chunk: Any) -> np.ndarray:
        chunk = chunk if isinstance(chunk, Frames) else [joined(predictor, of) for of in chunk]
        return _unit(run_batched(pooled, model.encode(chunk), device=device))

    return vectors


@torch.no_grad()
def _mean_outputs(predictor: TaggerPredictor, chunk: Any) -> np.ndarray:
    network, features = predictor.network, predictor.features
    if predictor.framed:
        examples = features.encode(Frames.from_rows(chunk))
    else:
        sentences = [[token for token, _, _ in predictor._place(number, text)[1]] for number, text in enumerate(chunk)]
        examples = features.encode([words or ["\N{REPLACEMENT CHARACTER}"] for words in sentences])
    result = np.empty((len(examples), network.recurrent.size))
    for indices, batch in predictor.batched(examples):
        outputs, _ = network.recurrent(network.inputs(batch), batch.lengths)
        result[indices] = (outputs.sum(1) / batch.lengths[:, None]).double().cpu().numpy()
    return result


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo(np.float64).tiny)
