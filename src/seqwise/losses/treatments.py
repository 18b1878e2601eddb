"""Treatments of rare classes by name: what each sets in the section `imbalance`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqwise.errors import ConfigurationError, nearest


@dataclass(frozen=True)
class Treatment:
    """One way to treat rare classes.

    Attributes:
        name: as in `seqwise train --imbalance NAME`.
        values: what it sets in `ImbalanceSettings`, by field: always the loss, the class weights, the sampler, the
            synthetic examples and the correction after training, so that one treatment replaces another. Parameters of the
            loss and label smoothing stay as they are.
        summary: what it does, in one line.
        balances: whether it moves the decisions towards rare classes, so that the probabilities no longer are those of
            the training data.
    """

    name: str
    values: dict[str, Any]
    summary: str
    balances: bool


_NOTHING: dict[str, Any] = {
    "loss": "cross_entropy",
    "class_weight": None,
    "sampler": "instance",
    "synthetic": None,
    "prior_correction": 0.0,  # what is balanced in training is not balanced a second time in the decisions
}


def _treatment(name: str, summary: str, *, balances: bool = True, **values: Any) -> Treatment:
    return Treatment(name, _NOTHING | values, summary, balances)


_ALL = (
    _treatment("ce", "plain cross entropy: every example counts alike", balances=False),
    _treatment("weighted", "cross entropy with class weights n / (K n_j)", class_weight="balanced"),
    _treatment("focal", "focal loss: examples that are easy already count less", loss="focal"),
    _treatment("asl", "asymmetric loss: easy examples of absent classes count less, or not at all", loss="asymmetric"),
    _treatment("effective", "class weights by the effective number of examples", loss="class_balanced"),
    _treatment("logit_adjusted", "log class shares added to the logits in training", loss="logit_adjusted"),
    _treatment("ldam", "larger margins for rarer classes, class weights late in training", loss="ldam"),
    _treatment("balanced_softmax", "softmax that counts the examples of each class", loss="balanced_softmax"),
    _treatment("prior_correction", "log class shares subtracted from the logits after training", prior_correction=1.0),
    _treatment(
        "oversample", "examples of rare classes drawn again until all classes are as many", sampler="oversample"
    ),
    _treatment("undersample", "no more examples of any class than the rarest has", sampler="undersample"),
    _treatment("square_root", "classes drawn by the square root of their size", sampler="square_root"),
    _treatment("class_balanced", "all classes drawn equally often", sampler="class_balanced"),
    _treatment("progressive", "from the classes' own shares to equal ones during training", sampler="progressive"),
    _treatment("smote", "synthetic examples between neighbours of a rare class", synthetic="smote"),
    _treatment("borderline_smote", "SMOTE for examples near other classes only", synthetic="borderline_smote"),
    _treatment("adasyn", "more synthetic examples where a rare class is hard to tell", synthetic="adasyn"),
)

TREATMENTS: dict[str, Treatment] = {treatment.name: treatment for treatment in _ALL}
"""The treatments by name."""


def find_treatment(name: str) -> Treatment:
    """Return the treatment of this name.

    Raises:
        ConfigurationError: there is none; the message has the nearest.
    """
    if name not in TREATMENTS:
        raise ConfigurationError(f"there is no treatment of rare classes {name!r}; {nearest(name, TREATMENTS)}")
    return TREATMENTS[name]
