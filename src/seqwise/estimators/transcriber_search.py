"""How a transcriber's search gets its language model and its numbers, on validation data."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from seqwise.estimators.language import LanguageModel
from seqwise.metrics.transcription import quick_transcription_figures
from seqwise.models.transcriber_features import TranscriberFeatures
from seqwise.models.transcriber_settings import TranscriberSearchSettings
from seqwise.prediction.transcriber import TranscriberPredictor

WEIGHTS = (0.0, 0.15, 0.3, 0.5, 0.75, 1.0, 1.5)
BONUSES = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
LANGUAGE_MODEL: dict[str, Any] = {"embedding_size": 64, "hidden_size": 128, "num_layers": 1, "bptt": 60, "dropout": 0.4}
LANGUAGE_TRAINING: dict[str, Any] = {"epochs": 30, "batch_size": 16, "learning_rate": 4e-3}
MOST = 300  # utterances that are searched again and again


def fit_language_model(
    features: TranscriberFeatures,
    transcripts: Sequence[str],
    held: Sequence[str] | None,
    seed: int,
    limit: float | None = None,
) -> LanguageModel:
    """Fit a small language model of a transcriber's symbols on its transcripts.

    Args:
        features: fitted.
        transcripts: of the training utterances, prepared.
        held: those of the validation part; None holds the last tenth of `transcripts` back.
        seed: of the fit.
        limit: seconds; None: none.
    """
    text = features.pipeline.settings
    unit = "whitespace" if text.unit == "words" else text.unit
    model = LanguageModel(
        text=text.model_copy(update={"unit": unit, "end_mark": True}),
        model=LANGUAGE_MODEL,
        training={**LANGUAGE_TRAINING, "seed": seed, "time_budget": limit},
    )
    said = [text for text in transcripts if text]
    return model.fit(said, validation_data=None if held is None else [text for text in held if text])


def choose_search(
    predictor: TranscriberPredictor,
    logs: Sequence[np.ndarray],
    true: Sequence[str],
    metric: str,
    limit: float | None = None,
) -> tuple[TranscriberSearchSettings, list[dict[str, Any]]]:
    """Choose the weight of the language model and the bonus on validation data, one after the other and once more.

    Args:
        predictor: with the fitted network; its `search` says what is left to choose.
        logs: of each validation utterance, from `log_probabilities`.
        true: what was said, prepared.
        metric: "wer" or "cer", of which less is better.
        limit: seconds after which nothing new is tried; None: none.

    Returns:
        The settings with every number decided, and what was tried: `language_weight`, `insertion_bonus`, `wer`, `cer`.
    """
    search, tried = predictor.search, dict[tuple[float, float], dict[str, float]]()
    logs, true, started = logs[:MOST], true[:MOST], time.monotonic()

    def figures(weight: float, bonus: float) -> dict[str, float]:
        if (weight, bonus) not in tried:
            if limit is not None and tried and time.monotonic() - started > limit:
                return {metric: math.inf}
            chosen = search.model_copy(update={"language_weight": weight, "insertion_bonus": bonus})
            said = [predictor.features.write(symbols) for symbols in predictor.find(logs, chosen)]
            tried[weight, bonus] = quick_transcription_figures(true, said)
        return tried[weight, bonus]

    def best(values: Sequence[float], of: Callable[[float], dict[str, float]]) -> float:
        """The value with the least errors; of equals that nearest to zero."""
        return min(values, key=lambda value: (of(value)[metric], abs(value)))

    weight, bonus = search.language_weight or 0.0, search.insertion_bonus or 0.0
    weights = WEIGHTS if predictor.language is not None and search.language_weight is None else (weight,)
    bonuses = BONUSES if search.insertion_bonus is None else (bonus,)
    for _ in range(2):
        weight = best(weights, lambda value: figures(value, bonus))  # noqa: B023
        bonus = best(bonuses, lambda value: figures(weight, value))  # noqa: B023
    decided = search.model_copy(update={"language_weight": weight, "insertion_bonus": bonus})
    return decided, [{"language_weight": w, "insertion_bonus": b, **of} for (w, b), of in sorted(tried.items())]


def compare_searches(
    predictor: TranscriberPredictor, logs: Sequence[np.ndarray], true: Sequence[str]
) -> list[dict[str, Any]]:
    """What each part of the search gains on the same outputs: the clearest symbols, the beam, word list, language
    model.

    Args:
        predictor: with its search decided.
        logs: of each utterance.
        true: what was said, prepared.

    Returns:
        `name`, `wer` and `cer` of each, the simplest first.
    """
    search, words, language = predictor.search, predictor.words, predictor.language
    plain = search.model_copy(update={"language_weight": 0.0, "insertion_bonus": 0.0, "language_model": None})
    ways: list[tuple[str, Any, list[str] | None, Any]] = [
        ("most probable symbols", plain.model_copy(update={"beam": 1}), None, None)
    ]
    if search.beam > 1:
        ways.append((f"beam of {search.beam}", plain, None, None))
    if words is not None:
        ways.append(("with the word list", plain, words, None))
    if language is not None or search.insertion_bonus:
        ways.append(("as the model searches", search, words, language))
    rows = []
    try:
        for name, chosen, given, of in ways:
            predictor.words, predictor.language = given, of
            said = [predictor.features.write(symbols) for symbols in predictor.find(logs, chosen)]
            rows.append({"name": name, **quick_transcription_figures(true, said)})
    finally:
        predictor.words, predictor.language = words, language
    return rows
