"""How word vectors are trained."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Model = Literal["skipgram", "cbow"]
Objective = Literal["negative", "nce", "hierarchical"]
Sharing = Literal["window", "pair"]


class EmbeddingSettings(BaseModel):
    """Model, objective, sizes and schedule; the defaults are those of the published word2vec where it has any.

    Sources: Mikolov et al. 2013a (skip-gram, CBOW) and 2013b (negative sampling, sub-sampling); Morin and Bengio 2005
    (hierarchical softmax); Gutmann and Hyvarinen 2012 (noise-contrastive estimation).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Model = Field(
        default="skipgram",
        description="skipgram: a word predicts each word around it; cbow: the mean of the words around predicts it",
    )
    objective: Objective = Field(
        default="negative",
        description="negative sampling; nce: noise-contrastive estimation; hierarchical softmax over a Huffman tree",
    )
    size: int = Field(default=100, ge=1, le=4096, description="numbers in a vector")
    window: int = Field(
        default=5, ge=1, le=1000, description="words on either side at most; each word draws 1 ... window"
    )
    min_count: int = Field(default=5, ge=1, description="a word seen less often is left out of the text")
    negatives: int = Field(default=5, ge=1, le=256, description="negatives for each positive (negative sampling)")
    negatives_for: Sharing = Field(
        default="window",
        description="skip-gram: draw negatives once for all pairs of a window, or for each pair (slower)",
    )
    sample: float = Field(default=1e-3, ge=0, lt=1, description="threshold of sub-sampling frequent words; 0: none")
    sample_formula: Literal["word2vec", "paper"] = Field(
        default="word2vec",
        description="keep a word of frequency f with (sqrt(f/t)+1)t/f, or with the paper's sqrt(t/f)",
    )
    epochs: int = Field(default=5, ge=1, description="passes over the corpus")
    rate: float | None = Field(
        default=None, gt=0, description="first learning rate, falls to a ten-thousandth; default .025, cbow .05"
    )
    threads: int = Field(
        default=0,
        ge=0,
        description="threads, 0: one a core; results repeat only with one, several update the same numbers without locks",
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="of first vectors, windows and draws")

    @property
    def first_rate(self) -> float:
        """The learning rate of the first word."""
        return self.rate if self.rate is not None else (0.05 if self.model == "cbow" else 0.025)

    def describe(self) -> str:
        """One line that says what runs."""
        model = {"skipgram": "skip-gram", "cbow": "CBOW"}[self.model]
        if self.objective == "hierarchical":
            return f"{model}, hierarchical softmax"
        drawn = "pair" if self.model == "skipgram" and self.negatives_for == "pair" else "window"
        name = "negative sampling" if self.objective == "negative" else "noise-contrastive estimation"
        return f"{model}, {name}: {self.negatives} negatives drawn for each {drawn}"
