"""What holds for every command: help, version, exit codes."""

import pytest
from program import call

from seqwise import __version__
from seqwise.errors import DivergenceError

COMMANDS = [
    ("demo",),
    ("train",),
    ("evaluate",),
    ("predict",),
    ("reproduce",),
    ("data", "list"),
    ("data", "get"),
    ("data", "show"),
    *(("vectors", name) for name in ("neighbours", "analogy", "similarity", "odd", "evaluate", "map")),
]


def test_version():
    assert call("--version").out == f"seqwise {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_help_has_an_example(command):
    answer = call(*command, "--help")
    assert answer.code == 0
    assert "Example" in answer.out
    assert f"\n    seqwise {' '.join(command)}" in answer.out, "the example keeps its line"


def test_the_list_of_commands_cuts_no_sentence_off():
    for answer in (call("--help"), call("data", "--help"), call("vectors", "--help")):
        assert "..." not in answer.out.split("Commands:")[1]


def failing(error):
    def fail(*_, **__):
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DivergenceError("the loss is not finite"), 1, "Error: the loss is not finite\n"),
        (PermissionError(13, "Permission denied", "/m"), 2, "Error: Permission denied: /m\n"),
        (OSError(28, "No space left on device"), 2, "Error: No space left on device\n"),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            2,
            "Error: this needs torch, which is not installed here: pip install seqwise\n",
        ),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
    ],
)
def test_an_error_becomes_one_sentence_and_an_exit_code(monkeypatch, error, code, said):
    monkeypatch.setattr("seqwise.data.list_data", failing(error))
    answer = call("data", "list")
    assert (answer.code, answer.out, answer.err) == (code, "", said)


def test_a_bug_is_called_one_and_shows_its_traceback_only_when_asked(monkeypatch):
    monkeypatch.setattr("seqwise.data.list_data", failing(IndexError("list index out of range")))
    monkeypatch.delenv("SEQWISE_DEBUG", raising=False)
    answer = call("data", "list")
    assert answer.code == 1
    assert "This is a bug in Seqwise" in answer.err
    assert "Traceback" not in answer.err
    monkeypatch.setenv("SEQWISE_DEBUG", "1")
    assert "Traceback" in call("data", "list").err
