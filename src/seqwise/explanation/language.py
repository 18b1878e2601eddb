"""Questions to language models: what made this symbol likely?

Axis letters: K rows, T steps, D embedding size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seqwise.errors import ConfigurationError, DataError
from seqwise.explanation.answers import Token
from seqwise.explanation.inputs import text_pieces
from seqwise.explanation.question import Differentiable, Question
from seqwise.explanation.taggers import covering
from seqwise.prediction.language import LanguagePredictor
from seqwise.text.vocabulary import UNK


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
    network, vocabulary = predictor.network, predictor.pipeline.vocabulary
    text, tokens = tokens_of(predictor, given)
    (row,) = predictor.encode([given])
    symbols = row[: len(row) - predictor.ends].tolist()
    if len(symbols) != len(tokens):
        raise DataError("the places of the symbols of this text cannot be told")
    if not symbols:
        raise DataError("there is no symbol in the text")
    position = len(symbols) if position is None else position
    if not 1 <= position <= len(symbols):
        raise DataError(f"position is from 1, before which something stands, to {len(symbols)}, not {position}")
    device = network.embedding.weight.device
    read = torch.tensor([[predictor.opening, *symbols[:position]]], device=device)
    hidden = torch.full_like(read, UNK)
    hidden[0, 0] = predictor.opening  # stands in no text, and stays
    with torch.no_grad():
        inputs, baselines = network.embedding(read), network.embedding(hidden)
        likely = network.log_probabilities(_last(network, inputs))[0]
    if target is not None:
        if target not in vocabulary:
            raise ConfigurationError(f"the vocabulary of the model has no symbol {target[:60]!r}")
        number = int(vocabulary.encode([target])[0])
    else:
        number = symbols[position] if position < len(symbols) else int(likely.argmax()) + 1

    def output(rows: Tensor) -> Tensor:
        return network.log_probabilities(_last(network, rows))[:, number - 1]

    return Question(
        text,
        tokens[:position],
        vocabulary.decode([number])[0],
        covering(output, inputs, baselines, first=1),
        Differentiable(output, (inputs,), (baselines,), lambda values: values[0][1:]),
        position,
    )


def tokens_of(predictor: LanguagePredictor, given: Any) -> tuple[str, list[Token]]:
    """The text, and the symbols that the model reads of it, with their places.

    Raises:
        DataError: it is no text.
    """
    tokenizer = predictor.pipeline.tokenizer
    if isinstance(given, str):
        return given, [Token(given[start:end], start, end) for _, start, end in tokenizer.running_spans(given)]
    pieces = text_pieces(given, tokenizer)
    return pieces.text, pieces.tokens


def _last(network: Any, vectors: Tensor) -> Tensor:
    return network.read_vectors(vectors, network.start(len(vectors))).outputs[:, -1]
