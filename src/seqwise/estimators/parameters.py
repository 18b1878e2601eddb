"""Between the flat parameters of a scikit-learn estimator and the sections of the configuration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from seqwise.errors import ConfigurationError

AUTO = "auto"
Section = TypeVar("Section", bound=BaseModel)


def section_of(estimator: Any, section: type[Section], chosen_from_data: Iterable[str] = ()) -> Section:
    """Return the section that an estimator's parameters describe.

    A parameter in `chosen_from_data` that is "auto" stays unset, so that a rule may choose it.

    Raises:
        ConfigurationError: a value is not allowed; names the parameter.
    """
    leave = set(chosen_from_data)
    given = {name: getattr(estimator, name) for name in section.model_fields if hasattr(estimator, name)}
    try:
        return section(**{k: v for k, v in given.items() if not (k in leave and isinstance(v, str) and v == AUTO)})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = problem["loc"][0] if problem["loc"] else section.__name__
        raise ConfigurationError(f"{name}: {problem['msg']}, got {problem['input']!r}") from None


def flat_parameters(sections: Iterable[BaseModel], chosen_from_data: Iterable[str] = ()) -> dict[str, Any]:
    """Return the estimator parameters that the sections describe; what they leave to the data is "auto"."""
    leave = set(chosen_from_data)
    return {
        name: AUTO if name in leave and name not in section.model_fields_set else getattr(section, name)
        for section in sections
        for name in type(section).model_fields
    }


def with_choices(section: Section, choices: dict[str, Any]) -> Section:
    """Return the section with values for what nobody set; what a person set stays."""
    return section.model_copy(update={k: v for k, v in choices.items() if k not in section.model_fields_set})
