"""How a text becomes tokens: the `text` section of the configuration."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from seqwise.errors import ConfigurationError
from seqwise.text.cleaning import steps_of

Unit = Literal["auto", "words", "characters", "tokens"]


def _steps(named: Any) -> Any:
    try:
        return steps_of(named) if isinstance(named, str | list | tuple) else named
    except ConfigurationError as error:
        raise ValueError(str(error)) from None


Steps = Annotated[tuple[str, ...], BeforeValidator(_steps, json_schema_input_type=str | list[str])]


class TextSettings(BaseModel):
    """Cleaning, tokens, vocabulary and truncation.

    `unit="auto"` is decided from the training texts (see `choose_unit`); `unit="tokens"` takes the tokens as given:
    lists of strings, or strings split on white space.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: Unit = Field(default="auto", description="what one step of the sequence is")
    lowercase: bool = Field(default=True, description="lower-case the text first")
    normalize: Literal["NFC", "NFKC", "none"] = Field(default="NFKC", description="Unicode normalisation form")
    clean: Steps = Field(
        default=(),
        description="steps of cleaning before the text is lower-cased: html, urls, users, hashtags, numbers, repeats, "
        "spaces, in this order; or the preset tweets",
    )
    punctuation: bool = Field(default=True, description="punctuation marks are tokens of their own; false drops them")
    max_length: int = Field(default=400, ge=1, description="tokens kept of one text, <eos> included")
    keep: Literal["first", "last"] = Field(default="last", description="which end of a longer text is kept")
    max_vocabulary: int = Field(default=30_000, ge=1, description="tokens kept besides <pad>, <unk> and <eos>")
    min_count: int = Field(default=1, ge=1, description="a token seen less often in training is <unk>")
    end_mark: bool = Field(default=False, description="append <eos> to every text")
