"""The whole configuration of a run: one YAML file, or `--set` and flags over it, or neither.

Every section is the settings class of the layer that reads it; this file only joins them and turns pydantic's list of
errors into one sentence that names the key, what is wrong with it, and what it may be.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seqwise.data import DataSettings
from seqwise.errors import ConfigurationError, FileError, nearest
from seqwise.losses import ImbalanceSettings, find_treatment
from seqwise.models import FrameSettings, ModelSettings
from seqwise.text import TextSettings
from seqwise.training import TrainingSettings


class Configuration(BaseModel):
    """Everything that decides what a run does with its data.

    Attributes:
        data: which columns, and how much is held back for validation.
        text: how a text becomes symbols.
        frames: what is computed of frames of numbers, where examples are such.
        model: the parts of the network and their sizes.
        imbalance: what is done for rare classes.
        training: optimiser, schedule, epochs, seed, device.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: DataSettings = Field(default_factory=DataSettings)
    text: TextSettings = Field(default_factory=TextSettings)
    frames: FrameSettings = Field(default_factory=FrameSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    imbalance: ImbalanceSettings = Field(default_factory=ImbalanceSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain values, ready for JSON or YAML."""
        return self.model_dump(mode="json")


Kind = TypeVar("Kind", Configuration, BaseModel)


def configuration_schema(kind: type[BaseModel] = Configuration) -> dict[str, Any]:
    """Return the JSON Schema of the configuration file (editors check and complete a YAML file with it)."""
    return kind.model_json_schema()


def build_configuration(
    file: Path | None = None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
    base: Mapping[str, Any] | None = None,
    treatment: str | None = None,
    kind: type[Kind] = Configuration,
) -> Kind:
    """Join what the person gave, later over earlier: `base`, the file, the treatment, `--set` entries, flags.

    Args:
        file: a YAML file with the sections data, text, model, imbalance, training.
        overrides: "section.key=value", the value written as in YAML.
        flags: "section.key" to value; None means that the flag was not given.
        base: sections to start from (a recipe's).
        treatment: of rare classes, by name: values of the section `imbalance`.
        kind: of which task.

    Raises:
        FileError: the file is missing or not UTF-8 text.
        ConfigurationError: it is no YAML, a key or the treatment is unknown, or a value is not allowed.
    """
    tree: dict[str, Any] = {section: dict(values) for section, values in (base or {}).items()}
    if file is not None:
        for section, values in read_yaml(file).items():
            if not isinstance(values, Mapping | None):
                raise ConfigurationError(f"{file}: section {section!r} holds keys and values, got {values!r}")
            tree.setdefault(str(section), {}).update(values or {})
    if treatment is not None:
        tree.setdefault("imbalance", {}).update(find_treatment(treatment).values)
    for override in overrides:
        section, key, value = parse_override(override, kind)
        tree.setdefault(section, {})[key] = value
    for path, value in (flags or {}).items():
        if value is not None:
            section, _, key = path.partition(".")
            tree.setdefault(section, {})[key] = value
    return parse_configuration(tree, source=str(file) if file else None, kind=kind)


def parse_configuration(
    tree: Mapping[str, Any],
    source: str | None = None,
    kind: type[Kind] = Configuration,
) -> Kind:
    """Validate a tree of sections.

    Raises:
        ConfigurationError: names the first key that is unknown (with the nearest known one) or not allowed.
    """
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        sentences = [_sentence(problem, kind) for problem in error.errors(include_url=False)]
        # A union reports one problem for each of its members: the same sentence, said once.
        distinct = list(dict.fromkeys(sentences))
        prefix = f"{source}: " if source else ""
        raise ConfigurationError(prefix + "; ".join(distinct)) from None


def parse_override(text: str, kind: type[BaseModel] = Configuration) -> tuple[str, str, Any]:
    """Split "section.key=value" and read the value as YAML."""
    path, equals, written = text.partition("=")
    section, dot, key = path.strip().partition(".")
    if not equals or not dot or not section or not key:
        hint = ""
        if equals and not dot:
            homes = [name for name, fields in _fields(kind).items() if path.strip() in fields]
            hint = f"; did you mean {homes[0]}.{text}?" if homes else ""
        raise ConfigurationError(f"--set takes section.key=value, got {text!r}{hint}")
    try:
        return section, key, yaml.load(written, Loader=_Loader)
    except yaml.YAMLError:
        raise ConfigurationError(f"--set {path.strip()}: {written!r} is not a YAML value; put it in quotes") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises:
        FileError: missing or not UTF-8 text.
        ConfigurationError: not YAML, a key given twice, or not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FileError(f"there is no configuration file {path}") from None
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not UTF-8 text: byte {error.start} cannot be decoded") from None
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from None
    try:
        content = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigurationError(f"{path} is not valid YAML: {line}{error.problem}") from None
    except yaml.YAMLError as error:  # a control character, for instance: it has no line
        raise ConfigurationError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} must hold sections (data, text, model, imbalance, training), not {content!r}")
    return content


class _Loader(yaml.SafeLoader):
    """Plain YAML, except that a key given twice is an error instead of silently the later one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for position, key in enumerate(keys):
            if any(key.value == earlier.value for earlier in keys[:position]):
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is given twice", key.start_mark)
        return super().construct_mapping(node, deep)


def _fields(kind: type[BaseModel]) -> dict[str, list[str]]:
    """Every section with its keys."""
    return {
        section: list(field.annotation.model_fields)
        for section, field in kind.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def _sentence(problem: Any, kind: type[BaseModel]) -> str:
    """One sentence for one entry of pydantic's error list."""
    location = [str(part) for part in problem["loc"]]
    fields = _fields(kind)
    if not location or location[0] not in fields:
        name = location[0] if location else "?"
        return f"there is no configuration section {name!r}; {nearest(name, fields)}"
    section = location[0]
    if len(location) == 1:
        return _own_words(problem, f"section {section!r}") or f"section {section!r} holds keys and values"
    key = location[1]
    if key not in fields[section]:
        return f"there is no configuration key {section}.{key}; {_nearest_key(section, key, fields)}"
    where = f"{section}.{key}"
    own = _own_words(problem, where)
    if own:
        return own
    got = problem["input"]
    return f"{where} must be {_allowed(section, key, kind)}, got {got!r}"


def _own_words(problem: Any, where: str) -> str | None:
    """The message of one of our own validators, which already is a sentence."""
    if problem["type"] != "value_error":
        return None
    return f"{where}: {problem['ctx']['error']}"


def _nearest_key(section: str, key: str, fields: Mapping[str, list[str]]) -> str:
    """The same key of another section, or else the nearest of its own, or else the nearest of all."""
    for name in (name for name, keys in fields.items() if key in keys):
        return f"did you mean {name}.{key}?"
    for name in (section, *fields):
        matches = difflib.get_close_matches(key, fields[name], n=1, cutoff=0.6)
        if matches:
            return f"did you mean {name}.{matches[0]}?"
    return f"section {section} has {', '.join(fields[section])}"


def _allowed(section: str, key: str, kind: type[BaseModel]) -> str:
    """What the key may be, in words, read off the JSON Schema."""
    schema = configuration_schema(kind)
    reference = schema["properties"][section]
    name = (reference.get("$ref") or reference["allOf"][0]["$ref"]).rsplit("/", 1)[-1]
    return _in_words(schema["$defs"][name]["properties"][key])


def _in_words(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_in_words(member) for member in schema["anyOf"]))
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "const" in schema:
        return json.dumps(schema["const"])
    kind = schema.get("type")
    if kind in {"integer", "number"}:
        return ("a whole number" if kind == "integer" else "a number") + _range_in_words(schema)
    if kind == "array":
        items = schema.get("prefixItems")
        return f"a list of {len(items)} values" if items else "a list"
    return {"string": "a text", "boolean": "true or false", "null": "null", "object": "a mapping"}.get(
        str(kind), "a value"
    )


def _range_in_words(schema: Mapping[str, Any]) -> str:
    bounds = [
        words + f" {schema[name]:g}"
        for name, words in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if name in schema
    ]
    return ", " + " and ".join(bounds) if bounds else ""
