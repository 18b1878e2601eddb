"""What a Python user imports: estimators with scikit-learn's conventions."""

from seqwise.estimators.language import LanguageModel
from seqwise.estimators.regressor import SequenceRegressor
from seqwise.estimators.sequence import SequenceClassifier
from seqwise.estimators.tagger import SequenceTagger
from seqwise.estimators.vector import VectorClassifier

__all__ = ["LanguageModel", "SequenceClassifier", "SequenceRegressor", "SequenceTagger", "VectorClassifier"]
