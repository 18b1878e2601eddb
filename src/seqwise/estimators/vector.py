"""One to one: a class for every vector, or for every text seen as a bag of n-grams."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from scipy.sparse import csr_matrix, issparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from seqwise.data import Frames
from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.estimators.examples import normalised_weights
from seqwise.estimators.fitting import Fitting
from seqwise.estimators.labels import LabelCode, describe_labels
from seqwise.estimators.sections import AUTO, section_of, with_choices
from seqwise.estimators.synthetic import with_synthetic
from seqwise.losses import ImbalanceSettings
from seqwise.models import EncodedExamples, VectorModel, logits_of, softmax
from seqwise.prediction import read_folder, write_folder
from seqwise.text import NgramFeatures, Ragged
from seqwise.training import TrainingSettings

SMALL, BATCH = 2000, 128  # up to so many examples a step reads all of them; beyond, this many
STEPS, FEWEST_EPOCHS = 300, 10


class VectorClassifier(ClassifierMixin, BaseEstimator):
    """Softmax (logistic) regression on vectors or bags of n-grams; with hidden layers, a multi-layer perceptron.

    X is an array (n, D), `Frames` of one step each, a SciPy sparse matrix, or a list of n strings, which become n-grams. The
    command has it as `seqwise train --frames COL --model dense`. Dense columns are standardised by the training data.
    Everything is computed in float64. Parameters of training are described in `TrainingSettings`, of the loss in
    `ImbalanceSettings`; "auto" takes all examples in one batch while they are few, and as many epochs as give 300 steps.

    Args:
        hidden_layers: units of each hidden ReLU layer; none is softmax regression.
        dropout: between layers.
        word_ngrams: shortest and longest word n-gram of texts, None for none.
        character_ngrams: the same for characters.
        ngram_weighting: "tfidf" or "binary".
        max_ngrams: at most this many of each kind, the most frequent.
        loss: and its parameters, samplers and synthetic examples, as in `ImbalanceSettings`.

    Attributes:
        classes_: the C classes, sorted.
        counts_: training examples of each, (C,).
        n_features_in_: D (vectors only).
        history_: one record per epoch.
    """

    def __init__(
        self,
        *,
        hidden_layers: tuple[int, ...] = (),
        dropout: float = 0.0,
        word_ngrams: tuple[int, int] | None = (1, 2),
        character_ngrams: tuple[int, int] | None = None,
        ngram_weighting: str = "tfidf",
        max_ngrams: int = 200_000,
        class_weight: str | dict[Any, float] | None = None,
        label_smoothing: float = 0.0,
        loss: str = "cross_entropy",
        gamma: float | None = None,
        gamma_pos: float | None = None,
        gamma_neg: float | None = None,
        margin: float | None = None,
        beta: float | None = None,
        tau: float | None = None,
        deferred: float | None = None,
        sampler: str = "instance",
        synthetic: str | None = None,
        epochs: int | str = AUTO,
        batch_size: int | str = AUTO,
        optimizer: str = "adam",
        learning_rate: float = 0.03,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        clip_norm: float | None = 1.0,
        clip_value: float | None = None,
        schedule: str = "cosine",
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.hidden_layers, self.dropout = hidden_layers, dropout
        self.word_ngrams, self.character_ngrams = word_ngrams, character_ngrams
        self.ngram_weighting, self.max_ngrams = ngram_weighting, max_ngrams
        self.class_weight, self.label_smoothing = class_weight, label_smoothing
        self.loss, self.gamma, self.gamma_pos, self.gamma_neg = loss, gamma, gamma_pos, gamma_neg
        self.margin, self.beta, self.tau, self.deferred = margin, beta, tau, deferred
        self.sampler, self.synthetic = sampler, synthetic
        self.epochs, self.batch_size, self.optimizer, self.learning_rate = epochs, batch_size, optimizer, learning_rate
        self.momentum, self.weight_decay, self.clip_norm, self.clip_value = (
            momentum,
            weight_decay,
            clip_norm,
            clip_value,
        )
        self.schedule, self.seed, self.device = schedule, seed, device

    def fit(self, X: Any, y: Iterable[Any], sample_weight: Iterable[float] | None = None) -> Self:
        """Fit on n vectors or texts and their labels.

        Raises:
            DataError: X and y do not belong together, one class only, or a weight that is not a weight.
            ConfigurationError: a parameter is out of its range.
        """
        started, X = time.perf_counter(), _as_matrix(X)
        training = section_of(self, TrainingSettings, frozenset({"epochs", "batch_size"}))
        imbalance = section_of(self, ImbalanceSettings)
        if any(not isinstance(units, int | np.integer) or units < 1 for units in self.hidden_layers):
            raise ConfigurationError(f"hidden_layers are whole numbers of at least 1, got {self.hidden_layers!r}")
        self.features_, self.mean_, self.scale_ = None, None, None
        if _are_texts(X):
            self.features_ = NgramFeatures(
                words=self.word_ngrams,
                characters=self.character_ngrams,
                max_features=self.max_ngrams,
                weighting=self.ngram_weighting,  # type: ignore[arg-type]
            ).fit(X)
            labels = np.asarray(list(y))
        else:
            X, labels = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64)
            if not issparse(X):
                self.mean_, self.scale_ = _mean_and_spread(X, normalised_weights(sample_weight, X.shape[0]))
        check_classification_targets(labels)
        examples = self._encoded(X)
        code, targets = LabelCode.of(labels, len(examples))
        self.classes_ = code.classes
        self.counts_ = np.bincount(targets)
        examples = EncodedExamples(
            ngrams=examples.ngrams,
            vectors=examples.vectors,
            targets=targets,
            weights=normalised_weights(sample_weight, len(examples)),
        )
        if imbalance.synthetic is not None:
            examples = with_synthetic(examples, self.classes_.tolist(), imbalance.synthetic, seed=training.seed)
        training = with_choices(training, _choices(len(examples), training))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed)
            self.module_ = self._build()
        self.history_ = Fitting(training, imbalance, self.classes_.tolist())(self.module_, examples, None).epochs
        self.n_iter_ = len(self.history_)
        self.seconds_ = time.perf_counter() - started
        return self

    def save(self, path: str | Path) -> None:
        """Write a model folder that `load` reads.

        Raises:
            FileError: it could not be written.
        """
        check_is_fitted(self, "module_")
        weights = dict(self.module_.state_dict())
        if self.mean_ is not None:
            weights |= {"mean": self.mean_, "scale": self.scale_}
        write_folder(
            path,
            config={
                "task": "classify",
                "estimator": type(self).__name__,
                "unit": "vectors" if self.features_ is None else "words",
                "settings": {"parameters": self.get_params()},
                "n_features_in": getattr(self, "n_features_in_", None),
            },
            weights=weights,
            vocabulary={"ngrams": None if self.features_ is None else self.features_.to_dict()},
            labels=describe_labels(self.classes_, self.counts_),
        )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the estimator that `save` wrote, on the CPU.

        Raises:
            ModelFolderError: the folder is missing, damaged, or not that of a vector classifier.
        """
        content = read_folder(path)
        if content.config["estimator"] != cls.__name__:
            raise ModelFolderError(f"{path} holds a {content.config['estimator']}, not a {cls.__name__}")
        try:
            parameters = dict(content.settings["parameters"])
            for name in ("hidden_layers", "word_ngrams", "character_ngrams"):  # JSON knows no tuples
                parameters[name] = None if parameters[name] is None else tuple(parameters[name])
            estimator = cls(**parameters)
            weights, ngrams = dict(content.weights), content.vocabulary["ngrams"]
            estimator.features_ = None if ngrams is None else NgramFeatures.from_dict(ngrams)
            estimator.mean_, estimator.scale_ = weights.pop("mean", None), weights.pop("scale", None)
            if content.config["n_features_in"] is not None:
                estimator.n_features_in_ = int(content.config["n_features_in"])
            estimator.classes_ = np.array(content.classes)
            estimator.counts_ = np.array(content.labels["counts"])
            estimator.module_ = estimator._build()
            estimator.module_.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise ModelFolderError(f"{path} does not describe a vector classifier: {error}") from None
        estimator.module_.eval()
        return estimator

    def decision_function(self, X: Any) -> np.ndarray:
        """Return logits (n, C); for two classes their difference (n,), positive for `classes_[1]`."""
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities, (n, C), columns in the order of `classes_`."""
        return softmax(self._logits(X))

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each row, (n,)."""
        best = self._logits(X).argmax(axis=1)
        return self.classes_[best]

    def _build(self) -> VectorModel:
        return VectorModel(
            len(self.features_) if self.features_ is not None else self.n_features_in_,
            tuple(self.hidden_layers),
            len(self.classes_),
            sparse=self.mean_ is None,
            dropout=self.dropout,
        ).double()

    def _logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "module_")
        X = _as_matrix(X)
        if self.features_ is None:
            X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        elif not _are_texts(X):
            raise DataError("this classifier was fitted on texts: X must be a list of strings")
        return logits_of(self.module_, self._encoded(X))

    def _encoded(self, X: Any) -> EncodedExamples:
        if self.features_ is not None:
            return EncodedExamples(ngrams=self.features_.transform(X))
        if self.mean_ is None:  # fitted on a sparse matrix: a dense one is read as such
            X = csr_matrix(X)
            rows = Ragged(X.indices.astype(np.int32), X.indptr.astype(np.int64), X.data)
            return EncodedExamples(ngrams=rows)
        dense = X.toarray() if issparse(X) else X
        return EncodedExamples(vectors=(dense - self.mean_) / self.scale_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.string = True
        return tags


def _choices(rows: int, training: TrainingSettings) -> dict[str, int]:
    """Batch size and epochs where nobody set them."""
    size = training.batch_size if "batch_size" in training.model_fields_set else rows if rows <= SMALL else BATCH
    return {"batch_size": size, "epochs": max(FEWEST_EPOCHS, STEPS * size // rows)}


def _mean_and_spread(X: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of every column, (D,) each; a constant column has deviation 1."""
    mean = np.average(X, axis=0, weights=weights)
    spread = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weights))
    return mean, np.where(spread > 1e-12 * np.maximum(np.abs(mean), 1.0), spread, 1.0)


def _as_matrix(X: Any) -> Any:
    """Frames of one step each as the array (n, D) that they are; anything else as it is."""
    if not isinstance(X, Frames):
        return X
    if len(longer := np.flatnonzero(X.lengths != 1)):
        raise DataError(f"sequence {longer[0] + 1} has {X.lengths[longer[0]]} steps, and a vector classifier reads one")
    return X.values


def _are_texts(X: Any) -> bool:
    if isinstance(X, list | tuple) or getattr(X, "ndim", 0) == 1:
        return isinstance(next(iter(X), None), str)
    return False
