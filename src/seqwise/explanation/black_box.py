"""Questions to anything that gives probabilities, and shows nothing of how."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from seqwise.explanation.inputs import Pieces, frame_pieces, one_sequence, text_pieces
from seqwise.explanation.question import Question, log_odds_of, number_of
from seqwise.text import TextSettings, Tokenizer


def ask_black_box(predictor: Any, given: Any, target: str | None) -> Question:
    """Ask about a class of something with `classes` and `predict_proba`.

    A string is explained word by word, a list token by token, everything else as frames of numbers, step by step.

    Args:
        predictor: which.
        given: the input.
        target: class; None is the most probable one.
    """
    pieces: Pieces
    listed = isinstance(given, list | tuple) and bool(given) and all(isinstance(token, str) for token in given)
    if isinstance(given, str) or listed:
        pieces = text_pieces(given, Tokenizer(TextSettings(unit="tokens" if listed else "words")))
    else:
        frames = one_sequence(given)
        means = np.nan_to_num(np.nanmean(frames.values, axis=0))
        pieces = frame_pieces(frames, len(frames.values), means)
    answer = np.asarray(predictor.predict_proba([_plain(pieces.covered(()))]))[0]
    number = int(answer.argmax()) if target is None else number_of(target, predictor.classes, "class")

    def covered(sets: Sequence[Collection[int]]) -> np.ndarray:
        answers = predictor.predict_proba([_plain(pieces.covered(numbers)) for numbers in sets])
        return log_odds_of(np.asarray(answers)[:, number])

    return Question(pieces.text, pieces.tokens, str(predictor.classes[number]), covered)


def _plain(given: Any) -> Any:
    return given if isinstance(given, str | list) else given.values
