import json

import pytest
import yaml

from seqwise.errors import ConfigurationError, FileError
from seqwise.experiments.configuration import (
    Configuration,
    build_configuration,
    configuration_schema,
    parse_override,
)


def problem(*overrides, **files):
    with pytest.raises(ConfigurationError) as caught:
        build_configuration(overrides=overrides)
    return str(caught.value)


def test_later_sources_win_over_earlier_ones(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("training: {epochs: 3, seed: 3, batch_size: 3}\nmodel: {cell: gru}\n")
    configuration = build_configuration(
        file,
        ["training.epochs=4", "training.seed=4"],
        {"training.seed": 5, "training.device": None},
        base={"training": {"epochs": 2, "learning_rate": 0.2}},
    )
    training = configuration.training
    assert (training.learning_rate, training.batch_size, training.epochs, training.seed) == (0.2, 3, 4, 5)
    assert configuration.model.cell == "gru"


def test_what_nobody_set_stays_unset_so_that_the_data_may_choose_it():
    configuration = build_configuration(overrides=["training.epochs=4"], flags={"training.seed": None})
    assert configuration.training.model_fields_set == {"epochs"}
    assert configuration.model.model_fields_set == set()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("model.character_ngrams=[2, 5]", [2, 5]),
        ("training.patience=null", None),
        ("training.learning_rate=0.5", 0.5),
        ("text.lowercase=false", False),
        ("data.text=a=b", "a=b"),
        ("data.text='yes'", "yes"),
    ],
)
def test_values_of_set_are_yaml(written, value):
    assert parse_override(written)[2] == value


def test_a_number_with_an_exponent_is_a_number():
    assert build_configuration(overrides=["training.learning_rate=1e-3"]).training.learning_rate == 0.001


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("training.epoch=3", ["training.epoch;", "did you mean training.epochs?"]),
        ("model.lowercase=true", ["model.lowercase;", "did you mean text.lowercase?"]),
        ("model.learning_rat=1", ["did you mean training.learning_rate?"]),
        ("model.qqqqq=1", ["model.qqqqq", "section model has encoder,"]),
        ("trainin.epochs=3", ["section 'trainin'", "did you mean training?"]),
        ("epochs=3", ["section.key=value", "did you mean training.epochs=3?"]),
        ("epochs", ["section.key=value", "'epochs'"]),
        ("training.learning_rate=-1", ["training.learning_rate must be a number, above 0, got -1"]),
        ("training.epochs=x", ["training.epochs must be a whole number, at least 1, got 'x'"]),
        ("training.epochs=0", ["training.epochs must be a whole number, at least 1, got 0"]),
        ("data.validation=1.5", ["data.validation must be a number, at least 0 and below 1, got 1.5"]),
        (
            "text.unit=bytes",
            ["text.unit must be one of auto, words, characters, tokens, whitespace, bpe, unigram, got 'bytes'"],
        ),
        ("data.text=no", ["data.text must be a text or a list or null, got False"]),
        ("training.time_budget=soon", ["training.time_budget", "5m", "'soon'"]),
        ("training.epochs={", ["training.epochs", "not a YAML value"]),
        ("model.pooling=median", ["model.pooling", "last, mean, max, attention", "'median'"]),
    ],
)
def test_an_error_names_key_value_and_what_is_allowed(override, parts):
    message = problem(override)
    assert all(part in message for part in parts), message
    assert "\n" not in message


def test_one_wrong_value_of_several_types_is_said_once():
    assert problem("model.character_ngrams=abc").count("model.character_ngrams") == 1


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("training: {epochs: 3", ["not valid YAML", "line"]),
        ("training:\n  epochs: 3\n  epochs: 4\n", ["'epochs' is given twice", "line 3"]),
        ("- 1\n- 2\n", ["must hold sections"]),
        ("training: 5\n", ["section 'training'", "5"]),
        ("training:\n  epoch: 5\n", ["did you mean training.epochs?"]),
        ("model: !!python/object/apply:os.getcwd []\n", ["not valid YAML"]),
    ],
)
def test_a_wrong_file_is_named_with_the_reason(tmp_path, content, parts):
    file = tmp_path / "c.yaml"
    file.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        build_configuration(file)
    assert all(part in str(caught.value) for part in [str(file), *parts]), caught.value


def test_an_empty_file_and_an_empty_section_change_nothing(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("# nothing\n")
    assert build_configuration(file) == Configuration()
    file.write_text("model:\n")
    assert build_configuration(file) == Configuration()


def test_a_missing_file_and_one_that_is_no_text_are_named(tmp_path):
    with pytest.raises(FileError, match=r"nothing\.yaml"):
        build_configuration(tmp_path / "nothing.yaml")
    (tmp_path / "c.yaml").write_bytes(b"model: \xff\xfe")
    with pytest.raises(FileError, match="byte 7"):
        build_configuration(tmp_path / "c.yaml")


def test_the_configuration_survives_json_and_yaml(tmp_path):
    configuration = build_configuration(overrides=["model.word_ngrams=[1, 3]", "training.time_budget=5m"])
    assert Configuration.model_validate(json.loads(json.dumps(configuration.to_dict()))) == configuration
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(configuration.to_dict()))
    assert build_configuration(tmp_path / "c.yaml") == configuration


def test_the_schema_describes_every_key_of_every_section():
    schema = configuration_schema()
    for section, field in Configuration.model_fields.items():
        name = schema["properties"][section]["$ref"].rsplit("/", 1)[-1]
        assert set(schema["$defs"][name]["properties"]) == set(field.annotation.model_fields)
        assert schema["$defs"][name]["additionalProperties"] is False
