"""The torch modules behind each task, and the arrays that they read."""

from seqwise.metrics.link_functions import sigmoid, softmax
from seqwise.models.batch import Batch, EncodedExamples, Ngrams
from seqwise.models.classifier import LinearPart, RecurrentPart, SequenceModel, VectorModel
from seqwise.models.features import TextFeatures
from seqwise.models.inference import logits_of, probabilities, run_batched
from seqwise.models.pooling import Pooling
from seqwise.models.pretrained import PartlyFrozenEmbedding, start_from_vectors
from seqwise.models.saved import SavedModel, load_sequence_model
from seqwise.models.settings import ModelSettings

__all__ = [
    "Batch",
    "EncodedExamples",
    "LinearPart",
    "ModelSettings",
    "Ngrams",
    "PartlyFrozenEmbedding",
    "Pooling",
    "RecurrentPart",
    "SavedModel",
    "SequenceModel",
    "TextFeatures",
    "VectorModel",
    "load_sequence_model",
    "logits_of",
    "probabilities",
    "run_batched",
    "sigmoid",
    "softmax",
    "start_from_vectors",
]
