"""Many to one: a class for every sequence."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from seqwise.embeddings import EmbeddingSettings
from seqwise.errors import ModelFolderError
from seqwise.estimators.choices import CHOSEN
from seqwise.estimators.deciding import decide
from seqwise.estimators.decisions import SAVED, choose_decisions
from seqwise.estimators.examples import check_inputs, held_out, normalised_weights
from seqwise.estimators.fitted import FittedModel, SequenceFit
from seqwise.estimators.labels import LabelCode, describe_labels
from seqwise.estimators.sections import AUTO, Sections
from seqwise.losses import ImbalanceSettings
from seqwise.models import FrameSettings, ModelSettings, SavedModel
from seqwise.prediction import Decisions, FolderContent, Predictor, read_folder, resolve_device, restore, write_folder
from seqwise.text import TextSettings
from seqwise.training import Callback, Progress, TrainingSettings

Text = str | Sequence[str]


class SequenceClassifier(ClassifierMixin, BaseEstimator):
    """Recurrent classifier of texts and other symbol sequences, with a linear n-gram part beside it, or of frames.

    Follows scikit-learn: the constructor only stores parameters; `fit` does the work; X is a list (or one-dimensional
    array) of strings, or of lists of tokens with `unit="tokens"`; or of arrays (T, D) of numbers, `seqwise.data.Frames` or
    an array (n, T, D), which the recurrent part alone reads. Parameters that are "auto" are chosen from the training
    data; `settings_` holds what was chosen. The parameters are those of the configuration sections `text`, `model`,
    `imbalance` and `training`, and are described there: `TextSettings`, `ModelSettings`, `ImbalanceSettings`,
    `TrainingSettings`.

    Args:
        frames: of frames, what is computed of them: values of the section `frames`, see `FrameSettings`.
        validation: share of the training data held back to choose the best epoch when `fit` is given no validation data.
        multilabel: whether an example may have several labels or none: y holds a list of labels in every row, or is a matrix
            of 1 and 0; "auto" looks. Then every label has a probability and a threshold of its own.
        verbose: show progress on standard error.

    Attributes:
        classes_: the C classes, sorted; columns of `predict_proba`.
        settings_: the sections with every value decided, as attributes `text`, `model`, `imbalance`, `training`.
        history_: one record per epoch.
        parts_: validation figures of each part alone and of all together.
        validation_: (texts, class indices, probabilities) of the validation part.
        decisions_: what is made of the probabilities, as `labels.json` holds it; see `choose_decisions`.
        refitted_: whether the model was fitted once more on all examples, those of `validation_` included.
        seconds_: time that `fit` took.
    """

    def __init__(
        self,
        *,
        # text
        unit: str = "auto",
        lowercase: bool = True,
        normalize: str = "NFKC",
        clean: Sequence[str] | str = (),
        punctuation: bool = True,
        stop_words: str | Sequence[str] | None = None,
        keep_words: str | Sequence[str] = "negation",
        lemmas: str | None = None,
        stems: str | None = None,
        max_length: int = 400,
        keep: str = "last",
        max_vocabulary: int = 30_000,
        min_count: int | str = AUTO,
        end_mark: bool = False,
        # model
        architecture: str = AUTO,
        encoder: str = "recurrent",
        cell: str = "lstm",
        embedding: str = "learned",
        embedding_size: int | str = AUTO,
        vectors: str | None = None,
        pretrain_vectors: bool = False,
        pretraining: EmbeddingSettings | dict[str, Any] | None = None,
        freeze_vectors: bool = False,
        position_embedding: int | str = AUTO,
        hidden_size: int | str = AUTO,
        num_layers: int | str = AUTO,
        bidirectional: bool = True,
        heads: int = 4,
        context: int | None = None,
        start_from: str | None = None,
        unfreeze: str = "gradual",
        rate_divisor: float = 2.6,
        pooling: str = AUTO,
        head_layers: int | str = AUTO,
        dropout: float | str = AUTO,
        embedding_dropout: float | str = AUTO,
        word_dropout: float | str = AUTO,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        word_ngrams: tuple[int, int] | str | None = AUTO,
        character_ngrams: tuple[int, int] | str | None = AUTO,
        ngram_weighting: str = "tfidf",
        linear_c: float = 1.0,
        ngram_positions: bool | str = AUTO,
        max_ngrams: int = 400_000,
        min_documents: int | str = AUTO,
        backend: str = AUTO,
        # imbalance
        class_weight: str | dict[Any, float] | None = None,
        label_smoothing: float | str = AUTO,
        prior_correction: float | str = AUTO,
        loss: str = AUTO,
        gamma: float | None = None,
        gamma_pos: float | None = None,
        gamma_neg: float | None = None,
        margin: float | None = None,
        beta: float | None = None,
        tau: float | None = None,
        deferred: float | None = None,
        sampler: str = "instance",
        synthetic: str | None = None,
        # training
        epochs: int | str = AUTO,
        batch_size: int | str = AUTO,
        optimizer: str = AUTO,
        learning_rate: float | str = AUTO,
        momentum: float = 0.9,
        weight_decay: float | str = AUTO,
        clip_norm: float | None = 1.0,
        clip_value: float | None = None,
        schedule: str = AUTO,
        warmup: float | str | None = AUTO,
        patience: int | None = None,
        metric: str = "macro_f1",
        select: str = AUTO,
        refit: bool | str = AUTO,
        average: str = "none",
        average_decay: float = 0.999,
        seed: int = 0,
        device: str = AUTO,
        precision: str = "float32",
        time_budget: float | str | None = None,
        checkpoint_seconds: float | str = 60.0,
        # this estimator
        frames: FrameSettings | Mapping[str, Any] | None = None,
        validation: float = 0.1,
        multilabel: bool | str = AUTO,
        verbose: bool = False,
    ) -> None:
        self.unit, self.lowercase, self.normalize, self.punctuation = unit, lowercase, normalize, punctuation
        self.clean, self.stop_words, self.keep_words = clean, stop_words, keep_words
        self.lemmas, self.stems = lemmas, stems
        self.max_length, self.keep, self.max_vocabulary, self.min_count = max_length, keep, max_vocabulary, min_count
        self.end_mark = end_mark
        self.architecture, self.cell = architecture, cell
        self.embedding, self.embedding_size, self.position_embedding = embedding, embedding_size, position_embedding
        self.vectors, self.freeze_vectors = vectors, freeze_vectors
        self.pretrain_vectors, self.pretraining = pretrain_vectors, pretraining
        self.hidden_size, self.num_layers, self.bidirectional = hidden_size, num_layers, bidirectional
        self.encoder, self.heads, self.context = encoder, heads, context
        self.start_from, self.unfreeze, self.rate_divisor = start_from, unfreeze, rate_divisor
        self.pooling, self.head_layers, self.dropout = pooling, head_layers, dropout
        self.embedding_dropout, self.word_dropout = embedding_dropout, word_dropout
        self.recurrent_dropout, self.zoneout = recurrent_dropout, zoneout
        self.word_ngrams, self.character_ngrams, self.ngram_weighting = word_ngrams, character_ngrams, ngram_weighting
        self.ngram_positions, self.max_ngrams, self.min_documents = ngram_positions, max_ngrams, min_documents
        self.linear_c, self.backend, self.class_weight = linear_c, backend, class_weight
        self.label_smoothing, self.prior_correction = label_smoothing, prior_correction
        self.loss, self.gamma, self.gamma_pos, self.gamma_neg = loss, gamma, gamma_pos, gamma_neg
        self.margin, self.beta, self.tau, self.deferred = margin, beta, tau, deferred
        self.sampler, self.synthetic, self.momentum, self.weight_decay = sampler, synthetic, momentum, weight_decay
        self.epochs, self.batch_size, self.optimizer, self.learning_rate = epochs, batch_size, optimizer, learning_rate
        self.clip_norm, self.clip_value, self.schedule, self.warmup = clip_norm, clip_value, schedule, warmup
        self.patience, self.metric, self.select, self.refit = patience, metric, select, refit
        self.average, self.average_decay, self.seed, self.device = average, average_decay, seed, device
        self.precision, self.time_budget, self.checkpoint_seconds = precision, time_budget, checkpoint_seconds
        self.frames, self.validation, self.multilabel, self.verbose = frames, validation, multilabel, verbose

    @classmethod
    def from_settings(
        cls,
        *,
        text: TextSettings | None = None,
        model: ModelSettings | None = None,
        imbalance: ImbalanceSettings | None = None,
        training: TrainingSettings | None = None,
        frames: FrameSettings | None = None,
        validation: float = 0.1,
        multilabel: bool | str = AUTO,
        verbose: bool = False,
    ) -> Self:
        """Return an estimator with the parameters of the sections; what they leave to the data is chosen in `fit`."""
        sections = Sections(
            text or TextSettings(),
            model or ModelSettings(),
            imbalance or ImbalanceSettings(),
            training or TrainingSettings(),
            frames,
        )
        return cls(**sections.flat(CHOSEN), validation=validation, multilabel=multilabel, verbose=verbose)

    def fit(
        self,
        X: Iterable[Text],
        y: Iterable[Any],
        sample_weight: Iterable[float] | None = None,
        *,
        validation_data: tuple[Any, ...] | None = None,
        unlabelled: Iterable[Text] | None = None,
        folder: str | Path | None = None,
        resume: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Fit on texts and their labels.

        Args:
            X: n texts; read more than once, never changed.
            y: n labels of any type that sorts; n lists of labels, or a matrix (n, L) of 1 and 0, where an example may have
                several.
            sample_weight: n non-negative factors of the loss; scaled to mean one.
            validation_data: (X, y) or (X, y, sample_weight) to choose by; without it a stratified share of the data is held
                back. With `refit` these examples too are learned from in the end.
            unlabelled: further texts for `pretrain_vectors`, read more than once: a list, or what can be iterated again.
            folder: where history.jsonl and checkpoints/ go; None writes nothing.
            resume: go on from the newest checkpoint in `folder`.
            callbacks: further callbacks of the training loop.

        Raises:
            DataError: texts and labels do not belong together, one class only, or a weight that is not a weight.
            ConfigurationError: a parameter is out of its range.
        """
        started = time.perf_counter()
        sections = Sections.of(self, CHOSEN)
        texts = check_inputs(X, unit=self.unit)
        self.code_, targets = LabelCode.of(y, len(texts), self.multilabel)
        self.classes_ = self.code_.classes
        weights = normalised_weights(sample_weight, len(texts))
        training, held = held_out(
            texts, targets, weights, self.code_, self.validation, validation_data, seed=self.seed, unit=self.unit
        )
        where = None if folder is None else Path(folder)
        decided = decide(
            sections,
            training.texts,
            len(self.classes_),
            multilabel=self.code_.multilabel,
            start_from=self.start_from,
            unlabelled=unlabelled,
            folder=where,
        )
        self.settings_ = decided.sections
        fit = SequenceFit(
            self.settings_,
            self.classes_.tolist(),
            callbacks=[*([Progress(verbose=True)] if self.verbose else []), *callbacks],
            folder=where,
            resume=resume,
            vectors=decided.vectors,
            beginning=decided.beginning,
        )
        self.fitted_, examples = fit.fit(training, held)
        self.refitted_, self.decisions_ = False, dict[str, Any]()
        self.fit_history_, self.history_ = self.fitted_.history, self.fitted_.history.epochs
        self.validation_: tuple[Sequence[Text], np.ndarray, np.ndarray] | None = None
        self.parts_: dict[str, dict[str, float]] = {}
        if held is not None and examples is not None:
            self.parts_, probabilities = self.fitted_.contributions(examples)
            self.validation_ = (held.texts, held.targets, probabilities)
            self.choose_decisions(sample_weight=held.weights)
            if self.settings_.training.refit and not self.fit_history_.interrupted:
                self.fitted_, self.refitted_ = fit.refit(self.fitted_, training.with_part(held))
        self.seconds_ = time.perf_counter() - started
        return self

    def predict_proba(self, X: Iterable[Text]) -> np.ndarray:
        """Return class probabilities, (n, C), columns in the order of `classes_`; of labels each one's own."""
        check_is_fitted(self, "fitted_")
        predictor = Predictor(self._content(), SavedModel(self.fitted_.module, self.fitted_.features))
        reads_frames = self.settings_.frames is not None
        return predictor.predict_proba(check_inputs(X, unit=self.unit, frames=reads_frames))

    def predict(self, X: Iterable[Text]) -> np.ndarray:
        """Return the class of each text, (n,): the most probable one, or what the thresholds of `choose_decisions` say.

        With several labels: those that reach their thresholds, as tuples (n,), or as a matrix (n, L) where y was one.
        """
        check_is_fitted(self, "fitted_")
        return self.code_.labels_of(Decisions.from_labels(self.labels_).decide(self.predict_proba(X)))

    def choose_decisions(
        self,
        *,
        threshold: str | None = None,
        calibrate: str | None = AUTO,
        positive: Any = None,
        costs: Mapping[str, float] | None = None,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Choose calibration and thresholds on the validation part; `predict`, `predict_proba` and `save` use them.

        Args:
            threshold: see `seqwise.estimators.decisions.choose_decisions`, as the other arguments.
            calibrate: method, None for none, "auto" where a treatment of rare classes distorts probabilities.
            positive: the class of interest; None takes the rarer one of two.
            costs: what mistakes cost.
            sample_weight: of the validation examples, or None.

        Raises:
            ConfigurationError: an unknown name, or there is no validation part.
        """
        check_is_fitted(self, "fitted_")
        self.decisions_ = choose_decisions(
            self.validation_,
            [str(name) for name in self.classes_],
            self.settings_.imbalance,
            multilabel=self.code_.multilabel,
            threshold=threshold,
            calibrate=calibrate,
            positive=positive,
            costs=costs,
            sample_weight=sample_weight,
        )
        return self

    def save(
        self, path: str | Path, *, data: dict[str, Any] | None = None, positive: Any = None, **pieces: Any
    ) -> None:
        """Write a model folder that `load`, `Predictor.load` and every command read.

        Args:
            path: of the folder; made if need be.
            data: the configuration section `data`, for the columns that the model was trained on.
            positive: the class of interest.
            pieces: handed to `seqwise.prediction.write_folder`.

        Raises:
            FileError: it could not be written.
        """
        check_is_fitted(self, "fitted_")
        content = self._content(data, positive)
        write_folder(
            path,
            config=content.config,
            weights=self.fitted_.module.state_dict(),
            vocabulary=self.fitted_.features.to_dict(),
            labels=content.labels,
            **pieces,
        )

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Return the estimator that `save` wrote: it predicts as before, and `fit` fits it anew with its settings.

        Raises:
            ModelFolderError: the folder is missing, damaged, or not that of a sequence classifier.
            DeviceError: there is no such device.
        """
        target = resolve_device(device)
        content = read_folder(path)
        if content.config["estimator"] != cls.__name__:
            raise ModelFolderError(f"{path} holds a {content.config['estimator']}, not a {cls.__name__}")
        try:
            sections = Sections.from_dict(content.settings)
        except (KeyError, ValueError) as error:
            raise ModelFolderError(f"{path}: the settings in config.json are damaged: {error}") from None
        model = cast(SavedModel, restore(content))
        estimator = cls(
            **sections.flat(frozenset()), validation=content.settings.get("data", {}).get("validation", 0.1)
        ).set_params(device=device)
        labels, several = content.labels, content.labels.get("kind") == "multilabel"
        counts = np.array(labels["counts"])
        estimator.code_ = LabelCode(np.array(content.classes), several, labels.get("indicator", False))
        estimator.classes_, estimator.settings_ = estimator.code_.classes, sections
        examples = labels["examples"] if several else int(counts.sum())
        estimator.fitted_ = FittedModel(
            sections, content.classes, model.features, model.module.to(target), counts, examples, several
        )
        estimator.decisions_ = {name: labels[name] for name in SAVED if name in labels}
        estimator.validation_ = None
        return estimator

    @property
    def labels_(self) -> dict[str, Any]:
        """What `labels.json` holds of the fitted model: classes, counts, priors, thresholds, calibration."""
        return self._content().labels

    def _content(self, data: dict[str, Any] | None = None, positive: Any = None) -> FolderContent:
        """Return what describes the fitted model, as in its folder."""
        config = {
            "task": "classify",
            "estimator": type(self).__name__,
            "unit": self.settings_.text.unit if self.settings_.frames is None else "frames",
            "settings": {"data": data or {"validation": self.validation}, **self.settings_.to_dict()},
        }
        several = self.fitted_.examples if self.code_.multilabel else None
        described = describe_labels(self.classes_, self.fitted_.counts, positive, examples=several)
        labels = {**described, "indicator": self.code_.indicator, **self.decisions_}
        return FolderContent(Path(), config, {}, {}, labels)
