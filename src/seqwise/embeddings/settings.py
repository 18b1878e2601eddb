"""How word vectors are trained."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Model = Literal["skipgram", "cbow", "nplm", "glove"]
Objective = Literal["negative", "nce", "hierarchical", "softmax"]
Context = Literal["previous", "around", "nearby"]
Sharing = Literal["window", "pair"]

_MODELS = {"skipgram": "skip-gram", "cbow": "CBOW", "nplm": "NPLM", "glove": "GloVe"}
_RATES = {"skipgram": 0.025, "cbow": 0.05, "nplm": 0.05, "glove": 0.05}
_OF_ITS_OWN = {"glove": {"epochs": 15, "window": 15}}  # what a model has instead of the defaults
_PREDICTIVE: tuple[Model, ...] = ("skipgram", "cbow", "nplm")
_OF_MODELS: dict[str, tuple[Model, ...]] = {
    "context": ("nplm",),
    "hidden": ("nplm",),
    "direct": ("nplm",),
    "negatives_for": ("skipgram",),
    "ngrams": ("skipgram", "cbow"),
    "buckets": ("skipgram", "cbow"),
    "objective": _PREDICTIVE,
    "negatives": _PREDICTIVE,
    "sample": _PREDICTIVE,
    "sample_formula": _PREDICTIVE,
    "x_max": ("glove",),
    "alpha": ("glove",),
}
_OF_OBJECTIVES: dict[str, tuple[Objective, ...]] = {
    "negatives": ("negative", "nce"),
    "negatives_for": ("negative", "nce"),
    "ngrams": ("negative", "nce", "hierarchical"),
    "buckets": ("negative", "nce", "hierarchical"),
}
_OBJECTIVES: dict[Model, tuple[Objective, ...]] = {
    "skipgram": ("negative", "nce", "hierarchical", "softmax"),
    "cbow": ("negative", "nce", "hierarchical", "softmax"),
    "nplm": ("negative", "nce", "hierarchical", "softmax"),
    "glove": ("negative",),  # the default, of which GloVe makes nothing
}


class EmbeddingSettings(BaseModel):
    """Model, objective, sizes and schedule; the defaults are those of the published word2vec where it has any.

    Sources: Mikolov et al. 2013a (skip-gram, CBOW) and 2013b (negative sampling, sub-sampling); Morin and Bengio 2005
    (hierarchical softmax); Gutmann and Hyvarinen 2012 (noise-contrastive estimation); Bengio et al. 2003 (NPLM);
    Pennington et al. 2014 (GloVe); Bojanowski et al. 2017 (n-grams).

    What the chosen model or objective has no use for is an error where it is given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Model = Field(
        default="skipgram",
        description="skipgram: a word predicts each word around it; cbow: the mean of the words around predicts it; "
        "nplm: the words of its context, beside each other, predict it through a hidden layer; "
        "glove: the product of two vectors is the logarithm of how often both words stand near each other",
    )
    objective: Objective = Field(
        default="negative",
        description="negative sampling; nce: noise-contrastive estimation; hierarchical softmax over a Huffman tree; "
        "softmax: over all words",
    )
    size: int = Field(default=100, ge=1, le=4096, description="numbers in a vector")
    window: int = Field(
        default=5,
        ge=1,
        le=1000,
        description="words on either side at most, of which each word draws 1 ... window; nplm, glove: always so many, "
        "and 15 for glove if it is not given",
    )
    min_count: int = Field(default=5, ge=1, description="a word seen less often is left out of the text")
    negatives: int = Field(default=5, ge=1, le=256, description="negatives for each positive (negative sampling, nce)")
    negatives_for: Sharing = Field(
        default="window",
        description="skip-gram: draw negatives once for all pairs of a window, or for each pair (slower)",
    )
    ngrams: tuple[int, int] | None = Field(
        default=None,
        description="lengths of character n-grams, as 3-6: a word's vector is the mean of its own row and those of its "
        "n-grams, unknown words have vectors, and skip-gram draws negatives for each pair",
    )
    buckets: int = Field(default=2_000_000, ge=1, lt=2**32, description="n-grams of one bucket have the same row")
    context: Context = Field(
        default="previous",
        description="nplm: the `window` words before, those on either side, or one of those on either side at random",
    )
    hidden: int = Field(default=100, ge=1, le=4096, description="nplm: units of the hidden layer")
    direct: bool = Field(default=False, description="nplm: the context also scores the words without the hidden layer")
    sample: float = Field(default=1e-3, ge=0, lt=1, description="threshold of sub-sampling frequent words; 0: none")
    sample_formula: Literal["word2vec", "paper"] = Field(
        default="word2vec",
        description="keep a word of frequency f with (sqrt(f/t)+1)t/f, or with the paper's sqrt(t/f)",
    )
    x_max: float = Field(
        default=10.0,
        gt=0,
        description="glove: a count from which on a cell of the matrix has its full weight, 1; the published program's for "
        "small corpora, the paper's for billions of words is 100",
    )
    alpha: float = Field(default=0.75, ge=0, le=10, description="glove: below, the weight is (count / x_max)^alpha")
    epochs: int = Field(
        default=5, ge=1, description="passes over the corpus; glove: over the counts of pairs, 15 if it is not given"
    )
    rate: float | None = Field(
        default=None,
        gt=0,
        description="first learning rate, falls to a ten-thousandth (glove: not); default .025, others .05",
    )
    threads: int = Field(
        default=0,
        ge=0,
        description="threads, 0: one a core; results repeat only with one, several update the same numbers without locks",
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="of first vectors, windows and draws")

    @model_validator(mode="before")
    @classmethod
    def _set_defaults_of_the_model(cls, given: Any) -> Any:
        return {**_OF_ITS_OWN.get(str(given.get("model")), {}), **given} if isinstance(given, dict) else given

    @field_validator("ngrams", mode="before")
    @classmethod
    def _read_lengths(cls, given: Any) -> Any:
        if given is None:
            return None
        try:
            shortest, longest = (int(part) for part in (given.split("-") if isinstance(given, str) else given))
        except (TypeError, ValueError):
            shortest = longest = 0
        if not 1 <= shortest <= longest:
            raise ValueError("two lengths such as 3-6 are expected")
        return shortest, longest

    @model_validator(mode="after")
    def _refuse_what_is_not_used(self) -> EmbeddingSettings:
        for name in sorted(self.model_fields_set):
            if self.model not in _OF_MODELS.get(name, (self.model,)):
                raise ValueError(f"{name} is for {' and '.join(_OF_MODELS[name])}, not for {self.model}")
            if self.objective not in _OF_OBJECTIVES.get(name, (self.objective,)):
                raise ValueError(f"{name} is for {' and '.join(_OF_OBJECTIVES[name])}, not for {self.objective}")
        if self.ngrams is None and "buckets" in self.model_fields_set:
            raise ValueError("buckets is for ngrams, which are not given")
        if self.ngrams is not None and "negatives_for" in self.model_fields_set and self.negatives_for == "window":
            raise ValueError("with ngrams negatives are drawn for each pair, not for a window")
        if self.objective not in _OBJECTIVES[self.model]:
            raise ValueError(
                f"{self.model} has the objectives {', '.join(_OBJECTIVES[self.model])}, not {self.objective}"
            )
        return self

    @property
    def first_rate(self) -> float:
        """The learning rate of the first word."""
        return self.rate if self.rate is not None else _RATES[self.model]

    @property
    def draws_for_each_pair(self) -> bool:
        """Whether negatives are drawn for each pair and not once for a window."""
        pairs = self.negatives_for == "pair" or self.ngrams is not None
        return pairs and self.model == "skipgram" and self.objective in ("negative", "nce")

    def describe(self) -> str:
        """One line that says what runs."""
        model = _MODELS[self.model]
        if self.model == "glove":
            return f"{model}, {self.window} words on either side, x_max {self.x_max:g}, alpha {self.alpha:g}"
        if self.model == "nplm":
            several = "1 word" if self.window == 1 else f"{self.window} words"
            place = {"previous": "before", "around": "on either side", "nearby": "on either side, one of them"}
            model += f" with {several} {place[self.context]}, {self.hidden} hidden units"
            model += " and a direct connection" if self.direct else ""
        if self.ngrams is not None:
            model += f" with n-grams of {self.ngrams[0]} to {self.ngrams[1]} characters"
        if self.objective in ("hierarchical", "softmax"):
            return f"{model}, {'hierarchical' if self.objective == 'hierarchical' else 'full'} softmax"
        drawn = "word" if self.model == "nplm" else "pair" if self.draws_for_each_pair else "window"
        name = "negative sampling" if self.objective == "negative" else "noise-contrastive estimation"
        return f"{model}, {name}: {self.negatives} negatives drawn for each {drawn}"
