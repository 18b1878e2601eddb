"""What differs from task to task. What tasks have in common, from the file to the report, is `seqwise.experiments.tasks`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from seqwise.data import DataSettings, DataSource
from seqwise.errors import ConfigurationError
from seqwise.evaluation.figures import CLASS_FIGURES
from seqwise.evaluation.task_report import Section
from seqwise.evaluation.wording import number
from seqwise.experiments.configuration import build_configuration
from seqwise.training import TrainingSettings

LONG_FORM = ("id", "time", "every")
"""Keys of the section `data` that make series of the rows of a table."""
GROUPS = ("group", "group_pattern")


@dataclass(frozen=True)
class Parts:
    """The examples of a run; what an example is, its task says.

    Attributes:
        training: what is learned from.
        validation: what the best epoch is chosen by; None if nothing was held back.
        test: only evaluated; None if there is none.
        held_back: whether the validation part was split off the training data.
    """

    training: Any
    validation: Any = None
    test: Any = None
    held_back: bool = False

    def items(self) -> list[tuple[str, Any]]:
        """The parts that there are, with their names."""
        named = (("training", self.training), ("validation", self.validation), ("test", self.test))
        return [(name, part) for name, part in named if part is not None]


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation gives.

    Attributes:
        block: of `metrics.json`: figures as {"value", "low", "high"}, those of the baseline under "baseline", and the
            "difference" of the figure that counts, ours less the baseline's.
        answers: of the model, for the report.
    """

    block: dict[str, Any]
    answers: Any = None


class Task(ABC):
    """A task but classification, such as tagging: how it reads, fits, evaluates and tells.

    Attributes:
        name: of `--task`.
        title: what a model of it is called.
        configuration: its sections; `data` and `training` are always among them.
        defaults: sections -> values unlike those of the configuration's classes.
        unit: what examples are, in the plural.
        baseline: what the honest baseline is.
        alternative: what one would do instead of using the model.
        advice: what to do if that is better.
        lower_is_better: of the figure that counts.
        explained: how the figures are meant, for the report.
        watched: validation figures of an epoch and their names.
        use: commands of the card, with {folder}.
        limits: sentences of the card, with {data} and {size}.
        reads: keys of the section `data` that it has a use for, besides `validation`; others are refused.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    configuration: ClassVar[type[BaseModel]]
    defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    unit: ClassVar[str]
    baseline: ClassVar[str]
    alternative: ClassVar[str]
    advice: ClassVar[str] = "train longer, or on more data"
    lower_is_better: ClassVar[bool] = False
    explained: ClassVar[str] = "Ranges are 95% bootstrap intervals."
    watched: ClassVar[Mapping[str, str]] = CLASS_FIGURES
    use: ClassVar[Sequence[str]]
    limits: ClassVar[str]
    reads: ClassVar[Sequence[str]]

    def configure(
        self,
        file: Path | None = None,
        overrides: Sequence[str] = (),
        flags: Mapping[str, Any] | None = None,
        base: Mapping[str, Mapping[str, Any]] | None = None,
        treatment: str | None = None,
    ) -> Any:
        """Return the configuration, see `seqwise.experiments.tasks.configure`."""
        if treatment is not None and "imbalance" not in self.configuration.model_fields:
            raise ConfigurationError(f"--task {self.name} has no rare classes to treat: leave --imbalance out")
        given = base or {}
        sections = {name: {**self.defaults.get(name, {}), **given.get(name, {})} for name in {*self.defaults, *given}}
        return build_configuration(file, overrides, flags, sections, treatment, kind=self.configuration)

    def of(self, source: DataSource, data: DataSettings) -> Task:
        """Return the task for data of this kind: itself, unless another one reads them.

        Args:
            source: of the data.
            data: as given.
        """
        return self

    @abstractmethod
    def columns(self, source: DataSource, data: DataSettings, *parts: str) -> DataSettings:
        """Return the section `data` with every column decided.

        Args:
            source: of the data.
            data: as given.
            parts: names of the part to look at, the first that there is.

        Raises:
            DataError: there is no such column.
        """

    @abstractmethod
    def read(self, source: DataSource, settings: Any, *parts: str) -> Any:
        """Return the examples of a part.

        Args:
            source: of the data.
            settings: the configuration, the columns decided.
            parts: names of the part, the first that there is.

        Raises:
            DataError: they are not as needed; names the row.
        """

    @abstractmethod
    def hold_back(self, examples: Any, settings: Any) -> tuple[Any, Any]:
        """Split the share `data.validation` off: what is left, and what is held back."""

    @abstractmethod
    def estimator(self, settings: Any, training: TrainingSettings) -> Any:
        """Return the estimator, which is given its validation data.

        Args:
            settings: the configuration.
            training: its section `training`, with what is left of the time budget.
        """

    @abstractmethod
    def fit(self, model: Any, parts: Parts, **options: Any) -> None:
        """Fit the estimator.

        Args:
            model: of `estimator`.
            parts: what to learn from, and to choose the best epoch by.
            **options: `folder`, `resume` and `callbacks` of its `fit`.
        """

    @abstractmethod
    def fit_baseline(self, model: Any, training: Any) -> Any:
        """Return the baseline of the same examples; where it has `to_dict`, it is stored with the model."""

    def load_baseline(self, saved: Any) -> Any:
        """Return the baseline that its `to_dict` described.

        Raises:
            DataError: it described none.
        """
        raise NotImplementedError

    @abstractmethod
    def load(self, folder: Path, device: str) -> Any:
        """Return the predictor of a folder."""

    @abstractmethod
    def evaluate(self, predictor: Any, examples: Any, baseline: Any, *, seed: int = 0, **options: Any) -> Evaluated:
        """Measure.

        Args:
            predictor: `predictor_` of the estimator, or what `load` gave.
            examples: of one part.
            baseline: to show beside it; None shows none.
            seed: of the intervals.
            **options: further options of `seqwise evaluate` for this task.

        Raises:
            DataError: the examples hold something that the model cannot know.
        """

    @abstractmethod
    def figures(self, block: Mapping[str, Any]) -> dict[str, str]:
        """The figures of a block and their names, that which counts first."""

    @abstractmethod
    def measured(self, block: Mapping[str, Any], split: str) -> str:
        """On how much a block was measured, in words."""

    @abstractmethod
    def describe(self, model: Any, settings: Any) -> str:
        """What comes out of what: the line under the title."""

    def size(self, model: Any, part: str, examples: Any, block: Mapping[str, Any] | None) -> str:
        """How much a part holds, in words; `block` is that of the part if it was evaluated."""
        return f"{len(examples):,} {self.unit}"

    def sections(self, model: Any, split: str, examples: Any, evaluated: Evaluated, settings: Any) -> Sequence[Section]:
        """What the report shows besides the figures.

        Args:
            model: the fitted estimator.
            split: the part whose figures are shown.
            examples: of this part.
            evaluated: of these.
            settings: the configuration.
        """
        return ()

    def notes(self, model: Any, parts: Parts) -> list[str]:
        """What a reader should know of the data and the fit."""
        return []

    def verdict(self, block: Mapping[str, Any], split: str) -> str:
        """Say whether the model has earned its place beside the baseline."""
        key, name = next(iter(self.figures(block).items()))
        ours, theirs = (number(of[key]["value"]) for of in (block, block["baseline"]))
        figures = f"{_within(name)} {ours} against {theirs} of the {self.baseline} on the {split} {self.unit}"
        low, high = block["difference"]["low"], block["difference"]["high"]
        better, worse = low is not None and low > 0, high is not None and high < 0
        if self.lower_is_better:
            better, worse = worse, better
        if better:
            return f"The model is better than {self.alternative}: {figures}."
        if worse:
            instead = self.alternative[:1].upper() + self.alternative[1:]
            return f"{instead} is better than the model: {figures}; {self.advice}."
        return f"No better than {self.alternative}, as far as these data tell: {figures}."


def _within(name: str) -> str:
    """The name of a figure as it stands within a sentence: BLEU stays BLEU."""
    return name[:1].lower() + name[1:] if name[1:2].islower() else name
