"""Losses: logits and targets in, one value per example out; thin modules that drop into any PyTorch loop."""

from seqwise.losses.cross_entropy import WeightedCrossEntropy, balanced_weights, weighted_cross_entropy
from seqwise.losses.settings import ImbalanceSettings

__all__ = ["ImbalanceSettings", "WeightedCrossEntropy", "balanced_weights", "weighted_cross_entropy"]
