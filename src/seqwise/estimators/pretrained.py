"""Word vectors of a file in a classifier: read before the fit, matched with its vocabulary, and their coverage."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from seqwise.embeddings import WordVectors
from seqwise.errors import ConfigurationError
from seqwise.estimators.sections import Sections
from seqwise.models import RecurrentPart, start_from_vectors
from seqwise.text import Vocabulary
from seqwise.text.vocabulary import PAD, SPECIAL_TOKENS, UNK


@dataclass(frozen=True)
class Coverage:
    """How much of a vocabulary has vectors.

    Attributes:
        file: the vectors.
        frozen: whether they stay as they are.
        words: in the vocabulary, the special symbols left out.
        known: those with a vector.
        other_case: those among them whose vector was found in other case.
        tokens: words of the training texts, those beyond the vocabulary included.
        known_tokens: those with a vector.
    """

    file: str
    frozen: bool
    words: int
    known: int
    other_case: int
    tokens: int
    known_tokens: int

    def sentence(self) -> str:
        """Say it to a person."""
        other = f" ({self.other_case:,} in other case)" if self.other_case else ""
        return (
            f"Word vectors: {Path(self.file).name} has {self.known:,} of the {self.words:,} words of the "
            f"vocabulary{other}, {self.known_tokens / max(self.tokens, 1):.1%} of the words in the training texts; they "
            f"{'stay as they are' if self.frozen else 'are tuned'}, the other words start at random and are learned."
        )


def read_pretrained(sections: Sections, chosen: Sections) -> tuple[Sections, WordVectors | None]:
    """Read the vectors that the section `model` names, and take their size for that of the embedding.

    Args:
        sections: as a person set them.
        chosen: with every value decided.

    Returns:
        The decided sections with `embedding_size` of the vectors, and the vectors; None if none are named.

    Raises:
        ConfigurationError: the vectors do not go with another setting.
        FileError: the file cannot be read.
        DataError: it holds no vectors.
    """
    model = chosen.model
    if model.vectors is None:
        if model.freeze_vectors:
            raise ConfigurationError("freeze_vectors is for the vectors of a file, and model.vectors names none")
        return chosen, None
    if model.architecture == "linear":
        raise ConfigurationError("vectors are for the recurrent part, and the architecture 'linear' has none")
    if model.embedding == "one_hot":
        raise ConfigurationError("vectors are for a learned embedding, and embedding is 'one_hot'")
    vectors = WordVectors.load(model.vectors)
    if "embedding_size" in sections.model.model_fields_set and sections.model.embedding_size != vectors.size:
        raise ConfigurationError(
            f"embedding_size is {sections.model.embedding_size}, and the vectors of {model.vectors} have "
            f"{vectors.size} numbers: leave it out"
        )
    sized = model.model_copy(update={"embedding_size": vectors.size})
    return Sections(chosen.text, sized, chosen.imbalance, chosen.training), vectors


def give_vectors(part: RecurrentPart, vocabulary: Vocabulary, vectors: WordVectors, file: str) -> Coverage:
    """Start the embedding of a recurrent part from vectors, in place.

    Args:
        part: new, on the CPU.
        vocabulary: of its symbols. Padding never has a vector.
        vectors: any words; case falls back as `WordVectors.find` says.
        file: where they come from.

    Raises:
        ConfigurationError: not one word of the vocabulary has a vector.
    """
    found = [
        (i, row) for i, word in enumerate(vocabulary.tokens) if i != PAD and (row := vectors.find(word)) is not None
    ]
    symbols = [i for i, _ in found if i >= len(SPECIAL_TOKENS)]
    if not symbols:
        raise ConfigurationError(f"no word of the training texts has a vector in {file}: is it of another language?")
    rows = np.array([row for _, row in found])
    start_from_vectors(
        part.embedding, torch.tensor([i for i, _ in found]), torch.from_numpy(np.array(vectors.vectors[rows]))
    )
    other = sum(vocabulary.tokens[i] != vectors.words[row] for i, row in found if i >= len(SPECIAL_TOKENS))
    counts = vocabulary.counts
    return Coverage(
        file=file,
        frozen=not isinstance(part.embedding, torch.nn.Embedding),
        words=len(vocabulary) - len(SPECIAL_TOKENS),
        known=len(symbols),
        other_case=other,
        tokens=int(counts[len(SPECIAL_TOKENS) :].sum() + counts[UNK]),
        known_tokens=int(counts[symbols].sum()),
    )


def mark_of(vectors: WordVectors | None) -> str:
    """A short hash of the vectors, "" without any, so that a checkpoint of a fit with others is refused."""
    if vectors is None:
        return ""
    digest = hashlib.sha256("\n".join(vectors.words).encode("utf-8", "replace"))
    digest.update(np.ascontiguousarray(vectors.vectors).data)
    return "-" + digest.hexdigest()[:8]
