"""The torch modules behind each task, and the arrays that they read."""

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
from seqwise.models.saved import SavedLanguageModel, SavedModel, SavedTagger, SavedTranslator, build_tagger, load_model
from seqwise.models.settings import ModelSettings
from seqwise.models.tagger import FrameTagger, TaggerNetwork, WordTagger
from seqwise.models.tagger_features import TaggedExamples, TaggerFeatures
from seqwise.models.tagger_frames import FramedExamples, FrameTaggerFeatures
from seqwise.models.tagger_settings import TaggerSettings
from seqwise.models.transformer import TransformerDecoder
from seqwise.models.translator import TranslationBatch, TranslatorNetwork
from seqwise.models.translator_features import TranslationExamples, TranslatorFeatures
from seqwise.models.translator_settings import SearchSettings, TranslatorSettings

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
