"""Word vectors from which a classifier starts: those of a file, matched with its vocabulary, and their coverage."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seqwise.data.catalogue import data_folders
from seqwise.embeddings import WordVectors
from seqwise.errors import ConfigurationError
from seqwise.estimators.pretraining import decide_pretraining, pretrain
from seqwise.estimators.sections import Sections
from seqwise.models import RecurrentPart, WordTagger, start_from_vectors
from seqwise.text import Vocabulary
from seqwise.text.vocabulary import PAD, SPECIAL_TOKENS, UNK


@dataclass(frozen=True)
class GivenVectors:
    """Vectors, and in words where they come from: "glove.txt has", "trained on 1,200 words, they have"."""

    vectors: WordVectors
    origin: str

    def know(self, word: str) -> bool:
        """Whether a word has a vector, case fallback included."""
        return self.vectors.find(word) is not None

    @property
    def mark(self) -> str:
        """A short hash of the vectors, so that a checkpoint of a fit with others is refused."""
        digest = hashlib.sha256("\n".join(self.vectors.words).encode("utf-8", "replace"))
        digest.update(np.ascontiguousarray(self.vectors.vectors).data)
        return "-" + digest.hexdigest()[:8]


@dataclass(frozen=True)
class Coverage:
    """How much of a vocabulary has vectors.

    Attributes:
        origin: of the vectors, see `GivenVectors`.
        frozen: whether they stay as they are.
        words: in the vocabulary, the special symbols left out.
        known: those with a vector.
        other_case: those among them whose vector was found in other case.
        tokens: words of the training texts, those beyond the vocabulary included.
        known_tokens: those with a vector.
    """

    origin: str
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
            f"Word vectors: {self.origin} {self.known:,} of the {self.words:,} words of the "
            f"vocabulary{other}, {self.known_tokens / max(self.tokens, 1):.1%} of the words in the training texts; they "
            f"{'stay as they are' if self.frozen else 'are tuned'}, the other words start at random and are learned."
        )


def read_pretrained(
    sections: Sections,
    chosen: Sections,
    texts: Iterable[Any],
    unlabelled: Iterable[Any] | None = None,
    folder: Path | None = None,
) -> tuple[Sections, GivenVectors | None]:
    """Read the vectors that the section `model` names, or train them, and take their size for that of the embedding.

    Args:
        sections: as a person set them.
        chosen: with every value decided.
        texts: for training, the held-out ones left out.
        unlabelled: further texts for `pretrain_vectors`.
        folder: where trained vectors are kept for a fit that is resumed; None keeps them nowhere.

    Returns:
        The decided sections with `embedding_size` of the vectors, and the vectors; None if there are to be none.

    Raises:
        ConfigurationError: the vectors do not go with another setting.
        FileError: the file cannot be read.
        DataError: it holds no vectors, or the texts have no word that is frequent enough.
    """
    model = chosen.model
    if unlabelled is not None and not model.pretrain_vectors:
        raise ConfigurationError("unlabelled texts are for training word vectors, and pretrain_vectors is not set")
    if model.pretraining is not None and not model.pretrain_vectors:
        raise ConfigurationError("model.pretraining says how vectors are trained, and pretrain_vectors is not set")
    if model.vectors is None and not model.pretrain_vectors:
        if model.freeze_vectors:
            raise ConfigurationError(
                "freeze_vectors is for vectors of a file or trained ones: model.vectors names none, and "
                "pretrain_vectors is not set"
            )
        return chosen, None
    if model.vectors is not None and model.pretrain_vectors:
        raise ConfigurationError(
            "the vectors come from a file (model.vectors) or are trained (pretrain_vectors), not both"
        )
    if model.architecture == "linear":
        raise ConfigurationError("vectors are for the recurrent part, and the architecture 'linear' has none")
    if model.embedding == "one_hot":
        raise ConfigurationError("vectors are for a learned embedding, and embedding is 'one_hot'")
    update: dict[str, Any] = {}
    if model.vectors is None:
        update["pretraining"] = how = decide_pretraining(sections)
        vectors, origin = pretrain(how, chosen.text, texts, unlabelled, folder)
    else:
        vectors, origin = WordVectors.load(find_file(model.vectors)), f"{Path(model.vectors).name} has"
        if "embedding_size" in sections.model.model_fields_set and sections.model.embedding_size != vectors.size:
            raise ConfigurationError(
                f"embedding_size is {sections.model.embedding_size}, and the vectors of {model.vectors} have "
                f"{vectors.size} numbers: leave it out"
            )
    sized = model.model_copy(update={**update, "embedding_size": vectors.size})
    return replace(chosen, model=sized), GivenVectors(vectors, origin)


def find_file(named: str) -> Path:
    """The file of this path; if there is none, that of this name in the folder `embeddings` of the data sets."""
    path = Path(named)
    if not path.exists() and len(path.parts) == 1:
        for _, folder in data_folders():
            if (folder / "embeddings" / named).is_file():
                return folder / "embeddings" / named
    return path


def give_vectors(part: RecurrentPart | WordTagger, vocabulary: Vocabulary, given: GivenVectors) -> Coverage:
    """Start the embedding of a recurrent part or a tagger from vectors, in place.

    Args:
        part: new, on the CPU.
        vocabulary: of its symbols. Padding never has a vector.
        given: vectors of any words; case falls back as `WordVectors.find` says.

    Raises:
        ConfigurationError: not one word of the vocabulary has a vector.
    """
    vectors = given.vectors
    found = [
        (i, row) for i, word in enumerate(vocabulary.tokens) if i != PAD and (row := vectors.find(word)) is not None
    ]
    symbols = [i for i, _ in found if i >= len(SPECIAL_TOKENS)]
    if not symbols:
        raise ConfigurationError(
            f"word vectors: {given.origin} no word of the training texts: is it of another language?"
        )
    rows = np.array([row for _, row in found])
    assert part.embedding is not None  # frames have no vectors
    start_from_vectors(
        part.embedding, torch.tensor([i for i, _ in found]), torch.from_numpy(np.array(vectors.vectors[rows]))
    )
    other = sum(vocabulary.tokens[i] != vectors.words[row] for i, row in found if i >= len(SPECIAL_TOKENS))
    counts = vocabulary.counts
    return Coverage(
        origin=given.origin,
        frozen=not isinstance(part.embedding, torch.nn.Embedding),
        words=len(vocabulary) - len(SPECIAL_TOKENS),
        known=len(symbols),
        other_case=other,
        tokens=int(counts[len(SPECIAL_TOKENS) :].sum() + counts[UNK]),
        known_tokens=int(counts[symbols].sum()),
    )
