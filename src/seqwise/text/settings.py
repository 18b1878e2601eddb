"""How a text becomes tokens: the `text` section of the configuration."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from seqwise.errors import ConfigurationError, nearest
from seqwise.text.cleaning import PRESETS as CLEANING
from seqwise.text.cleaning import steps_of

Unit = Literal["auto", "words", "characters", "tokens", "whitespace", "bpe", "unigram"]
SUBWORDS = ("bpe", "unigram")

PRESETS: dict[str, dict[str, Any]] = {
    "tweets": {"clean": CLEANING["tweets"]},
    "sentiment": {"clean": CLEANING["tweets"], "stop_words": "en", "keep_words": "sentiment"},
}
"""Values of the section by the kind of text or task that they are for; what is set beside a preset goes before it."""


def preset_values(name: str) -> dict[str, Any]:
    """The values that a preset stands for.

    Raises:
        ConfigurationError: there is none of this name; the message has the nearest.
    """
    if name not in PRESETS:
        raise ConfigurationError(f"there is no preset of texts {name!r}; {nearest(name, PRESETS)}")
    return PRESETS[name]


def _steps(named: Any) -> Any:
    try:
        return steps_of(named) if isinstance(named, str | list | tuple) else named
    except ConfigurationError as error:
        raise ValueError(str(error)) from None


def _words(given: Any) -> Any:
    return tuple(given) if isinstance(given, list) else given


Steps = Annotated[tuple[str, ...], BeforeValidator(_steps, json_schema_input_type=str | list[str])]
Words = Annotated[tuple[str, ...], BeforeValidator(_words, json_schema_input_type=list[str])]


class TextSettings(BaseModel):
    """Cleaning, tokens, vocabulary and truncation.

    `unit="auto"` is decided from the training texts (see `choose_unit`); `unit="tokens"` takes the tokens as given:
    lists of strings, or strings split on white space. `preset` may be given instead of values, see `PRESETS`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: Unit = Field(default="auto", description="what one step of the sequence is")
    lowercase: bool = Field(default=True, description="lower-case the text first")
    normalize: Literal["NFC", "NFKC", "none"] = Field(default="NFKC", description="Unicode normalisation form")
    clean: Steps = Field(
        default=(),
        description="steps of cleaning before the text is lower-cased: html, urls, users, hashtags, numbers, repeats, "
        "misspellings, punctuation, spaces, in this order; or the preset tweets",
    )
    punctuation: bool = Field(default=True, description="punctuation marks are tokens of their own; false drops them")
    stop_words: str | Words | None = Field(
        default=None, description="words that are dropped: a language (en) or a list; null drops none"
    )
    keep_words: Literal["negation", "sentiment"] | Words = Field(
        default="negation",
        description="stop words that stay: a list, or negation: not, never, don't, ...; or sentiment: these and good, "
        "great, unfortunately, ...",
    )
    lemmas: str | None = Field(default=None, description="language (en) whose lemmas replace words: mice, mouse")
    stems: str | None = Field(
        default=None, description="language (en) or algorithm (porter) whose stems replace words: running, run"
    )
    max_length: int = Field(default=400, ge=1, description="tokens kept of one text, <eos> included")
    keep: Literal["first", "last"] = Field(default="last", description="which end of a longer text is kept")
    max_vocabulary: int = Field(default=30_000, ge=1, description="tokens kept besides <pad>, <unk> and <eos>")
    min_count: int = Field(default=1, ge=1, description="a token seen less often in training is <unk>")
    end_mark: bool = Field(default=False, description="append <eos> to every text")

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "preset" not in given:
            return given
        rest = {key: value for key, value in given.items() if key != "preset"}
        if given["preset"] is None:
            return rest
        try:
            return {**preset_values(str(given["preset"])), **rest}
        except ConfigurationError as error:
            raise ValueError(str(error)) from None

    @property
    def has_forms(self) -> bool:
        """Whether words are dropped, or replaced by lemmas or stems."""
        return bool(self.stop_words) or self.lemmas is not None or self.stems is not None
