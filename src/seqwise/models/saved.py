"""A fitted model from the parts of its folder: what a predictor runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from seqwise.errors import DataError
from seqwise.models.batch import EncodedExamples
from seqwise.models.classifier import SequenceModel
from seqwise.models.features import TextFeatures
from seqwise.models.language import LanguageNetwork
from seqwise.models.language_settings import LanguageSettings
from seqwise.models.settings import ModelSettings
from seqwise.models.tagger import TaggerNetwork
from seqwise.models.tagger_features import TaggerFeatures
from seqwise.models.tagger_settings import TaggerSettings
from seqwise.text import TextPipeline, TextSettings
from seqwise.text.tag_schemes import allowed_transitions


@dataclass(frozen=True)
class SavedModel:
    """A module without its weights, and what turns texts into its batches."""

    module: SequenceModel
    features: TextFeatures

    def encode(self, texts: Iterable[Any]) -> EncodedExamples:
        """Return the texts as arrays; its `batch` makes batches of them."""
        return self.features.encode(texts)


@dataclass(frozen=True)
class SavedLanguageModel:
    """A module without its weights, and what turns texts into its symbols."""

    module: LanguageNetwork
    pipeline: TextPipeline


@dataclass(frozen=True)
class SavedTagger:
    """A module without its weights, and what turns sentences into its batches."""

    module: TaggerNetwork
    features: TaggerFeatures


def load_model(
    config: dict[str, Any], vocabulary: dict[str, Any], labels: dict[str, Any]
) -> SavedModel | SavedLanguageModel | SavedTagger:
    """Build the model that `config.json`, `vocabulary.json` and `labels.json` describe.

    Raises:
        DataError: they do not describe one; gives the reason.
    """
    try:
        if config["estimator"] == "LanguageModel":
            return _language_model(config["settings"], vocabulary)
        if config["estimator"] == "SequenceTagger":
            return _tagger(config["settings"], vocabulary, labels)
        if config["estimator"] == "SequenceRegressor":
            return _sequence_model(config["settings"], vocabulary, len(config["targets"]["names"]))
        return _sequence_model(config["settings"], vocabulary, len(labels["classes"]))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise DataError(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
    except (KeyError, TypeError) as error:
        raise DataError(f"the model's description lacks or garbles {error}") from None


def _sequence_model(settings: dict[str, Any], vocabulary: dict[str, Any], outputs: int) -> SavedModel:
    text, model = TextSettings.model_validate(settings["text"]), ModelSettings.model_validate(settings["model"])
    features = TextFeatures.from_dict(vocabulary, text, model)
    module = SequenceModel(
        model,
        vocabulary_size=features.vocabulary_size,
        ngrams=features.ngram_count,
        classes=outputs,
    )
    return SavedModel(module, features)


def _language_model(settings: dict[str, Any], vocabulary: dict[str, Any]) -> SavedLanguageModel:
    pipeline = TextPipeline.from_dict(vocabulary)
    module = LanguageNetwork(LanguageSettings.model_validate(settings["model"]), len(pipeline.vocabulary))
    return SavedLanguageModel(module, pipeline)


def _tagger(settings: dict[str, Any], vocabulary: dict[str, Any], labels: dict[str, Any]) -> SavedTagger:
    text, model = TextSettings.model_validate(settings["text"]), TaggerSettings.model_validate(settings["model"])
    features = TaggerFeatures.from_dict(vocabulary, text)
    return SavedTagger(build_tagger(model, features, labels["classes"]), features)


def build_tagger(model: TaggerSettings, features: TaggerFeatures, tags: Sequence[str]) -> TaggerNetwork:
    """Build the module for the words, characters and tags that there are.

    Args:
        model: with the scheme decided.
        features: fitted.
        tags: the C tags, of the inner scheme where they are spans.

    Raises:
        DataError: a tag is none of the scheme's.
    """
    return TaggerNetwork(
        model,
        words=len(features.words),
        characters=len(features.characters),
        tags=len(tags),
        allowed=None if model.scheme == "none" else allowed_transitions(tags, model.inner_scheme),
    )
