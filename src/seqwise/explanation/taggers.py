"""Questions to taggers: why has this token, or this frame, this tag?

Axis letters: K rows, T steps, C tags.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqwise.errors import DataError
from seqwise.explanation.answers import Token
from seqwise.explanation.classifiers import log_odds
from seqwise.explanation.inputs import COVER, frame_pieces, one_sequence
from seqwise.explanation.question import Differentiable, Question, number_of
from seqwise.layers import CRF
from seqwise.prediction.tagger import TaggerPredictor

OUTSIDE = "O"


def ask_tagger(predictor: TaggerPredictor, given: Any, target: str | None, position: int | None) -> Question:
    """Ask about the log-odds of a tag at a position.

    Args:
        predictor: which.
        given: the input.
        target: tag, as the model learned it; None is the one that the model gives.
        position: number of the token or frame, from 0; None is the first whose tag is not "O", or else the first.

    Raises:
        DataError: there is no such position.
    """
    network = predictor.network
    device = network.head.weight.device
    text, tokens, encoded, hidden = framed(predictor, given) if predictor.framed else worded(predictor, given)
    first = np.zeros(1, np.int64)
    with torch.no_grad():
        batch = encoded.batch(first).to(device)
        inputs = network.inputs(batch)
        baselines = torch.zeros_like(inputs) if hidden is None else network.inputs(hidden.batch(first).to(device))
        tags = [predictor.classes[int(i)] for i in network.answers(batch, shift=predictor._shift).tags[0].tolist()]
    if position is None:
        position = next((place for place, tag in enumerate(tags) if tag != OUTSIDE), 0)
    if not 0 <= position < len(tokens):
        raise DataError(f"position is from 0 to {len(tokens) - 1}, the tokens of this input, not {position}")
    target = tags[position] if target is None else str(target)
    number = number_of(target, predictor.classes, "tag")

    def output(rows: Tensor) -> Tensor:
        emissions = network.read(rows, batch.lengths.expand(len(rows)).contiguous())
        return log_odds(scores_at(emissions, network.crf, position), number)

    covered = covering(output, inputs, baselines)
    differentiable = Differentiable(output, (inputs,), (baselines,), lambda values: values[0])
    return Question(text, tokens, target, covered, differentiable, position)


def covering(
    output: Callable[[Tensor], Tensor], inputs: Tensor, baselines: Tensor, first: int = 0
) -> Callable[[Sequence[Collection[int]]], np.ndarray]:
    """The output where some steps are their baselines.

    Args:
        output: from rows (K, T, D) to (K,).
        inputs: (1, T, D).
        baselines: of the same shape.
        first: step of the first token.
    """

    @torch.no_grad()
    def covered(sets: Sequence[Collection[int]]) -> np.ndarray:
        hidden = torch.zeros(len(sets), inputs.shape[1], 1, dtype=torch.bool)
        for row, numbers in enumerate(sets):
            hidden[row, [first + number for number in numbers]] = True
        return output(torch.where(hidden.to(inputs.device), baselines, inputs)).double().cpu().numpy()

    return covered


def scores_at(emissions: Tensor, crf: CRF | None, position: int) -> Tensor:
    """Scores of all tags at a position, (K, C), of which the softmax is P(tag at the position | x).

    Of a conditional random field these are the logarithms of the summed exponential scores of all taggings that have the tag
    there: those of all ways to it and of all ways from it.

    Args:
        emissions: (K, T, C), without padding.
        crf: if there is one.
        position: which.
    """
    if crf is None:
        return emissions[:, position]
    scores = emissions.double()
    transitions = (crf.following + crf.forbidden_following).double()
    to = (crf.first + crf.forbidden_first).double() + scores[:, 0]
    for t in range(1, position + 1):
        to = (to[:, :, None] + transitions).logsumexp(1) + scores[:, t]
    after = (crf.last + crf.forbidden_last).double().expand_as(to)
    for t in range(scores.shape[1] - 1, position, -1):
        after = (transitions + (scores[:, t] + after)[:, None, :]).logsumexp(2)
    return to + after


def worded(predictor: TaggerPredictor, given: Any) -> tuple[str, list[Token], Any, Any]:
    """A text, its tokens, and both encoded: as they are, and with every word covered.

    Raises:
        DataError: it is no text, or has no token.
    """
    text, placed = predictor._place(0, given)
    if not placed:
        raise DataError("there is no token in the text")
    words = [token for token, _, _ in placed]
    encode = predictor.features.encode
    return text, [Token(*token) for token in placed], encode([words]), encode([[COVER] * len(words)])


def framed(predictor: TaggerPredictor, given: Any) -> tuple[str, list[Token], Any, Any]:
    """No text, the steps of frames, and these encoded; covered frames are zero.

    Raises:
        DataError: it is not one sequence of frames.
    """
    frames = one_sequence(given)
    encoded = predictor.features.encode(frames)
    means = np.zeros(frames.channels, np.float32)
    pieces = frame_pieces(frames, int(encoded.lengths[0]), means, predictor.features.frames)
    return pieces.text, pieces.tokens, encoded, None
