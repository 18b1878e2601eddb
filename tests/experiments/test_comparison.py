import csv
import json
import random

import numpy as np
import pytest
import torch

from seqwise.errors import ConfigurationError, DataError, FileError, MissingExtraError
from seqwise.experiments.comparison import fit
from seqwise.experiments.comparison.comparing import ComparisonRequest, planned_runs, run_comparison
from seqwise.experiments.comparison.data import fold_numbers, part_at, read_comparison_data
from seqwise.experiments.comparison.runs import BASELINE, PlannedRun, RunResult
from seqwise.experiments.comparison.variants import variation_of
from seqwise.experiments.configuration import build_configuration
from seqwise.losses.treatments import TREATMENTS
from tolerances import assert_close

QUICK = (
    *("training.epochs=2", "model.hidden_size=8", "model.embedding_size=8", "model.num_layers=1"),
    *("data.text=review", "data.label=sentiment"),
)
WORDS = {"good": ["joy", "bright", "warm"], "bad": ["dull", "grey", "cold"], "odd": ["weird", "strange"]}
PLAIN = ["the", "film", "story", "actor", "scene", "music"]


def write_reviews(path, rows=160, seed=0, noise=0.0):
    draw = random.Random(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "sentiment"])
        for _ in range(rows):
            label = draw.choices(list(WORDS), [0.7, 0.22, 0.08])[0]
            said = draw.choice(list(WORDS)) if draw.random() < noise else label
            words = [*draw.choices(PLAIN, k=5), draw.choice(WORDS[said])]
            writer.writerow([" ".join(words), label])
    return path


@pytest.fixture
def request_(tmp_path):
    """A comparison of two sizes with two seeds, in this process."""

    def made(**changes):
        defaults = {
            "data": str(write_reviews(tmp_path / "reviews.csv")),
            "vary": "model.hidden_size=4,8",
            "configuration": build_configuration(overrides=QUICK),
            "seeds": 2,
            "folder": tmp_path / "out",
            "jobs": 1,
        }
        return ComparisonRequest(**(defaults | changes))

    return made


@pytest.fixture
def stubbed(monkeypatch):
    """Runs answer at once, by chance; the list has what was carried out."""
    ran = []

    def carry_out(run, data, callbacks=()):
        ran.append(run.place)
        parts = data.parts(run.seed, run.fold)
        draw = np.random.default_rng([run.seed, run.fold, len(run.variant)])
        classes = len(data.classes)
        test, validation = (draw.dirichlet(np.ones(classes), len(part)) for part in (parts.test, parts.validation))
        return RunResult(
            test=test,
            answers=test.argmax(axis=1),
            validation=validation,
            validation_answers=validation.argmax(axis=1),
            validation_targets=parts.validation.targets(data.classes),
            counts=np.bincount(parts.training.targets(data.classes), minlength=classes),
            seconds=1.5,
            parameters=7,
            settings={},
        )

    monkeypatch.setattr(fit, "carry_out", carry_out)
    return ran


def test_a_comparison_leaves_tables_pictures_and_a_page(request_):
    result = run_comparison(request_())
    folder = result.folder
    names = ["hidden_size=4", "hidden_size=8", "baseline", "majority class"]
    assert [row.name for row in result.rows] == names
    with (folder / "compare.csv").open() as file:
        assert [row["name"] for row in csv.DictReader(file)] == names
    document = json.loads((folder / "compare.json").read_text())
    assert document["recommendation"] == result.recommendation
    assert document["rows"][0]["per_class"].keys() == {"good", "bad", "odd"}
    assert result.recommendation in (folder / "compare.md").read_text()
    page = (folder / "compare.html").read_text()
    assert "hidden_size=8" in page
    assert page.count("<svg") == 2
    assert "$" not in page, "matplotlib's own way to write powers of ten"
    for picture in ("metric.png", "recall.png"):
        assert (folder / picture).read_bytes()[:4] == b"\x89PNG"
    reference, other, baseline, majority = result.rows
    assert reference.difference is None
    assert other.p is not None
    assert baseline.p is None
    assert majority.parameters == 0
    assert reference.parameters < other.parameters
    assert reference.seconds > 0


def test_every_variant_has_the_same_splits_and_the_test_part_is_no_ones_but_its_own(tmp_path):
    path = write_reviews(tmp_path / "reviews.csv")
    data = read_comparison_data(
        str(path), build_configuration(overrides=QUICK), test=None, folds=None, say=lambda message: None
    )
    first, again, other = data.parts(0, 0), data.parts(0, 0), data.parts(1, 0)
    assert first.training.rows.tolist() == again.training.rows.tolist()
    assert first.validation.rows.tolist() != other.validation.rows.tolist()
    assert first.test.rows.tolist() == other.test.rows.tolist()
    rows = np.concatenate([part.rows for part in (first.training, first.validation, first.test)])
    assert sorted(rows.tolist()) == list(range(1, 161))
    for part in (first.validation, first.test):
        assert set(part.labels.tolist()) == set(WORDS)


def test_with_folds_every_example_is_answered_once(tmp_path, request_, stubbed):
    path = write_reviews(tmp_path / "reviews.csv")
    data = read_comparison_data(
        str(path), build_configuration(overrides=QUICK), test=None, folds=4, say=lambda message: None
    )
    answered = np.concatenate([data.answered(fold) for fold in range(4)])
    assert sorted(answered.tolist()) == list(range(160))
    for fold in range(4):
        parts = data.parts(0, fold)
        assert not set(parts.test.rows) & {*parts.training.rows, *parts.validation.rows}
    result = run_comparison(request_(folds=4))
    assert result.planned == 2 * 4 * 4
    assert result.rows[0].seeds == 2


def test_folds_are_stratified_and_of_equal_size():
    labels = np.array(["a"] * 50 + ["b"] * 11 + ["c"] * 2)
    numbers = fold_numbers(labels, 5)
    assert np.ptp(np.bincount(numbers)) <= 1
    assert np.ptp(np.bincount(numbers[labels == "a"])) <= 1
    with pytest.raises(DataError, match="3 examples cannot be divided into 5 folds"):
        fold_numbers(np.array(["a", "b", "c"]), 5)


def test_the_same_seed_starts_every_variant_alike(tmp_path):
    path = write_reviews(tmp_path / "reviews.csv")
    base = build_configuration(overrides=QUICK)
    variation = variation_of("training.weight_decay=0.0,0.0000001")
    configurations = {one.name: variation.configuration(base, one) for one in variation.variants}
    data = read_comparison_data(str(path), base, test=None, folds=None, say=lambda message: None)
    one, other = (
        fit.carry_out(run, data) for run in planned_runs(base, configurations, variation, 1, 1) if run.kind == "model"
    )
    assert np.abs(one.test - other.test).max() < 1e-3, "same split, same initialisation, nearly the same settings"


def test_an_interrupted_comparison_goes_on_and_runs_nothing_twice(request_, stubbed, monkeypatch):
    stub = fit.carry_out

    def stopped(run, data, callbacks=()):
        if len(stubbed) == 5:
            raise KeyboardInterrupt
        return stub(run, data, callbacks)

    monkeypatch.setattr(fit, "carry_out", stopped)
    partial = run_comparison(request_())
    assert partial.interrupted
    assert (partial.done, partial.planned) == (5, 8)
    assert partial.rows[0].seeds == 2
    assert partial.rows[1].seeds == 1
    assert "5 of 8 runs" in (partial.folder / "compare.md").read_text()
    monkeypatch.setattr(fit, "carry_out", stub)
    whole = run_comparison(request_())
    assert not whole.interrupted
    assert len(stubbed) == len(set(stubbed)) == 8
    run_comparison(request_())
    assert len(stubbed) == 8, "everything is finished"


def test_more_seeds_and_more_variants_only_add_runs(request_, stubbed):
    run_comparison(request_(seeds=1))
    assert len(stubbed) == 4
    run_comparison(request_(seeds=2, vary="model.hidden_size=4,8,16"))
    assert len(stubbed) == 4 + 1 + 5


def test_other_data_and_other_settings_are_run_anew(request_, stubbed, tmp_path):
    first = request_(seeds=1)
    run_comparison(first)
    write_reviews(tmp_path / "reviews.csv", seed=9)
    run_comparison(ComparisonRequest(**first.__dict__))
    assert len(stubbed) == 8
    changed = build_configuration(overrides=[*QUICK, "model.dropout=0.05"])
    run_comparison(ComparisonRequest(**{**first.__dict__, "configuration": changed}))
    assert len(stubbed) == 10, "the baselines do not depend on it"


def test_a_damaged_run_is_run_again(request_, stubbed):
    result = run_comparison(request_(seeds=1))
    arrays = sorted((result.folder / "runs").glob("*.npz"))
    arrays[0].write_bytes(arrays[0].read_bytes()[:40])
    run_comparison(request_(seeds=1))
    assert len(stubbed) == 5


def test_a_treatment_that_cannot_run_is_skipped_with_its_reason(request_, stubbed, monkeypatch):
    stub = fit.carry_out

    def refusing(run, data, callbacks=()):
        if run.variant == "smote":
            stubbed.append(run.place)
            raise MissingExtraError("smote needs imbalanced-learn: pip install 'seqwise[imbalance]'")
        return stub(run, data, callbacks)

    monkeypatch.setattr(fit, "carry_out", refusing)
    result = run_comparison(request_(vary="imbalance", variants="weighted,smote"))
    assert [row.name for row in result.rows] == ["ce", "weighted", "baseline", "majority class"]
    assert "pip install" in result.skipped["smote"]
    assert sum(place[0] == "smote" for place in stubbed) == 1, "the second seed would say the same"
    assert "skipped: smote needs" in (result.folder / "compare.md").read_text()


def test_a_reference_that_cannot_run_is_an_error(request_, stubbed, monkeypatch):
    def refusing(run, data, callbacks=()):
        raise DataError("no")

    monkeypatch.setattr(fit, "carry_out", refusing)
    with pytest.raises(DataError, match="no"):
        run_comparison(request_())


def test_the_correction_after_training_is_what_training_with_it_gives(tmp_path):
    path = write_reviews(tmp_path / "reviews.csv", noise=0.4)
    base = build_configuration(overrides=QUICK)
    variation = variation_of("imbalance", "ce,prior_correction")
    configurations = {one.name: variation.configuration(base, one) for one in variation.variants}
    data = read_comparison_data(str(path), base, test=None, folds=None, say=lambda message: None)
    plain, derived = (run for run in planned_runs(base, configurations, variation, 1, 1) if run.kind == "model")
    assert derived.derived_from == "ce"
    uncorrected = fit.carry_out(plain, data)
    corrected = uncorrected.corrected(1.0)
    trained = fit.carry_out(derived, data)
    assert corrected.answers.tolist() == trained.answers.tolist() != uncorrected.answers.tolist()
    assert corrected.validation_answers.tolist() == trained.validation_answers.tolist()


def test_a_milder_correction_has_the_probabilities_of_training_with_it(tmp_path):
    path = write_reviews(tmp_path / "reviews.csv")
    base = build_configuration(overrides=QUICK)
    variation = variation_of("imbalance.prior_correction=0.0,0.2")
    configurations = {one.name: variation.configuration(base, one) for one in variation.variants}
    data = read_comparison_data(str(path), base, test=None, folds=None, say=lambda message: None)
    plain, derived = (run for run in planned_runs(base, configurations, variation, 1, 1) if run.kind == "model")
    both = fit.carry_out(plain, data).corrected(0.2), fit.carry_out(derived, data)
    assert_close(*(torch.tensor(one.test, dtype=torch.float32) for one in both))
    assert_close(*(torch.tensor(one.validation, dtype=torch.float32) for one in both))


def test_only_the_correction_after_training_is_derived():
    base = build_configuration(overrides=QUICK)
    variation = variation_of("imbalance")
    configurations = {one.name: variation.configuration(base, one) for one in variation.variants}
    runs = planned_runs(base, configurations, variation, 1, 1)
    assert [run.variant for run in runs if run.derived_from] == ["prior_correction"]
    assert [run.variant for run in runs if run.kind == "model"] == ["ce", "default", *list(TREATMENTS)[1:]]
    assert not configurations["default"].imbalance.model_fields_set, "left to the data"


def test_keys_tell_apart_what_matters_and_nothing_else():
    def run(seed=0, fold=0, kind="model", **settings):
        overrides = [f"{name.replace('__', '.')}={value}" for name, value in settings.items()]
        configuration = build_configuration(overrides=[f"training.seed={seed}", *overrides])
        return PlannedRun("x", kind, configuration, fold)

    key = run().key("f")
    assert key == run().key("f")
    assert key == run(training__device="cpu").key("f"), "where it is computed"
    different = [
        run(seed=1),
        run(fold=1),
        run(kind="baseline"),
        run(training__epochs=3),
        run(imbalance__prior_correction=0.0),  # said, instead of left to the data
    ]
    assert len({key, run().key("g"), *(other.key("f") for other in different)}) == 7


@pytest.mark.slow
def test_two_processes_give_what_one_gives(request_, tmp_path):
    alone = run_comparison(request_(seeds=1, folder=tmp_path / "a"))
    together = run_comparison(request_(seeds=1, folder=tmp_path / "b", jobs=2))
    assert [row.value for row in alone.rows] == [row.value for row in together.rows]


def test_the_settings_of_a_treatment_replace_those_of_the_person(request_, stubbed):
    said = []
    configuration = build_configuration(overrides=[*QUICK, "imbalance.class_weight=balanced"])
    result = run_comparison(
        request_(vary="imbalance", variants="focal", configuration=configuration, seeds=1), say=said.append
    )
    assert any("imbalance.class_weight of the configuration gives way" in line for line in said)
    assert [row.name for row in result.rows][:2] == ["ce", "focal"]


WRONG = {
    "vary": ({"vary": "imbalence"}, ConfigurationError, "did you mean imbalance"),
    "treatment": ({"vary": "imbalance", "variants": "focall"}, ConfigurationError, "did you mean focal"),
    "cell": ({"vary": "cell", "variants": "lstn,gru"}, ConfigurationError, "did you mean lstm"),
    "alone": ({"vary": "cell", "variants": "lstm"}, ConfigurationError, "at least two"),
    "key": ({"vary": "model.hiden_size=1,2"}, ConfigurationError, "did you mean model.hidden_size"),
    "value": ({"vary": "model.hidden_size=4,zero"}, ConfigurationError, "model.hidden_size must be a whole number"),
    "seed": ({"vary": "training.seed=1,2"}, ConfigurationError, "--seeds says how many"),
    "both": ({"variants": "a,b"}, ConfigurationError, "leave --treatments out"),
    "metric": ({"metric": "macrof1"}, ConfigurationError, "did you mean macro_f1"),
    "seeds": ({"seeds": 0}, ConfigurationError, "--seeds is at least 1"),
    "folds": ({"folds": 1}, ConfigurationError, "--folds is at least 2"),
    "test and folds": ({"folds": 2, "test": "x.csv"}, ConfigurationError, "give one of them"),
    "validation": (
        {"configuration": build_configuration(overrides=[*QUICK, "data.validation=0"])},
        ConfigurationError,
        "data.validation is 0",
    ),
    "linear": (
        {"vary": "cell", "configuration": build_configuration(overrides=[*QUICK, "model.architecture=linear"])},
        ConfigurationError,
        "no cell to vary",
    ),
}


@pytest.mark.parametrize(("changes", "error", "part"), WRONG.values(), ids=WRONG.keys())
def test_wrong_input(request_, stubbed, changes, error, part):
    with pytest.raises(error, match=part):
        run_comparison(request_(**changes))
    assert not stubbed


def test_a_folder_with_other_things_is_left_alone(request_, stubbed, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(FileError, match="not empty"):
        run_comparison(request_())


def test_rows_of_a_part_stay_together(tmp_path):
    path = write_reviews(tmp_path / "reviews.csv")
    data = read_comparison_data(
        str(path), build_configuration(overrides=QUICK), test=None, folds=None, say=lambda message: None
    )
    chosen = part_at(data.rest, np.array([0, 3]))
    assert chosen.labels.tolist() == data.rest.labels[[0, 3]].tolist()
    assert list(chosen.texts) == [data.rest.texts[0], data.rest.texts[3]]
    assert BASELINE not in data.classes


def write_topics(path, rows=160, seed=0):
    draw = random.Random(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "sentiment"])
        for _ in range(rows):
            labels = [name for name, share in zip(WORDS, (0.5, 0.4, 0.2), strict=True) if draw.random() < share]
            words = [*draw.choices(PLAIN, k=4), *(draw.choice(WORDS[label]) for label in labels)]
            writer.writerow([" ".join(words), "|".join(labels or ["good"])])
    return path


def test_of_several_labels_treatments_are_compared_too(request_, tmp_path):
    path = write_topics(tmp_path / "topics.csv")
    result = run_comparison(request_(data=str(path), vary="imbalance", variants="asl,prior_correction", seeds=1))
    assert [row.name for row in result.rows] == ["ce", "asl", "prior_correction", "baseline", "majority class"]
    assert result.rows[0].figures.keys() == {"macro_f1", "micro_f1", "samples_f1", "subset_accuracy"}
    assert result.rows[1].p is not None
    with pytest.raises(ConfigurationError, match="no metric 'mcc'"):
        run_comparison(request_(data=str(path), metric="mcc"))


def test_folds_of_several_labels_are_stratified(tmp_path):
    draw = np.random.default_rng(0)
    has = draw.random((300, 3)) < [0.6, 0.2, 0.05]
    numbers = fold_numbers(has, 5)
    assert np.ptp(np.bincount(numbers)) <= 3
    for label in range(3):
        counts = np.bincount(numbers[has[:, label]], minlength=5)
        assert np.ptp(counts) <= max(4, 0.2 * counts.mean()), counts
