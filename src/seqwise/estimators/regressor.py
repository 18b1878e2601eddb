"""Many to one, and the one is a number: stars from the words of a review."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from seqwise.data import stratified_split
from seqwise.errors import DataError, ModelFolderError
from seqwise.estimators.examples import check_inputs, normalised_weights
from seqwise.estimators.regressor_fitting import NumberPart, RegressorFit
from seqwise.estimators.regressor_sections import RegressorSections, decided
from seqwise.estimators.sections import section_from
from seqwise.losses import RegressionSettings
from seqwise.losses.regression_settings import bin_edges
from seqwise.metrics.regression import numbers, r2_score
from seqwise.models import FrameSettings, ModelSettings, SavedModel
from seqwise.prediction import FolderContent, write_folder
from seqwise.prediction.regressor import RegressorPredictor
from seqwise.prediction.target_scale import checked_targets
from seqwise.text import TextSettings
from seqwise.training import Callback, Progress, TrainingSettings


class SequenceRegressor(RegressorMixin, BaseEstimator):
    """Recurrent regressor of texts, with a ridge regression on n-grams beside it whose numbers are added; or of frames.

    Follows scikit-learn: the constructor only stores parameters; `fit` does the work; `score` is R2. The targets are
    standardised on the training data. What is not set is chosen from the training data; `settings_` holds what was chosen.

    Args:
        text: values of the section `text`, see `TextSettings`.
        frames: of frames, what is computed of them: values of the section `frames`, see `FrameSettings`.
        model: values of the section `model`, see `ModelSettings`; `linear_c` is the weight of the squared error against the
            L2 penalty.
        regression: values of the section `regression`, see `RegressionSettings`: the loss, and how much rare values count.
        training: values of the section `training`, see `TrainingSettings`. The metric is rmse, mae or r2.
        validation: share of the examples that is held back to choose by; each range of values gives its share.
        verbose: print a line an epoch.

    Attributes:
        settings_: the sections, every value decided.
        scale_: names, means and deviations of the training targets.
        held_: numbers of the examples that were held back, None where none were.
        parts_: validation figures of each part alone and of both together.
        history_: one record an epoch.
        predictor_: what answers.
        seconds_: of the fit.
    """

    def __init__(
        self,
        *,
        text: Mapping[str, Any] | TextSettings | None = None,
        model: Mapping[str, Any] | ModelSettings | None = None,
        regression: Mapping[str, Any] | RegressionSettings | None = None,
        training: Mapping[str, Any] | TrainingSettings | None = None,
        frames: Mapping[str, Any] | FrameSettings | None = None,
        validation: float = 0.1,
        verbose: bool = False,
    ) -> None:
        self.text, self.model, self.regression, self.training = text, model, regression, training
        self.frames, self.validation, self.verbose = frames, validation, verbose

    def fit(
        self,
        X: Iterable[Any],
        y: Any,
        sample_weight: Iterable[float] | None = None,
        *,
        target_names: Sequence[str] | None = None,
        validation_data: tuple[Any, ...] | None = None,
        folder: str | Path | None = None,
        resume: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Fit on texts, or frames, and their numbers.

        Args:
            X: n texts; or `Frames`, or arrays (T, D).
            y: (n,) numbers, or (n, K) of several targets.
            sample_weight: n non-negative factors of the loss; scaled to mean one.
            target_names: of the K targets.
            validation_data: (X, y) or (X, y, sample_weight) to choose by; without it a share of X is held back.
            folder: where history.jsonl and checkpoints/ go; None writes nothing.
            resume: go on from the newest checkpoint in `folder`.
            callbacks: further callbacks of the training loop.

        Raises:
            DataError: inputs and targets do not belong together, a target is no finite number, or always the same.
            ConfigurationError: a parameter is out of its range.
        """
        started = time.perf_counter()
        sections = RegressorSections(
            section_from(self.text, TextSettings, {}, "text"),
            section_from(self.model, ModelSettings, {}, "model"),
            section_from(self.regression, RegressionSettings, {}, "regression"),
            section_from(self.training, TrainingSettings, {}, "training"),
            None if self.frames is None else section_from(self.frames, FrameSettings, {}, "frames"),
        )
        unit, where = sections.text.unit, None if folder is None else Path(folder)
        whole, names = _checked(X, y, sample_weight, unit, target_names)
        self.single_ = np.ndim(y) == 1 if hasattr(y, "__array__") else whole.targets.shape[1] == 1
        training, held = whole, None
        self.held_: np.ndarray | None = None
        if validation_data is not None:
            held, _ = _checked(validation_data[0], validation_data[1], (*validation_data, None)[2], unit, names)
        elif self.validation:
            kept, self.held_ = held_rows(whole.targets, self.validation, sections.training.seed)
            training, held = whole.take(kept), whole.take(self.held_)
        self.settings_, vectors = decided(sections, training.inputs, where)
        fit = RegressorFit(
            self.settings_,
            names,
            callbacks=[*([Progress(verbose=True)] if self.verbose else []), *callbacks],
            folder=where,
            resume=resume,
            vectors=vectors,
        )
        self.fitted_ = fit.fit(training, held)
        self.fit_history_, self.history_ = self.fitted_.history, self.fitted_.history.epochs
        self.coverage_ = self.fitted_.coverage
        self.parts_: dict[str, dict[str, float]] = {}
        self.scale_ = self.fitted_.scale
        if held is not None:
            self.parts_ = self.fitted_.parts(held)
        self.predictor_ = self._predictor()
        self.seconds_ = time.perf_counter() - started
        return self

    def predict(self, X: Iterable[Any]) -> np.ndarray:
        """Return the number of each input, (n,), or (n, K) of several targets, in the targets' own units."""
        check_is_fitted(self, "predictor_")
        settings = self.settings_
        inputs = check_inputs(X, unit=settings.text.unit, frames=settings.frames is not None)
        answers = self.predictor_.predict(inputs)
        return answers[:, 0] if self.single_ else answers

    def start(self, batch: int = 1) -> Any:
        """Return the state before the first step of B sequences, for `step`; see `RegressorPredictor.start`."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.start(batch)

    def step(self, state: Any, x: Sequence[Any]) -> tuple[Any, np.ndarray]:
        """Read one step of each sequence and return the state and the numbers as of now, (B, K)."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.step(state, x)

    def score(self, X: Iterable[Any], y: Any, sample_weight: Any = None) -> float:
        """Return R2, averaged over the targets: the share of their variance that is explained."""
        answers = self.predict(X)
        true, _ = checked_targets(y, len(answers), self.scale_.names)
        weights = None if sample_weight is None else list(sample_weight)
        return float(r2_score(numbers(true, answers.reshape(true.shape), weights))[0])

    def save(self, path: str | Path, *, data: dict[str, Any] | None = None, **pieces: Any) -> None:
        """Write a model folder that `load`, `RegressorPredictor.load` and the commands read.

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
            weights=self.fitted_.module.state_dict(),
            vocabulary=self.fitted_.features.to_dict(),
            **pieces,
        )

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Return the estimator that `save` wrote: it predicts as before, and `fit` fits it anew with its settings.

        Raises:
            ModelFolderError: the folder is missing, damaged, or not that of a regressor.
            DeviceError: there is no such device.
        """
        predictor = RegressorPredictor.load(path, device)
        names = ("text", "model", "regression", "training", "frames")
        saved: dict[str, Any] = {name: predictor.settings[name] for name in names if name in predictor.settings}
        estimator = cls(**saved)
        try:
            estimator.settings_ = RegressorSections.from_dict(saved)
        except (KeyError, ValueError) as error:
            raise ModelFolderError(f"{path}: the settings in config.json are damaged: {error}") from None
        estimator.predictor_, estimator.scale_ = predictor, predictor.scale
        estimator.single_ = bool(predictor.config.get("single", len(predictor.scale.names) == 1))
        return estimator

    def _predictor(self) -> RegressorPredictor:
        return RegressorPredictor(self._content(), SavedModel(self.fitted_.module, self.fitted_.features))

    def _content(self, data: dict[str, Any] | None = None) -> FolderContent:
        config = {
            "task": "regress",
            "estimator": type(self).__name__,
            "unit": self.settings_.text.unit if self.settings_.frames is None else "frames",
            "settings": {"data": data or {"validation": self.validation}, **self.settings_.to_dict()},
            "targets": self.fitted_.scale.to_dict(),
            "single": self.single_,
        }
        return FolderContent(Path(), config, {}, {}, {})


def held_rows(targets: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows for training and for validation: each of ten ranges of the first target gives its share.

    Args:
        targets: (n, K).
        share: for validation, above 0 and below 1.
        seed: decides which ones.

    Raises:
        DataError: `share` is no share, or there are too few examples.
    """
    if not 0 < share < 1:
        raise DataError(f"validation is the share of the data held back, from 0 to below 1, got {share}")
    first = targets[:, 0]
    kept, held = stratified_split(np.searchsorted(bin_edges(first, 10), first, side="right"), share, seed)
    if not len(held) or not len(kept):
        raise DataError(f"{len(first)} examples are too few to hold {share:.0%} of them back")
    return kept, held


def _checked(
    X: Iterable[Any], y: Any, sample_weight: Any, unit: str, names: Sequence[str] | None
) -> tuple[NumberPart, tuple[str, ...]]:
    texts = check_inputs(X, unit=unit)
    targets, named = checked_targets(y, len(texts), names)
    weights = normalised_weights(None if sample_weight is None else list(sample_weight), len(texts))
    return NumberPart(texts, targets, weights), named
