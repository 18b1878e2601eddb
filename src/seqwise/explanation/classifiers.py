"""Questions to classifiers and regressors of texts and of frames.

Axis letters: K rows, T steps, D numbers of a step, C outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from seqwise.data import Frames
from seqwise.data.joined import join_fields
from seqwise.explanation.answers import Token
from seqwise.explanation.inputs import ChannelPieces, Pieces, frame_pieces, one_sequence, text_pieces
from seqwise.explanation.question import Differentiable, Question, number_of
from seqwise.prediction import UNSURE
from seqwise.prediction.exported import ExportedModel
from seqwise.prediction.predictor import Predictor
from seqwise.prediction.regressor import RegressorPredictor
from seqwise.text import Tokenizer


def ask_classifier(predictor: Predictor, given: Any, target: str | None) -> Question:
    """Ask about the log-odds of a class or label.

    Args:
        predictor: which.
        given: the input.
        target: class; None is the model's answer; where it abstains or gives no label the most probable one.
    """
    given = joined(predictor, given)
    one = as_inputs(given)
    if target is None:
        number = _answer(predictor, predictor.predict_proba(one)[0])
    else:
        number = number_of(target, predictor.classes, "label" if predictor.multilabel else "class")

    def chosen(logits: Any) -> Any:
        return logits[:, number] if predictor.multilabel else log_odds(logits, [number])

    return _ask(predictor._model, predictor, given, chosen, str(predictor.classes[number]))


def ask_regressor(predictor: RegressorPredictor, given: Any, target: str | None) -> Question:
    """Ask about a number, as the network gives it.

    Args:
        predictor: which.
        given: the input.
        target: name of the number; None is the first.
    """
    names = predictor.scale.names
    number = 0 if target is None else number_of(target, names, "target")
    return _ask(predictor.model, predictor, joined(predictor, given), lambda of: of[:, number], names[number])


def log_odds(logits: Any, numbers: Sequence[int]) -> Any:
    """ln(p / (1 - p)) of the softmax, without leaving the logits.

    Args:
        logits: (K, C), an array or a tensor.
        numbers: the classes that have p together.

    Returns:
        (K,).
    """
    others = [j for j in range(logits.shape[1]) if j not in numbers]
    if isinstance(logits, np.ndarray):
        return np.logaddexp.reduce(logits[:, numbers], axis=1) - np.logaddexp.reduce(logits[:, others], axis=1)
    return logits[:, numbers].logsumexp(1) - logits[:, others].logsumexp(1)


def pieces_of(model: Any, config: Mapping[str, Any], given: Any) -> Pieces:
    """The input in pieces as a model reads them.

    Args:
        model: with `features` and `encode`.
        config: of the model; a dense one reads the numbers of its one frame, others steps.
        given: the input.
    """
    features = model.features
    if config["unit"] != "frames":
        return text_pieces(given, tokenizer_of(features))
    frames, described = one_sequence(given), features.frames
    fill = np.asarray(described.to_dict()["fill"], np.float32)
    encoded = model.encode(frames)
    if config["settings"].get("model", {}).get("architecture") == "dense":
        names = described.names or [f"channel {number + 1}" for number in range(frames.channels)]
        return ChannelPieces(frames, [Token(name, 0, 1) for name in names], fill)
    return frame_pieces(frames, int(encoded.lengths[0]), fill, described)


def tokenizer_of(features: Any) -> Tokenizer:
    """What cuts a text into the symbols of the recurrent part; without one into words, or characters if only they count."""
    if features.pipeline is not None:
        return features.pipeline.tokenizer
    tokenizer: Tokenizer = features.ngrams.tokenizer
    if any(block.kind == "words" for block in features.ngrams.blocks):
        return tokenizer
    return Tokenizer(tokenizer.settings.model_copy(update={"unit": "characters"}))


def _ask(model: Any, predictor: Any, given: Any, chosen: Callable[[Any], Any], target: str) -> Question:
    pieces = pieces_of(model, predictor.config, given)

    def covered(sets: Sequence[Collection[int]]) -> np.ndarray:
        inputs = [pieces.covered(numbers) for numbers in sets]
        examples = model.encode(Frames.concatenate(inputs) if predictor.reads_frames else inputs)
        return np.asarray(chosen(np.asarray(model.logits(examples), np.float64)))

    def with_gradients() -> Differentiable:
        from seqwise.explanation.parts import differentiable

        return differentiable(model, model.encode(as_inputs(given)), given, pieces, chosen)

    exported = isinstance(model, ExportedModel)
    return Question(pieces.text, pieces.tokens, target, covered, None if exported else with_gradients)


def _answer(predictor: Predictor, probabilities: np.ndarray) -> int:
    if predictor.multilabel:
        thresholds = predictor.decisions.thresholds
        return int((probabilities / (0.5 if thresholds is None else thresholds)).argmax())
    decided = int(predictor.decide(probabilities[None])[0])
    return int(probabilities.argmax()) if decided == UNSURE else decided


def joined(predictor: Any, given: Any) -> Any:
    """The text that a mapping of several columns becomes; everything else as it is."""
    column = predictor.settings.get("data", {}).get("text")
    return join_fields(given, column) if column and isinstance(given, Mapping) else given


def as_inputs(given: Any) -> Any:
    """One input as the several that predictors take."""
    return given if isinstance(given, Frames) else [given]
