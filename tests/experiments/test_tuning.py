import csv
import json
import sys

import numpy as np
import pytest
import yaml
from test_comparison import write_reviews

from seqwise.errors import ConfigurationError, DataError, FileError, MissingExtraError
from seqwise.experiments.comparison.runs import RunResult
from seqwise.experiments.configuration import build_configuration
from seqwise.experiments.tuning import searching
from seqwise.experiments.tuning.report import TrialRow
from seqwise.experiments.tuning.searching import TuningRequest, budget_in_seconds, run_tuning, verdict
from seqwise.experiments.tuning.space import DEFAULT, TREATMENT, configured, default_values, space_of
from seqwise.losses.treatments import TREATMENTS

pytest.importorskip("optuna")

COLUMNS = ("data.text=review", "data.label=sentiment")
SMALL = (*COLUMNS, "model.hidden_size=4", "model.embedding_size=4", "training.epochs=2", "training.batch_size=64")


@pytest.fixture
def request_(tmp_path):
    def made(*overrides, **changes):
        defaults = {
            "data": str(write_reviews(tmp_path / "reviews.csv")),
            "configuration": build_configuration(overrides=[*COLUMNS, *overrides]),
            "folder": tmp_path / "search",
            "budget": 600.0,
            "trials": 8,
        }
        return TuningRequest(**(defaults | changes))

    return made


@pytest.fixture
def stubbed(monkeypatch):
    """Fits answer at once: right for a share of the examples that grows with the dropout; the list has what was tried."""
    tried = []

    def fit_and_answer(configuration, parts, classes, callbacks=()):
        tried.append(configuration)
        targets = parts.validation.targets(classes)
        wrong = np.arange(len(targets)) >= round(len(targets) * (0.3 + configuration.model.dropout))
        answers = np.where(wrong, (targets + 1) % len(classes), targets)
        certain = np.eye(len(classes))[answers]
        settings = {"model": {"architecture": "wide_deep"}, "training": {}, "imbalance": {}}
        every = {
            "model": ("cell", "hidden_size", "embedding_size", "num_layers", "dropout", "embedding_dropout"),
            "training": ("learning_rate", "epochs", "batch_size"),
            "imbalance": ("label_smoothing",),
        }
        for section, names in every.items():
            for name in (*names, *(("word_dropout", "linear_c") if section == "model" else ())):
                settings[section][name] = getattr(getattr(configuration, section), name)
        return RunResult(
            certain[:0], answers[:0], certain, answers, targets, np.ones(len(classes), int), 0.1, 1, settings
        )

    monkeypatch.setattr(searching, "fit_and_answer", fit_and_answer)
    return tried


def test_the_default_configuration_comes_first_and_the_best_is_written(request_, stubbed):
    search = run_tuning(request_("model.architecture=recurrent"))
    assert len(stubbed) == len(search.trials) == 8
    assert [trial.default for trial in search.trials] == [True] + [False] * 7
    assert stubbed[0].model.model_fields_set == {"architecture"}
    best = max((t for t in search.trials if t.value is not None), key=lambda t: t.value)
    assert search.best == best.number
    written = yaml.safe_load((search.folder / "best.yaml").read_text())
    assert written["data"] == {"text": "review", "label": "sentiment"}
    read = build_configuration(search.folder / "best.yaml")
    assert read.model.dropout == pytest.approx(best.values["model.dropout"])
    with (search.folder / "trials.csv").open() as file:
        assert [row["trial"] for row in csv.DictReader(file)] == [str(number) for number in range(8)]
    assert json.loads((search.folder / "tune.json").read_text())["sentence"] == search.sentence
    assert "optimistic" in search.sentence
    assert (search.folder / "importance.png").read_bytes()[:4] == b"\x89PNG"


def test_the_same_command_goes_on(request_, stubbed):
    run_tuning(request_(trials=3))
    search = run_tuning(request_(trials=5))
    assert len(stubbed) == len(search.trials) == 5
    assert sum(trial.default for trial in search.trials) == 1


def test_an_interrupted_search_shows_what_it_has_and_goes_on(request_, stubbed, monkeypatch):
    stub = searching.fit_and_answer

    def stopped(*arguments):
        if len(stubbed) == 3:
            raise KeyboardInterrupt
        return stub(*arguments)

    monkeypatch.setattr(searching, "fit_and_answer", stopped)
    search = run_tuning(request_())
    assert search.interrupted
    assert [trial.state for trial in search.trials] == ["complete"] * 3 + ["fail"]
    monkeypatch.setattr(searching, "fit_and_answer", stub)
    assert len(run_tuning(request_()).trials) == 8


def test_a_search_on_other_data_is_not_mixed_in(request_, stubbed, tmp_path):
    run_tuning(request_(trials=1))
    with pytest.raises(FileError, match="other fixed settings"):
        run_tuning(request_("model.cell=gru"))
    other = request_()
    write_reviews(tmp_path / "reviews.csv", seed=5)
    with pytest.raises(FileError, match="other data"):
        run_tuning(other)


def test_the_time_ends_the_search_but_never_the_default(request_, stubbed):
    search = run_tuning(request_(budget=1e-6, trials=None))
    assert len(search.trials) == 1
    assert search.sentence.startswith("Nothing beats the default configuration")


def test_a_trial_that_fails_is_recorded_with_its_reason(request_, stubbed, monkeypatch):
    stub = searching.fit_and_answer

    def failing(*arguments):
        if len(stubbed) == 1:
            stubbed.append(arguments[0])
            raise DataError("a class with one example")
        return stub(*arguments)

    monkeypatch.setattr(searching, "fit_and_answer", failing)
    search = run_tuning(request_(trials=3))
    assert [trial.state for trial in search.trials] == ["complete", "fail", "complete"]
    assert search.trials[1].reason == "a class with one example"


def test_seeds_are_averaged_on_one_split(request_, stubbed):
    run_tuning(request_(trials=2, seeds=3))
    assert [configuration.training.seed for configuration in stubbed] == [0, 1, 2, 0, 1, 2]


def test_a_real_search_runs(request_):
    search = run_tuning(request_(*SMALL[2:], "model.architecture=wide_deep", trials=3))
    assert len(search.trials) == 3
    assert search.trials[0].value is not None


def test_what_is_fixed_is_not_searched():
    paths = {dimension.path for dimension in space_of(build_configuration())}
    assert {"model.architecture", "model.cell", "training.learning_rate", TREATMENT} <= paths
    fixed = build_configuration(overrides=["model.cell=gru", "imbalance.class_weight=balanced"])
    assert paths - {dimension.path for dimension in space_of(fixed)} == {
        "model.cell",
        TREATMENT,
        "imbalance.prior_correction",
    }
    linear = build_configuration(overrides=["model.architecture=linear"])
    assert {dimension.path for dimension in space_of(linear)} == {
        "model.linear_c",
        "imbalance.prior_correction",
    }, "what a linear model can follow"


def test_every_member_of_the_space_is_a_configuration():
    base = build_configuration()
    for dimension in space_of(base):
        for value in dimension.options or (dimension.low, dimension.high):
            configured(base, {dimension.path: value})
    assert configured(base, {TREATMENT: DEFAULT}) == base
    weighted = configured(base, {TREATMENT: "weighted"}).imbalance
    assert {name: getattr(weighted, name) for name in TREATMENTS["weighted"].values} == TREATMENTS["weighted"].values


def test_the_default_lies_in_the_space():
    base = build_configuration()
    space = space_of(base)
    settings = base.to_dict()
    values = default_values(space, settings)
    assert values.keys() == {one.path for one in space if settings["model"]["architecture"] in one.architectures}
    for dimension in (one for one in space if one.path in values):
        value = values[dimension.path]
        assert value in dimension.options if dimension.options else dimension.low <= value <= dimension.high


def trial(number, value, default=False):
    return TrialRow(number, "complete" if value is not None else "pruned", value, 1.0, default, {})


def test_the_verdict_names_both_figures():
    sentence = verdict([trial(0, 0.7, default=True), trial(1, 0.75), trial(2, None)], 1, "macro_f1", 80)
    assert "The best of 2 complete trials has validation macro F1 0.750 against 0.700" in sentence
    assert "the same 80 examples" in sentence
    assert verdict([trial(0, 0.7, default=True), trial(1, 0.6)], 0, "macro_f1", 80).startswith("Nothing beats")


def test_without_optuna_the_command_that_installs_it_is_named(request_, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'seqwise\[tune\]'"):
        run_tuning(request_())


@pytest.mark.parametrize(
    ("changes", "part"), [({"metric": "f1"}, "metric"), ({"seeds": 0}, "--seeds"), ({"trials": 0}, "--trials")]
)
def test_wrong_input(request_, changes, part):
    with pytest.raises(ConfigurationError, match=part):
        run_tuning(request_(**changes))


def test_a_search_needs_validation_examples(request_):
    with pytest.raises(ConfigurationError, match=r"data\.validation is 0"):
        run_tuning(request_("data.validation=0"))


def test_budgets():
    assert budget_in_seconds("90s") == 90
    assert budget_in_seconds("1h30m") == 5400
    for wrong in ("soon", "0s", ""):
        with pytest.raises(ConfigurationError, match="--budget"):
            budget_in_seconds(wrong)


def test_frames_have_a_space_of_their_own():
    base = build_configuration(overrides=["frames.deltas=1"])
    paths = {dimension.path for dimension in space_of(base, steps=9)}
    assert {"model.cell", "model.hidden_size", "frames.normalise", TREATMENT} <= paths
    assert not paths & {"model.architecture", "model.embedding_size", "model.linear_c", "frames.deltas"}
    vectors = {dimension.path for dimension in space_of(base, steps=1)}
    assert "model.head_layers" in vectors
    assert not vectors & {"model.cell", "frames.normalise"}
