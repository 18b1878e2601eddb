"""A classifier of few reviews that starts from a language model of many unlabelled ones (ULMFiT), and one from nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from seqwise.data import load_examples, resolve
from seqwise.data.unlabelled import UnlabelledTexts
from seqwise.errors import ConfigurationError, ModelFolderError
from seqwise.estimators import SequenceClassifier
from seqwise.estimators.language import LanguageModel
from seqwise.experiments.recipes import Reproduction, ReproductionRequest
from seqwise.prediction import read_folder

DATA = "imdb"
UNLABELLED, LABELLED, HELD_OUT, TESTED = 10_000, 500, 500, 5000  # reviews
LONGEST = 200  # words of a review that a classifier reads, the last ones
SAMPLE_SEED = 7  # of which reviews are taken: the same for every seed of the fits
TEXT: dict[str, Any] = {"unit": "words", "lowercase": True, "max_vocabulary": 20_000, "min_count": 3}
MODEL: dict[str, Any] = {
    "embedding_size": 256,
    "hidden_size": 256,
    "num_layers": 2,
    "tie_weights": False,
    "softmax": "adaptive",
    "cutoffs": (2000, 8000),
    "bptt": 70,
    "dropout": 0.1,
    "input_dropout": 0.1,
    "layer_dropout": 0.1,
}
TRAINING: dict[str, Any] = {"epochs": 1, "batch_size": 32, "learning_rate": 0.004}
SIZES: dict[str, Any] = {"embedding_size": 256, "hidden_size": 256, "num_layers": 2, "bidirectional": False}
CLASSIFIER: dict[str, Any] = {"max_length": LONGEST, "epochs": 6, "batch_size": 16, "learning_rate": 0.01}
# Chosen on validation data: a language model of so few words knows too little to be left as it is for some epochs.
TUNED: dict[str, Any] = {"unfreeze": "all", "rate_divisor": 1.0}
PLAIN: dict[str, Any] = {"refit": False}  # nobody learns from the held-out reviews


def reproduce_start_from(request: ReproductionRequest) -> Reproduction:
    """Train the language model, then the same classifier from it and from nothing, beside n-grams.

    With `resume`, a language model that is already in the folder is taken.

    Raises:
        ConfigurationError: an override was given; the experiment is fixed but for seed and device.
        FileError: the unlabelled reviews are not here.
    """
    if request.overrides:
        raise ConfigurationError(f"{request.name} is a fixed experiment: --set changes nothing in it")
    started, seed = time.perf_counter(), request.seed or 0
    fits: dict[str, Any] = {"seed": seed, "device": request.device or "auto"}
    column, parts = _read()
    folder = request.destination / "language-model"
    perplexity = _language_model(folder, column, fits, request)
    contestants = {
        "n-grams": {"architecture": "linear", **PLAIN},
        "LSTM from nothing": {"architecture": "recurrent", **SIZES, **CLASSIFIER, **PLAIN},
        "LSTM from the language model": {
            "architecture": "recurrent",
            "start_from": str(folder),
            **CLASSIFIER,
            **TUNED,
            **PLAIN,
        },
    }
    test: dict[str, Any] = {"language model": {"perplexity": perplexity}}
    for name, settings in contestants.items():
        began = time.perf_counter()
        model = SequenceClassifier(**settings, **fits).fit(*parts["training"], validation_data=parts["validation"])
        accuracies = {part: model.score(*parts[part]) for part in ("validation", "test")}
        test[name] = {"accuracy": accuracies["test"], "accuracy on validation": accuracies["validation"]}
        test[name]["seconds"] = round(time.perf_counter() - began, 1)
        request.say(f"{name}: accuracy {accuracies['test']:.3f}, on validation {accuracies['validation']:.3f}")
        if "start_from" in settings:
            model.save(request.destination)
    return Reproduction(
        recipe=request.name,
        reference={
            "source": "Howard and Ruder 2018, figure 3: with 100 labelled reviews and 50,000 without labels, what takes 50 "
            "to 100 times as many labelled ones from nothing"
        },
        test=test,
        seconds=time.perf_counter() - started,
        folder=request.destination,
        table=_table(test),
    )


def _read() -> tuple[str, dict[str, tuple[list[str], list[Any]]]]:
    """The column of the texts, and texts with labels of every part."""
    source = resolve(DATA)
    column, label = str(source.metadata["text"]), str(source.metadata["label"])
    parts: dict[str, tuple[list[str], list[Any]]] = {}

    def take(examples: Any, rows: np.ndarray) -> tuple[list[str], list[Any]]:
        return [examples.texts[i] for i in rows], [examples.labels[i] for i in rows]

    random = np.random.default_rng(SAMPLE_SEED)
    training = load_examples(source.table("train"), column, label)
    order = random.permutation(len(training.texts))
    parts["training"] = take(training, order[:LABELLED])
    parts["validation"] = take(training, order[LABELLED : LABELLED + HELD_OUT])
    tested = load_examples(source.table("test"), column, label)
    parts["test"] = take(tested, random.permutation(len(tested.texts))[:TESTED])
    return column, parts


def _language_model(folder: Path, column: str, fits: dict[str, Any], request: ReproductionRequest) -> float | None:
    """Train it into the folder, unless it is there; its perplexity on the end of the unlabelled reviews."""
    if request.resume:
        try:
            read_folder(folder)
        except ModelFolderError:
            pass
        else:
            request.say(f"The language model in {folder} is taken as it is.")
            return None
    reviews = [text for text, _ in zip(UnlabelledTexts(DATA, column), range(UNLABELLED), strict=False)]
    model = LanguageModel(text=TEXT, model=MODEL, training={**TRAINING, **fits}, validation=0.01).fit(reviews)
    model.save(folder)
    perplexity = float(model.history_[-1]["validation"]["perplexity"])
    request.say(
        f"Language model: {model.tokens_:,} words in {model.seconds_:.0f} seconds, perplexity {perplexity:.1f} on reviews "
        "that it has not read"
    )
    return perplexity


def _table(test: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    rows = [
        [name, f"{figures['accuracy']:.3f}", f"{figures['accuracy on validation']:.3f}", f"{figures['seconds']:.0f}"]
        for name, figures in test.items()
        if "accuracy" in figures
    ]
    return [f"from {LABELLED:,} labelled reviews", "accuracy", "on validation", "seconds"], rows
