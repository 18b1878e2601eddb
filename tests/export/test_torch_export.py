"""Exported programs: the same numbers as the model, for every cell, with PyTorch alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from saved_toy import save_toy
from seqwise.cells import LIBRARY
from seqwise.cli import app
from seqwise.errors import ConfigurationError, FileError
from seqwise.export import torch_export as exporting
from seqwise.export.torch_entry import make_entry
from seqwise.export.torch_export import export_torch
from seqwise.models import LanguageNetwork, LanguageSettings, ModelSettings, SequenceModel
from seqwise.models.tagger import FrameTagger, WordTagger
from seqwise.models.tagger_settings import TaggerSettings
from seqwise.text.tag_schemes import allowed_transitions
from tolerances import assert_close

# PyTorch's own, when it is first asked to run such a program.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


def classifier(size=dict(vocabulary_size=11, ngrams=7), **settings):  # noqa: B006, C408
    given = {"embedding_size": 5, "hidden_size": 4, "pooling": "last+max+mean+attention", **settings}
    torch.manual_seed(1)
    module = SequenceModel(ModelSettings(**given), **{"vocabulary_size": 1, "ngrams": 0, "classes": 3, **size})
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.5)
    return module.eval()


def exported(entry, tmp_path):
    """Saved, and loaded again."""
    path = tmp_path / "model.pt2"
    with torch.no_grad(), exporting._quiet():
        program = exporting._trace(entry)
        torch.export.save(program, path)
        assert not [node for node in program.graph.nodes if "seqwise" in str(node.target)]
        return torch.export.load(path).module()


@torch.no_grad()
def assert_same(entry, run, shapes=((1, 1), (2, 1), (1, 6), (5, 13))):
    for batch, steps in shapes:
        given = entry.random_inputs(batch, steps)
        pairs = zip(exporting._flat(run(**given)), exporting._flat(entry(**given)), strict=True)
        for number, (found, expected) in enumerate(pairs):
            assert found.shape == expected.shape
            assert_close(found, expected, f"output {number} of {batch} x {steps}")


@pytest.mark.parametrize("cell", list(LIBRARY))
def test_every_cell_gives_the_same_in_both_directions(cell, tmp_path):
    module = classifier(architecture="recurrent", cell=cell, bidirectional=True)
    entry = make_entry(module).eval()
    assert_same(entry, exported(entry, tmp_path), shapes=((1, 1), (5, 13)))


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"num_layers": 2, "bidirectional": True}, {"vocabulary_size": 11, "ngrams": 7}),
        ({"architecture": "linear"}, {"vocabulary_size": 1, "ngrams": 7}),
        ({"architecture": "recurrent", "zoneout": 0.2, "pooling": "last"}, {"vocabulary_size": 11}),
        ({"architecture": "recurrent", "position_embedding": 6, "head_layers": 2}, {"vocabulary_size": 11}),
        ({"architecture": "recurrent", "embedding": "one_hot"}, {"vocabulary_size": 11}),
        ({"architecture": "recurrent", "encoder": "transformer", "heads": 2}, {"vocabulary_size": 11}),
        ({"architecture": "recurrent"}, {"frame_size": 3}),
        ({"architecture": "dense", "head_layers": 1}, {"frame_size": 3}),
    ],
    ids=["wide_deep", "linear", "zoneout", "positions", "one_hot", "transformer", "frames", "dense"],
)
def test_every_kind_of_classifier_gives_the_same(settings, size, tmp_path):
    entry = make_entry(classifier(size, **settings)).eval()
    assert_same(entry, exported(entry, tmp_path))


@pytest.mark.parametrize("head", ["crf", "softmax"])
def test_a_tagger_of_words_gives_the_same_and_its_random_field(head, tmp_path):
    torch.manual_seed(2)
    tags = ["O", "B-x", "I-x"]
    settings = TaggerSettings(embedding_size=5, hidden_size=4, character_size=3, character_hidden_size=2, head=head)
    module = WordTagger(settings, words=9, characters=8, tags=3, allowed=allowed_transitions(tags, "BIO")).eval()
    entry = make_entry(module).eval()
    run = exported(entry, tmp_path)
    assert_same(entry, run)
    if head == "crf":
        given = entry.random_inputs(4, 7)
        emissions, following, first, last = run(**given)
        crf = module.crf
        assert_close(following, crf.following + crf.forbidden_following)
        assert emissions.shape == (4, 7, 3)
        assert first.shape == last.shape == (3,)


def test_a_tagger_of_frames_gives_the_same(tmp_path):
    torch.manual_seed(3)
    module = FrameTagger(TaggerSettings(hidden_size=4, head="softmax"), size=3, tags=4).eval()
    entry = make_entry(module).eval()
    assert_same(entry, exported(entry, tmp_path))


@pytest.mark.parametrize("settings", [{}, {"cell": "gru", "tie_weights": False}], ids=["lstm", "gru"])
def test_a_language_model_goes_on_from_its_states(settings, tmp_path):
    torch.manual_seed(4)
    module = LanguageNetwork(LanguageSettings(embedding_size=6, hidden_size=6, num_layers=2, **settings), 12).eval()
    entry = make_entry(module).eval()
    run = exported(entry, tmp_path)
    assert_same(entry, run)
    given = entry.random_inputs(2, 9)
    whole, _ = run(**given)
    first, states = run(symbols=given["symbols"][:, :4], states=given["states"])
    second, _ = run(symbols=given["symbols"][:, 4:], states=states)
    assert_close(torch.cat([first, second], 1), whole)


def test_what_answers_by_a_search_or_grows_a_cache_is_refused():
    torch.manual_seed(4)
    settings = LanguageSettings(embedding_size=8, hidden_size=8, encoder="transformer", heads=2)
    with pytest.raises(ConfigurationError, match="recurrent layers only"):
        make_entry(LanguageNetwork(settings, 12))
    with pytest.raises(ConfigurationError, match="not what answers by a search"):
        make_entry(torch.nn.Linear(2, 3))


def test_the_file_runs_where_there_is_no_seqwise(tmp_path):
    _, module = save_toy(tmp_path / "model")
    target = tmp_path / "model.pt2"
    outcome = export_torch(tmp_path / "model", target)
    assert outcome.inputs == ["tokens", "lengths", "ngram_ids", "ngram_offsets", "ngram_values"]
    assert outcome.largest_difference < 1e-5
    assert outcome.bytes_written == target.stat().st_size
    given = make_entry(module).random_inputs(3, 5)
    torch.save(given, tmp_path / "given.pt")
    code = (
        "import sys, warnings, json; warnings.simplefilter('ignore'); import torch\n"
        "pieces = {'labels.json': '', 'vocabulary.json': '', 'config.json': ''}\n"
        f"program = torch.export.load({str(target)!r}, extra_files=pieces)\n"
        f"given = torch.load({str(tmp_path / 'given.pt')!r})\n"
        "assert not any(name.startswith('seqwise') for name in sys.modules)\n"
        "print(json.dumps([program.module()(**given).tolist(), json.loads(pieces['labels.json'])['classes']]))\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    logits, classes = json.loads(answer.stdout)
    make = make_entry(module).eval()
    with torch.no_grad():
        assert_close(torch.tensor(logits), make(**given))
    assert classes == ["ham", "spam", "other"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None and shutil.which("clang++") is None, reason="there is no C++ compiler")
def test_a_compiled_model_gives_the_same(tmp_path):
    save_toy(tmp_path / "model", bidirectional=True)
    outcome = export_torch(tmp_path / "model", tmp_path / "model.pt2", aot=True)
    assert outcome.aot
    assert outcome.largest_difference < 1e-5
    assert "aoti_load_package" in outcome.lines()[-1]


def test_without_a_compiler_the_error_says_what_to_install(tmp_path, monkeypatch):
    save_toy(tmp_path / "model")
    from torch._inductor import cpp_builder

    def none():
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none)
    with pytest.raises(ConfigurationError, match=r"apt-get install g\+\+"):
        export_torch(tmp_path / "model", tmp_path / "model.pt2", aot=True)
    assert not list(tmp_path.glob("*.pt2"))


def test_a_model_that_differs_after_export_is_not_written(tmp_path, monkeypatch):
    save_toy(tmp_path / "model")
    monkeypatch.setattr(torch.export, "load", lambda path: SequenceOfOnes())
    with pytest.raises(ConfigurationError, match="more than rounding explains: nothing was written"):
        export_torch(tmp_path / "model", tmp_path / "model.pt2")
    assert not list(tmp_path.glob("*.pt2"))
    assert not list(tmp_path.glob(".*.pt2"))


class SequenceOfOnes:
    def module(self):
        return lambda tokens, **others: torch.ones(len(tokens), 3)


def test_wrong_requests_are_named(tmp_path):
    save_toy(tmp_path / "model")
    with pytest.raises(ConfigurationError, match=r"ends in \.pt2"):
        export_torch(tmp_path / "model", tmp_path / "model.onnx")
    (tmp_path / "there.pt2").write_text("x")
    with pytest.raises(FileError, match="is there already"):
        export_torch(tmp_path / "model", tmp_path / "there.pt2")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be written"):
        export_torch(tmp_path / "model", tmp_path / "file" / "model.pt2")


def test_the_command_prints_what_it_wrote(tmp_path):
    from typer.testing import CliRunner

    save_toy(tmp_path / "model")
    target = Path(tmp_path / "model.pt2")
    result = CliRunner().invoke(app, ["export", str(tmp_path / "model"), "--torch-export", str(target), "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["bytes_written"] == target.stat().st_size
    assert set(document["milliseconds"]) == {"1 x 50 steps", "16 x 50 steps"}
    for options in (["--aot"], ["--torch-export", "x.pt2", "--int8"], ["--torch-export", "x.pt2", "--onnx", "y"]):
        assert CliRunner().invoke(app, ["export", str(tmp_path / "model"), *options]).exit_code == 2
