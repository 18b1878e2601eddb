import importlib

import pytest

from seqwise.errors import ConfigurationError
from seqwise.experiments.configuration import build_configuration
from seqwise.experiments.recipes import PROGRAMS, Reproduction, load_recipe, recipe_names, recipe_title

NAMED = {
    *("imdb-bow", "imdb-rnn", "imdb-lstm", "imdb", "names-gender", "names-language", "sms-spam"),
    *("tweets-airline", "trec", "reuters52", "dna-splice"),
}
FILES = sorted(set(recipe_names()) - set(PROGRAMS))


def test_every_promised_recipe_is_in_the_package():
    assert set(recipe_names()) >= NAMED


@pytest.mark.parametrize("name", FILES)
def test_every_recipe_is_a_valid_configuration_with_a_reference(name):
    recipe = load_recipe(name)
    assert recipe.recipe == name, "the file is called after the recipe"
    assert (recipe.reference.accuracy or recipe.reference.macro_f1) is not None
    build_configuration(base=recipe.configuration)


@pytest.mark.parametrize("name", FILES)
def test_every_recipe_names_a_data_set_of_the_catalogue(name):
    from seqwise.data import list_data

    assert load_recipe(name).data in {entry["name"] for entry in list_data()}


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
    assert {"recipe", "reference", "test", "seconds"} <= result.to_dict().keys()
