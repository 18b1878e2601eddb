import pytest
from program import call

from seqwise.experiments import demo, names


@pytest.fixture
def few_names(monkeypatch, tmp_path):
    """Every thirtieth name: the demonstration in a few seconds."""
    pytest.importorskip("faker")
    everything = {"first_names": names.first_names(), "surnames": names.surnames()}
    for function, whole in everything.items():
        step = 30 if function == "first_names" else 8
        few = names.NameList(dict(list(whole.rows.items())[::step]), whole.ambiguous)
        monkeypatch.setattr(demo, function, lambda few=few: few)
    monkeypatch.chdir(tmp_path)


def test_the_demonstration_shows_figures_predictions_and_what_to_type_next(few_names, tmp_path):
    answer = call("demo", "--set", "training.epochs=1")
    assert answer.code == 0, answer.err
    for part in ("Confusion matrix", "accuracy", "precision", "recall", "baseline", "report.html", "seqwise predict"):
        assert part in answer.out
    assert "left out" in answer.err
    assert (tmp_path / "seqwise-demo" / "model" / "report.html").exists()
    commands = [line.split()[1:] for line in answer.out.splitlines() if line.startswith("  seqwise ")]
    assert len(commands) >= 2
    for command in commands[:2]:
        assert call(*command).code == 0, command


def test_a_second_demonstration_replaces_the_first(few_names):
    assert call("demo", "--set", "training.epochs=1").code == 0
    answer = call("demo", "--data", "language", "--set", "training.epochs=1", "--json")
    assert answer.code == 0, answer.err
    assert len(answer.document["test"]["per_class"]) >= 20
    assert len(answer.document["predictions"]) == demo.SHOWN


def test_a_folder_of_something_else_is_left_alone(few_names, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    answer = call("demo", "--out", tmp_path / "mine")
    assert answer.code == 2
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]
