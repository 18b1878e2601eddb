"""What is chosen from the training data when nobody set it, and why: the defaults of `SequenceClassifier`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from seqwise.data import Frames
from seqwise.errors import ConfigurationError
from seqwise.estimators.sections import Sections, with_choices
from seqwise.losses import ImbalanceSettings
from seqwise.models import FrameSettings
from seqwise.models.frame_features import decided
from seqwise.text import TextSettings, choose_unit

SAMPLE = 2000  # texts looked at
SMALL = 20_000  # examples
LARGE = 15_000_000  # characters of all texts together
MILD = 0.3  # tau of the correction of priors: some recall of rare classes for hardly any accuracy


@dataclass(frozen=True)
class Profile:
    """What the choices depend on.

    Attributes:
        unit: "words", "characters" or "tokens".
        rows: training examples.
        classes: C.
        mean_characters: of a text, over a sample.
        fixed_length: number of characters of every text of the sample, where all have the same and there are no words.
        multilabel: whether an example may have several classes.
    """

    unit: str
    rows: int
    classes: int
    mean_characters: float
    fixed_length: int | None
    multilabel: bool = False

    @classmethod
    def of(cls, texts: Sequence[Any], classes: int, text: TextSettings, *, multilabel: bool = False) -> Profile:
        """Look at the first texts (the training part is in random order)."""
        sample = list(islice(iter(texts), SAMPLE))
        unit = choose_unit(sample) if text.unit == "auto" else text.unit
        lengths = [len(one) if isinstance(one, str) else sum(map(len, one)) for one in sample]
        return cls(
            unit=unit,
            rows=len(texts),
            classes=classes,
            multilabel=multilabel,
            mean_characters=sum(lengths) / max(len(lengths), 1),
            fixed_length=lengths[0] if unit == "characters" and len(set(lengths)) == 1 and len(sample) > 1 else None,
        )


def choose(profile: Profile, sections: Sections) -> Sections:
    """Return the sections with every value decided; what a person set stays.

    The rules were found on validation data only; docs/decisions/default-classifier.md has the figures and what lost.
    """
    model, training = sections.model, sections.training
    symbols = profile.unit == "characters"
    long_texts = not symbols and profile.rows * profile.mean_characters > LARGE
    many = profile.rows >= 30_000
    text_choices: dict[str, Any] = {"min_count": 1 if symbols else 5 if long_texts else 2}
    model_choices: dict[str, Any] = {
        "embedding_size": 64 if symbols else 128,
        "hidden_size": 64 if profile.fixed_length else 128,
        "num_layers": 2 if symbols and not profile.fixed_length else 1,
        "pooling": "last+max+mean",
        # Many short strings are learned, not remembered: dropout only slows that down.
        "dropout": 0.1 if symbols and many else 0.3,
        "embedding_dropout": 0.0 if symbols and many else 0.1 if symbols else 0.2,
        "word_dropout": 0.0 if symbols and many else 0.1,
        # In large corpora of long texts, characters inside words cost minutes and add nothing; a third word does.
        "word_ngrams": None if symbols else (1, 3) if long_texts else (1, 2),
        "character_ngrams": None
        if profile.fixed_length
        else (1, 6 if many else 5)
        if symbols
        else None
        if long_texts
        else (2, 4),
        "ngram_positions": profile.fixed_length is not None,
        "position_embedding": profile.fixed_length or 0,
        "min_documents": 1 if symbols or profile.rows < 1000 else 2,
    }
    training_choices: dict[str, Any] = {
        "epochs": (6 if many else 12) if symbols else max(3, min(8, round(12 * (profile.rows / 1000) ** -0.4))),
        "batch_size": 128 if symbols and many else 64,
        "optimizer": "adamw",
        "learning_rate": 4e-3 if symbols and many else 3e-3,
        "weight_decay": 0.01,
        "schedule": "cosine",
        "warmup": 0.1,
        # The rate falls to zero: the last weights are the best ones, and choosing among epochs only follows noise.
        "select": "last",
        # In small data every example counts, the held-out ones too; in large data a second fit only costs time.
        "refit": profile.rows <= SMALL and training.time_budget is None,
    }
    if model.architecture == "recurrent":  # the textbook model, on its own: nothing beside it decides when to stop
        training_choices |= {"select": "best", "refit": False}
    pure = model.architecture == "recurrent"
    smooth = not pure and (profile.fixed_length or not (symbols or long_texts))
    smooth = smooth or sections.imbalance.loss == "asymmetric"  # without it, gamma_neg asks nothing of classes
    imbalance_choices = {
        # Of labels an example has few and lacks many: what it easily lacks should count little.
        "loss": "asymmetric" if profile.multilabel and model.architecture != "linear" else "cross_entropy",
        # Thresholds do for labels what the correction does for classes.
        "prior_correction": 0.0 if pure or profile.multilabel else MILD,
        "label_smoothing": 0.1 if smooth and not profile.multilabel else 0.0,
    }
    if model.architecture == "dense":
        raise ConfigurationError("model.architecture dense reads one vector an example, and the examples are texts")
    return Sections(
        with_choices(sections.text.model_copy(update={"unit": profile.unit}), text_choices),
        with_choices(model, model_choices),
        with_choices(sections.imbalance, imbalance_choices),
        with_choices(training, training_choices),
    )


def choose_for_frames(frames: Frames, sections: Sections, *, multilabel: bool = False) -> Sections:
    """Return the sections of a classifier of frames with every value decided; what a person set stays.

    Args:
        frames: of the training part.
        sections: as a person set them.
        multilabel: whether an example may have several classes.

    Raises:
        ConfigurationError: a setting is for texts.
    """
    model, training = sections.model, sections.training
    vectors = bool((frames.lengths == 1).all())
    architecture = (
        model.architecture if "architecture" in model.model_fields_set else "dense" if vectors else "recurrent"
    )
    if architecture not in ("recurrent", "dense"):
        raise ConfigurationError(f"model.architecture {architecture} is for texts: of frames there are no n-grams")
    if architecture == "dense" and not vectors:
        raise ConfigurationError(
            f"model.architecture dense reads one vector an example, and there are up to {frames.lengths.max():,} steps"
        )
    for name in ("vectors", "pretrain_vectors", "pretraining", "freeze_vectors", "position_embedding"):
        if name in model.model_fields_set and getattr(model, name):
            raise ConfigurationError(f"model.{name} is for texts, and the examples are frames")
    if "embedding" in model.model_fields_set and model.embedding != "learned":
        raise ConfigurationError(f"model.embedding {model.embedding} is for texts, and the examples are frames")
    small = len(frames) <= SMALL
    model_choices: dict[str, Any] = {
        "architecture": architecture,
        "hidden_size": 128,
        "num_layers": 2,
        "head_layers": 1 if vectors else 0,
        "pooling": "last+max+mean",
        "dropout": 0.3,
        "embedding_dropout": 0.0,
        "word_dropout": 0.0,
        "position_embedding": 0,
    }
    training_choices: dict[str, Any] = {
        "epochs": max(10, min(40, round(40 * (len(frames) / 1000) ** -0.4))),
        "batch_size": 32 if small else 64,
        "optimizer": "adamw",
        "learning_rate": 3e-3,
        "weight_decay": 0.01,
        "schedule": "cosine",
        "warmup": 0.1,
        "select": "last",
        "refit": small and training.time_budget is None,
    }
    imbalance_choices = {
        "loss": "asymmetric" if multilabel else "cross_entropy",
        "prior_correction": 0.0,
        "label_smoothing": 0.0,
    }
    return Sections(
        sections.text,
        with_choices(model, model_choices),
        with_choices(sections.imbalance, imbalance_choices),
        with_choices(training, training_choices),
        decided(sections.frames or FrameSettings(), frames),
    )


CHOSEN = frozenset(
    {
        *("architecture", "head_layers"),
        *("min_count", "prior_correction", "label_smoothing", "loss"),
        *(
            "embedding_size",
            "position_embedding",
            "hidden_size",
            "num_layers",
            "pooling",
            "dropout",
            "embedding_dropout",
            "word_dropout",
        ),
        *("word_ngrams", "character_ngrams", "ngram_positions", "min_documents"),
        *(
            "epochs",
            "batch_size",
            "optimizer",
            "learning_rate",
            "weight_decay",
            "schedule",
            "warmup",
            "select",
            "refit",
        ),
    }
)
"""The parameters that `choose` has a rule for."""


def explain_imbalance(imbalance: ImbalanceSettings, classes: Sequence[str], counts: Sequence[int]) -> str:
    """Say in one sentence how rare classes are treated, and that it can be done otherwise.

    Args:
        imbalance: with every value decided.
        classes: the C names.
        counts: training examples of each.
    """
    rare, common = (pick(range(len(counts)), key=lambda j: counts[j]) for pick in (min, max))
    plain = ImbalanceSettings()
    set_here = [
        f"{name} {value}"
        for name, value in imbalance.model_dump(exclude={"label_smoothing"}).items()
        if value is not None and value != getattr(plain, name)
    ]
    return (
        f"Rare classes: {classes[rare]!r} has {counts[rare]:,} training examples, {classes[common]!r} {counts[common]:,}; "
        f"treated by {', '.join(set_here) or 'nothing but plain cross entropy'}. `seqwise compare` shows every treatment "
        "on these data, --imbalance NAME takes one."
    )
