"""What a Python user imports: estimators with scikit-learn's conventions."""

from seqwise.estimators.forecaster import SequenceForecaster
from seqwise.estimators.generator import SequenceGenerator
from seqwise.estimators.language import LanguageModel
from seqwise.estimators.regressor import SequenceRegressor
from seqwise.estimators.sequence import SequenceClassifier
from seqwise.estimators.tagger import SequenceTagger
from seqwise.estimators.transcriber import Transcriber
from seqwise.estimators.translator import Translator
from seqwise.estimators.vector import VectorClassifier

__all__ = [
    "LanguageModel",
    "SequenceClassifier",
    "SequenceForecaster",
    "SequenceGenerator",
    "SequenceRegressor",
    "SequenceTagger",
    "Transcriber",
    "Translator",
    "VectorClassifier",
]
