"""What `seqwise tune` searches: every setting that is worth a try, unless the person has fixed it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from seqwise.experiments.configuration import Configuration, parse_configuration
from seqwise.losses.treatments import TREATMENTS

TREATMENT = "treatment"  # of the rare classes: a name that stands for several settings of `imbalance`
DEFAULT = "default"  # its value that leaves them to the data, as `seqwise train` does
RECURRENT, LINEAR = ("wide_deep", "recurrent"), ("wide_deep", "linear")


@dataclass(frozen=True)
class Dimension:
    """One setting of the search.

    Attributes:
        path: "section.key", or `TREATMENT`.
        options: what it may be; empty for a range.
        low: least value of a range.
        high: largest value; a range of whole numbers where both are.
        log: whether factors count, not differences.
        architectures: that have the setting.
    """

    path: str
    options: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False
    architectures: tuple[str, ...] = ("wide_deep", "recurrent", "linear")

    def distribution(self) -> Any:
        """Return it in optuna's terms."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.options:
            return CategoricalDistribution(self.options)
        if isinstance(self.low, int) and isinstance(self.high, int):
            return IntDistribution(self.low, self.high, log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def suggest(self, trial: Any) -> Any:
        """Let a trial choose."""
        if self.options:
            return trial.suggest_categorical(self.path, self.options)
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(self.path, self.low, self.high, log=self.log)
        return float(f"{trial.suggest_float(self.path, self.low, self.high, log=self.log):.3g}")

    def nearest(self, value: Any) -> Any:
        """Return the member nearest to a value, for the record of the default configuration."""
        if not self.options:
            return min(max(value, self.low), self.high)
        if value in self.options:
            return value
        sizes = [option for option in self.options if isinstance(option, int | float)]
        return min(sizes, key=lambda option: abs(math.log(option / max(value, 1e-9)))) if sizes else self.options[0]


def space_of(base: Configuration, steps: int = 0) -> list[Dimension]:
    """Return the dimensions, without what the person has fixed.

    Args:
        base: the configuration that the search starts from.
        steps: of the longest example, where examples are frames; 0: they are texts.
    """
    architecture = Dimension("model.architecture", ("wide_deep", "recurrent", "linear"))
    dimensions = [
        architecture,
        Dimension("model.cell", ("lstm", "gru", "gru_reset_after", "min_gru"), architectures=RECURRENT),
        Dimension("model.hidden_size", (32, 64, 128, 256), architectures=RECURRENT),
        Dimension("model.embedding_size", (32, 64, 128, 256), architectures=RECURRENT),
        Dimension("model.num_layers", low=1, high=2, architectures=RECURRENT),
        Dimension("model.dropout", low=0.0, high=0.6, architectures=RECURRENT),
        Dimension("model.embedding_dropout", low=0.0, high=0.4, architectures=RECURRENT),
        Dimension("model.word_dropout", low=0.0, high=0.3, architectures=RECURRENT),
        Dimension("model.linear_c", low=0.1, high=10.0, log=True, architectures=LINEAR),
        Dimension("training.learning_rate", low=5e-4, high=1e-2, log=True, architectures=RECURRENT),
        Dimension("training.epochs", low=2, high=20, log=True, architectures=RECURRENT),
        Dimension("training.batch_size", (32, 64, 128), architectures=RECURRENT),
    ]
    if not base.imbalance.model_fields_set - {"label_smoothing"}:
        # A linear part on its own is fitted to the data as they are: every treatment that it can follow is a shift.
        dimensions.append(Dimension(TREATMENT, (DEFAULT, *TREATMENTS), architectures=RECURRENT))
        dimensions.append(Dimension("imbalance.prior_correction", low=0.0, high=1.0, architectures=("linear",)))
    if "label_smoothing" not in base.imbalance.model_fields_set:
        dimensions.append(Dimension("imbalance.label_smoothing", low=0.0, high=0.2, architectures=RECURRENT))
    if steps:
        dimensions = _of_frames(dimensions, vectors=steps == 1)
    sections = ("model", "training", "frames")
    fixed = {f"{section}.{key}" for section in sections for key in getattr(base, section).model_fields_set}
    open_ = [dimension for dimension in dimensions if dimension.path not in fixed]
    if architecture.path in fixed:
        open_ = [dimension for dimension in open_ if base.model.architecture in dimension.architectures]
    return open_


def _of_frames(dimensions: list[Dimension], *, vectors: bool) -> list[Dimension]:
    """Return what a model of frames has, whose architecture they decide."""
    of_texts = {"model.architecture", "model.embedding_size", "model.linear_c", "imbalance.prior_correction"}
    of_sequences = {"model.cell", "model.num_layers", "model.embedding_dropout", "model.word_dropout"}
    further = [Dimension("frames.normalise", ("channel", "sequence")), Dimension("frames.deltas", (0, 1))]
    if vectors:
        further = [Dimension("model.head_layers", low=0, high=2)]
    left = of_texts | (of_sequences if vectors else set())
    kept = [*(dimension for dimension in dimensions if dimension.path not in left), *further]
    return [replace(dimension, architectures=("wide_deep", "recurrent", "dense")) for dimension in kept]


def suggest(trial: Any, space: list[Dimension], base: Configuration) -> dict[str, Any]:
    """Let a trial choose a value of every dimension that its architecture has; returns path to value."""
    chosen: dict[str, Any] = {}
    for dimension in space:
        architecture = chosen.get("model.architecture", base.model.architecture)
        if architecture in dimension.architectures:
            chosen[dimension.path] = dimension.suggest(trial)
    return chosen


def default_values(space: list[Dimension], settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return where in the space the default configuration lies, as nearly as the space has it.

    Args:
        space: the dimensions.
        settings: sections with every value decided.
    """
    values: dict[str, Any] = {}
    architecture = settings["model"]["architecture"]
    for dimension in space:
        if architecture in dimension.architectures:
            section, _, key = dimension.path.partition(".")
            values[dimension.path] = (
                DEFAULT if dimension.path == TREATMENT else dimension.nearest(settings[section][key])
            )
    return values


def configured(base: Configuration, values: Mapping[str, Any]) -> Configuration:
    """Return the configuration with the values of a trial.

    Raises:
        ConfigurationError: they do not go together.
    """
    tree = base.model_dump(exclude_unset=True)
    for path, value in values.items():
        if path == TREATMENT:
            if value != DEFAULT:
                tree.setdefault("imbalance", {}).update(TREATMENTS[value].values)
            continue
        section, _, key = path.partition(".")
        tree.setdefault(section, {})[key] = value
    return parse_configuration(tree)
