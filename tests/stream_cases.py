"""Small models of every task and encoder that reads step by step, each with what its stream reads."""

import numpy as np
import torch

from seqwise.estimators import SequenceClassifier, SequenceForecaster, SequenceRegressor, Transcriber
from seqwise.estimators.language import LanguageModel
from seqwise.estimators.tagger import SequenceTagger
from seqwise.prediction import Predictor
from seqwise.prediction.forecaster import ForecasterPredictor
from seqwise.prediction.language import LanguagePredictor
from seqwise.prediction.regressor import RegressorPredictor
from seqwise.prediction.tagger import TaggerPredictor
from seqwise.prediction.transcriber import TranscriberPredictor

TEXTS = [f"{mood} {thing} {place}" for mood in ("good", "bad") for thing in ("day", "work") for place in "abcdefgh"]
LABELS = ["yes"] * 16 + ["no"] * 16
STREAM = ["a", "bad", "good", "day", "work", "unheard", "b", "bad", "c", "day"]
ENCODERS = {
    "lstm": {},
    "gru, two layers": {"cell": "gru", "num_layers": 2},
    "rnn, zoneout": {"cell": "rnn", "zoneout": 0.2},
    "reference": {"backend": "reference"},
    "transformer": {"encoder": "transformer", "num_layers": 2, "heads": 2},
    "transformer that forgets": {"encoder": "transformer", "context": 3, "heads": 2},
}
TASKS = (
    "classifier",
    "classifier, attention",
    "frames",
    "language",
    "tagger",
    "regressor",
    "forecaster",
    "transcriber",
)
CAUSAL = {"bidirectional": False, "hidden_size": 8}
TRAINING = {"epochs": 1, "device": "cpu"}


def save(task, encoder, path):
    """Fit a model of the task for a moment, and write its folder."""
    random = np.random.default_rng(0)
    recurrent = {**CAUSAL, "architecture": "recurrent", **encoder}
    if task == "classifier":
        SequenceClassifier(**recurrent, **TRAINING, pooling="last+max+mean").fit(TEXTS, LABELS).save(path)
    elif task == "classifier, attention":
        text = {"unit": "characters", "end_mark": True}
        SequenceClassifier(**recurrent, **TRAINING, **text, pooling="attention+last").fit(TEXTS, LABELS).save(path)
    elif task == "frames":
        rows = [(random.normal(size=(6, 4)) + i % 2).astype(np.float32) for i in range(40)]
        SequenceClassifier(**recurrent, **TRAINING).fit(rows, [i % 2 for i in range(40)]).save(path)
    elif task == "language":
        model = {"embedding_size": 8, "hidden_size": 8, "num_layers": 1, "bptt": 8, **encoder}
        LanguageModel(model=model, training={**TRAINING, "batch_size": 2}).fit(TEXTS * 2).save(path)
    elif task == "tagger":
        model = {"head": "softmax", "embedding_size": 8, **CAUSAL, **encoder}
        sentences = [text.split() for text in TEXTS]
        SequenceTagger(model=model, training=TRAINING).fit(sentences, [["A", "B", "C"]] * len(TEXTS)).save(path)
    elif task == "regressor":
        numbers = np.arange(len(TEXTS), dtype=float)
        text = {"unit": "tokens"}
        SequenceRegressor(text=text, model=recurrent, training=TRAINING).fit([t.split() for t in TEXTS], numbers).save(
            path
        )
    elif task == "forecaster":
        rows = [random.normal(size=(40, 2)).cumsum(0) for _ in range(4)]
        model = {"hidden_size": 8, "window": 16, "horizon": 2, "lags": 3, "difference": 2}
        model |= encoder
        SequenceForecaster(model=model, training=TRAINING).fit(rows).save(path)
    else:
        X = [random.normal(size=(random.integers(8, 20), 3)).astype(np.float32) for _ in range(20)]
        y = ["".join(random.choice(list("ab "), 3)).strip() or "a" for _ in range(20)]
        model = {**CAUSAL, "num_layers": 1, "time_masks": 0, "channel_masks": 0, "factor": 3, **encoder}
        frames = {"normalise": "channel"}
        Transcriber(frames=frames, model=model, search={"beam": 1}, training=TRAINING, validation=0.0).fit(X, y).save(
            path
        )


READERS = {
    "language": LanguagePredictor,
    "tagger": TaggerPredictor,
    "regressor": RegressorPredictor,
    "forecaster": ForecasterPredictor,
    "transcriber": TranscriberPredictor,
}


def load(task, path):
    """The predictor of a folder, its weights far from where they start: each state then says something."""
    predictor = READERS.get(task, Predictor).load(path, device="cpu")
    module = next(of.module for name in ("model", "_model") if (of := getattr(predictor, name, None)) is not None) \
        if not hasattr(predictor, "network") else predictor.network  # fmt: skip
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    return predictor


def inputs_of(task):
    """Ten steps of a stream or more."""
    random = np.random.default_rng(5)
    width = {"frames": 4, "forecaster": 2, "transcriber": 3}.get(task)
    if width:
        return list(random.normal(size=(14, width)).astype(np.float32) * 3)
    return [f"{word} " for word in STREAM] if task.startswith("classifier") else STREAM
