"""One to many: from a class, a vector or nothing to a sequence of symbols or chords."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from seqwise.data import EpochBatches, LengthBatches
from seqwise.data.frames import Frames
from seqwise.errors import ConfigurationError, DataError
from seqwise.estimators.sections import SectionSet, section_from
from seqwise.models.frame_settings import FrameSettings
from seqwise.models.generator import GeneratorBatch, GeneratorNetwork
from seqwise.models.generator_features import GeneratorExamples, GeneratorFeatures, checked_sequences
from seqwise.models.generator_saved import SavedGenerator
from seqwise.models.generator_settings import GeneratorSettings
from seqwise.prediction import FolderContent, write_folder
from seqwise.prediction.generator import GeneratorPredictor
from seqwise.prediction.sampling import Sampling
from seqwise.text import TextSettings
from seqwise.training import Callback, Progress, TrainingSettings, train

TEXT_DEFAULTS: dict[str, Any] = {"lowercase": False, "normalize": "NFC"}
TRAINING_DEFAULTS: dict[str, Any] = {
    "metric": "log_loss",
    "epochs": 20,
    "batch_size": 32,
    "optimizer": "adamw",
    "learning_rate": 3e-3,
    "weight_decay": 0.01,
    "clip_norm": 1.0,
    "schedule": "one_cycle",
    "warmup": 0.1,
    "select": "best",
}


@dataclass(frozen=True)
class GeneratorSections(SectionSet):
    """How texts and vectors are read, which layers the model has, how it is trained."""

    text: TextSettings
    frames: FrameSettings
    model: GeneratorSettings
    training: TrainingSettings


class Scored(nn.Module):
    """A generator and the loss that it is fitted by.

    Args:
        network: what is fitted.
        scale: the losses of a sequence are summed and divided by this, the mean length: every step counts alike.
    """

    def __init__(self, network: GeneratorNetwork, scale: float) -> None:
        super().__init__()
        self.network, self.scale = network, scale

    def forward(self, batch: GeneratorBatch) -> Tensor:
        """The loss of each sequence, (B,)."""
        return self.network.losses(batch).sum(1) / self.scale


class SequenceGenerator(BaseEstimator):
    """Learns to write sequences: names of a language, the name of a digit from its picture, chords after chords.

    Args:
        text: values of the section `text`, see `TextSettings`; case is kept unless `lowercase` is set.
        frames: values of the section `frames`, see `FrameSettings`: how vectors are normalised.
        model: values of the section `model`, see `GeneratorSettings`.
        training: values of the section `training`, see `TrainingSettings`; the metric is log_loss.
        validation: share of the examples that is held back to choose the best epoch by.
        verbose: print a line an epoch.

    Attributes:
        settings_: the sections, every value decided.
        classes_: of the conditions; empty where they are no classes.
        held_: numbers of the examples that were held back, None where none were.
        history_: one record an epoch.
        predictor_: what answers.
        seconds_: of the fit.
    """

    def __init__(
        self,
        *,
        text: Mapping[str, Any] | TextSettings | None = None,
        frames: Mapping[str, Any] | FrameSettings | None = None,
        model: Mapping[str, Any] | GeneratorSettings | None = None,
        training: Mapping[str, Any] | TrainingSettings | None = None,
        validation: float = 0.1,
        verbose: bool = False,
    ) -> None:
        self.text, self.frames, self.model, self.training = text, frames, model, training
        self.validation, self.verbose = validation, verbose

    def fit(
        self,
        X: Any,
        y: Sequence[Any],
        *,
        validation_data: tuple[Any, Sequence[Any]] | None = None,
        folder: str | Path | None = None,
        resume: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Fit on conditions and the sequences that belong to them.

        Args:
            X: a class of each sequence; or a vector (rows of an array, `Frames` of one step); or None for sequences without
                conditions.
            y: texts, lists of tokens, or pieces of music: lists of lists of MIDI pitches.
            validation_data: the same, to choose the best epoch by; without it a share is held back.
            folder: where history.jsonl and checkpoints/ go; None writes nothing.
            resume: go on from the newest checkpoint in `folder`.
            callbacks: further callbacks of the training loop.

        Raises:
            DataError: conditions and sequences do not belong together, or one is not as expected; names it.
            ConfigurationError: a parameter is out of its range.
        """
        started = time.perf_counter()
        sections = GeneratorSections(
            section_from(self.text, TextSettings, TEXT_DEFAULTS, "text"),
            section_from(self.frames, FrameSettings, {}, "frames"),
            section_from(self.model, GeneratorSettings, {}, "model"),
            section_from(self.training, TrainingSettings, TRAINING_DEFAULTS, "training"),
        )
        settings = sections.training
        _check(settings)
        conditions, sequences, held = X, checked_sequences(y), validation_data
        self.held_: list[int] | None = None
        if held is None and self.validation:
            self.held_ = choose_held(conditions, len(sequences), self.validation, settings.seed)
            kept = sorted(set(range(len(sequences))) - set(self.held_))
            held = taken(conditions, self.held_), [sequences[i] for i in self.held_]
            conditions, sequences = taken(conditions, kept), [sequences[i] for i in kept]
        features = GeneratorFeatures(sections.text, sections.model, sections.frames)
        examples = features.fit_encode(conditions, sequences)
        watched = None if held is None else features.encode(*held)
        self._features, self.classes_ = features, features.classes
        self.settings_ = GeneratorSections(features.text, sections.frames, features.model, settings)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            saved = SavedGenerator.of(features)
        network = saved.module
        _start(network, examples)
        self.predictor_ = GeneratorPredictor(self._content(), saved)
        order = LengthBatches(examples.lengths, settings.batch_size, seed=settings.seed)
        reach = features.model.transpose

        def batches(epoch: int) -> EpochBatches[GeneratorBatch]:
            order.set_epoch(epoch)
            random = np.random.default_rng((settings.seed, epoch))
            shifts = random.integers(-reach, reach + 1, len(examples)) if reach else None
            return EpochBatches(
                lambda indices: examples.batch(indices, None if shifts is None else shifts[indices]), list(order)
            )

        def validate(model: nn.Module) -> dict[str, float]:
            assert watched is not None
            assert isinstance(model, Scored)
            value = mean_loss(model.network, watched)
            return {"log_loss": value, "perplexity": math.exp(min(value, 700))}

        history = train(
            Scored(network, float(examples.lengths.mean())),
            batches,
            lambda model, batch: model(batch),
            settings=settings,
            validate=None if watched is None else validate,
            callbacks=[*([Progress(verbose=True)] if self.verbose else []), *callbacks],
            folder=None if folder is None else Path(folder),
            resume=resume,
            fingerprint=_fingerprint(examples),
        )
        network.eval()
        self.fit_history_, self.history_ = history, history.epochs
        self.steps_ = int(examples.lengths.sum())
        self.seconds_ = time.perf_counter() - started
        return self

    def predict(self, X: Any, *, beam: int = 1, max_tokens: int = 100) -> list[str]:
        """The most probable text of each condition, see `GeneratorPredictor.predict`."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.predict(X, beam=beam, max_tokens=max_tokens)

    def sample(
        self, condition: Any = None, n: int = 1, *, prompt: Any = "", guidance: float = 0.0, **sampling: Any
    ) -> list[Any]:
        """Draw sequences.

        Args:
            condition: a class or a vector; None for a model without conditions, or for any class.
            n: how many.
            prompt: what they begin with: a text, or chords.
            guidance: see `GeneratorPredictor.sample`.
            **sampling: values of `Sampling`: temperature, top_k, top_p, max_tokens, seed.

        Returns:
            Texts; or pieces of `max_tokens` chords, without those of the prompt.
        """
        check_is_fitted(self, "predictor_")
        predictor = self.predictor_
        conditions = None if predictor.condition == "none" and condition is None else [condition] * n
        if predictor.makes_chords:
            if guidance:
                raise ConfigurationError("guidance is for texts")
            return predictor.sample_pieces(conditions, Sampling(**sampling), count=n, seed=prompt or ())
        return list(predictor.sample(conditions, Sampling(**sampling), count=n, prompt=prompt, guidance=guidance))

    def log_probabilities(self, X: Any, y: Sequence[Any]) -> np.ndarray:
        """log P of each sequence given its condition, (n,) in nats; of texts the end included."""
        check_is_fitted(self, "predictor_")
        return np.array([-losses.sum() for losses in self.predictor_.losses(X, y)])

    def score(self, X: Any, y: Sequence[Any]) -> float:
        """Minus the mean -log P of a step, in nats: more is better, as scikit-learn wants it."""
        check_is_fitted(self, "predictor_")
        return -float(np.concatenate(self.predictor_.losses(X, y)).mean())

    def save(self, path: str | Path, *, data: dict[str, Any] | None = None, **pieces: Any) -> None:
        """Write a model folder that `load`, `GeneratorPredictor.load` and the commands read.

        Args:
            path: of the folder; made if need be.
            data: the configuration section `data`.
            pieces: handed to `seqwise.prediction.write_folder`.

        Raises:
            FileError: it could not be written.
        """
        check_is_fitted(self, "predictor_")
        write_folder(
            path,
            config=self._content(data).config,
            weights=self.predictor_.network.state_dict(),
            vocabulary=self._features.to_dict(),
            **pieces,
        )

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Return the estimator that `save` wrote.

        Raises:
            ModelFolderError: the folder is missing, damaged, or not that of a generator.
            DeviceError: there is no such device.
        """
        predictor = GeneratorPredictor.load(path, device)
        saved: dict[str, Any] = {name: predictor.settings[name] for name in ("text", "frames", "model", "training")}
        estimator = cls(**saved)
        estimator.settings_ = GeneratorSections.from_dict(saved)
        estimator.predictor_, estimator._features = predictor, predictor.features
        estimator.classes_ = predictor.classes
        return estimator

    def _content(self, data: dict[str, Any] | None = None) -> FolderContent:
        config = {
            "task": "generate",
            "estimator": type(self).__name__,
            "unit": "chords" if self._features.pipeline is None else self._features.text.unit,
            "settings": {"data": data or {"validation": self.validation}, **self.settings_.to_dict()},
        }
        return FolderContent(Path(), config, {}, {}, {})


def choose_held(conditions: Any, count: int, share: float, seed: int) -> list[int]:
    """Numbers of the examples that are held back, rising: of classes their share of each, as far as it goes.

    Raises:
        DataError: there is nothing to hold back.
    """
    wanted = max(1, round(share * count))
    if wanted >= count:
        raise DataError("there are not enough examples to hold a part back for validation: set data.validation to 0")
    order = np.random.default_rng(seed).permutation(count)
    if conditions is None or isinstance(conditions, Frames) or np.ndim(conditions[0]):
        return sorted(order[:wanted].tolist())
    # Every class keeps its first example, and gives of the others in turn.
    _, codes = np.unique([str(conditions[i]) for i in order], return_inverse=True)
    ranks, sizes = np.empty(count, np.int64), np.bincount(codes)
    for code in range(len(sizes)):
        ranks[codes == code] = np.arange(sizes[code])
    positions = np.where(ranks > 0, (ranks - 0.5) / sizes[codes], 2.0)
    return sorted(order[np.argsort(positions, kind="stable")[:wanted]].tolist())


def taken(conditions: Any, indices: Sequence[int]) -> Any:
    """Some of the conditions, in this order."""
    if conditions is None:
        return None
    return conditions.take(indices) if isinstance(conditions, Frames) else [conditions[i] for i in indices]


@torch.no_grad()
def mean_loss(network: GeneratorNetwork, examples: GeneratorExamples, together: int = 64) -> float:
    """Mean -log P of a step, in nats."""
    device = next(network.parameters()).device
    order, total = np.argsort(examples.lengths, kind="stable"), 0.0
    for begin in range(0, len(order), together):
        batch = examples.batch(order[begin : begin + together])
        total += float(network.losses(batch.to(device)).double().sum())
    return total / float(examples.lengths.sum())


def _start(network: GeneratorNetwork, examples: GeneratorExamples) -> None:
    """Start the head at the shares of symbols or pitches: what it would otherwise have to learn first."""
    flat = np.concatenate([row.ravel() for row in examples.steps])
    if network.output is not None:
        counts = torch.from_numpy(np.bincount(flat, minlength=network.output.out_features + 1)[1:])
        with torch.no_grad():
            network.output.bias.copy_((counts + 1.0).log() - (counts + 1.0).sum().log())
        return
    assert network.head is not None
    counts = torch.from_numpy(np.bincount(flat[flat >= 0], minlength=examples.pitches))
    network.head.start_from_shares((counts + 1.0) / (float(examples.lengths.sum()) + 2.0))


def _check(training: TrainingSettings) -> None:
    if training.metric != "log_loss":
        raise ConfigurationError(f"training.metric of a generator is log_loss, not {training.metric}")
    if training.refit:
        raise ConfigurationError("training.refit is not for generators: set it to false")


def _fingerprint(examples: GeneratorExamples) -> str:
    digest = hashlib.sha256(examples.lengths.tobytes())
    for row in examples.steps:
        digest.update(row.tobytes())
    if examples.conditions is not None:
        digest.update(examples.conditions.tobytes())
    return digest.hexdigest()[:16]
