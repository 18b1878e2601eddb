"""Many to many of the same length: a tag for each token."""

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

from seqwise.data import LengthBatches
from seqwise.errors import DataError
from seqwise.estimators.fitting import class_weights
from seqwise.estimators.language import section_from
from seqwise.estimators.pretrained import Coverage, give_vectors
from seqwise.estimators.tag_targets import TagCode, fit_temperature
from seqwise.estimators.tagger_sections import TRAINING_DEFAULTS, TaggerSections, decided, read_vectors
from seqwise.losses import ImbalanceSettings, make_loss
from seqwise.metrics.tagging import quick_tagging_figures
from seqwise.models import SavedTagger, TaggedExamples, TaggerFeatures, TaggerNetwork, TaggerSettings, build_tagger
from seqwise.models.tagger_features import TaggedBatch
from seqwise.prediction import FolderContent, write_folder
from seqwise.prediction.tagger import TaggedText, TaggerPredictor
from seqwise.text import TextSettings
from seqwise.training import Callback, Progress, TrainingSettings, train

Sentences = Sequence[Sequence[str]]


class Scored(nn.Module):
    """A tagger and the loss that it is fitted by.

    Args:
        network: what is fitted.
        imbalance: the loss of each token; a conditional random field takes weights of tags only.
        counts: of the tags in training, (C,).
        weights: of the tags, (C,), or None.
        scale: the losses of a sentence are summed and divided by this, the mean length: every token counts alike.
    """

    def __init__(
        self,
        network: TaggerNetwork,
        imbalance: ImbalanceSettings,
        counts: np.ndarray,
        weights: Tensor | None,
        scale: float,
    ) -> None:
        super().__init__()
        self.network, self.scale, self.progress = network, scale, 0.0
        self.of_tokens = make_loss(imbalance, counts, weights) if network.crf is None else None
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, batch: TaggedBatch) -> Tensor:
        """The loss of each sentence, (B,)."""
        assert batch.targets is not None
        emissions, weights = self.network(batch), self.weights
        if self.network.crf is not None:
            of_words = weights[batch.targets] if isinstance(weights, Tensor) else None
            return self.network.crf(emissions, batch.targets, batch.lengths, of_words) / self.scale
        assert self.of_tokens is not None
        live = batch.live
        losses = self.of_tokens(emissions[live].float(), batch.targets[live], progress=self.progress)
        rows = torch.arange(len(live), device=live.device)[:, None].expand_as(live)[live]
        return losses.new_zeros(len(live)).index_add(0, rows, losses) / self.scale


class SequenceTagger(BaseEstimator):
    """Learns a tag for each token: parts of speech, named entities.

    Tags that describe spans (BIO, IOB1, BIOES) are read, learned in `model.inner_scheme`, and answered in their own scheme.

    Args:
        text: values of the section `text`, see `TextSettings`; `unit` is how a text that is no list of tokens is split.
        model: values of the section `model`, see `TaggerSettings`.
        imbalance: values of the section `imbalance`, see `ImbalanceSettings`.
        training: values of the section `training`, see `TrainingSettings`. The metric is micro_f1 (of spans, as in the CoNLL
            shared tasks), macro_f1 or accuracy.
        validation: share of the sentences that is held back to choose the best epoch by.
        verbose: print a line an epoch.

    Attributes:
        settings_: the sections, every value decided.
        classes_: the tags as they are learned.
        broken_: training tags that broke a rule of their scheme, and were converted.
        held_: numbers of the sentences that were held back, None where none were.
        coverage_: of the word vectors, None without.
        history_: one record an epoch.
        predictor_: what answers.
        seconds_: of the fit.
    """

    def __init__(
        self,
        *,
        text: Mapping[str, Any] | TextSettings | None = None,
        model: Mapping[str, Any] | TaggerSettings | None = None,
        imbalance: Mapping[str, Any] | ImbalanceSettings | None = None,
        training: Mapping[str, Any] | TrainingSettings | None = None,
        validation: float = 0.1,
        verbose: bool = False,
    ) -> None:
        self.text, self.model, self.imbalance, self.training = text, model, imbalance, training
        self.validation, self.verbose = validation, verbose

    def fit(
        self,
        X: Sentences,
        y: Sentences,
        *,
        validation_data: tuple[Sentences, Sentences] | None = None,
        folder: str | Path | None = None,
        resume: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Fit on sentences and their tags.

        Args:
            X: tokens of each sentence.
            y: as many tags of each.
            validation_data: the same, to choose the best epoch by; without it a share of X is held back.
            folder: where history.jsonl and checkpoints/ go; None writes nothing.
            resume: go on from the newest checkpoint in `folder`.
            callbacks: further callbacks of the training loop.

        Raises:
            DataError: tokens and tags do not belong together, or a tag is none of the scheme.
            ConfigurationError: a parameter is out of its range.
        """
        started = time.perf_counter()
        sections = TaggerSections(
            section_from(self.text, TextSettings, {}, "text"),
            section_from(self.model, TaggerSettings, {}, "model"),
            section_from(self.imbalance, ImbalanceSettings, {}, "imbalance"),
            section_from(self.training, TrainingSettings, TRAINING_DEFAULTS, "training"),
        )
        sentences, tags = checked_sentences(X, y)
        held = None if validation_data is None else checked_sentences(*validation_data)
        self.held_: list[int] | None = None
        if held is None and self.validation:
            self.held_ = choose_held(len(sentences), self.validation, sections.training.seed)
            held = [sentences[i] for i in self.held_], [tags[i] for i in self.held_]
            kept = sorted(set(range(len(sentences))) - set(self.held_))
            sentences, tags = [sentences[i] for i in kept], [tags[i] for i in kept]
        self.code_ = TagCode.of(tags, sections.model.scheme, sections.model.inner_scheme)
        sections = decided(sections, self.code_)
        targets, self.broken_ = self.code_.encode(tags)
        self.classes_ = self.code_.classes

        features = TaggerFeatures(sections.text)
        given = read_vectors(sections.model)
        features.fit(sentences, None if given is None else given.know, () if given is None else given.vectors.words)
        if given is not None:
            sized = sections.model.model_copy(update={"embedding_size": given.vectors.size})
            sections = TaggerSections(features.text, sized, sections.imbalance, sections.training)
        self.settings_ = TaggerSections(features.text, sections.model, sections.imbalance, sections.training)
        settings = sections.training
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            network = build_tagger(sections.model, features, self.classes_)
            self.coverage_: Coverage | None = None
            if given is not None:
                self.coverage_ = give_vectors(network, features.words, given)
        self.counts_ = np.bincount([tag for row in targets for tag in row], minlength=len(self.classes_))
        self.temperature_ = 1.0
        examples = features.encode(sentences, targets)
        scored = Scored(
            network,
            sections.imbalance,
            self.counts_,
            class_weights(sections.imbalance, self.classes_, self.counts_),
            float(examples.lengths.mean()),
        )
        self._network, self._features = network, features
        self.predictor_ = self._predictor()
        true = None if held is None else self.code_.tagging(held[1])
        order = LengthBatches(examples.lengths, settings.batch_size, seed=settings.seed)

        def batches(epoch: int) -> _Batches:
            scored.progress = epoch / settings.epochs
            order.set_epoch(epoch)
            return _Batches(examples, list(order))

        def validate(model: nn.Module) -> dict[str, float]:
            assert held is not None
            assert true is not None
            return quick_tagging_figures(true, self.code_.tagging(self.predictor_.tags(held[0])))

        history = train(
            scored,
            batches,
            lambda model, batch: model(batch),
            settings=settings,
            validate=None if held is None else validate,
            callbacks=[*([Progress(verbose=True)] if self.verbose else []), *callbacks],
            folder=None if folder is None else Path(folder),
            resume=resume,
            fingerprint=_fingerprint(examples) + ("" if given is None else given.mark),
        )
        network.eval()
        if held is not None:
            self.temperature_ = fit_temperature(network, features, self.code_, *held)
        self.predictor_ = self._predictor()
        self.fit_history_, self.history_ = history, history.epochs
        self.seconds_ = time.perf_counter() - started
        return self

    def predict(self, X: Sentences) -> list[list[str]]:
        """Return the tags of each sentence, in the scheme of the training data; of a text, of the tokens that it has."""
        return [tagged.tags for tagged in self.tag(X)]

    def tag(self, X: Sequence[str | Sequence[str]]) -> list[TaggedText]:
        """Return tags, spans and their probabilities of texts or lists of tokens, see `TaggerPredictor.tag`."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.tag(X)

    def predict_marginals(self, X: Sentences) -> list[np.ndarray]:
        """Return the probability of every tag of `classes_` for every token, (T, C), calibrated on the validation part."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.marginals(X)

    def score(self, X: Sentences, y: Sentences) -> float:
        """Return the micro F1 of spans; of tags that are no spans the accuracy of tokens."""
        check_is_fitted(self, "predictor_")
        sentences, tags = checked_sentences(X, y)
        found = quick_tagging_figures(self.code_.tagging(tags), self.code_.tagging(self.predictor_.tags(sentences)))
        return found["micro_f1"]

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
        saved: dict[str, Any] = {name: predictor.settings[name] for name in ("text", "model", "imbalance", "training")}
        estimator = cls(**saved)
        estimator.settings_ = TaggerSections(
            TextSettings.model_validate(saved["text"]),
            TaggerSettings.model_validate(saved["model"]),
            ImbalanceSettings.model_validate(saved["imbalance"]),
            TrainingSettings.model_validate(saved["training"]),
        )
        estimator.predictor_, estimator.temperature_ = predictor, predictor.temperature
        estimator._network, estimator._features = predictor.network, predictor.features
        estimator.classes_, estimator.counts_ = predictor.classes, np.array(predictor.counts)
        model = estimator.settings_.model
        estimator.code_ = TagCode(predictor.classes, model.scheme, model.inner_scheme)
        return estimator

    def _predictor(self) -> TaggerPredictor:
        return TaggerPredictor(self._content(), SavedTagger(self._network, self._features))

    def _content(self, data: dict[str, Any] | None = None) -> FolderContent:
        config = {
            "task": "tag",
            "estimator": type(self).__name__,
            "unit": self._features.text.unit,
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


class _Batches:
    """The batches of one epoch, built when asked for."""

    def __init__(self, examples: TaggedExamples, order: Sequence[np.ndarray]) -> None:
        self._examples, self._order = examples, order

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, number: int) -> TaggedBatch:
        if number >= len(self._order):
            raise IndexError(number)
        return self._examples.batch(self._order[number])


def checked_sentences(X: Sentences, y: Sentences) -> tuple[list[list[str]], list[list[str]]]:
    """Return sentences and tags as lists.

    Raises:
        DataError: there are none, or one has no token, something that is no token, or another number of tags.
    """
    sentences, tags = ([list(row) if not isinstance(row, str) else [row] for row in part] for part in (X, y))
    if len(sentences) != len(tags) or not sentences:
        raise DataError(f"there are {len(sentences)} sentences and {len(tags)} lists of tags")
    for number, (tokens, marks) in enumerate(zip(sentences, tags, strict=True), 1):
        if len(tokens) != len(marks) or not tokens:
            raise DataError(
                f"sentence {number} has {len(tokens)} tokens and {len(marks)} tags; every token has one tag"
            )
        if wrong := [part for part in (*tokens, *marks) if not isinstance(part, str) or not part]:
            raise DataError(f"sentence {number}: {wrong[0]!r:.40} is no token and no tag")
    return sentences, tags


def choose_held(sentences: int, share: float, seed: int) -> list[int]:
    """The numbers of a share of the sentences, chosen at random, in rising order.

    Raises:
        DataError: nothing would be left.
    """
    count = max(1, round(share * sentences))
    if count >= sentences:
        raise DataError("there are not enough sentences to hold some back for validation: set data.validation to 0")
    return sorted(np.random.default_rng(seed).permutation(sentences)[:count].tolist())


def _fingerprint(examples: TaggedExamples) -> str:
    digest = hashlib.sha256()
    assert examples.targets is not None
    for part in (examples.forms, examples.characters, examples.targets):
        digest.update(np.ascontiguousarray(part.offsets).data)
        digest.update(np.ascontiguousarray(part.ids).data)
    return digest.hexdigest()[:16]
