"""What `seqwise compare` puts side by side: named variants of one configuration, the first being the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from seqwise.cells import LIBRARY
from seqwise.errors import ConfigurationError, nearest
from seqwise.experiments.configuration import Configuration, parse_configuration

ARCHITECTURES = ("wide_deep", "recurrent", "linear")
ENCODERS = ("recurrent", "transformer")
SHORT = {
    "cell": "model.cell",
    "encoder": "model.encoder",
    "model": "model.architecture",
}  # what --vary may be called by -> its setting
KINDS = ("imbalance", *SHORT)
DEFAULT = "default"  # the treatment that nobody chose
KEPT = ("label_smoothing",)  # of the section `imbalance`: no treatment sets it, so the person's value holds for all


@dataclass(frozen=True)
class Variant:
    """One row of the comparison.

    Attributes:
        name: for tables and files.
        values: "section.key" to value: what it sets.
        summary: one line for people.
    """

    name: str
    values: Mapping[str, Any]
    summary: str = ""


@dataclass(frozen=True)
class Variation:
    """What varies, and all its variants.

    Attributes:
        vary: as the person wrote it: "imbalance", "cell", "encoder", "model" or "section.key".
        noun: what a variant is called in a sentence.
        variants: the first is the reference.
        replaces: section whose other settings give way to those of the variant; None for none.
    """

    vary: str
    noun: str
    variants: Sequence[Variant]
    replaces: str | None = field(default=None)

    @property
    def reference(self) -> Variant:
        """What the others are compared with."""
        return self.variants[0]

    def configuration(self, base: Configuration, variant: Variant) -> Configuration:
        """Return the configuration with the settings of the variant.

        Raises:
            ConfigurationError: a value is not allowed, or does not go with the rest.
        """
        tree = base.model_dump(exclude_unset=True)
        if self.replaces is not None:
            tree[self.replaces] = {key: value for key, value in tree.get(self.replaces, {}).items() if key in KEPT}
        for path, value in variant.values.items():
            section, _, key = path.partition(".")
            tree.setdefault(section, {})[key] = value
        return parse_configuration(tree)

    def displaced(self, base: Configuration) -> list[str]:
        """Name the settings of the person that the variants replace."""
        if self.replaces is None:
            return sorted(
                {
                    path
                    for variant in self.variants
                    for path in variant.values
                    if path.partition(".")[2] in getattr(base, path.partition(".")[0]).model_fields_set
                }
            )
        given = getattr(base, self.replaces).model_fields_set
        return sorted(f"{self.replaces}.{key}" for key in given if key not in KEPT)


def variation_of(vary: str, chosen: str | None = None) -> Variation:
    """Return what is compared.

    Args:
        vary: "imbalance", "cell", "encoder", "model", or "section.key=v1,v2,v3" for any setting.
        chosen: names of the variants with commas between them, or "all" or None for all of them. Plain cross entropy is
            among the treatments of imbalance whether it is named or not: it is the reference.

    Raises:
        ConfigurationError: there is no such kind or name; names the nearest.
    """
    if "=" in vary:
        if chosen not in (None, "all"):
            raise ConfigurationError(f"--vary {vary} names its values already: leave --treatments out")
        return _settings(vary)
    if vary not in KINDS:
        kinds = f"there are {', '.join(KINDS)}, and SECTION.KEY=V1,V2 for the rest"
        raise ConfigurationError(f"--vary: there is nothing called {vary!r} to vary; {nearest(vary, KINDS, kinds)}")
    if vary == "imbalance":
        return _treatments(_names(chosen))
    known: Sequence[str] = {"cell": list(LIBRARY), "encoder": ENCODERS, "model": ARCHITECTURES}[vary]
    names = _names(chosen) or known
    for name in names:
        if name not in known:
            raise ConfigurationError(f"there is no {vary} {name!r}; {nearest(name, known)}")
    return Variation(vary, vary, _at_least_two([Variant(name, {SHORT[vary]: name}) for name in names]))


def _treatments(names: Sequence[str]) -> Variation:
    from seqwise.losses.treatments import TREATMENTS, find_treatment

    reference = next(iter(TREATMENTS))
    variants = []
    for name in dict.fromkeys([reference, *(names or [DEFAULT, *TREATMENTS])]):
        if name == DEFAULT:
            variants.append(Variant(DEFAULT, {}, "what training does unless told: chosen by the data"))
            continue
        one = find_treatment(name)
        variants.append(Variant(one.name, {f"imbalance.{key}": v for key, v in one.values.items()}, one.summary))
    return Variation("imbalance", "treatment", _at_least_two(variants), replaces="imbalance")


def _settings(vary: str) -> Variation:
    path, _, written = vary.partition("=")
    path = path.strip()
    section, dot, key = path.partition(".")
    if not dot or not section or not key:
        raise ConfigurationError(f"--vary takes {', '.join(KINDS)} or SECTION.KEY=V1,V2,V3, got {vary!r}")
    try:
        values = yaml.safe_load(f"[{written}]")
    except yaml.YAMLError:
        raise ConfigurationError(f"--vary {path}: {written!r} is not a list of YAML values") from None
    if path == "training.seed":
        raise ConfigurationError(
            "--vary training.seed: seeds are what every variant is run with; --seeds says how many"
        )
    names = [value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True) for value in values]
    variants = [
        Variant(f"{key}={name.strip().removesuffix('...').strip()}", {path: value})
        for name, value in zip(names, values, strict=True)
    ]
    for variant in variants:  # a wrong value is said before anything runs
        parse_configuration({section: {key: variant.values[path]}})
    return Variation(path, f"value of {path}", _at_least_two(variants))


def _names(chosen: str | None) -> list[str]:
    if chosen is None or chosen.strip() == "all":
        return []
    return list(dict.fromkeys(name.strip() for name in chosen.split(",") if name.strip()))


def _at_least_two(variants: list[Variant]) -> list[Variant]:
    distinct = list({variant.name: variant for variant in variants}.values())
    if len(distinct) < 2:
        only = f"only {distinct[0].name!r}" if distinct else "nothing"
        raise ConfigurationError(f"a comparison needs at least two variants, and there is {only}")
    return distinct
