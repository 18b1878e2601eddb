"""`seqwise serve` has an option for every setting of the server, and none besides."""

from __future__ import annotations

import pytest
import typer.main
from program import call

from seqwise.cli import app
from seqwise.cli.serve import named_folders, validated
from seqwise.errors import ConfigurationError
from seqwise.serving import ServerSettings


@pytest.fixture(scope="module")
def command():
    return typer.main.get_command(app).commands["serve"]


def parsed(command, *words):
    return command.make_context("serve", ["DIR", *words]).params


def test_every_setting_is_an_option_with_its_description_and_default(command):
    options = {one.name: one for one in command.params if one.name not in ("models", "help")}
    assert set(options) == set(ServerSettings.model_fields)
    for name, field in ServerSettings.model_fields.items():
        assert options[name].help.startswith(field.description)
        assert options[name].opts == [f"--{name.replace('_', '-')}"]


def test_without_options_the_settings_are_the_defaults(command):
    params = parsed(command)
    assert params.pop("models") == ["DIR"]
    params.pop("help", None)
    assert validated(params) == ServerSettings()


def test_options_become_settings(command):
    words = ["--port", "9", "--timeout-s", "0.5", "--threads", "3", "--on-long", "truncate", "--quiet", "--no-page"]
    words += ["--cors-origin", "https://a", "--cors-origin", "https://b", "--api-key-file", "keys"]
    params = parsed(command, *words)
    params.pop("models")
    params.pop("help", None)
    settings = validated(params)
    assert (settings.port, settings.timeout_s, settings.threads, settings.on_long) == (9, 0.5, 3, "truncate")
    assert settings.quiet
    assert settings.no_page
    assert settings.cors_origin == ("https://a", "https://b")
    assert str(settings.api_key_file) == "keys"


@pytest.mark.parametrize(
    ("option", "value"),
    [("--port", "70000"), ("--workers", "0"), ("--max-queue", "-1"), ("--grace-s", "-1"), ("--threads", "0")],
)
def test_a_value_out_of_its_range_is_refused_by_the_option_s_name(option, value):
    answer = call("serve", "DIR", option, value)
    assert answer.code == 2
    assert f"'{option}'" in answer.err


@pytest.mark.parametrize(
    ("name", "value"),
    [("timeout_s", 0.0), ("timeout_s", float("nan")), ("max_wait_ms", float("inf")), ("on_long", "cut"), ("host", "")],
)
def test_what_the_command_line_cannot_know_the_settings_refuse_by_its_name(name, value):
    with pytest.raises(ConfigurationError, match=f"^--{name.replace('_', '-')}: "):
        validated({name: value})


def test_folders_have_the_names_that_are_given_or_their_own(tmp_path):
    folder = tmp_path / "my model (1)"
    folder.mkdir()
    found = named_folders(["a=runs/x", str(folder), "b/c=d"])
    assert list(found) == ["a", "my-model-1", "c-d"]
    assert found["my-model-1"] == folder
    with pytest.raises(ConfigurationError, match="two models have the name 'x'"):
        named_folders(["runs/x", "x=other"])
