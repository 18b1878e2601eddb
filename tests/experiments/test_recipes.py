import importlib
import json
from dataclasses import replace

import numpy as np
import pytest

from seqwise.embeddings import EmbeddingSettings, WordVectors
from seqwise.errors import ConfigurationError, FileError
from seqwise.experiments import embedding_models, recipes, tasks
from seqwise.experiments.configuration import build_configuration
from seqwise.experiments.recipe_variants import merged
from seqwise.experiments.recipes import (
    PROGRAMS,
    Recipe,
    Reference,
    Reproduction,
    ReproductionRequest,
    Variant,
    load_recipe,
    recipe_names,
    recipe_title,
    reproduce,
)

NAMED = {
    *("imdb-bow", "imdb-rnn", "imdb-lstm", "imdb", "names-gender", "names-language", "sms-spam"),
    *("tweets-airline", "trec", "reuters52", "dna-splice", "tweets-lstm", "imdb-vectors", "embeddings-imdb"),
}
FILES = sorted(set(recipe_names()) - set(PROGRAMS))


def test_every_promised_recipe_is_in_the_package():
    assert set(recipe_names()) >= NAMED


@pytest.mark.parametrize("name", FILES)
def test_every_recipe_is_a_valid_configuration_with_a_reference(name):
    recipe = load_recipe(name)
    assert recipe.recipe == name, "the file is called after the recipe"
    assert any(value for name, value in recipe.reference if name != "source")
    if recipe.task == "classify":
        build_configuration(base=recipe.configuration)
    else:
        tasks.configure(recipe.task, base=recipe.configuration)


@pytest.mark.parametrize("name", FILES)
def test_every_recipe_names_a_data_set_of_the_catalogue(name):
    from seqwise.data import list_data

    assert {entry["name"] for entry in list_data()} >= set(load_recipe(name).data_sets)


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_every_program_can_be_called(name):
    module, _, function = PROGRAMS[name][1].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_every_recipe_has_a_title_of_one_line():
    for name in recipe_names():
        assert recipe_title(name)
        assert "\n" not in recipe_title(name)


def test_the_default_recipe_changes_nothing():
    assert load_recipe("imdb").configuration == {}


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(ConfigurationError, match="did you mean imdb-rnn"):
        load_recipe("imdb-rn")
    with pytest.raises(ConfigurationError, match=r"there are .*names-language"):
        load_recipe("quux")


def test_reference_and_own_figure_stand_side_by_side(tmp_path):
    result = Reproduction(
        recipe="x",
        reference={"source": "lecture", "accuracy": 0.76, "macro_f1": 0.5},
        test={
            "accuracy": {"value": 0.8, "low": 0.7, "high": 0.9},
            "macro_f1": {"value": None, "low": None, "high": None},
        },
        seconds=1.0,
        folder=tmp_path,
    )
    assert result.rows() == [["accuracy", "0.760", "0.800"], ["macro f1", "0.500", "-"]]
    beside = replace(result, test={**result.test, "baseline": {"accuracy": {"value": 0.7, "low": None, "high": None}}})
    assert beside.header() == ["test set", "reference", "baseline", "here"]
    assert beside.rows() == [["accuracy", "0.760", "0.700", "0.800"], ["macro f1", "0.500", "-", "-"]]
    assert {"recipe", "reference", "test", "seconds"} <= result.to_dict().keys()


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A recipe of three variants on a small data set, one of which asks for a file that is not here."""
    rows = [(f"{mood} {thing} {n}", mood) for n in range(20) for mood in ("good", "bad") for thing in ("day", "work")]
    for part in ("train", "test"):
        (tmp_path / "toy").mkdir(exist_ok=True)
        lines = "".join(f"{text}\t{label}\n" for text, label in rows)
        (tmp_path / "toy" / f"{part}.tsv").write_text("text\tlabel\n" + lines)
    recipe = Recipe(
        recipe="toy",
        title="Toy",
        data=[str(tmp_path / "toy")],
        reference=Reference(source="nobody", balanced_accuracy=0.5),
        configuration={
            "text": {"unit": "words"},
            "model": {"architecture": "recurrent", "hidden_size": 4, "num_layers": 1, "embedding_size": 5},
            "training": {"epochs": 1},
        },
        variants={
            "first": Variant(),
            "larger": Variant(changes={"model": {"hidden_size": 6}}),
            "given": Variant(changes={"model": {"vectors": "none.vec"}}),
            "other": Variant(instead={"model": {"architecture": "linear"}}),
        },
    )
    monkeypatch.setattr(recipes, "load_recipe", lambda name: recipe)
    return recipe


def test_variants_run_one_after_the_other_and_stand_in_one_table(toy, tmp_path):
    said: list[str] = []
    result = reproduce(ReproductionRequest("toy", folder=tmp_path / "runs", device="cpu", say=said.append))
    assert [run["variant"] for run in result.runs] == ["first", "larger", "other"]
    assert any("given: left out, there is no file none.vec" in line for line in said)
    header, rows = result.table
    assert [row[1] for row in rows] == ["n-grams", "first", "larger", "other"]
    assert header == ["data", "variant", "accuracy", "macro f1", "balanced accuracy", "on validation", "seconds"]
    assert rows[3][2] == "1.000"
    assert result.to_dict()["runs"] == result.runs
    configs = [json.loads(path.read_text()) for path in sorted((tmp_path / "runs").glob("*/config.json"))]
    assert sorted(c["settings"]["model"]["hidden_size"] for c in configs) == [4, 6, 128]


def test_variants_that_are_finished_are_not_run_again(toy, tmp_path):
    request = ReproductionRequest("toy", folder=tmp_path / "runs", device="cpu")
    first = reproduce(request)
    (path,) = tmp_path.glob("runs/*larger/variant.json")
    path.unlink()
    again = reproduce(replace(request, resume=True))
    assert [run["test"] for run in again.runs] == [run["test"] for run in first.runs]
    assert again.runs[0] == first.runs[0], "its seconds too: it was not run"


def test_the_first_variant_has_to_run(toy, tmp_path):
    request = ReproductionRequest("toy", folder=tmp_path / "runs", device="cpu", overrides=("model.vectors=none.vec",))
    with pytest.raises(FileError, match=r"there is no file none\.vec"):
        reproduce(request)


def test_changes_are_merged_key_by_key():
    base = {"text": {"clean": "tweets", "stems": "en"}, "model": {"cell": "gru"}}
    assert merged(base, {"text": {"stems": None}, "training": {"epochs": 1}}) == {
        "text": {"clean": "tweets", "stems": None},
        "model": {"cell": "gru"},
        "training": {"epochs": 1},
    }


@pytest.mark.parametrize("name", FILES)
def test_every_variant_is_a_valid_configuration(name):
    recipe = load_recipe(name)
    assert recipe.variants or isinstance(recipe.data, str), "several data sets are for variants"
    for variant in recipe.variants.values():
        for base in (merged(recipe.configuration, variant.changes), variant.instead):
            if recipe.task == "classify":
                build_configuration(base=base)
            else:
                tasks.configure(recipe.task, base=base)


@pytest.fixture
def words(monkeypatch, tmp_path):
    """A corpus of few words, two models, and one public set."""
    monkeypatch.setattr(embedding_models, "_reviews", lambda: ["The king's dog<br />barks, 3 times"] * 40)
    chosen = ("skip-gram, negative sampling", "CBOW, hierarchical")
    monkeypatch.setattr(embedding_models, "MODELS", {name: embedding_models.MODELS[name] for name in chosen})
    monkeypatch.setenv("SEQWISE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SEQWISE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data" / "embeddings").mkdir(parents=True)
    (tmp_path / "data" / "embeddings" / "en-men-tr-3k.txt").write_text("dog barks 9\nking's dog 3\nthe times 1\n")
    return chosen


def test_models_of_words_stand_in_one_table_with_speed_and_quality(words, tmp_path):
    said: list[str] = []
    request = ReproductionRequest("embeddings-imdb", folder=tmp_path / "runs", say=said.append)
    result = reproduce(request)
    assert (tmp_path / "runs" / "corpus.txt").read_text() == "the king's dog barks times\n" * 40
    header, rows = result.table
    assert header == ["model", "words/second", "seconds", "men"]
    assert [row[0] for row in rows] == list(words)
    assert -1 <= float(rows[0][3]) <= 1
    assert any("Google analogies is not here" in line for line in said)
    again = reproduce(replace(request, resume=True))
    assert again.test == result.test, "nothing is trained again"
    assert len(list((tmp_path / "runs").glob("*.safetensors"))) == 2


def test_models_of_words_take_settings_and_one_may_be_chosen(words, tmp_path):
    request = ReproductionRequest(
        "embeddings-imdb",
        folder=tmp_path / "runs",
        overrides=("embedding.only=CBOW, hierarchical", "embedding.size=7"),
    )
    assert list(reproduce(request).test) == ["CBOW, hierarchical"]
    assert WordVectors.load(next((tmp_path / "runs").glob("*.safetensors"))).size == 7
    for override, message in (
        ("embedding.only=quux", "the models are"),
        ("embedding.size=0", "greater than or equal to 1"),
        ("model.size=3", "the section embedding only"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            reproduce(replace(request, overrides=(override,)))


def test_every_model_of_words_has_settings():
    for values in embedding_models.MODELS.values():
        EmbeddingSettings(**{"epochs": 1, **values})


def test_a_recipe_of_a_tagger_is_judged_by_its_spans(tmp_path, monkeypatch):
    rows = [{"tokens": [who, "sleeps"], "tags": ["B-PER", "O"]} for who in ("Ann", "Ben", "Eve")] * 8
    for part in ("train", "validation", "test"):
        (tmp_path / f"{part}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    recipe = Recipe(
        recipe="toy",
        title="Toy",
        task="tag",
        data=str(tmp_path),
        reference=Reference(source="nobody", f1=0.5),
        configuration={"model": {"hidden_size": 4, "embedding_size": 4}, "training": {"epochs": 1}},
    )
    monkeypatch.setattr(recipes, "load_recipe", lambda name: recipe)
    monkeypatch.setattr(recipes, "recipe_names", lambda: ("toy",))
    result = reproduce(ReproductionRequest("toy", folder=tmp_path / "m", device="cpu"))
    assert result.rows()[0][:2] == ["f1", "0.500"]
    assert result.test["kind"] == "tagging"


def test_validation_data_choose_among_the_variants_of_a_task(tmp_path, monkeypatch):
    import pyarrow
    import pyarrow.parquet

    random = np.random.default_rng(0)
    rows = []
    for person in range(6):
        labels = np.repeat(random.integers(0, 2, 6), 5)
        rows.append({"x": (labels + 0.3 * random.normal(size=30)).tolist(), "doing": labels.tolist(), "who": person})
    (tmp_path / "moves").mkdir()
    for part in ("train", "test"):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "moves" / f"{part}.parquet")
    base = {
        "data": {"frames": ["x"], "label": "doing", "group": "who", "validation": 0.3},
        "model": {"hidden_size": 8, "window": 30},
        "training": {"epochs": 8, "batch_size": 2, "learning_rate": 0.03},
    }
    recipe = Recipe(
        recipe="moves",
        title="moves",
        task="tag",
        data=str(tmp_path / "moves"),
        reference=Reference(source="nobody", macro_f1=0.5),
        configuration=base,
        variants={
            "untrained": Variant(changes={"training": {"epochs": 1, "learning_rate": 1e-6}}),
            "trained": Variant(changes={"imbalance": {"class_weight": "balanced"}}),
        },
        choose="macro_f1",
    )
    monkeypatch.setattr(recipes, "load_recipe", lambda name: recipe)
    monkeypatch.setattr(recipes, "PROGRAMS", {})
    result = reproduce(ReproductionRequest("moves", folder=tmp_path / "out"))
    assert result.chosen.startswith("Best on validation data: trained, macro f1 ")
    assert result.test == result.runs[1]["test"]
    assert result.to_dict()["chosen"] == result.chosen
    header, table = result.table
    assert header == ["data", "variant", "macro f1", "accuracy", "on validation", "seconds"]
    assert [row[1] for row in table] == ["logistic regression on the frame", "untrained", "trained"]
    assert float(table[2][2]) == pytest.approx(result.test["macro_f1"]["value"], abs=5e-4)
