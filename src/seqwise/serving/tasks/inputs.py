"""What models read, as fields of a request: texts, tokens, columns of texts, frames of numbers, sounds."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Annotated, Any, Protocol

import numpy as np
from pydantic import BaseModel, Discriminator, Field, Tag, create_model

from seqwise.data.frames import Frames
from seqwise.data.joined import PLUS, join_fields
from seqwise.data.wav import parse_wav
from seqwise.errors import DataError, FileError
from seqwise.serving.problems import Refused
from seqwise.serving.served import Strict, needs_one
from seqwise.serving.settings import ServerSettings
from seqwise.text.pipeline import TextPipeline
from seqwise.text.vocabulary import SPECIAL_TOKENS, UNK

EXAMPLE = "a text of yours"
SHOWN = 6  # symbols of an example
LEAST = 3  # steps of an example
TELLING = 4  # letters from which a frequent word says something
COMMON = 200  # most frequent symbols among which those of an example are
SLOWEST, FASTEST = 1e-3, 1e9  # steps a second
LARGEST = 1e15  # of a number: its square, and sums of many of them, are numbers of 32 bits

Token = Annotated[str, Field(min_length=1)]


class TextInput(Strict):
    """One text."""

    text: str = Field(description="a text")


class TokenInput(Strict):
    """One text, or its tokens."""

    model_config = needs_one("text", "tokens")

    text: str = Field(default="", description="a text, which is cut into tokens as in training")
    tokens: list[Token] = Field(default=[], description="the tokens of a text, instead of it")


class FieldsInput(Strict):
    """One example of several columns."""

    model_config = needs_one("text", "fields")

    text: str = Field(default="", description="all columns as one text already")
    fields: dict[str, str | None] = Field(default={}, description="a text for each column; null is an empty one")


class _Sound(Strict):
    model_config = needs_one("frames", "wav")


class Reader(Protocol):
    """From the fields of an input to what a predictor reads."""

    input: type[BaseModel]
    """What a request has."""

    def read(self, body: Any) -> tuple[Any, int]:
        """The value, and how long it is in what the server's `max_length` counts.

        Raises:
            Refused: it is no such input, or too long.
        """

    @property
    def example(self) -> dict[str, Any]:
        """An input."""

    def unknown(self, values: Sequence[Any]) -> tuple[int, int]:
        """How many symbols of values the model does not know, and how many they have."""


class TextReader:
    """Reads texts.

    Args:
        settings: of the server.
        pipeline: of the model, from which the example and the unknown symbols are; None without such.
        tokens: whether lists of tokens are read, too.
        column: of the training data; of a model of several columns their names.
    """

    def __init__(
        self,
        settings: ServerSettings,
        pipeline: TextPipeline | None,
        *,
        tokens: bool = False,
        column: str | None = None,
    ) -> None:
        self._settings, self._pipeline = settings, pipeline
        self._columns = column.split(PLUS) if column and PLUS in column else []
        self._column = column
        self.input: type[BaseModel] = FieldsInput if self._columns else TokenInput if tokens else TextInput

    def read(self, body: Any) -> tuple[Any, int]:
        """See `Reader`."""
        if isinstance(body, FieldsInput) and one_of(body, "text", "fields") == "fields":
            return self._joined(body.fields)
        if isinstance(body, TokenInput) and one_of(body, "text", "tokens") == "tokens":
            return sized(fitted(body.tokens, "tokens", self._settings))
        return sized(fitted(body.text, "text", self._settings))

    @property
    def example(self) -> dict[str, Any]:
        """Frequent symbols that the model knows."""
        text = EXAMPLE if self._pipeline is None else example_text(self._pipeline)
        if not self._columns:
            return {"text": text}
        return {"fields": dict.fromkeys(self._columns, text)}

    def unknown(self, values: Sequence[Any]) -> tuple[int, int]:
        """See `Reader`."""
        if self._pipeline is None:
            return 0, 0
        symbols = chain.from_iterable(map(self._pipeline.tokenizer, values))
        ids = self._pipeline.vocabulary.encode(symbols)
        return int((ids == UNK).sum()), len(ids)

    def _joined(self, fields: Mapping[str, str | None]) -> tuple[Any, int]:
        for name in self._columns:
            if name not in fields:
                raise Refused(422, f"fields.{name}: this column is missing", f"fields.{name}")
        for name in fields:
            if name not in self._columns:
                known = ", ".join(self._columns)
                raise Refused(422, f"fields: the model reads the columns {known}, not {name!r:.60}", "fields")
        assert self._column is not None
        return sized(fitted(join_fields(fields, self._column) or "", "fields", self._settings))


class FrameReader:
    """Reads frames of numbers: steps of several channels, or samples of one.

    Args:
        settings: of the server.
        channels: D of a step.
        rate: steps a second that the model was trained on; None where that is not known.
        reduction: given steps that the model reads as one.
        shortest: steps of the example.
    """

    def __init__(
        self, settings: ServerSettings, channels: int, rate: float | None, reduction: int = 1, shortest: int = 3
    ) -> None:
        self._settings, self._channels, self._rate = settings, channels, rate
        self._reduction, self._shortest = max(1, reduction), shortest
        self.input: type[BaseModel] = frames_input(channels, rate)

    def read(self, body: Any) -> tuple[Frames, int]:
        """See `Reader`; the value is one sequence."""
        if self._channels == 1 and one_of(body, "frames", "wav") == "wav":
            try:
                sound = parse_wav(base64.b64decode(body.wav, validate=True), "the sound")
            except FileError as error:
                raise Refused(422, f"wav: {error}", "wav") from None
            except ValueError:
                raise Refused(422, "wav: no sound base64", "wav") from None
            _check_size(sound.samples, "wav")
            return self._sized(sound.samples[:, None], float(sound.rate), "wav")
        return self._sized(numbers(body.frames, "frames", self._channels), body.rate, "frames")

    @property
    def example(self) -> dict[str, Any]:
        """A few steps of zeros."""
        frame = [0.0] * self._channels
        return {"frames": [0.0] * self._shortest if self._channels == 1 else [frame] * self._shortest}

    def unknown(self, values: Sequence[Any]) -> tuple[int, int]:
        """See `Reader`: numbers are all known."""
        return 0, 0

    def _sized(self, steps: np.ndarray, rate: float | None, field: str) -> tuple[Frames, int]:
        """Frames of one sequence, unless it is too long at the rate of the model."""
        stretch = 1.0 if rate is None or self._rate is None else self._rate / rate
        room = int(self._settings.max_length * self._reduction / stretch)
        if len(steps) > room:
            if self._settings.on_long != "truncate" or not room:
                length = round(len(steps) * stretch / self._reduction)
                raise too_long(field, length, self._settings)
            steps = steps[:room]
        offsets = np.array([0, len(steps)], dtype=np.int64)
        values = np.ascontiguousarray(steps, dtype=np.float32)
        same = rate is None or rate == self._rate
        return Frames(values, offsets, self._rate if same else rate), max(
            1, int(len(steps) * stretch / self._reduction)
        )


Number = float | None


def _shape(value: Any) -> str:
    return "nested" if isinstance(value, list) and value and isinstance(value[0], list) else "flat"


def number_lists(channels: int) -> Any:
    """The type of a sequence of steps of so many channels; one vector, where there are several, is one step."""
    flat: Any = Field(min_length=1) if channels == 1 else Field(min_length=channels, max_length=channels)
    step: Any = Annotated[list[Number], Field(min_length=channels, max_length=channels)]
    nested: Any = Annotated[list[step], Field(min_length=1), Tag("nested")]
    return Annotated[Annotated[list[Number], flat, Tag("flat")] | nested, Discriminator(_shape)]


def frames_input(channels: int, rate: float | None) -> type[BaseModel]:
    """Fields of an input of frames."""
    several = f"steps of {channels} numbers each; null is a missing one"
    said = "samples from -1 to 1; null is a missing one" if channels == 1 else several
    trained = "" if rate is None else f"; the model was trained on {rate:g}, to which others are resampled"
    fields: dict[str, Any] = {
        "frames": (number_lists(channels), Field(description=said)),
        "rate": (
            float | None,
            Field(default=None, description=f"steps a second of the frames{trained}", gt=SLOWEST, le=FASTEST),
        ),
    }
    if channels > 1:
        return create_model("FramesInput", __base__=Strict, __doc__="One sequence of frames.", **fields)
    fields["frames"] = (number_lists(1), Field(default=[], description=said))
    fields["wav"] = (str, Field(default="", description="a .wav file in base64, instead of frames"))
    return create_model("SoundInput", __base__=_Sound, __doc__="One sequence of samples, or a sound.", **fields)


def numbers(given: Any, field: str, channels: int) -> np.ndarray:
    """Lists of numbers as (T, D) float64, NaN where one is missing.

    Raises:
        Refused: one is larger than the model's arithmetic holds.
    """
    array = np.array(given, dtype=np.float64)
    if array.ndim == 1:
        array = array[:, None] if channels == 1 else array[None]
    _check_size(array, field)
    return array


def _check_size(array: np.ndarray, field: str) -> None:
    if (np.abs(array) > LARGEST).any():
        raise Refused(422, f"{field}: numbers are from {-LARGEST:g} to {LARGEST:g}", field)


def finite(answers: np.ndarray) -> np.ndarray:
    """The numbers that a model answers.

    Raises:
        DataError: one is none: what it has read was far from what it was trained on.
    """
    if not np.isfinite(answers).all():
        raise DataError("the input is so far from those of training that the model has no answer to it")
    return answers


def one_of(body: BaseModel, *names: str) -> str:
    """Which of these fields the client has given.

    Raises:
        Refused: none, or several.
    """
    given = [name for name in names if name in body.model_fields_set]
    if len(given) != 1:
        wanted = " or ".join(map(repr, names))
        raise Refused(
            422, f"{wanted} is needed{', not both' if given else ''}", (given or list(names))[-1 if given else 0]
        )
    return given[0]


def fitted(sequence: Any, field: str, settings: ServerSettings) -> Any:
    """A text or list that is not longer than the server reads.

    Raises:
        Refused: it is longer, and the server does not truncate.
    """
    if len(sequence) <= settings.max_length:
        return sequence
    if settings.on_long == "truncate":
        return sequence[: settings.max_length]
    raise too_long(field, len(sequence), settings)


def too_long(field: str, length: int, settings: ServerSettings) -> Refused:
    """What is said of an input that is longer than the server reads."""
    return Refused(413, f"{field} has a length of {length:,}; this server reads at most {settings.max_length:,}", field)


def sized(sequence: Any) -> tuple[Any, int]:
    """A sequence and its length."""
    return sequence, len(sequence)


def example_text(pipeline: TextPipeline) -> str:
    """A text of frequent symbols."""
    known = pipeline.vocabulary.tokens[len(SPECIAL_TOKENS) :]
    common = [token for token in known[:COMMON] if token.replace("▁", "").isalpha()]
    if pipeline.settings.unit == "characters":
        return "".join(common[:SHOWN] or known[:SHOWN])
    telling = [token for token in common if len(token) >= TELLING]
    tokens = (telling if len(telling) >= SHOWN else common or known)[:SHOWN]
    if pipeline.settings.unit in ("bpe", "unigram"):
        return "".join(tokens).replace("▁", " ").strip()
    return " ".join(tokens)


def reader_of(predictor: Any, features: Any, settings: ServerSettings) -> Reader:
    """The reader of a classifier or regressor.

    Args:
        predictor: with its `config`.
        features: that prepare its inputs: with `frames`, or with a `pipeline` that may be None.
        settings: of the server.
    """
    if predictor.config["unit"] == "frames":
        return frame_reader(features.frames, settings)
    tokens = predictor.config["unit"] == "tokens"
    column = predictor.settings.get("data", {}).get("text")
    return TextReader(settings, features.pipeline, tokens=tokens, column=column)


def frame_reader(frames: Any, settings: ServerSettings, factor: int = 1) -> FrameReader:
    """The reader of a model of frames.

    Args:
        frames: `FrameFeatures`.
        settings: of the server.
        factor: steps of the features that the network reads as one.
    """
    reduction = frames.reduction * factor
    window = 0
    if frames.settings.features in ("log_mel", "mfcc") and frames.rate is not None:
        window = round(frames.settings.window * frames.rate)
    return FrameReader(settings, frames.channels, frames.rate, reduction, window + LEAST * reduction)


def together(values: list[Any]) -> Any:
    """Inputs as a predictor reads several: texts as they are; sequences of frames of one rate as one `Frames`."""
    return Frames.concatenate(values) if isinstance(values[0], Frames) else values
