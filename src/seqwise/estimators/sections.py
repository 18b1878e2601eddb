"""The sections of the configuration that an estimator has, beside its flat scikit-learn parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar, get_args, get_type_hints

from pydantic import BaseModel, ValidationError

from seqwise.errors import ConfigurationError
from seqwise.losses import ImbalanceSettings
from seqwise.models import FrameSettings, ModelSettings
from seqwise.text import TextSettings
from seqwise.training import TrainingSettings

AUTO = "auto"
Section = TypeVar("Section", bound=BaseModel)


class SectionSet:
    """Sections as fields of a dataclass, each of its settings class; one that may be None need not be there."""

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Self:
        """Return the sections that `to_dict` described.

        Raises:
            KeyError: one is missing.
            ValueError: one is damaged.
        """
        found = {}
        for name, hint in get_type_hints(cls).items():
            kind, *none = get_args(hint) or (hint,)
            found[name] = None if none and saved.get(name) is None else kind.model_validate(saved[name])
        return cls(**found)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain values, as in `config.json`."""
        sections = vars(self).items()
        return {name: section.model_dump(mode="json") for name, section in sections if section is not None}


@dataclass(frozen=True)
class Sections(SectionSet):
    """How texts, or frames unless that is None, are read, the model's parts, what is done for rare classes, training."""

    text: TextSettings
    model: ModelSettings
    imbalance: ImbalanceSettings
    training: TrainingSettings
    frames: FrameSettings | None = None

    @classmethod
    def of(cls, estimator: Any, chosen_from_data: frozenset[str]) -> Self:
        """Return the sections that an estimator's parameters describe, see `section_of`."""
        return cls(
            section_of(estimator, TextSettings, chosen_from_data),
            section_of(estimator, ModelSettings, chosen_from_data),
            section_of(estimator, ImbalanceSettings, chosen_from_data),
            section_of(estimator, TrainingSettings, chosen_from_data),
            None if estimator.frames is None else section_from(estimator.frames, FrameSettings, {}, "frames"),
        )

    def flat(self, chosen_from_data: frozenset[str]) -> dict[str, Any]:
        """Return the estimator parameters that the sections describe; what they leave to the data is "auto"."""
        flat: dict[str, Any] = {
            name: AUTO if name in chosen_from_data and name not in section.model_fields_set else getattr(section, name)
            for section in (self.text, self.model, self.imbalance, self.training)
            for name in type(section).model_fields
        }
        return {**flat, "frames": self.frames}


def section_of(estimator: Any, section: type[Section], chosen_from_data: frozenset[str] = frozenset()) -> Section:
    """Return the section that an estimator's parameters describe.

    A parameter in `chosen_from_data` that is "auto" stays unset, so that a rule may choose it.

    Raises:
        ConfigurationError: a value is not allowed; names the parameter.
    """
    given = {name: getattr(estimator, name) for name in section.model_fields if hasattr(estimator, name)}
    unset = {name for name in chosen_from_data if isinstance(given.get(name), str) and given[name] == AUTO}
    try:
        return section(**{name: value for name, value in given.items() if name not in unset})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = problem["loc"][0] if problem["loc"] else section.__name__
        raise ConfigurationError(f"{name}: {problem['msg']}, got {problem['input']!r}") from None


def with_choices(section: Section, choices: dict[str, Any]) -> Section:
    """Return the section with values for what nobody set; what a person set stays."""
    return section.model_copy(update={k: v for k, v in choices.items() if k not in section.model_fields_set})


def section_from(given: Any, kind: type[Section], defaults: Mapping[str, Any], name: str) -> Section:
    """Return a section that was given as an object or as values.

    Args:
        given: a section, which is returned as it is; keys and values; or None.
        kind: of the section.
        defaults: values of what is not given; they count as set by nobody.
        name: of the section, for messages.

    Raises:
        ConfigurationError: a key or value is not allowed; names it.
    """
    if isinstance(given, kind):
        return given
    try:
        section = kind(**{**defaults, **(given or {})})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join([name, *map(str, problem["loc"])])
        raise ConfigurationError(f"{key}: {problem['msg']}, got {problem['input']!r:.60}") from None
    except TypeError:
        raise ConfigurationError(f"{name}: keys and values are expected, got {given!r:.60}") from None
    # What a default has set nobody has set.
    return section.model_construct(_fields_set=set(given or {}), **dict(section))
