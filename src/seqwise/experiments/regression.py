"""Regressors: numbers out of texts or frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from seqwise.data import DataSettings, DataSource
from seqwise.data.targets import TEXT_COLUMNS, NumberedExamples, read_numbered, target_columns
from seqwise.errors import DataError
from seqwise.estimators import SequenceRegressor
from seqwise.estimators.regressor import held_rows
from seqwise.evaluation.regression import FIGURES, regression_sections
from seqwise.evaluation.regression_baseline import LINEAR, MEAN, RegressionBaseline
from seqwise.evaluation.task_report import Section
from seqwise.experiments.task import LONG_FORM, Evaluated, Parts, Task
from seqwise.losses import RegressionSettings
from seqwise.metrics.regression import regression_metrics
from seqwise.models import FrameSettings, ModelSettings
from seqwise.prediction.regressor import RegressorPredictor
from seqwise.text import TextSettings, explain_text
from seqwise.training import TrainingSettings


class RegressorConfiguration(BaseModel):
    """Everything that decides how a regressor is made.

    Attributes:
        data: which columns, and how much is held back for validation.
        text: how a text becomes symbols.
        frames: how sequences of numbers are read.
        model: the parts of the network and their sizes.
        regression: which error is minimised, and how much rare values count.
        training: optimiser, schedule, epochs, seed, device.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: DataSettings = Field(default_factory=DataSettings)
    text: TextSettings = Field(default_factory=TextSettings)
    frames: FrameSettings = Field(default_factory=FrameSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    regression: RegressionSettings = Field(default_factory=RegressionSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)


class RegressionTask(Task):
    """Examples are `NumberedExamples`."""

    name = "regress"
    title = "Regressor"
    configuration = RegressorConfiguration
    unit = "examples"
    baseline = LINEAR
    alternative = "a linear model"
    advice = "use that one, or train on more examples"
    lower_is_better = True
    explained = (
        "Ranges are 95% bootstrap intervals over examples. R2 is the share of the variance that is explained: 0 is the mean "
        "of the true values, 1 is perfect. Of several targets the figures are means over them."
    )
    watched: ClassVar[Mapping[str, str]] = {"mae": "mean absolute error", "rmse": "root mean squared error"}
    use = (
        'seqwise predict {folder} "a text of yours"',
        "seqwise predict {folder} --input new.csv --output answers.csv",
    )
    limits = (
        "It was trained on {data} ({size}) and has seen nothing else: on inputs of another kind expect less. It answers the "
        "most likely middle: single answers are off by about the mean absolute error, rare values by more (see the report)."
    )
    reads: ClassVar[tuple[str, ...]] = ("text", "frames", "target", "weight", *LONG_FORM)

    def columns(self, source: DataSource, data: DataSettings, *parts: str) -> DataSettings:
        """See `Task.columns`."""
        table, update = source.table(*parts), dict[str, Any]()
        if data.frames is None:
            usual = next((name for name in TEXT_COLUMNS if name in table.columns), TEXT_COLUMNS[0])
            update["text"] = data.text or source.metadata.get("text") or usual
            table.require(update["text"], "column of the texts")
        elif data.text is not None:
            raise DataError("a regressor reads texts or frames: give --text or --frames")
        update["target"] = ",".join(target_columns(table, data.target or source.metadata.get("target")))
        return data.model_copy(update=update)

    def read(self, source: DataSource, settings: Any, *parts: str) -> NumberedExamples:
        """See `Task.read`."""
        tokens = settings.text.unit == "tokens"
        return read_numbered(source, source.table(*parts), settings.data, tokens=tokens)

    def hold_back(self, examples: NumberedExamples, settings: Any) -> tuple[NumberedExamples, NumberedExamples]:
        """See `Task.hold_back`."""
        kept, held = held_rows(examples.targets, settings.data.validation, settings.training.seed)
        return examples.take(kept), examples.take(held)

    def estimator(self, settings: Any, training: TrainingSettings) -> SequenceRegressor:
        """See `Task.estimator`."""
        return SequenceRegressor(
            text=settings.text,
            frames=settings.frames if settings.data.frames is not None else None,
            model=settings.model,
            regression=settings.regression,
            training=training,
            validation=0.0,
        )

    def fit(self, model: SequenceRegressor, parts: Parts, **options: Any) -> None:
        """See `Task.fit`."""
        training, held = parts.training, parts.validation
        model.fit(
            training.inputs,
            training.targets,
            training.weights,
            target_names=training.names,
            validation_data=None if held is None else (held.inputs, held.targets, held.weights),
            **options,
        )

    def fit_baseline(self, model: SequenceRegressor, training: NumberedExamples) -> RegressionBaseline:
        """See `Task.fit_baseline`."""
        settings = model.settings_
        return RegressionBaseline.fit(
            training.inputs,
            training.targets,
            training.weights,
            unit=settings.text.unit,
            bounded=settings.regression.bounds == "training",
            seed=settings.training.seed,
        )

    def load_baseline(self, saved: Any) -> RegressionBaseline:
        """See `Task.load_baseline`."""
        return RegressionBaseline.from_dict(saved)

    def load(self, folder: Path, device: str) -> RegressorPredictor:
        """See `Task.load`."""
        return RegressorPredictor.load(folder, device)

    def evaluate(
        self,
        predictor: RegressorPredictor,
        examples: NumberedExamples,
        baseline: RegressionBaseline | None,
        *,
        seed: int = 0,
        **options: Any,
    ) -> Evaluated:
        """See `Task.evaluate`."""
        answers = predictor.predict(examples.inputs)
        beside = {}
        if baseline is not None:
            beside = {
                baseline.description: baseline.predict(examples.inputs),
                MEAN: baseline.constant(len(examples)),
            }
        block = regression_metrics(
            examples.targets,
            answers,
            beside,
            names=predictor.scale.names,
            groups=predictor.scale.edges,
            sample_weight=examples.weights,
            seed=seed,
        )
        return Evaluated(block, answers)

    def figures(self, block: Mapping[str, Any]) -> dict[str, str]:
        """See `Task.figures`."""
        return FIGURES

    def measured(self, block: Mapping[str, Any], split: str) -> str:
        """See `Task.measured`."""
        return f"{block['examples']:,} {split} examples"

    def describe(self, model: SequenceRegressor, settings: Any) -> str:
        """See `Task.describe`."""
        scale = model.scale_
        ranges = [
            f"{name} ({low:g} to {high:g})" for name, low, high in zip(scale.names, scale.low, scale.high, strict=True)
        ]
        return f"{', '.join(ranges)} of {settings.data.text or ', '.join(settings.data.frames)}"

    def sections(
        self, model: SequenceRegressor, split: str, examples: NumberedExamples, evaluated: Evaluated, settings: Any
    ) -> list[Section]:
        """See `Task.sections`."""
        return regression_sections(
            evaluated.block,
            split=split,
            inputs=examples.inputs,
            rows=examples.rows,
            targets=examples.targets,
            answers=evaluated.answers,
            parts=model.parts_,
        )

    def notes(self, model: SequenceRegressor, parts: Parts) -> list[str]:
        """See `Task.notes`."""
        regression, notes = model.settings_.regression, []
        rare = {
            "none": "every example counts alike",
            "inverse_frequency": "an example weighs one over the number of examples in its range of values",
            "square_root": "an example weighs one over the root of the number of examples in its range of values",
        }[regression.rare]
        notes.append(f"Fitted by the {regression.loss} error; {rare} (regression.rare).")
        if model.settings_.frames is None:
            notes += explain_text(model.settings_.text)
        if model.coverage_ is not None:
            notes.append(model.coverage_.sentence())
        return notes


TASK = RegressionTask()
