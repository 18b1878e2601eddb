"""A fitted model from the parts of its folder: what a predictor runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from seqwise.errors import DataError
from seqwise.models.batch import EncodedExamples
from seqwise.models.classifier import SequenceModel
from seqwise.models.features import Features, saved_features
from seqwise.models.forecaster import load_forecaster
from seqwise.models.generator_saved import SavedGenerator
from seqwise.models.inference import logits_of
from seqwise.models.language import LanguageNetwork
from seqwise.models.language_settings import LanguageSettings
from seqwise.models.settings import ModelSettings
from seqwise.models.tagger import FrameTagger, TaggerNetwork, WordTagger
from seqwise.models.tagger_features import TaggerFeatures
from seqwise.models.tagger_frames import FrameTaggerFeatures
from seqwise.models.tagger_settings import TaggerSettings
from seqwise.models.transcriber_saved import load_transcriber
from seqwise.models.translator import TranslatorNetwork
from seqwise.models.translator_features import TranslatorFeatures
from seqwise.models.translator_settings import TranslatorSettings
from seqwise.text import TextPipeline, TextSettings
from seqwise.text.tag_schemes import allowed_transitions

Saved = dict[str, Any]


@dataclass(frozen=True)
class SavedModel:
    """A module without its weights, and what turns texts into its batches."""

    module: SequenceModel
    features: Features

    def encode(self, texts: Iterable[Any]) -> EncodedExamples:
        """Return the texts or frames as arrays; its `batch` makes batches of them."""
        return self.features.encode(texts)

    def logits(self, examples: EncodedExamples, batch_size: int = 256) -> np.ndarray:
        """Return the outputs of all examples, (n, C) float32."""
        return logits_of(self.module, examples, batch_size=batch_size)


@dataclass(frozen=True)
class SavedLanguageModel:
    """A module without its weights, and what turns texts into its symbols."""

    module: LanguageNetwork
    pipeline: TextPipeline

    def start(self, streams: int) -> Any:
        """The states before the first symbol."""
        return self.module.start(streams)

    def losses(self, symbols: np.ndarray, targets: np.ndarray, states: Any) -> tuple[np.ndarray, Any]:
        """-log P of every target (B, T), in nats, 0 where it is padding, and the states after the last symbol."""
        given, wanted = (torch.from_numpy(part.astype(np.int64)).to(self._device) for part in (symbols, targets))
        with torch.no_grad():
            losses, reading = self.module.losses(given, wanted, states)
        return losses.double().cpu().numpy(), reading.states

    def following(self, symbols: np.ndarray, states: Any) -> tuple[np.ndarray, Any]:
        """log P of every symbol but padding after the last of (B, T), (B, V - 1) float64, and the states.

        After a single symbol the given states hold no longer.
        """
        given = torch.from_numpy(symbols.astype(np.int64)).to(self._device)
        with torch.no_grad():
            if given.shape[1] == 1:
                logs, states = self.module.step(given[:, 0], tuple(state.contiguous() for state in states))
            else:
                reading = self.module.read(given, states)
                logs, states = self.module.log_probabilities(reading.outputs[:, -1]), reading.states
        return logs.double().cpu().numpy(), tuple(state.contiguous() for state in states)

    @property
    def _device(self) -> torch.device:
        return self.module.embedding.weight.device


@dataclass(frozen=True)
class SavedTagger:
    """A module without its weights, and what turns sentences or frames into its batches."""

    module: TaggerNetwork
    features: TaggerFeatures | FrameTaggerFeatures

    @property
    def settings(self) -> TaggerSettings:
        """The section `model`, with scheme and head decided."""
        return self.module.settings

    def answers(
        self, examples: Any, indices: np.ndarray, temperature: float, offsets: np.ndarray | None
    ) -> Sequence[np.ndarray]:
        """Return the fields of `Answers` for some examples, (B, T) each; see `TaggerNetwork.answers`."""
        batch, shift = self._read(examples, indices, offsets)
        with torch.no_grad():
            return [part.cpu().numpy() for part in self.module.answers(batch, temperature, shift)]

    def marginals(
        self, examples: Any, indices: np.ndarray, temperature: float, offsets: np.ndarray | None
    ) -> np.ndarray:
        """Return the probability of every tag for every step of some examples, (B, T, C)."""
        batch, shift = self._read(examples, indices, offsets)
        with torch.no_grad():
            found = self.module.probabilities(self.module(batch), batch, temperature, shift)
        array: np.ndarray = found.cpu().numpy()
        return array

    def _read(self, examples: Any, indices: np.ndarray, offsets: np.ndarray | None) -> tuple[Any, torch.Tensor | None]:
        device = self.module.head.weight.device
        shift = None if offsets is None else torch.from_numpy(offsets).to(device)
        return examples.batch(indices).to(device), shift


@dataclass(frozen=True)
class SavedTranslator:
    """A module without its weights, and what turns texts into its batches and its symbols into text."""

    module: TranslatorNetwork
    features: TranslatorFeatures


def load_model(config: dict[str, Any], vocabulary: dict[str, Any], labels: dict[str, Any]) -> Any:
    """Build the model that `config.json`, `vocabulary.json` and `labels.json` describe.

    Raises:
        DataError: they do not describe one; gives the reason.
    """
    try:
        build = BUILDERS.get(config["estimator"], _classifier)  # a classifier of somebody's own has a name of its own
        return build(config, vocabulary, labels)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise DataError(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
    except (KeyError, TypeError) as error:
        raise DataError(f"the model's description lacks or garbles {error}") from None


def _classifier(config: Saved, vocabulary: Saved, labels: Saved) -> SavedModel:
    return _sequence_model(config["settings"], vocabulary, len(labels["classes"]))


def _regressor(config: Saved, vocabulary: Saved, labels: Saved) -> SavedModel:
    return _sequence_model(config["settings"], vocabulary, len(config["targets"]["names"]))


def _sequence_model(settings: Saved, vocabulary: Saved, outputs: int) -> SavedModel:
    features = saved_features(settings, vocabulary)
    module = SequenceModel(
        ModelSettings.model_validate(settings["model"]),
        vocabulary_size=features.vocabulary_size,
        ngrams=features.ngram_count,
        classes=outputs,
        frame_size=features.frame_size,
    )
    return SavedModel(module, features)


def _language_model(config: Saved, vocabulary: Saved, labels: Saved) -> SavedLanguageModel:
    pipeline, settings = TextPipeline.from_dict(vocabulary), config["settings"]
    module = LanguageNetwork(LanguageSettings.model_validate(settings["model"]), len(pipeline.vocabulary))
    return SavedLanguageModel(module, pipeline)


def _generator(config: Saved, vocabulary: Saved, labels: Saved) -> SavedGenerator:
    return SavedGenerator.from_dicts(config["settings"], vocabulary)


def _tagger(config: Saved, vocabulary: Saved, labels: Saved) -> SavedTagger:
    settings = config["settings"]
    model = TaggerSettings.model_validate(settings["model"])
    features: TaggerFeatures | FrameTaggerFeatures
    if "frames" in vocabulary:
        features = FrameTaggerFeatures.from_dict(vocabulary)
    else:
        features = TaggerFeatures.from_dict(vocabulary, TextSettings.model_validate(settings["text"]))
    return SavedTagger(build_tagger(model, features, labels["classes"]), features)


def _translator(config: Saved, vocabulary: Saved, labels: Saved) -> SavedTranslator:
    settings = config["settings"]
    text, target = (TextSettings.model_validate(settings[name]) for name in ("text", "target_text"))
    model = TranslatorSettings.model_validate(settings["model"])
    features = TranslatorFeatures.from_dict(vocabulary, text, target, shared=model.shared_vocabulary)
    sizes = (len(features.source.vocabulary), len(features.target.vocabulary))
    return SavedTranslator(TranslatorNetwork(model, *sizes), features)


def build_tagger(
    model: TaggerSettings, features: TaggerFeatures | FrameTaggerFeatures, tags: Sequence[str]
) -> TaggerNetwork:
    """Build the module for what is read and the tags that there are.

    Args:
        model: with scheme and head decided.
        features: fitted.
        tags: the C tags, of the inner scheme where they are spans.

    Raises:
        DataError: a tag is none of the scheme's.
    """
    if isinstance(features, FrameTaggerFeatures):
        return FrameTagger(model, size=features.size, tags=len(tags))
    return WordTagger(
        model,
        words=len(features.words),
        characters=len(features.characters),
        tags=len(tags),
        allowed=None if model.scheme == "none" else allowed_transitions(tags, model.inner_scheme),
    )


BUILDERS: dict[str, Callable[[Saved, Saved, Saved], Any]] = {
    "SequenceClassifier": _classifier,
    "SequenceGenerator": _generator,
    "SequenceForecaster": load_forecaster,
    "SequenceRegressor": _regressor,
    "LanguageModel": _language_model,
    "SequenceTagger": _tagger,
    "Translator": _translator,
    "Transcriber": load_transcriber,
}
"""Estimators and who builds their models from config.json, vocabulary.json and labels.json."""
