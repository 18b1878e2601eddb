"""What a classifier's fit begins with: every setting decided by the training examples, word vectors, a language model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqwise.data import Frames
from seqwise.errors import ConfigurationError
from seqwise.estimators.choices import Profile, choose_for_frames
from seqwise.estimators.pretrained import GivenVectors, read_pretrained
from seqwise.estimators.sections import Sections
from seqwise.estimators.starting import StartingPoint, start_or_choose


@dataclass(frozen=True)
class Decided:
    """The sections with every value decided, and what the weights start from, if anything."""

    sections: Sections
    vectors: GivenVectors | None = None
    beginning: StartingPoint | None = None


def decide(
    sections: Sections,
    examples: Sequence[Any],
    classes: int,
    *,
    multilabel: bool = False,
    start_from: str | None = None,
    unlabelled: Iterable[Any] | None = None,
    folder: Path | None = None,
) -> Decided:
    """Decide everything that the training examples decide.

    Args:
        sections: as a person set them.
        examples: texts, or `Frames`, of the training part.
        classes: C.
        multilabel: whether an example may have several of them.
        start_from: folder of a language model, which the sections name too.
        unlabelled: further texts for `pretrain_vectors`.
        folder: where trained vectors are kept for a fit that is resumed; None keeps them nowhere.

    Raises:
        ConfigurationError: settings do not go together, or are for the other kind of examples.
    """
    if isinstance(examples, Frames):
        if unlabelled is not None:
            raise ConfigurationError("unlabelled texts are for training word vectors, and the examples are frames")
        if start_from is not None:
            raise ConfigurationError("start_from names a language model, which reads texts; the examples are frames")
        return Decided(choose_for_frames(examples, sections, multilabel=multilabel))
    if sections.frames is not None:
        raise ConfigurationError("the section frames is for frames of numbers, and the examples are texts")
    profile = Profile.of(examples, classes, sections.text, multilabel=multilabel)
    chosen, beginning = start_or_choose(sections, profile)
    decided, vectors = read_pretrained(sections, chosen, examples, unlabelled, folder)
    return Decided(decided, vectors, beginning)
