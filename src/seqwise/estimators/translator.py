"""Many to many of another length: a text in one language becomes a text in another."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from seqwise.data import EpochBatches, LengthBatches
from seqwise.errors import DataError
from seqwise.estimators.sections import section_from
from seqwise.estimators.translator_sections import (
    SECTIONS,
    TEXT_DEFAULTS,
    TRAINING_DEFAULTS,
    TranslatorSections,
    check_training,
    of_target,
)
from seqwise.models import (
    SavedTranslator,
    SearchSettings,
    TranslationBatch,
    TranslationExamples,
    TranslatorFeatures,
    TranslatorNetwork,
    TranslatorSettings,
)
from seqwise.prediction import FolderContent, write_folder
from seqwise.prediction.translator import Translated, TranslatorPredictor
from seqwise.text import TextSettings
from seqwise.training import Callback, Progress, TrainingSettings, train

NEARLY_ALL = 0.999  # of the training pairs have no more target symbols for each source symbol than `ratio_` says


class Taught(nn.Module):
    """A translator and the loss that it is fitted by.

    Args:
        network: what is fitted.
        scale: the losses of a target are summed and divided by this, the mean length: every symbol counts alike.
    """

    def __init__(self, network: TranslatorNetwork, scale: float) -> None:
        super().__init__()
        self.network, self.scale, self.progress = network, scale, 0.0

    def forward(self, batch: TranslationBatch) -> Tensor:
        """The loss of each target, (B,)."""
        settings, truth = self.network.settings, self.network.settings.teacher_forcing
        if settings.teacher_forcing_schedule == "linear":
            truth = 1 - (1 - truth) * self.progress
        return self.network.losses(batch, truth) / self.scale


class Translator(BaseEstimator):
    """Learns to translate from pairs of texts.

    Args:
        text: values of the section `text`, see `TextSettings`; byte-pair encoding with case kept, unless said otherwise.
        target_text: values in which the targets are read otherwise than the sources; then set
            `model={"shared_vocabulary": False}`.
        model: values of the section `model`, see `TranslatorSettings`.
        search: values of the section `search`, see `SearchSettings`.
        training: values of the section `training`, see `TrainingSettings`. The metric is log_loss, of a target symbol.
        validation: share of the pairs that is held back to choose the best epoch by.
        verbose: print a line an epoch.

    Attributes:
        settings_: the sections, every value decided.
        held_: numbers of the pairs that were held back, None where none were.
        left_out_: training pairs that are longer than `max_length` and were not learned from.
        history_: one record an epoch.
        predictor_: what answers.
        seconds_: of the fit.
    """

    def __init__(
        self,
        *,
        text: Mapping[str, Any] | TextSettings | None = None,
        target_text: Mapping[str, Any] | TextSettings | None = None,
        model: Mapping[str, Any] | TranslatorSettings | None = None,
        search: Mapping[str, Any] | SearchSettings | None = None,
        training: Mapping[str, Any] | TrainingSettings | None = None,
        validation: float = 0.1,
        verbose: bool = False,
    ) -> None:
        self.text, self.target_text, self.model = text, target_text, model
        self.search, self.training = search, training
        self.validation, self.verbose = validation, verbose

    def fit(
        self,
        X: Sequence[str],
        y: Sequence[str],
        *,
        validation_data: tuple[Sequence[str], Sequence[str]] | None = None,
        folder: str | Path | None = None,
        resume: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Fit on texts and their translations.

        Args:
            X: sources.
            y: as many targets.
            validation_data: the same, to choose the best epoch by; without it a share of X is held back.
            folder: where history.jsonl and checkpoints/ go; None writes nothing.
            resume: go on from the newest checkpoint in `folder`.
            callbacks: further callbacks of the training loop.

        Raises:
            DataError: sources and targets do not belong together, one is empty, or all are too long.
            ConfigurationError: a parameter is out of its range.
        """
        started = time.perf_counter()
        text = section_from(self.text, TextSettings, TEXT_DEFAULTS, "text")
        sections = TranslatorSections(
            text,
            of_target(text, section_from(self.target_text, TextSettings, {}, "target_text")),
            section_from(self.model, TranslatorSettings, {}, "model"),
            section_from(self.search, SearchSettings, {}, "search"),
            section_from(self.training, TrainingSettings, TRAINING_DEFAULTS, "training"),
        )
        check_training(sections.training)
        settings = sections.training
        sources, targets = checked_pairs(X, y)
        held = None if validation_data is None else checked_pairs(*validation_data)
        self.held_: list[int] | None = None
        if held is None and self.validation:
            self.held_ = _hold_back(len(sources), self.validation, settings.seed)
            held = [sources[i] for i in self.held_], [targets[i] for i in self.held_]
            kept = sorted(set(range(len(sources))) - set(self.held_))
            sources, targets = [sources[i] for i in kept], [targets[i] for i in kept]
        features = TranslatorFeatures(sections.text, sections.target_text, shared=sections.model.shared_vocabulary)
        features.fit(sources, targets)
        fitting = np.flatnonzero(features.fits(sources, targets))
        self.left_out_ = len(sources) - len(fitting)
        if not len(fitting):
            raise DataError(
                f"none of the {len(sources)} pairs has symbols on both sides and at most text.max_length "
                f"({features.text.max_length}) of them"
            )
        examples = features.encode([sources[i] for i in fitting], [targets[i] for i in fitting])
        assert examples.targets is not None
        self.ratio_ = float(np.quantile(examples.targets.lengths / examples.source.lengths, NEARLY_ALL))
        self.settings_ = TranslatorSections(
            features.text, features.target_text, sections.model, sections.search, settings
        )
        size = len(features.target.vocabulary)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            network = TranslatorNetwork(sections.model, len(features.source.vocabulary), size)
        network.start_from_shares(torch.from_numpy(np.bincount(examples.targets.ids, minlength=size)))
        self._network, self._features = network, features
        self.predictor_ = TranslatorPredictor(self._content(), SavedTranslator(network, features))
        taught = Taught(network, float(examples.targets.lengths.mean()))
        order = LengthBatches(examples.order, settings.batch_size, seed=settings.seed)

        def batches(epoch: int) -> EpochBatches[TranslationBatch]:
            taught.progress = epoch / max(settings.epochs - 1, 1)
            order.set_epoch(epoch)
            return EpochBatches(examples.batch, list(order))

        def validate(model: nn.Module) -> dict[str, float]:
            assert held is not None
            loss, accuracy = self.predictor_.judge(*held)
            return {"log_loss": loss, "accuracy": accuracy}

        history = train(
            taught,
            batches,
            lambda model, batch: model(batch),
            settings=settings,
            validate=None if held is None else validate,
            callbacks=[*([Progress(verbose=True)] if self.verbose else []), *callbacks],
            folder=None if folder is None else Path(folder),
            resume=resume,
            fingerprint=_fingerprint(examples),
        )
        network.eval()
        self.fit_history_, self.history_ = history, history.epochs
        self.seconds_ = time.perf_counter() - started
        return self

    def predict(self, X: Sequence[str]) -> list[str]:
        """Return the translation of each text."""
        return [of.text for of in self.translate(X)]

    def translate(self, X: Sequence[str], *, beam: int | None = None, n_best: int = 1) -> list[Translated]:
        """Return translations with their scores and attention, see `TranslatorPredictor.translate`."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.translate(X, beam=beam, n_best=n_best)

    def score(self, X: Sequence[str], y: Sequence[str]) -> float:
        """Return chrF, 0 to 100, of the translations: more is better.

        Raises:
            MissingExtraError: sacrebleu is not installed.
        """
        from seqwise.metrics.translation import quick_chrf

        sources, targets = checked_pairs(X, y)
        return quick_chrf(self.predict(sources), targets)

    def save(self, path: str | Path, *, data: dict[str, Any] | None = None, **pieces: Any) -> None:
        """Write a model folder that `load`, `TranslatorPredictor.load` and the commands read.

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
            weights=self._network.state_dict(),
            vocabulary=self._features.to_dict(),
            **pieces,
        )

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Return the estimator that `save` wrote.

        Raises:
            ModelFolderError: the folder is missing, damaged, or not that of a translator.
            DeviceError: there is no such device.
        """
        predictor = TranslatorPredictor.load(path, device)
        saved: dict[str, Any] = {name: predictor.settings[name] for name in SECTIONS}
        estimator = cls(**saved)
        estimator.settings_ = TranslatorSections.from_dict(saved)
        estimator.predictor_, estimator.ratio_ = predictor, predictor.ratio
        estimator._network, estimator._features = predictor.network, predictor.features
        return estimator

    def _content(self, data: dict[str, Any] | None = None) -> FolderContent:
        config = {
            "task": "translate",
            "estimator": type(self).__name__,
            "unit": self._features.text.unit,
            "ratio": self.ratio_,
            "settings": {"data": data or {"validation": self.validation}, **self.settings_.to_dict()},
        }
        return FolderContent(Path(), config, {}, {}, {})


def checked_pairs(X: Sequence[str], y: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return sources and targets as lists.

    Raises:
        DataError: there are none, or not as many of both, or one is no text or empty.
    """
    sides: list[list[str]] = []
    for given, what in ((X, "source"), (y, "target")):
        if isinstance(given, str | bytes):
            raise DataError(f"{what}s are a list of strings, got a single one: put it in a list")
        side = list(given)
        for number, text in enumerate(side, 1):
            if not isinstance(text, str) or not text.strip():
                raise DataError(f"{what} {number} is {'empty' if isinstance(text, str) else f'{text!r:.40}, no text'}")
        sides.append(side)
    if len(sides[0]) != len(sides[1]) or not sides[0]:
        raise DataError(f"there are {len(sides[0])} sources and {len(sides[1])} targets")
    return sides[0], sides[1]


def _hold_back(pairs: int, share: float, seed: int) -> list[int]:
    if pairs < 2:
        raise DataError("one pair is too few to hold a part back for validation: set data.validation to 0")
    count = min(max(1, round(share * pairs)), pairs - 1)
    return sorted(np.random.default_rng(seed).permutation(pairs)[:count].tolist())


def _fingerprint(examples: TranslationExamples) -> str:
    digest = hashlib.sha256()
    for part in (examples.source, examples.targets):
        assert part is not None
        digest.update(np.ascontiguousarray(part.offsets).data)
        digest.update(np.ascontiguousarray(part.ids).data)
    return digest.hexdigest()[:16]
