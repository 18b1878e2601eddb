"""What a Python user imports: estimators with scikit-learn's conventions."""

from seqwise.estimators.sequence import SequenceClassifier
from seqwise.estimators.vector import VectorClassifier

__all__ = ["SequenceClassifier", "VectorClassifier"]
