"""Small models of every task, trained for a moment: what the tests of the service serve."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from seqwise import SequenceClassifier
from seqwise.estimators import (
    LanguageModel,
    SequenceForecaster,
    SequenceGenerator,
    SequenceRegressor,
    SequenceTagger,
    Transcriber,
    Translator,
)

BRIEF = {"epochs": 1, "device": "cpu"}
TINY = {"hidden_size": 6, "embedding_size": 5, "dropout": 0.0}
TEXTS = ["good film", "a bad film", "the plot was good", "bad", "what a good and long story", "a bad plot"] * 4
WORDS = ["the", "dog", "sees", "Anna", "in", "Rome", "today"]
WORD_TAGS = ["O", "O", "O", "B-PER", "O", "B-LOC", "O"]
SENTENCES = [" ".join(WORDS[:4]), "Anna sees the dog", "Rome", "a cat , today"]
CHANNELS = 3
RATE = 4000.0


def frames(count: int = 12, channels: int = CHANNELS, seed: int = 0, longest: int = 9) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(size=(random.integers(3, longest), channels)).astype(np.float32) for _ in range(count)]


def classifier(path: Path) -> None:
    classes = ["good" if "good" in text else "bad" for text in TEXTS]
    fitted = SequenceClassifier(**TINY, character_ngrams=None, **BRIEF).fit(TEXTS, classes)
    fitted.choose_decisions(threshold="f1", calibrate="temperature", positive="good").save(path)


def of_tokens(path: Path) -> None:
    classes = ["good" if "good" in text else "bad" for text in TEXTS]
    tokens = [text.split() for text in TEXTS]
    SequenceClassifier(**TINY, unit="tokens", architecture="recurrent", **BRIEF).fit(tokens, classes).save(path)


def of_columns(path: Path) -> None:
    classes = ["good" if "good" in text else "bad" for text in TEXTS]
    joined = [f"{text} \N{SYMBOL FOR RECORD SEPARATOR} {text}" for text in TEXTS]
    fitted = SequenceClassifier(**TINY, architecture="recurrent", **BRIEF).fit(joined, classes)
    fitted.save(path, data={"text": "title + body", "label": "label"})


def labels(path: Path) -> None:
    sets = [[name for name in ("good", "bad", "long") if name in text] for text in TEXTS]
    SequenceClassifier(**TINY, architecture="recurrent", **BRIEF).fit(TEXTS, sets).save(path)


def of_frames(path: Path) -> None:
    classes = ["up", "down"] * 6
    SequenceClassifier(hidden_size=6, dropout=0.0, **BRIEF).fit(frames(), classes).save(path)


def of_vectors(path: Path) -> None:
    vectors = [row[None] for row in np.random.default_rng(1).normal(size=(24, CHANNELS)).astype(np.float32)]
    SequenceClassifier(hidden_size=6, dropout=0.0, **BRIEF).fit(vectors, ["up", "down"] * 12).save(path)


def of_sounds(path: Path) -> None:
    from seqwise.data import Frames

    random = np.random.default_rng(2)
    sounds = [random.normal(size=(random.integers(900, 1500), 1)).astype(np.float32) for _ in range(12)]
    settings = {"features": "log_mel", "bands": 8}
    fitted = SequenceClassifier(hidden_size=6, dropout=0.0, frames=settings, **BRIEF)
    fitted.fit(Frames.from_rows(sounds, RATE), ["on", "off"] * 6).save(path)


def tagger(path: Path) -> None:
    rows = [np.random.default_rng(seed).permutation(len(WORDS))[:5] for seed in range(16)]
    model = {"head": "crf", "bidirectional": True, "hidden_size": 6, "embedding_size": 5}
    SequenceTagger(model=model, training={"epochs": 3, "device": "cpu"}).fit(
        [[WORDS[i] for i in row] for row in rows], [[WORD_TAGS[i] for i in row] for row in rows]
    ).save(path)


def frame_tagger(path: Path) -> None:
    rows = frames(10, longest=12)
    tags = [["walk" if step[0] > 0 else "rest" for step in row] for row in rows]
    SequenceTagger(model={"head": "softmax", "hidden_size": 6}, training=BRIEF).fit(rows, tags).save(path)


def language(path: Path) -> None:
    model = {"hidden_size": 8, "embedding_size": 8}
    text = {"unit": "whitespace", "min_count": 1}
    LanguageModel(text=text, model=model, training={"epochs": 1, "batch_size": 2, "device": "cpu"}).fit(TEXTS * 2).save(
        path
    )


def regressor(path: Path) -> None:
    values = [float(len(text)) for text in TEXTS]
    SequenceRegressor(model=TINY, training=BRIEF).fit(TEXTS, np.array(values)).save(path)


def forecaster(path: Path) -> None:
    steps = np.arange(120)
    rows = [np.stack([np.sin(steps / 2 + shift), 5 + np.cos(steps / 3)], 1) for shift in range(3)]
    model = {"hidden_size": 6, "lags": 3, "window": 24, "horizon": 4}
    SequenceForecaster(model=model, training=BRIEF, validation=0.3).fit(rows).save(path)


def forecaster_of_known(path: Path) -> None:
    random = np.random.default_rng(3)
    known = [random.integers(0, 2, (80, 1)).astype(float) for _ in range(3)]
    rows = [3 * inputs + 0.05 * random.normal(size=(80, 1)) for inputs in known]
    model = {"hidden_size": 6, "lags": 3, "window": 24, "horizon": 4}
    fitted = SequenceForecaster(model=model, training=BRIEF).fit(rows, known=known, known_names=["open"])
    fitted.save(path)


def translator(path: Path) -> None:
    pairs = {"a": "ein", "man": "Mann", "dog": "Hund", "runs": "läuft", "sleeps": "schläft", "red": "rot"}
    random = np.random.default_rng(4)
    rows = [list(random.choice(list(pairs), random.integers(2, 5))) for _ in range(40)]
    model = {"hidden_size": 8, "decoder_hidden_size": 8, "embedding_size": 8, "dropout": 0.0}
    Translator(text={"unit": "whitespace"}, model=model, training={**BRIEF, "average": "none"}, validation=0.0).fit(
        [" ".join(row) for row in rows], [" ".join(pairs[word] for word in row) for row in rows]
    ).save(path)


def transcriber(path: Path) -> None:
    random = np.random.default_rng(5)
    heard = ["".join(random.choice(list("ab "), 3)).strip() or "a" for _ in range(12)]
    Transcriber(
        frames={"normalise": "channel"},
        model={"hidden_size": 6, "num_layers": 1, "subsampling": "stack", "factor": 2},
        search={"beam": 3},
        training=BRIEF,
        validation=0.0,
    ).fit(frames(longest=20), heard).save(path)


def generator(path: Path) -> None:
    model = {**TINY, "condition_dropout": 0.2}
    colours = ["red", "rose", "amber", "blue", "sky"] * 6
    classes = ["warm", "warm", "warm", "cold", "cold"] * 6
    SequenceGenerator(text={"unit": "characters"}, model=model, training=BRIEF, validation=0.0).fit(
        classes, colours
    ).save(path)


def musician(path: Path) -> None:
    pieces = [[[60, 64], [60, 67], [62], []] * 3, [[62, 65], [64, 67], [60, 64, 67]] * 4]
    SequenceGenerator(model=TINY, training=BRIEF, validation=0.0).fit(None, pieces).save(path)


BUILDERS: dict[str, Callable[[Path], Any]] = {
    "classifier": classifier,
    "tokens": of_tokens,
    "columns": of_columns,
    "labels": labels,
    "frames": of_frames,
    "vectors": of_vectors,
    "sounds": of_sounds,
    "tagger": tagger,
    "frame-tagger": frame_tagger,
    "language": language,
    "regressor": regressor,
    "forecaster": forecaster,
    "known": forecaster_of_known,
    "translator": translator,
    "transcriber": transcriber,
    "generator": generator,
    "musician": musician,
}


def build(folder: Path, names: Iterable[str] = tuple(BUILDERS)) -> dict[str, Path]:
    """Train models; return their folders by name."""
    folders = {}
    for name in names:
        folders[name] = folder / name
        BUILDERS[name](folders[name])
    return folders
