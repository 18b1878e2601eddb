"""Models to and from the hub, through its own client, against a server that answers as the hub does."""

import json
import os
import time

import pytest
import yaml
from hub_stand_in import TOKEN, StandIn
from typer.testing import CliRunner

from saved_toy import TEXTS, save_toy
from seqwise.cli import app
from seqwise.errors import ConfigurationError, FileError, ModelFolderError
from seqwise.export.hub_card import hub_card, local_paths
from seqwise.export.hub_pull import pull
from seqwise.export.hub_push import push
from seqwise.prediction import Predictor, add_piece, read_folder

# The client's own, of the transport below it.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

CARD = """# Report on sms

A classifier.

Trained on `/home/somebody/secret project/sms.csv`. Examples: 10.

```sh
seqwise predict /home/somebody/toy 'a text'
seqwise predict '/home/some body/toy' --input new.csv
```

```python
predictor = Predictor.load('/home/somebody/toy')
```
"""
METRICS = {
    "validation": {"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}},
    "test": {
        "accuracy": {"value": 0.91234, "low": 0.8, "high": 0.95},
        "macro_f1": {"value": None},
        "mcc": {"value": 0.5},
    },
}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    import huggingface_hub.constants as constants

    stand_in = StandIn()
    monkeypatch.setenv("HF_ENDPOINT", stand_in.address)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    for name in ("HF_TOKEN_PATH", "HF_STORED_TOKENS_PATH"):
        monkeypatch.setattr(constants, name, str(tmp_path / "no token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    yield stand_in
    stand_in.close()


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "toy"
    save_toy(folder)
    add_piece(folder, "README.md", CARD)
    add_piece(folder, "metrics.json", METRICS)
    add_piece(folder, "report.html", "<p>a text of the training data</p>")
    add_piece(folder, "history.jsonl", "{}\n")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.safetensors").write_bytes(b"weights")
    (folder / "train.csv").write_text("secret")
    return folder


MODEL = {"config.json", "model.safetensors", "vocabulary.json", "labels.json"}


def test_a_pushed_model_comes_back_the_same(hub, model, tmp_path):
    done = push(model, "me/toy", message="first")
    assert set(done["files"]) == MODEL | {"README.md", "metrics.json", "history.jsonl"}
    assert hub.commits[0]["header"]["summary"] == "first"
    assert done["url"] == f"{hub.address}/me/toy"

    out = tmp_path / "pulled" / "toy"
    got = pull("me/toy", out)
    assert {path.name for path in out.iterdir()} == set(got["files"]) == set(done["files"])
    for name in MODEL | {"metrics.json", "history.jsonl"}:
        assert (out / name).read_bytes() == (model / name).read_bytes()
    assert Predictor.load(out).predict(TEXTS) == Predictor.load(model).predict(TEXTS)


def test_checkpoints_data_and_report_stay_here(hub, model):
    push(model, "me/toy")
    there = hub.repositories["me/toy"]["main"]
    assert set(there) == MODEL | {"README.md", "metrics.json", "history.jsonl", ".gitattributes"}
    assert b"secret" not in b"".join(there.values())
    assert b"/home" not in b"".join(there.values())
    assert not any("checkpoints" in request or "train.csv" in request for request in hub.requests)


def test_a_report_goes_up_when_asked_and_is_removed_when_not_asked_again(hub, model):
    push(model, "me/toy", report=True)
    assert "report.html" in hub.repositories["me/toy"]["main"]
    hub.repositories["me/toy"]["main"]["notes.md"] = b"of the owner"
    push(model, "me/toy")
    assert hub.commits[-1]["removed"] == ["report.html"]
    assert "notes.md" in hub.repositories["me/toy"]["main"]


def test_the_card_says_by_machine_what_the_model_is(hub, model):
    push(model, "me/toy", license_="cc-by-4.0")
    card = hub.repositories["me/toy"]["main"]["README.md"].decode()
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["library_name"] == "seqwise"
    assert front["license"] == "cc-by-4.0"
    assert front["pipeline_tag"] == "text-classification"
    assert front["tags"] == ["seqwise", "lstm"]
    (index,) = front["model-index"]
    (result,) = index["results"]
    assert index["name"] == "toy"
    assert result["dataset"]["split"] == "test"
    assert {m["type"]: m["value"] for m in result["metrics"]} == {"accuracy": 0.9123, "matthews_correlation": 0.5}
    assert "seqwise pull me/toy toy" in card
    assert card.count("seqwise predict toy ") == 2
    assert "Predictor.load('toy')" in card
    assert "Trained on `sms.csv`." in card


def test_a_card_is_not_given_a_second_front():
    config = {"task": "classify", "unit": "words", "settings": {}}
    once = hub_card(CARD, "me/toy", config, {})
    assert once.count("library_name") == 1
    assert hub_card(once, "me/toy", config, {}) == once
    assert "# toy" in hub_card("", "me/toy", config, {})


def test_paths_in_the_settings_are_told(hub, tmp_path):
    said = []
    save_toy(tmp_path / "toy")
    assert local_paths({"settings": {"model": {"vectors": "/home/me/v.txt", "cell": "lstm"}}}) == ["model.vectors"]
    push(tmp_path / "toy", "me/toy", say=said.append)
    assert not said


def test_an_exported_folder_goes_up_and_comes_back(hub, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    save_toy(tmp_path / "toy")
    assert CliRunner().invoke(app, ["export", str(tmp_path / "toy"), "--onnx", str(tmp_path / "onnx")]).exit_code == 0
    push(tmp_path / "onnx", "me/toy-onnx")
    pull("me/toy-onnx", tmp_path / "out")
    assert {"model.onnx", "requirements.txt"} <= {path.name for path in (tmp_path / "out").iterdir()}
    texts = TEXTS[:3]
    assert Predictor.load(tmp_path / "out").predict(texts) == Predictor.load(tmp_path / "toy").predict(texts)


def test_a_model_within_the_model_goes_with_it(hub, model, tmp_path):
    save_toy(model / "language_model")  # as a transcriber has one
    (model / "language_model" / "notes.txt").write_text("secret")
    push(model, "me/toy")
    pull("me/toy", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out" / "language_model").iterdir()} == MODEL
    files = hub.repositories["me/toy"]["main"]
    files["language_model/vocabulary.json"] = files["language_model/vocabulary.json"].replace(b"cat", b"dog")
    with pytest.raises(ModelFolderError, match=r"me/toy/language_model/vocabulary\.json is damaged"):
        pull("me/toy", tmp_path / "other")


def test_revisions_are_branches(hub, model, tmp_path):
    push(model, "me/toy")
    add_piece(model, "history.jsonl", "{}\n{}\n")
    push(model, "me/toy", revision="next")
    pull("me/toy", tmp_path / "main")
    pull("me/toy", tmp_path / "next", revision="next")
    assert (tmp_path / "main" / "history.jsonl").read_text() == "{}\n"
    assert (tmp_path / "next" / "history.jsonl").read_text() == "{}\n{}\n"
    with pytest.raises(ConfigurationError, match="me/toy has no revision 'gone'"):
        pull("me/toy", tmp_path / "gone", revision="gone")


def test_a_private_model_wants_the_token(hub, model, tmp_path, monkeypatch):
    push(model, "me/toy", private=True)
    assert hub.private == {"me/toy"}
    pull("me/toy", tmp_path / "a")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ConfigurationError, match=r"there is no model me/toy .* or it is private .*HF_TOKEN"):
        pull("me/toy", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_who_may_not_push_is_told(hub, model, monkeypatch):
    with pytest.raises(ConfigurationError, match="this login may not write to them/toy"):
        push(model, "them/toy")
    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 34)
    with pytest.raises(ConfigurationError, match="does not accept the token"):
        push(model, "me/toy")
    monkeypatch.delenv("HF_TOKEN")
    asked = len(hub.requests)
    with pytest.raises(ConfigurationError, match="the hub wants to know who pushes: set HF_TOKEN"):
        push(model, "me/toy")
    assert len(hub.requests) == asked


@pytest.mark.parametrize(
    "name", ["toy", "me/", "/toy", "me/toy/x", "me/../x", "../x", "me/to y", "me/toy\n", "-/a", ""]
)
def test_a_name_that_is_none_never_reaches_the_hub(name, hub, model, tmp_path):
    for call in (lambda: push(model, name), lambda: pull(name, tmp_path / "out")):
        with pytest.raises(ConfigurationError, match="USER/NAME"):
            call()
    assert hub.requests == []


def test_what_is_no_model_is_not_pushed(hub, tmp_path):
    with pytest.raises(ModelFolderError, match="there is no model folder"):
        push(tmp_path / "none", "me/toy")
    (tmp_path / "model").mkdir()
    with pytest.raises(ModelFolderError, match=r"config\.json is missing"):
        push(tmp_path / "model", "me/toy")
    assert hub.requests == []


def test_a_folder_that_is_there_is_left_alone(hub, model, tmp_path):
    push(model, "me/toy")
    (tmp_path / "out").mkdir()
    pull("me/toy", tmp_path / "out")
    before = (tmp_path / "out" / "config.json").read_bytes()
    with pytest.raises(FileError, match="is there already"):
        pull("me/toy", tmp_path / "out")
    assert (tmp_path / "out" / "config.json").read_bytes() == before


def leftovers(folder):
    return [name for name in os.listdir(folder) if name.startswith(".out")]


def test_a_damaged_download_is_noticed(hub, model, tmp_path):
    push(model, "me/toy")
    files = hub.repositories["me/toy"]["main"]
    files["model.safetensors"] = files["model.safetensors"][:-1] + b"\x01"
    with pytest.raises(ModelFolderError, match=r"me/toy/model\.safetensors is damaged or was changed"):
        pull("me/toy", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("more", [b"x", b"x" * 5_000_000])
def test_more_than_was_listed_is_not_taken(more, hub, model, tmp_path):
    push(model, "me/toy")
    hub.sent["vocabulary.json"] = hub.repositories["me/toy"]["main"]["vocabulary.json"] + more
    with pytest.raises(FileError, match=r"more of vocabulary\.json of me/toy came"):
        pull("me/toy", tmp_path / "out")
    assert not leftovers(tmp_path)


def test_less_than_was_listed_is_not_taken(hub, model, tmp_path):
    push(model, "me/toy")
    hub.sent["vocabulary.json"] = b"{}"
    with pytest.raises(FileError, match=r"vocabulary\.json of me/toy came with 2 bytes"):
        pull("me/toy", tmp_path / "out")


def test_a_size_that_no_model_has_is_refused_before_anything_is_fetched(hub, model, tmp_path):
    push(model, "me/toy")
    hub.listed["config.json"] = 2**40
    with pytest.raises(ModelFolderError, match=r"config\.json of me/toy has 1,099,511,627,776 bytes"):
        pull("me/toy", tmp_path / "out")
    assert not any("resolve" in request for request in hub.requests)


def test_nothing_but_the_files_of_a_model_is_fetched(hub, model, tmp_path):
    push(model, "me/toy")
    files = hub.repositories["me/toy"]["main"]
    files |= {"evil.pkl": b"pickle", "pytorch_model.bin": b"pickle", "a/b.json": b"{}", "train.py": b"import os"}
    hub.extra = [
        {"type": "file", "path": path, "size": 3, "oid": "0" * 40} for path in ("../../escaped", "/tmp/x", "..", "a\\b")
    ]
    out = tmp_path / "out"
    pull("me/toy", out)
    assert {path.name for path in out.rglob("*")} == MODEL | {"README.md", "metrics.json", "history.jsonl"}
    asked = {request.split("/")[-1] for request in hub.requests if "resolve" in request}
    assert asked == {path.name for path in out.iterdir()}


def test_a_config_that_names_files_elsewhere_is_refused(hub, model, tmp_path):
    push(model, "me/toy")
    files = hub.repositories["me/toy"]["main"]
    config = json.loads(files["config.json"])
    for name in ("../../escaped", "a/b", "/etc/passwd", ".ssh"):
        files["config.json"] = json.dumps({**config, "files": {**config["files"], name: "0" * 64}}).encode()
        with pytest.raises(ModelFolderError, match="does not list the files of a model"):
            pull("me/toy", tmp_path / "out")
    files["config.json"] = b"[1, 2"
    with pytest.raises(ModelFolderError, match="not valid JSON"):
        pull("me/toy", tmp_path / "out")
    del files["config.json"]
    with pytest.raises(ModelFolderError, match=r"no model of Seqwise: it has no config\.json"):
        pull("me/toy", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not leftovers(tmp_path)


def test_what_is_not_there_is_said(hub, tmp_path):
    with pytest.raises(ConfigurationError, match="there is no model me/none"):
        pull("me/none", tmp_path / "out")


def test_a_model_with_a_gate_says_where_to_ask(hub, model, tmp_path):
    push(model, "me/toy")
    hub.refuse["/tree/"] = (403, "GatedRepo")
    with pytest.raises(ConfigurationError, match="given only to those whom its owner lets in"):
        pull("me/toy", tmp_path / "out")


def test_without_a_network_the_error_comes_soon(hub, model, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    begun = time.perf_counter()
    for call in (lambda: push(model, "me/toy"), lambda: pull("me/toy", tmp_path / "out")):
        with pytest.raises(FileError, match=r"me/toy cannot be pu\w+ed: http://127\.0\.0\.1:9: ") as raised:
            call()
        assert "\n" not in str(raised.value)
    assert time.perf_counter() - begun < 10


def test_the_commands_push_and_pull(hub, model, tmp_path):
    run = CliRunner()
    result = run.invoke(app, ["push", str(model), "me/toy", "-m", "new", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["url"] == f"{hub.address}/me/toy"
    result = run.invoke(app, ["pull", "me/toy", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "7 files of me/toy" in result.stdout
    assert run.invoke(app, ["predict", str(tmp_path / "out"), "the cat"]).exit_code == 0
    assert run.invoke(app, ["pull", "nonsense", "x"]).exit_code == 2
    read_folder(tmp_path / "out")
