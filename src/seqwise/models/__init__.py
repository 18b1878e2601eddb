"""The torch modules behind each task, and the arrays that they read.

Each name is imported when it is first used: what encodes texts and frames needs no torch, and neither does who answers with
an exported model.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqwise.metrics.link_functions import sigmoid, softmax
    from seqwise.models.batch import Batch, EncodedExamples, Ngrams
    from seqwise.models.classifier import LinearPart, RecurrentPart, SequenceModel, VectorModel
    from seqwise.models.encoder import Encoder, EncoderSettings
    from seqwise.models.features import Features, SignalFeatures, TextFeatures
    from seqwise.models.frame_features import FrameFeatures
    from seqwise.models.frame_settings import FrameSettings
    from seqwise.models.inference import logits_of, probabilities, run_batched
    from seqwise.models.language import LanguageNetwork
    from seqwise.models.language_settings import LanguageSettings
    from seqwise.models.pooling import Pooling
    from seqwise.models.pretrained import PartlyFrozenEmbedding, start_from_vectors
    from seqwise.models.saved import (
        SavedLanguageModel,
        SavedModel,
        SavedTagger,
        SavedTranslator,
        build_tagger,
        load_model,
    )
    from seqwise.models.settings import ModelSettings
    from seqwise.models.tagger import FrameTagger, TaggerNetwork, WordTagger
    from seqwise.models.tagger_features import TaggedExamples, TaggerFeatures
    from seqwise.models.tagger_frames import FramedExamples, FrameTaggerFeatures
    from seqwise.models.tagger_settings import TaggerSettings
    from seqwise.models.transformer import TransformerDecoder
    from seqwise.models.translator import TranslationBatch, TranslatorNetwork
    from seqwise.models.translator_features import TranslationExamples, TranslatorFeatures
    from seqwise.models.translator_settings import SearchSettings, TranslatorSettings

_HOMES = {
    "Batch": "seqwise.models.batch",
    "EncodedExamples": "seqwise.models.batch",
    "Encoder": "seqwise.models.encoder",
    "EncoderSettings": "seqwise.models.encoder",
    "Features": "seqwise.models.features",
    "FrameFeatures": "seqwise.models.frame_features",
    "FrameSettings": "seqwise.models.frame_settings",
    "FrameTagger": "seqwise.models.tagger",
    "FrameTaggerFeatures": "seqwise.models.tagger_frames",
    "FramedExamples": "seqwise.models.tagger_frames",
    "LanguageNetwork": "seqwise.models.language",
    "LanguageSettings": "seqwise.models.language_settings",
    "LinearPart": "seqwise.models.classifier",
    "ModelSettings": "seqwise.models.settings",
    "Ngrams": "seqwise.models.batch",
    "PartlyFrozenEmbedding": "seqwise.models.pretrained",
    "Pooling": "seqwise.models.pooling",
    "RecurrentPart": "seqwise.models.classifier",
    "SavedLanguageModel": "seqwise.models.saved",
    "SavedModel": "seqwise.models.saved",
    "SavedTagger": "seqwise.models.saved",
    "SavedTranslator": "seqwise.models.saved",
    "SearchSettings": "seqwise.models.translator_settings",
    "SequenceModel": "seqwise.models.classifier",
    "SignalFeatures": "seqwise.models.features",
    "TaggedExamples": "seqwise.models.tagger_features",
    "TaggerFeatures": "seqwise.models.tagger_features",
    "TaggerNetwork": "seqwise.models.tagger",
    "TaggerSettings": "seqwise.models.tagger_settings",
    "TextFeatures": "seqwise.models.features",
    "TransformerDecoder": "seqwise.models.transformer",
    "TranslationBatch": "seqwise.models.translator",
    "TranslationExamples": "seqwise.models.translator_features",
    "TranslatorFeatures": "seqwise.models.translator_features",
    "TranslatorNetwork": "seqwise.models.translator",
    "TranslatorSettings": "seqwise.models.translator_settings",
    "VectorModel": "seqwise.models.classifier",
    "WordTagger": "seqwise.models.tagger",
    "build_tagger": "seqwise.models.saved",
    "load_model": "seqwise.models.saved",
    "logits_of": "seqwise.models.inference",
    "probabilities": "seqwise.models.inference",
    "run_batched": "seqwise.models.inference",
    "sigmoid": "seqwise.metrics.link_functions",
    "softmax": "seqwise.metrics.link_functions",
    "start_from_vectors": "seqwise.models.pretrained",
}

__all__ = [
    "Batch",
    "EncodedExamples",
    "Encoder",
    "EncoderSettings",
    "Features",
    "FrameFeatures",
    "FrameSettings",
    "FrameTagger",
    "FrameTaggerFeatures",
    "FramedExamples",
    "LanguageNetwork",
    "LanguageSettings",
    "LinearPart",
    "ModelSettings",
    "Ngrams",
    "PartlyFrozenEmbedding",
    "Pooling",
    "RecurrentPart",
    "SavedLanguageModel",
    "SavedModel",
    "SavedTagger",
    "SavedTranslator",
    "SearchSettings",
    "SequenceModel",
    "SignalFeatures",
    "TaggedExamples",
    "TaggerFeatures",
    "TaggerNetwork",
    "TaggerSettings",
    "TextFeatures",
    "TransformerDecoder",
    "TranslationBatch",
    "TranslationExamples",
    "TranslatorFeatures",
    "TranslatorNetwork",
    "TranslatorSettings",
    "VectorModel",
    "WordTagger",
    "build_tagger",
    "load_model",
    "logits_of",
    "probabilities",
    "run_batched",
    "sigmoid",
    "softmax",
    "start_from_vectors",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
