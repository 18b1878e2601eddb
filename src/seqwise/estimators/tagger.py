"""Many to many of the same length: a tag for each token, a label for each frame."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, get_type_hints

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import nn

from seqwise.data.frames import Frames
from seqwise.estimators.fitting import class_weights
from seqwise.estimators.labelled import Labelled, choose_held
from seqwise.estimators.pretrained import Coverage, GivenVectors, give_vectors
from seqwise.estimators.sections import section_from
from seqwise.estimators.tag_targets import TagCode, fit_temperature
from seqwise.estimators.tagger_fitting import Epochs, Scored, fingerprint
from seqwise.estimators.tagger_sections import TRAINING_DEFAULTS, TaggerSections, decided, read_as, read_vectors
from seqwise.losses import ImbalanceSettings
from seqwise.metrics.tagging import quick_tagging_figures
from seqwise.models import (
    FramedExamples,
    FrameTaggerFeatures,
    SavedTagger,
    TaggedExamples,
    TaggerFeatures,
    TaggerSettings,
    WordTagger,
    build_tagger,
)
from seqwise.models.frame_settings import FrameSettings
from seqwise.prediction import FolderContent, write_folder
from seqwise.prediction.tagged import TaggedFrames, TaggedText
from seqwise.prediction.tagger import TaggerPredictor
from seqwise.text import TextSettings
from seqwise.training import Callback, Progress, TrainingSettings, train

CALIBRATED = 1000  # validation sequences that are enough for the temperature
Sequences = Sequence[Sequence[str]] | Frames | Sequence[Any]


class SequenceTagger(BaseEstimator):
    """Learns a tag for each step of a sequence: parts of speech, named entities; what somebody does in every moment.

    The steps are tokens, or frames of numbers. Tags of tokens that describe spans (BIO, IOB1, BIOES) are read, learned in
    `model.inner_scheme`, and answered in their own scheme.

    Args:
        text: values of the section `text`, see `TextSettings`; `unit` is how a text that is no list of tokens is split.
        frames: values of the section `frames`, see `FrameSettings`.
        model: values of the section `model`, see `TaggerSettings`.
        imbalance: values of the section `imbalance`, see `ImbalanceSettings`. Samplers draw windows of frames.
        training: values of the section `training`, see `TrainingSettings`. The metric is micro_f1 (of spans, as in the CoNLL
            shared tasks), macro_f1 (of frames, unless another one is set) or accuracy.
        validation: share of the sequences that is held back to choose the best epoch by.
        verbose: print a line an epoch.

    Attributes:
        settings_: the sections, every value decided.
        classes_: the tags as they are learned.
        counts_: steps of each in training, (C,).
        broken_: training tags that broke a rule of their scheme, and were converted.
        held_: numbers of the sequences that were held back, None where none were.
        coverage_: of the word vectors, None without.
        history_: one record an epoch.
        predictor_: what answers.
        seconds_: of the fit.
    """

    def __init__(
        self,
        *,
        text: Mapping[str, Any] | TextSettings | None = None,
        frames: Mapping[str, Any] | FrameSettings | None = None,
        model: Mapping[str, Any] | TaggerSettings | None = None,
        imbalance: Mapping[str, Any] | ImbalanceSettings | None = None,
        training: Mapping[str, Any] | TrainingSettings | None = None,
        validation: float = 0.1,
        verbose: bool = False,
    ) -> None:
        self.text, self.frames, self.model, self.imbalance, self.training = text, frames, model, imbalance, training
        self.validation, self.verbose = validation, verbose

    def fit(
        self,
        X: Sequences,
        y: Sequence[Any],
        *,
        validation_data: tuple[Sequences, Sequence[Any]] | None = None,
        groups: Sequence[str] | None = None,
        folder: str | Path | None = None,
        resume: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Fit on sequences and their tags.

        Args:
            X: tokens of each sentence; or `Frames`, or arrays (T, D).
            y: as many tags of each. Those of frames may be whole numbers; None or a number below 0 is a step without a
                label, which is read but neither learned nor judged.
            validation_data: the same, to choose the best epoch by; without it a share of X is held back.
            groups: of each sequence, its person, say; where a share is held back, those of one group stay together.
            folder: where history.jsonl and checkpoints/ go; None writes nothing.
            resume: go on from the newest checkpoint in `folder`.
            callbacks: further callbacks of the training loop.

        Raises:
            DataError: sequences and tags do not belong together, or a tag is none of the scheme.
            ConfigurationError: a parameter is out of its range.
        """
        started = time.perf_counter()
        sections = TaggerSections(
            section_from(self.text, TextSettings, {}, "text"),
            section_from(self.frames, FrameSettings, {}, "frames"),
            section_from(self.model, TaggerSettings, {}, "model"),
            section_from(self.imbalance, ImbalanceSettings, {}, "imbalance"),
            section_from(self.training, TrainingSettings, TRAINING_DEFAULTS, "training"),
        )
        data = Labelled.of(X, y)
        sections = read_as(sections, framed=data.framed)
        held = None if validation_data is None else Labelled.of(*validation_data)
        self.held_: list[int] | None = None
        if held is None and self.validation:
            seed = sections.training.seed
            self.held_ = choose_held(len(data), self.validation, seed, groups, data.unit)
            held = data.take(self.held_)
            data = data.take(sorted(set(range(len(data))) - set(self.held_)))
        self.code_ = TagCode.of(data.tags, sections.model.scheme, sections.model.inner_scheme)
        sections = decided(sections, self.code_, framed=data.framed)
        targets, self.broken_ = self.code_.encode(data.tags)
        self.classes_ = self.code_.classes

        given = read_vectors(sections.model)
        sections = self._learn_features(sections, data, given)
        self.settings_, settings = sections, sections.training
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            network = build_tagger(sections.model, self._features, self.classes_)
            self.coverage_: Coverage | None = None
            if given is not None:
                assert isinstance(network, WordTagger)
                assert isinstance(self._features, TaggerFeatures)
                self.coverage_ = give_vectors(network, self._features.words, given)
        self._network, self.temperature_ = network, 1.0
        examples = self._encode(data, targets)
        known = np.concatenate([np.asarray(row) for row in targets])
        self.counts_ = np.bincount(known[known >= 0], minlength=len(self.classes_))
        epochs = Epochs(examples, sections.model, settings, sections.imbalance.sampler)
        scored = Scored(
            network,
            sections.imbalance,
            self.counts_,
            class_weights(sections.imbalance, self.classes_, self.counts_),
            epochs.mean,
            partial=data.framed,
        )
        self.predictor_ = self._predictor()
        true = None if held is None else self.code_.tagging(held.tags)

        def batches(epoch: int) -> Any:
            scored.progress = epoch / settings.epochs
            return epochs(epoch)

        def validate(model: nn.Module) -> dict[str, float]:
            assert held is not None
            assert true is not None
            return quick_tagging_figures(true, self.code_.tagging(self.predictor_.tags(held.X)))

        history = train(
            scored,
            batches,
            lambda model, batch: model(batch),
            settings=settings,
            validate=None if held is None else validate,
            callbacks=[*([Progress(verbose=True)] if self.verbose else []), *callbacks],
            folder=None if folder is None else Path(folder),
            resume=resume,
            fingerprint=fingerprint(examples) + ("" if given is None else given.mark),
        )
        network.eval()
        if held is not None:
            part = held.take(range(min(len(held), CALIBRATED)))
            found = self._encode(part, self.code_.encode(part.tags)[0])
            self.temperature_ = fit_temperature(network, [batch for _, batch in self.predictor_.batched(found)])
        self.predictor_ = self._predictor()
        self.fit_history_, self.history_ = history, history.epochs
        self.seconds_ = time.perf_counter() - started
        return self

    def predict(self, X: Sequences) -> list[list[str]]:
        """Return the tags of each sequence, in the scheme of the training data; of a text, of the tokens that it has."""
        return [tagged.tags for tagged in self.tag(X)]

    def tag(self, X: Sequences | Sequence[str]) -> list[TaggedText] | list[TaggedFrames]:
        """Return tags, spans or segments, and their probabilities, see `TaggerPredictor.tag`."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.tag(X)

    def predict_marginals(self, X: Sequences) -> list[np.ndarray]:
        """Return the probability of every tag of `classes_` for every step, (T, C), calibrated on the validation part."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.marginals(X)

    def score(self, X: Sequences, y: Sequence[Any]) -> float:
        """Return the micro F1 of spans; of tags that are no spans the accuracy of tokens, of frames the macro F1."""
        check_is_fitted(self, "predictor_")
        data = Labelled.of(X, y)
        found = quick_tagging_figures(self.code_.tagging(data.tags), self.code_.tagging(self.predictor_.tags(data.X)))
        return found["macro_f1" if data.framed else "micro_f1"]

    def save(self, path: str | Path, *, data: dict[str, Any] | None = None, **pieces: Any) -> None:
        """Write a model folder that `load`, `TaggerPredictor.load` and the commands read.

        Args:
            path: of the folder; made if need be.
            data: the configuration section `data`.
            pieces: handed to `seqwise.prediction.write_folder`.

        Raises:
            FileError: it could not be written.
        """
        check_is_fitted(self, "predictor_")
        content = self._content(data)
        write_folder(
            path,
            config=content.config,
            weights=self._network.state_dict(),
            vocabulary=self._features.to_dict(),
            labels=content.labels,
            **pieces,
        )

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Return the estimator that `save` wrote.

        Raises:
            ModelFolderError: the folder is missing, damaged, or not that of a tagger.
            DeviceError: there is no such device.
        """
        predictor = TaggerPredictor.load(path, device)
        kinds = get_type_hints(TaggerSections)
        saved: dict[str, Any] = {name: predictor.settings.get(name, {}) for name in kinds}
        estimator = cls(**saved)
        estimator.settings_ = TaggerSections.from_dict(saved)
        estimator.predictor_, estimator.temperature_ = predictor, predictor.temperature
        estimator._network, estimator._features = predictor.network, predictor.features
        estimator.classes_, estimator.counts_ = predictor.classes, np.array(predictor.counts)
        model = estimator.settings_.model
        estimator.code_ = TagCode(predictor.classes, model.scheme, model.inner_scheme)
        return estimator

    def _learn_features(self, sections: TaggerSections, data: Labelled, given: GivenVectors | None) -> TaggerSections:
        """Learn what there is to read, and return the sections with what follows from it."""
        self._features: TaggerFeatures | FrameTaggerFeatures
        if isinstance(data.X, Frames):
            self._features = FrameTaggerFeatures(sections.frames)
            self._features.fit(data.X)
            return replace(sections, frames=self._features.settings)
        self._features = TaggerFeatures(sections.text)
        self._features.fit(data.X, None if given is None else given.know, () if given is None else given.vectors.words)
        model = sections.model
        if given is not None:
            model = model.model_copy(update={"embedding_size": given.vectors.size})
        return replace(sections, text=self._features.text, model=model)

    def _encode(self, data: Labelled, targets: Sequence[Sequence[int]]) -> TaggedExamples | FramedExamples:
        if isinstance(self._features, FrameTaggerFeatures):
            assert isinstance(data.X, Frames)
            return self._features.encode(data.X, [np.asarray(row, np.int64) for row in targets])
        assert not isinstance(data.X, Frames)
        return self._features.encode(data.X, targets)

    def _predictor(self) -> TaggerPredictor:
        return TaggerPredictor(self._content(), SavedTagger(self._network, self._features))

    def _content(self, data: dict[str, Any] | None = None) -> FolderContent:
        config = {
            "task": "tag",
            "estimator": type(self).__name__,
            "unit": "frames" if self._features.framed else self.settings_.text.unit,
            "settings": {"data": data or {"validation": self.validation}, **self.settings_.to_dict()},
        }
        counts = self.counts_.tolist()
        labels = {
            "classes": self.classes_,
            "counts": counts,
            "priors": (self.counts_ / max(self.counts_.sum(), 1)).tolist(),
            "thresholds": None,
            "positive": None,
            "calibration": None,
            "temperature": self.temperature_,
        }
        return FolderContent(Path(), config, {}, {}, labels)
