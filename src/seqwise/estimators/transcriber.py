"""Many to many of another length, in the order of what is read: frames to text, by connectionist temporal
classification."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from seqwise.data import EpochBatches, LengthBatches
from seqwise.data.frames import Frames
from seqwise.errors import DataError
from seqwise.estimators.language import LanguageModel
from seqwise.estimators.sections import section_from
from seqwise.estimators.transcriber_search import choose_search, compare_searches, fit_language_model
from seqwise.estimators.transcriber_sections import (
    FRAME_DEFAULTS,
    SECTIONS,
    TEXT_DEFAULTS,
    TRAINING_DEFAULTS,
    TranscriberSections,
    check_training,
)
from seqwise.losses import CTCLoss
from seqwise.metrics.transcription import quick_transcription_figures
from seqwise.models.frame_features import FrameFeatures
from seqwise.models.frame_settings import FrameSettings
from seqwise.models.transcriber import TranscriberNetwork
from seqwise.models.transcriber_features import SpokenBatch, SpokenExamples, TranscriberFeatures, steps_needed
from seqwise.models.transcriber_saved import SavedTranscriber, build_transcriber
from seqwise.models.transcriber_settings import FROM_TRAINING, TranscriberSearchSettings, TranscriberSettings
from seqwise.prediction import FolderContent, write_folder
from seqwise.prediction.transcriber import LANGUAGE_FOLDER, TranscriberPredictor, Transcript, read_word_list
from seqwise.text import TextSettings
from seqwise.training import Callback, Progress, TrainingSettings, train

Utterances = Frames | Sequence[Any]


class Transcriber(BaseEstimator):
    """Learns to write down what was said: speech from frames of numbers, without knowing when each word was said.

    Args:
        frames: values of the section `frames`, see `FrameSettings`.
        text: values of the section `text`, see `TextSettings`; `unit` is what a symbol is: characters, words, or pieces
            of words (bpe, unigram).
        model: values of the section `model`, see `TranscriberSettings`.
        search: values of the section `search`, see `TranscriberSearchSettings`.
        training: values of the section `training`, see `TrainingSettings`. The metric is wer or cer.
        validation: share of the utterances that is held back to choose the best epoch and the search by.
        verbose: print a line an epoch.

    Attributes:
        settings_: the sections, every value decided.
        skipped_: training utterances whose transcripts have more symbols than there are steps, and were left out.
        silent_: training utterances with an empty transcript, which are learned from.
        held_: numbers of the utterances that were held back, None where none were.
        trials_: what was tried to choose the search by.
        searches_: what each part of the search gains on the validation part.
        history_: one record an epoch.
        predictor_: what answers.
        seconds_: of the fit.
    """

    def __init__(
        self,
        *,
        frames: Mapping[str, Any] | FrameSettings | None = None,
        text: Mapping[str, Any] | TextSettings | None = None,
        model: Mapping[str, Any] | TranscriberSettings | None = None,
        search: Mapping[str, Any] | TranscriberSearchSettings | None = None,
        training: Mapping[str, Any] | TrainingSettings | None = None,
        validation: float = 0.1,
        verbose: bool = False,
    ) -> None:
        self.frames, self.text, self.model, self.search, self.training = frames, text, model, search, training
        self.validation, self.verbose = validation, verbose

    def fit(
        self,
        X: Utterances,
        y: Sequence[str],
        *,
        validation_data: tuple[Utterances, Sequence[str]] | None = None,
        folder: str | Path | None = None,
        resume: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Fit on utterances and what was said in them.

        Args:
            X: `Frames`, or arrays (steps, channels).
            y: a transcript of each.
            validation_data: the same, to choose the best epoch and the search by; without it a share of X is held back.
            folder: where history.jsonl and checkpoints/ go; None writes nothing.
            resume: go on from the newest checkpoint in `folder`.
            callbacks: further callbacks of the training loop.

        Raises:
            DataError: utterances and transcripts do not belong together, or most transcripts have more symbols than
                steps.
            ConfigurationError: a parameter is out of its range.
        """
        started = time.perf_counter()
        sections = TranscriberSections(
            section_from(self.frames, FrameSettings, FRAME_DEFAULTS, "frames"),
            section_from(self.text, TextSettings, TEXT_DEFAULTS, "text"),
            section_from(self.model, TranscriberSettings, {}, "model"),
            section_from(self.search, TranscriberSearchSettings, {}, "search"),
            section_from(self.training, TrainingSettings, TRAINING_DEFAULTS, "training"),
        )
        settings = sections.training
        check_training(settings)
        features = TranscriberFeatures(FrameFeatures(sections.frames), sections.text)
        spoken, said = checked_utterances(X, y)
        held = None if validation_data is None else checked_utterances(*validation_data)
        self.held_: list[int] | None = None
        if held is None and self.validation:
            self.held_ = choose_held(len(spoken), self.validation, settings.seed)
            kept = sorted(set(range(len(spoken))) - set(self.held_))
            held = spoken.take(self.held_), [said[i] for i in self.held_]
            spoken, said = spoken.take(kept), [said[i] for i in kept]
        said = features.prepared(said)
        true = None if held is None else features.prepared(held[1])
        words, given_language = _given(sections.search, said)

        features.fit_text(said)
        encoded = features.frames.fit_encode(spoken)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            network = build_transcriber(sections.model, features)
        examples = self._fitting(network, encoded, features.targets(said), features)
        self._network, self._features, self._words, self._language = network, features, words, given_language
        self.settings_ = TranscriberSections(
            features.frames.settings, features.pipeline.settings, sections.model, sections.search, settings
        )
        greedy = sections.search.model_copy(
            update={"beam": 1, "language_model": None, "language_weight": None, "insertion_bonus": None}
        )
        quick = TranscriberPredictor(self._content(), SavedTranscriber(network, features))
        order = LengthBatches(examples.frames.lengths, settings.batch_size, seed=settings.seed)

        def batches(epoch: int) -> EpochBatches[SpokenBatch]:
            order.set_epoch(epoch)
            return EpochBatches(examples.batch, list(order))

        def validate(model: nn.Module) -> dict[str, float]:
            assert held is not None
            assert true is not None
            symbols = quick.find(quick.log_probabilities(held[0]), greedy)
            return quick_transcription_figures(true, [features.write(of) for of in symbols])

        history = train(
            network,
            batches,
            _Loss(float(np.mean(examples.targets.lengths)) if examples.targets is not None else 1.0),
            settings=settings,
            validate=None if held is None else validate,
            callbacks=[*([Progress(verbose=True)] if self.verbose else []), *callbacks],
            folder=None if folder is None else Path(folder),
            resume=resume,
            fingerprint=_fingerprint(examples),
        )
        network.eval()
        self.fit_history_, self.history_ = history, history.epochs
        if sections.search.language_model == FROM_TRAINING:
            self._language = fit_language_model(features, said, true, settings.seed, _share(settings))
        self._decide_search(held, true)
        self.seconds_ = time.perf_counter() - started
        return self

    def predict(self, X: Utterances) -> list[str]:
        """Return the text of each utterance."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.texts(X)

    def transcribe(self, X: Utterances) -> list[Transcript]:
        """Return texts, their probabilities and the times of their words, see `TranscriberPredictor.transcribe`."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.transcribe(X)

    def score(self, X: Utterances, y: Sequence[str]) -> float:
        """Return 1 less the word error rate: more is better, as scikit-learn wants it; below 0 where more is wrong than
        said."""
        check_is_fitted(self, "predictor_")
        spoken, said = checked_utterances(X, y)
        found = quick_transcription_figures(self._features.prepared(said), self.predictor_.texts(spoken))
        return 1.0 - found["wer"]

    def save(self, path: str | Path, *, data: dict[str, Any] | None = None, **pieces: Any) -> None:
        """Write a model folder that `load`, `TranscriberPredictor.load` and the commands read.

        Args:
            path: of the folder; made if need be. A language model goes into a folder of its own in it.
            data: the configuration section `data`.
            pieces: handed to `seqwise.prediction.write_folder`.

        Raises:
            FileError: it could not be written.
        """
        check_is_fitted(self, "predictor_")
        if self._language is not None:
            self._language.save(Path(path) / LANGUAGE_FOLDER)
        write_folder(
            path,
            config=self._content(data).config,
            weights=self._network.state_dict(),
            vocabulary={**self._features.to_dict(), **({} if self._words is None else {"words": self._words})},
            **pieces,
        )

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Return the estimator that `save` wrote.

        Raises:
            ModelFolderError: the folder is missing, damaged, or not that of a transcriber.
            DeviceError: there is no such device.
        """
        predictor = TranscriberPredictor.load(path, device)
        saved: dict[str, Any] = {name: predictor.settings[name] for name in SECTIONS}
        estimator = cls(**saved)
        estimator.settings_ = replace(TranscriberSections.from_dict(saved), search=predictor.search)
        estimator._network, estimator._features = predictor.network, predictor.features
        estimator._words = predictor.words
        estimator._language = None
        if predictor.language is not None:
            estimator._language = LanguageModel.load(Path(path) / LANGUAGE_FOLDER, device=device)
        estimator.predictor_ = predictor
        return estimator

    def _fitting(
        self, network: TranscriberNetwork, encoded: Frames, targets: Any, features: TranscriberFeatures
    ) -> SpokenExamples:
        """The utterances whose transcripts their steps can hold.

        Raises:
            DataError: these are less than half.
        """
        steps = network.steps(torch.from_numpy(encoded.lengths)).numpy()
        needed = steps_needed(targets)
        fits = np.flatnonzero(needed <= steps)
        self.skipped_, self.silent_ = len(encoded) - len(fits), int((targets.lengths == 0).sum())
        if 2 * len(fits) < len(encoded):
            row = int(np.flatnonzero(needed > steps)[0])
            raise DataError(
                f"{self.skipped_} of {len(encoded)} transcripts have more symbols than their utterances have steps "
                f"(utterance {row + 1}: {needed[row]} and {steps[row]}): make steps of fewer frames (model.factor, "
                "frames.stride), or symbols of more characters (text.unit)"
            )
        return SpokenExamples(encoded.take(fits), targets.take(fits))

    def _decide_search(self, held: tuple[Frames, list[str]] | None, true: Sequence[str] | None) -> None:
        """Make `predictor_`, with what is left open of the search chosen on the validation part."""
        self.predictor_ = self._predictor()
        self.trials_: list[dict[str, Any]] = []
        self.searches_: list[dict[str, Any]] = []
        # What does not go together is said here.
        self.predictor_.searcher(self.settings_.search.model_copy(update={"language_weight": 1.0}))
        search = self.settings_.search
        if held is not None and true is not None and any(true):
            logs = self.predictor_.log_probabilities(held[0])
            if search.beam > 1 or self._words is not None or self._language is not None:
                of = self.settings_.training
                search, self.trials_ = choose_search(self.predictor_, logs, true, of.metric, _share(of))
        else:
            weight = 0.5 if self._language is not None else 0.0
            open_ = {"language_weight": weight, "insertion_bonus": 0.0}
            search = search.model_copy(
                update={name: value for name, value in open_.items() if getattr(search, name) is None}
            )
        self.settings_ = replace(self.settings_, search=search)
        self.predictor_ = self._predictor()
        if held is not None and true is not None and any(true):
            self.searches_ = compare_searches(self.predictor_, logs, true)

    def _predictor(self) -> TranscriberPredictor:
        language = None if self._language is None else self._language.predictor_
        model = SavedTranscriber(self._network, self._features, self._words)
        return TranscriberPredictor(self._content(), model, language)

    def _content(self, data: dict[str, Any] | None = None) -> FolderContent:
        config = {
            "task": "transcribe",
            "estimator": type(self).__name__,
            "unit": self._features.pipeline.settings.unit,
            "settings": {"data": data or {"validation": self.validation}, **self.settings_.to_dict()},
        }
        return FolderContent(Path(), config, {}, {}, {})


def _share(training: TrainingSettings) -> float | None:
    """The seconds of a time budget that finding out how to search may take, and fitting a language model too."""
    return None if training.time_budget is None else 0.05 * training.time_budget


class _Loss:
    """-log P of each transcript, divided by the mean number of symbols: every symbol counts alike.

    Args:
        scale: this number.
    """

    def __init__(self, scale: float) -> None:
        self._loss, self._scale = CTCLoss(), max(scale, 1.0)

    def __call__(self, model: nn.Module, batch: SpokenBatch) -> Tensor:
        logits, lengths = model(batch.frames, batch.lengths, batch.needed)
        return self._loss(logits, batch.targets, lengths, batch.target_lengths) / self._scale


def checked_utterances(X: Utterances, y: Sequence[str]) -> tuple[Frames, list[str]]:
    """Return utterances as frames, and transcripts as a list.

    Raises:
        DataError: there are none, or another number of transcripts, or one is no text.
    """
    spoken, said = Frames.from_rows(X), list(y)
    if len(spoken) != len(said) or not said:
        raise DataError(f"there are {len(spoken)} utterances and {len(said)} transcripts")
    for number, text in enumerate(said, 1):
        if not isinstance(text, str):
            raise DataError(f"the transcript of utterance {number} is no text: {text!r:.40}")
    return spoken, said


def _given(
    search: TranscriberSearchSettings, transcripts: Sequence[str]
) -> tuple[list[str] | None, LanguageModel | None]:
    """The word list and the language model that the section `search` names, as far as they are there before the fit."""
    words: list[str] | None = None
    if search.word_list == FROM_TRAINING:
        words = sorted({word for text in transcripts for word in text.split()})
    elif search.word_list is not None:
        words = read_word_list(search.word_list)
    if search.language_model in (None, FROM_TRAINING):
        return words, None
    return words, LanguageModel.load(str(search.language_model))


def choose_held(utterances: int, share: float, seed: int) -> list[int]:
    """The numbers of a share of the utterances, chosen at random, in rising order.

    Raises:
        DataError: nothing would be left.
    """
    count = max(1, round(share * utterances))
    if count >= utterances:
        raise DataError("there are not enough utterances to hold some back for validation: set data.validation to 0")
    return sorted(np.random.default_rng(seed).permutation(utterances)[:count].tolist())


def _fingerprint(examples: SpokenExamples) -> str:
    digest = hashlib.sha256()
    assert examples.targets is not None
    for part in (examples.frames.offsets, examples.frames.values, examples.targets.offsets, examples.targets.ids):
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()[:16]
