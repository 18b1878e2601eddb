"""Recipes: a data set, a configuration, and the figure of a lecture or paper to compare with.

A recipe is a YAML file in `recipes/` and goes through the very run of `seqwise train`. What is a program of its own
rather than a configuration stands in the table `PROGRAMS`.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seqwise.errors import ConfigurationError, DataError, nearest
from seqwise.experiments import tasks
from seqwise.experiments.configuration import build_configuration, read_yaml
from seqwise.experiments.environment import environment

RUNS = Path("seqwise-runs")  # where a reproduction goes when nobody says where

# name -> (title, "module:function"); the function takes a `ReproductionRequest` and returns a `Reproduction`.
PROGRAMS: dict[str, tuple[str, str]] = {
    "adding-problem": (
        "Two numbers remembered over 200 steps: tanh RNN, IRNN, LSTM, and their gradients by time step",
        "seqwise.experiments.adding_problem:reproduce_adding_problem",
    ),
    "digits-spelled": (
        "Pictures of digits spelled out, letter by letter: one to many",
        "seqwise.experiments.digits_spelled:reproduce_digits_spelled",
    ),
    "embeddings-imdb": (
        "Every model of word vectors with every objective on 17.5 million words: speed and quality",
        "seqwise.experiments.embedding_models:reproduce_embedding_models",
    ),
    "imdb-start-from": (
        "500 labelled reviews: an LSTM that starts from a language model of 10,000 unlabelled ones, and one from nothing",
        "seqwise.experiments.start_from:reproduce_start_from",
    ),
    "names-generate": (
        "Names drawn for 18 languages, judged by the classifier of names-language",
        "seqwise.experiments.names_generated:reproduce_names_generated",
    ),
    "names-slide": (
        "The lecture's own network for first names, to the letter",
        "seqwise.experiments.names_slide:reproduce_names_slide",
    ),
}


class Reference(BaseModel):
    """What somebody else reached.

    Attributes:
        source: who says so.
        accuracy: on the test set.
        macro_f1: on the test set.
        balanced_accuracy: on the test set, the mean recall of the classes.
        perplexity: of a language model on the test set.
        log_loss: the same in nats a symbol.
        f1: of the spans that a tagger finds, on the test set.
        bleu: of translations of the test set, 0 to 100.
        wer: word error rate of a transcriber on the test set.
        mae: mean absolute error of numbers on the test set.
        rmse: root of the mean squared error.
        r2: share of the variance that is explained.
        mase: mean absolute error of forecasts, scaled by that of the naive forecast in training.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    accuracy: float | None = Field(default=None, ge=0, le=1)
    macro_f1: float | None = Field(default=None, ge=0, le=1)
    balanced_accuracy: float | None = Field(default=None, ge=0, le=1)
    perplexity: float | None = Field(default=None, gt=1)
    log_loss: float | None = Field(default=None, gt=0)
    f1: float | None = Field(default=None, ge=0, le=1)
    bleu: float | None = Field(default=None, ge=0, le=100)
    mae: float | None = Field(default=None, gt=0)
    rmse: float | None = Field(default=None, gt=0)
    r2: float | None = Field(default=None, le=1)
    mase: float | None = Field(default=None, gt=0)
    wer: float | None = Field(default=None, gt=0)


class Variant(BaseModel):
    """One of several runs of a recipe.

    Attributes:
        changes: sections over those of the recipe, key by key.
        instead: sections in place of those of the recipe.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    changes: dict[str, dict[str, Any]] = Field(default_factory=dict)
    instead: dict[str, dict[str, Any]] | None = None


class Recipe(BaseModel):
    """One reproducible experiment.

    Attributes:
        recipe: its name, that of the file.
        title: one line for people.
        task: "classify", or one of `seqwise.experiments.tasks`.
        data: a named data set with a test part; with variants also several.
        positive: the class of interest of two.
        reference: the figure to compare with.
        configuration: sections as in a configuration file; what is left out is the default.
        variants: name -> what differs; the recipe then runs once for each, on each data set.
        choose: figure by which the best variant is named, on validation data; its test figures are those of the recipe.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: str
    title: str
    task: str = "classify"
    data: str | list[str]
    positive: str | None = None
    reference: Reference
    configuration: dict[str, dict[str, Any]] = Field(default_factory=dict)
    variants: dict[str, Variant] = Field(default_factory=dict)
    choose: str | None = None

    @property
    def data_sets(self) -> list[str]:
        """The data, as a list."""
        return [self.data] if isinstance(self.data, str) else self.data


@dataclass(frozen=True)
class ReproductionRequest:
    """What to reproduce, and where to.

    Attributes:
        name: of a recipe.
        folder: for the model; None is `seqwise-runs/NAME`, where an earlier run of the recipe is replaced.
        overrides: "section.key=value" over the recipe's configuration.
        seed: None keeps the recipe's.
        device: None keeps the recipe's.
        overwrite: replace the model in `folder`.
        resume: go on where an interrupted run stopped.
        say: told what is going on.
    """

    name: str
    folder: Path | None = None
    overrides: tuple[str, ...] = ()
    seed: int | None = None
    device: str | None = None
    overwrite: bool = False
    resume: bool = False
    say: Callable[[str], None] = field(default=lambda message: None)

    @property
    def destination(self) -> Path:
        """Folder of the run."""
        return self.folder or RUNS / self.name

    @property
    def flags(self) -> dict[str, Any]:
        """Values over the recipe's configuration."""
        return {"training.seed": self.seed, "training.device": self.device}

    @property
    def replaces(self) -> bool:
        """Whether a model in the way is replaced: a run under the recipe's own name can be had again by the same command."""
        return self.overwrite or (self.folder is None and not self.resume)


@dataclass(frozen=True)
class Reproduction:
    """What came out.

    Attributes:
        recipe: its name.
        reference: source and figures of the reference.
        test: a block of `metrics.json`, or whatever figures the program has.
        seconds: the whole run, reading and baseline included.
        folder: where report and model are.
        interrupted: whether the person stopped it; the figures are those of the best model until then.
        runs: of a recipe with variants, each one's data, variant, validation and test figures, seconds and notes.
        table: header and rows, where one figure beside that of the reference does not say it.
        chosen: a sentence on the variant that validation data chose, where they choose one.
    """

    recipe: str
    reference: dict[str, Any]
    test: dict[str, Any]
    seconds: float
    folder: Path
    interrupted: bool = False
    runs: list[dict[str, Any]] = field(default_factory=list)
    table: tuple[list[str], list[list[str]]] | None = None
    chosen: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `seqwise reproduce --json`."""
        return {
            "recipe": self.recipe,
            "reference": self.reference,
            "test": self.test,
            "seconds": round(self.seconds, 1),
            "folder": str(self.folder),
            **({"runs": self.runs} if self.runs else {}),
            **({"chosen": self.chosen} if self.chosen else {}),
            "environment": environment(),
        }

    def header(self) -> list[str]:
        """Of `rows`."""
        return ["test set", "reference", *(["baseline"] if "baseline" in self.test else []), "here"]

    def rows(self) -> list[list[str]]:
        """Reference, baseline and ours: a row for each figure of the reference, or else for each of our own."""
        theirs = {key: value for key, value in self.reference.items() if isinstance(value, int | float)}
        ours = dict(_single_figures(self.test))
        keys = list(theirs) or list(ours)
        columns: list[dict[str, Any]] = [theirs, ours]
        if "baseline" in self.test:
            columns.insert(1, dict(_single_figures(self.test["baseline"])))
        shown = [[_written(figures.get(key)) for figures in columns] for key in keys]
        return [[key.replace("_", " "), *values] for key, values in zip(keys, shown, strict=True)]


def _single_figures(test: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, float | None]]:
    """Names and values of the figures of a metrics block or of a program, tables left out."""
    for name, value in test.items():
        if isinstance(value, Mapping) and "value" in value:
            yield before + name, value["value"]
        elif isinstance(value, Mapping) and name not in {"per_class", "confusion_matrix", "difference"}:
            yield from _single_figures(value, f"{before}{name}: ")
        elif isinstance(value, float):
            yield before + name, value


def _written(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


@cache
def recipe_names() -> tuple[str, ...]:
    """Every name that `reproduce` knows, in alphabetical order."""
    found = [entry.name.removesuffix(".yaml") for entry in _folder().iterdir() if entry.name.endswith(".yaml")]
    return tuple(sorted([*found, *PROGRAMS]))


def recipe_title(name: str) -> str:
    """One line about a recipe."""
    return PROGRAMS[name][0] if name in PROGRAMS else load_recipe(name).title


def load_recipe(name: str) -> Recipe:
    """Read a recipe of the package.

    Raises:
        ConfigurationError: there is none of this name.
    """
    if name not in recipe_names():
        raise ConfigurationError(f"there is no recipe {name!r}; {nearest(name, recipe_names())}")
    try:
        return Recipe.model_validate(read_yaml(Path(str(_folder() / f"{name}.yaml"))))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise ConfigurationError(f"recipe {name}: {where}: {problem['msg']}") from None


def reproduce(request: ReproductionRequest) -> Reproduction:
    """Run a recipe.

    Raises:
        ConfigurationError: there is no such recipe, or an override is wrong.
        DataError: the data set has no test part.
    """
    if request.name in PROGRAMS:
        module, _, function = PROGRAMS[request.name][1].partition(":")
        result: Reproduction = getattr(importlib.import_module(module), function)(request)
        return result
    recipe = load_recipe(request.name)
    if recipe.variants:
        from seqwise.experiments.recipe_variants import reproduce_variants

        return reproduce_variants(recipe, request)
    started = time.perf_counter()
    outcome = (_classify if recipe.task == "classify" else _run_task)(recipe, request)
    if "test" not in outcome.metrics:
        raise DataError(f"the data set {recipe.data} has no test part to reproduce a figure on")
    return Reproduction(
        recipe=recipe.recipe,
        reference=recipe.reference.model_dump(exclude_none=True),
        test=outcome.metrics["test"],
        seconds=time.perf_counter() - started,
        folder=request.destination,
        interrupted=outcome.interrupted,
    )


def _classify(recipe: Recipe, request: ReproductionRequest) -> Any:
    assert isinstance(recipe.data, str)
    from seqwise.experiments.training import TrainingRequest, run_training

    configuration = build_configuration(overrides=request.overrides, flags=request.flags, base=recipe.configuration)
    return run_training(
        TrainingRequest(
            data=recipe.data,
            configuration=configuration,
            folder=request.destination,
            test=recipe.data,
            positive=recipe.positive,
            overwrite=request.replaces,
            resume=request.resume,
        ),
        say=request.say,
    )


def _run_task(recipe: Recipe, request: ReproductionRequest) -> Any:
    assert isinstance(recipe.data, str)
    configuration = tasks.configure(
        recipe.task, overrides=request.overrides, flags=request.flags, base=recipe.configuration
    )
    return tasks.run(
        recipe.task,
        tasks.TaskRequest(
            data=recipe.data,
            configuration=configuration,
            folder=request.destination,
            test=recipe.data,
            overwrite=request.replaces,
            resume=request.resume,
        ),
        say=request.say,
    )


def _folder() -> Any:
    return files("seqwise.experiments") / "recipes"
