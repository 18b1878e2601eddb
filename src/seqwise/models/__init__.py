"""The torch modules behind each task, and the arrays that they read."""

from seqwise.metrics.link_functions import sigmoid, softmax
from seqwise.models.batch import Batch, EncodedExamples, Ngrams
from seqwise.models.classifier import LinearPart, RecurrentPart, SequenceModel, VectorModel
from seqwise.models.features import TextFeatures
from seqwise.models.inference import logits_of, probabilities, run_batched
from seqwise.models.language import LanguageNetwork
from seqwise.models.language_settings import LanguageSettings
from seqwise.models.pooling import Pooling
from seqwise.models.pretrained import PartlyFrozenEmbedding, start_from_vectors
from seqwise.models.saved import SavedLanguageModel, SavedModel, load_model
from seqwise.models.settings import ModelSettings

__all__ = [
    "Batch",
    "EncodedExamples",
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
    "SequenceModel",
    "TextFeatures",
    "VectorModel",
    "load_model",
    "logits_of",
    "probabilities",
    "run_batched",
    "sigmoid",
    "softmax",
    "start_from_vectors",
]
