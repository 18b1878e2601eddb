"""Questions to taggers: why has this token, or this frame, this tag?

Axis letters: K rows, T steps, D numbers of a step, C tags.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqwise.data import Frames
from seqwise.errors import DataError
from seqwise.explanation.answers import Token
from seqwise.explanation.classifiers import log_odds
from seqwise.explanation.inputs import COVER, FramePieces, ListPieces, Pieces, frame_pieces, one_sequence
from seqwise.explanation.question import Differentiable, Question, log_odds_of, number_of
from seqwise.prediction.exported import ExportedModel
from seqwise.prediction.tagger import PLAIN, TaggerPredictor
from seqwise.text.tag_schemes import OUTSIDE, convert_tags

if TYPE_CHECKING:
    from torch import Tensor

    from seqwise.layers import CRF

FIRST = np.zeros(1, np.int64)


def ask_tagger(predictor: TaggerPredictor, given: Any, target: str | None, position: int | None) -> Question:
    """Ask about the log-odds of a tag at a position.

    Args:
        predictor: which.
        given: the input.
        target: tag of the training data's scheme, or one that the model has inside; None is the one that the model gives.
        position: number of the token or frame, from 0; None is the first whose tag is not "O", or else the first.

    Raises:
        DataError: there is no such position.
    """
    model, pieces = predictor._model, pieces_of(predictor, given)
    encoded = encode(predictor, [pieces.covered(())])
    answers = model.answers(encoded, FIRST, predictor.temperature, predictor._offsets)[0][0]
    inside = [predictor.classes[int(i)] for i in answers]
    meant = outer_tags(predictor)
    tags = [meant[tag] for tag in inside]
    if position is None:
        position = next((place for place, tag in enumerate(tags) if tag != OUTSIDE), 0)
    if not 0 <= position < len(pieces.tokens):
        raise DataError(f"position is from 0 to {len(pieces.tokens) - 1}, the tokens of this input, not {position}")
    target = tags[position] if target is None else str(target)
    numbers = [number for number, tag in enumerate(predictor.classes) if meant[tag] == target]
    numbers = numbers or [number_of(target, predictor.classes, "tag")]
    if isinstance(model, ExportedModel):

        def covered(sets: Sequence[Collection[int]]) -> np.ndarray:
            examples = encode(predictor, [pieces.covered(numbers) for numbers in sets])
            chances = model.marginals(examples, np.arange(len(sets)), 1.0, None)
            return log_odds_of(chances[:, position, numbers].sum(1))

        return Question(pieces.text, pieces.tokens, target, covered, None, position)
    asked = _differentiable(predictor, pieces, encoded, numbers, position)
    return Question(pieces.text, pieces.tokens, target, _covering(asked), lambda: asked, position)


def outer_tags(predictor: TaggerPredictor) -> dict[str, str]:
    """What each tag that the model has inside is in the scheme of the training data: S-X of BIOES is B-X of BIO."""
    outer: dict[str, str] = {}
    for tag in predictor.classes:
        begin, dash, kind = tag.partition("-")
        outer[tag] = tag
        if predictor.scheme != PLAIN and predictor.inner_scheme == "BIOES" and dash and begin in "BIES":
            span = ["S"] if begin == "S" else ["B", "I", "E"]
            written, _ = convert_tags([f"{of}-{kind}" for of in span], "BIOES", predictor.scheme)
            outer[tag] = written[span.index(begin)]
    return outer


def pieces_of(predictor: TaggerPredictor, given: Any) -> Pieces:
    """The words of a text, or the steps of frames.

    Raises:
        DataError: it is not what the tagger reads, or has no token.
    """
    if predictor.framed:
        frames, described = one_sequence(given), predictor.features.frames
        fill = np.asarray(described.to_dict()["fill"], np.float32)
        return frame_pieces(frames, int(predictor.features.encode(frames).lengths[0]), fill, described)
    text, placed = predictor._place(0, given)
    if not placed:
        raise DataError("there is no token in the text")
    words = [token for token, _, _ in placed]
    return ListPieces(words, list(range(len(words))), text, [Token(*token) for token in placed])


def encode(predictor: TaggerPredictor, inputs: Sequence[Any]) -> Any:
    """Lists of words, or `Frames` of one sequence each, as arrays."""
    return predictor.features.encode(Frames.concatenate(list(inputs)) if predictor.framed else inputs)


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


def _differentiable(
    predictor: TaggerPredictor, pieces: Pieces, encoded: Any, numbers: Sequence[int], position: int
) -> Differentiable:
    """The log-odds as a function of the vectors of the words; covered words are unknown, covered frames zero."""
    import torch

    network = predictor.network
    device = network.head.weight.device
    with torch.no_grad(), torch.inference_mode(False):
        batch = encoded.batch(FIRST).to(device)
        inputs = network.inputs(batch)
        if isinstance(pieces, FramePieces):
            baselines = torch.zeros_like(inputs)
        else:
            hidden = predictor.features.encode([[COVER] * len(pieces.tokens)])
            baselines = network.inputs(hidden.batch(FIRST).to(device))

    def output(rows: Tensor) -> Tensor:
        emissions = network.read(rows, batch.lengths.expand(len(rows)).contiguous())
        return log_odds(scores_at(emissions, network.crf, position), numbers)

    return Differentiable(output, (inputs,), (baselines,), lambda values: values[0])


def _covering(asked: Differentiable) -> Any:
    """The output where the vectors of some words are those of unknown ones: a word is read by itself."""
    import torch

    (inputs,), (baselines,) = asked.inputs, asked.baselines

    @torch.no_grad()
    def covered(sets: Sequence[Collection[int]]) -> np.ndarray:
        hidden = torch.zeros(len(sets), inputs.shape[1], 1, dtype=torch.bool)
        for row, numbers in enumerate(sets):
            hidden[row, list(numbers)] = True
        found: np.ndarray = (
            asked.output(torch.where(hidden.to(inputs.device), baselines, inputs)).double().cpu().numpy()
        )
        return found

    return covered
