"""Questions to language models: what made this symbol likely?

Axis letters: K rows, T steps, D embedding size.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqwise.errors import ConfigurationError, DataError
from seqwise.explanation.answers import Token
from seqwise.explanation.inputs import text_pieces
from seqwise.explanation.question import Differentiable, Question
from seqwise.prediction.exported import ExportedModel
from seqwise.prediction.language import LanguagePredictor
from seqwise.text.vocabulary import UNK

if TYPE_CHECKING:
    from torch import Tensor


def ask_language_model(predictor: LanguagePredictor, given: Any, target: str | None, position: int | None) -> Question:
    """Ask about the log-probability of a symbol, given those before it.

    Args:
        predictor: which.
        given: the text.
        target: symbol; None is the one that stands at the position, or the most probable one after the text.
        position: number of the symbol, from 0; None is the one after the text.

    Raises:
        DataError: there is no such position, or nothing stands before it.
        ConfigurationError: the vocabulary has no such symbol.
    """
    model, vocabulary = predictor._model, predictor.pipeline.vocabulary
    text, tokens, symbols = read(predictor, given)
    position = len(symbols) if position is None else position
    if not 1 <= position <= len(symbols):
        raise DataError(f"position is from 1, before which something stands, to {len(symbols)}, not {position}")
    given = np.array([[predictor.opening, *symbols[:position]]])

    def following(rows: np.ndarray) -> np.ndarray:
        logs, _ = model.following(rows, model.start(len(rows)))
        return logs

    if target is not None:
        if target not in vocabulary:
            raise ConfigurationError(f"the vocabulary of the model has no symbol {target[:60]!r}")
        number = int(vocabulary.encode([target])[0])
    else:
        number = int(symbols[position] if position < len(symbols) else following(given)[0].argmax() + 1)

    def covered(sets: Sequence[Collection[int]]) -> np.ndarray:
        rows = np.repeat(given, len(sets), axis=0)
        for row, numbers in zip(rows, sets, strict=True):
            row[[1 + token for token in numbers]] = UNK
        return following(rows)[:, number - 1]

    def differentiable() -> Differentiable:
        return _differentiable(predictor, given, number)

    exported = isinstance(model, ExportedModel)
    said = vocabulary.decode([number])[0]
    return Question(text, tokens[:position], said, covered, None if exported else differentiable, position)


def read(predictor: LanguagePredictor, given: Any) -> tuple[str, list[Token], list[int]]:
    """The text, the symbols that the model reads of it, with their places, and their numbers.

    Raises:
        DataError: it is no text, or there is no symbol in it.
    """
    tokenizer = predictor.pipeline.tokenizer
    if isinstance(given, str):
        text, tokens = given, [Token(given[start:end], start, end) for _, start, end in tokenizer.running_spans(given)]
    else:
        pieces = text_pieces(given, tokenizer)
        text, tokens = pieces.text, pieces.tokens
    (row,) = predictor.encode([given])
    symbols = row[: len(row) - predictor.ends].tolist()
    if not symbols:
        raise DataError("there is no symbol in the text")
    if len(symbols) != len(tokens):
        raise DataError("the places of the symbols of this text cannot be told")
    return text, tokens, symbols


def _differentiable(predictor: LanguagePredictor, given: np.ndarray, number: int) -> Differentiable:
    """The log-probability as a function of the vectors of the symbols."""
    import torch

    network = predictor.network
    with torch.no_grad():
        symbols = torch.from_numpy(given).to(network.embedding.weight.device)
        hidden = torch.full_like(symbols, UNK)
        hidden[0, 0] = symbols[0, 0]  # what is read before the first stands in no text, and stays
        inputs, baselines = network.embedding(symbols), network.embedding(hidden)

    def output(rows: Tensor) -> Tensor:
        reading = network.read_vectors(rows, network.start(len(rows)))
        return network.log_probabilities(reading.outputs[:, -1])[:, number - 1]

    return Differentiable(output, (inputs,), (baselines,), lambda values: values[0][1:])
