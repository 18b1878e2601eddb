"""What is chosen from the training data when nobody set it, and why: the defaults of `SequenceClassifier`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from seqwise.estimators.parameters import with_choices
from seqwise.losses import ImbalanceSettings
from seqwise.models import ModelSettings
from seqwise.text import TextPipeline, TextSettings, choose_unit
from seqwise.training import TrainingSettings

SAMPLE = 2000  # texts looked at
LONG = 80  # words of a text, from which on it counts as long


@dataclass(frozen=True)
class Profile:
    """What the choices depend on.

    Attributes:
        unit: "words", "characters" or "tokens".
        rows: training examples.
        classes: C.
        mean_length: symbols of a text, over a sample.
        fixed_length: every text of the sample has the same number of characters, and there are no words.
    """

    unit: str
    rows: int
    classes: int
    mean_length: float
    fixed_length: bool

    @classmethod
    def of(cls, texts: Sequence[Any], classes: int, text: TextSettings) -> Profile:
        """Look at the first texts (the training part is in random order)."""
        sample = list(islice(iter(texts), SAMPLE))
        unit = choose_unit(sample) if text.unit == "auto" else text.unit
        tokenizer = TextPipeline(text.model_copy(update={"unit": unit})).tokenizer
        lengths = [len(tokenizer(one)) for one in sample]
        return cls(
            unit=unit,
            rows=len(texts),
            classes=classes,
            mean_length=sum(lengths) / max(len(lengths), 1),
            fixed_length=unit == "characters" and len(set(lengths)) == 1 and len(sample) > 1,
        )


def choose(
    profile: Profile, text: TextSettings, model: ModelSettings, imbalance: ImbalanceSettings, training: TrainingSettings
) -> tuple[TextSettings, ModelSettings, ImbalanceSettings, TrainingSettings]:
    """Return the sections with every value decided; what a person set stays.

    The rules were found on validation data only; docs/decisions/default-classifier.md has the figures and what lost.
    """
    symbols = profile.unit == "characters"
    text_choices: dict[str, Any] = {"min_count": 1 if symbols or profile.rows < 2000 else 2}
    long_texts = not symbols and profile.mean_length > LONG
    model_choices: dict[str, Any] = {
        "embedding_size": 64 if symbols else 128,
        "hidden_size": 128,
        "num_layers": 2 if symbols else 1,
        "pooling": "last+max+mean",
        "dropout": 0.3,
        "embedding_dropout": 0.1 if symbols else 0.2,
        "word_dropout": 0.05 if symbols else 0.1,
        "word_ngrams": None if symbols else (1, 2),
        # Characters inside words help short texts; in long ones they cost minutes and add nothing.
        "character_ngrams": (1, 6) if symbols else None if long_texts else (2, 5),
        "ngram_positions": profile.fixed_length,
        "min_documents": 2 if long_texts or profile.rows * profile.mean_length > 200_000 else 1,
    }
    training_choices: dict[str, Any] = {
        "epochs": 3 if long_texts else 8 if symbols else 5,
        "batch_size": 64,
        "optimizer": "adamw",
        "learning_rate": 3e-3,
        "weight_decay": 0.01,
        "schedule": "one_cycle",
        "metric": "log_loss",
    }
    if model.architecture == "recurrent":  # the textbook model, on its own: nothing beside it decides when to stop
        training_choices["metric"] = "macro_f1"
    imbalance_choices = {"prior_correction": 0.0 if model.architecture == "recurrent" else 0.3}
    text = with_choices(text.model_copy(update={"unit": profile.unit}), text_choices)
    return (
        text,
        with_choices(model, model_choices),
        with_choices(imbalance, imbalance_choices),
        with_choices(training, training_choices),
    )


CHOSEN = frozenset(
    {
        *("min_count", "prior_correction"),
        *("embedding_size", "hidden_size", "num_layers", "pooling", "dropout", "embedding_dropout", "word_dropout"),
        *("word_ngrams", "character_ngrams", "ngram_positions", "min_documents"),
        *("epochs", "batch_size", "optimizer", "learning_rate", "weight_decay", "schedule", "metric"),
    }
)
"""The parameters that `choose` has a rule for."""
