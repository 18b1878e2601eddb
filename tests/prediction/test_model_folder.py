from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saved_toy import TEXTS, forge, save_toy, toy_config, toy_labels, toy_model
from seqwise.errors import FileError, ModelFolderError
from seqwise.prediction import Predictor, add_piece, read_folder, restore, write_folder

PARTS = ["config.json", "labels.json", "model.safetensors", "vocabulary.json"]


@pytest.fixture
def folder(tmp_path):
    save_toy(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A folder that no test changes, and what its model answers."""
    path = tmp_path_factory.mktemp("sound") / "model"
    save_toy(path)
    return path, Predictor.load(path).predict_proba(TEXTS)


def refused(path, message):
    with pytest.raises(ModelFolderError, match=message) as error:
        restore(read_folder(path))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


def test_what_is_written_is_read(folder):
    _, _, features, module = toy_model()
    content = read_folder(folder)
    assert content.config["format_version"] == 1
    assert content.settings["data"] == {"text": "message"}
    assert content.classes == ["ham", "spam", "other"]
    assert content.vocabulary == json.loads(json.dumps(features.to_dict()))
    assert content.labels == toy_labels()
    for name, tensor in module.state_dict().items():
        np.testing.assert_array_equal(content.weights[name], tensor.numpy())
    assert sorted(path.name for path in folder.iterdir()) == PARTS


def test_nothing_in_the_folder_is_a_pickle(folder):
    for path in folder.iterdir():
        assert b"\x80\x04" not in path.read_bytes()[:4]
        assert path.suffix in {".json", ".safetensors"}


def test_pieces_can_be_added_and_replaced(folder):
    add_piece(folder, "README.md", "# Card")
    add_piece(folder, "README.md", "# Another card")
    add_piece(folder, "metrics.json", {"test": {"accuracy": 0.9}})
    add_piece(folder, "baseline.safetensors", b"raw", sealed=True)
    assert (folder / "README.md").read_text() == "# Another card"
    assert json.loads((folder / "metrics.json").read_text()) == {"test": {"accuracy": 0.9}}
    read_folder(folder)
    (folder / "README.md").write_text("edited by hand: allowed")
    (folder / "metrics.json").unlink()
    read_folder(folder)
    (folder / "baseline.safetensors").write_bytes(b"rew")
    refused(folder, "baseline.safetensors is damaged")


@pytest.mark.parametrize(
    "name", ["../escape.md", "a/b.md", "config.json", "model.safetensors", "", ".hidden", "/etc/x"]
)
def test_a_piece_cannot_leave_the_folder_or_replace_a_part(folder, name):
    with pytest.raises(ValueError, match="not the name of a piece"):
        add_piece(folder, name, "content")


@pytest.mark.parametrize("name", PARTS)
def test_a_missing_part_is_named(folder, name):
    (folder / name).unlink()
    refused(folder, f"not a complete model folder: {name} is missing")


def test_a_missing_folder_and_a_file_are_not_model_folders(tmp_path):
    refused(tmp_path / "absent", "there is no model folder")
    (tmp_path / "file").write_text("{}")
    refused(tmp_path / "file", "is not a folder")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "config.json is missing")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[1, 2]", "holds list, not a JSON object"),
        (b"NaN", "not valid JSON"),
        (b"[" * 200_000, "not valid JSON"),
        (b'{"a": "\\ud800"}', "not valid JSON"),
        (b"{}", "format_version is None"),
        (b'{"format_version": "1"}', "format_version is '1'"),
        (b'{"format_version": true}', "format_version is True"),
        (b'{"format_version": 0}', "format_version is 0"),
        (b'{"format_version": 2}', r"made by a newer seqwise \(format 2\), this one reads up to 1: upgrade"),
        (b'{"format_version": 1}', "damaged or was changed"),
        (b'{"format_version": 1' + b"0" * 5000 + b"}", "not valid JSON"),
    ],
)
def test_a_config_that_is_none_is_refused(folder, content, message):
    (folder / "config.json").write_bytes(content)
    refused(folder, message)


def test_a_changed_setting_is_noticed(folder):
    config = json.loads((folder / "config.json").read_text())
    config["settings"]["text"]["max_length"] = 7
    (folder / "config.json").write_text(json.dumps(config))
    refused(folder, "changed after the model was saved")


@pytest.mark.parametrize("name", PARTS[1:])
def test_a_changed_part_is_noticed(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[-2] ^= 1
    (folder / name).write_bytes(content)
    refused(folder, f"{name} is damaged or was changed")


def test_a_file_of_absurd_size_is_not_read(folder):
    with (folder / "config.json").open("r+b") as file:
        file.truncate(2**40)  # sparse: takes no room
    refused(folder, "1,099,511,627,776 bytes")


@pytest.mark.parametrize("name", PARTS)
def test_a_link_out_of_the_folder_is_not_followed(folder, tmp_path, name):
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    refused(folder, "leads out of the model folder")


def test_links_that_loop_and_pipes_are_refused(folder):
    (folder / "labels.json").unlink()
    (folder / "labels.json").symlink_to("labels.json")
    refused(folder, "labels.json")
    (folder / "labels.json").unlink()
    os.mkfifo(folder / "labels.json")  # opening it would wait for ever
    refused(folder, "labels.json is not a file")
    (folder / "labels.json").unlink()
    (folder / "labels.json").mkdir()
    refused(folder, "labels.json is not a file")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\\b", "c:x", "..", "", "x\n"])
def test_a_listed_file_outside_the_folder_is_refused(folder, name):
    files = json.loads((folder / "config.json").read_text())["files"]
    forge(folder, config={"files": {**files, name: "0" * 64}})
    refused(folder, "not a plain name")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"files": {}}, "does not list model.safetensors"),
        ({"files": []}, "files"),
        ({"settings": {"text": 3}}, "settings"),
        ({"settings": {}}, "does not describe a model"),
        ({"task": 3}, "task"),
        ({"unit": None}, "unit"),
    ],
)
def test_a_forged_config_is_refused(folder, changes, message):
    forge(folder, config=changes)
    refused(folder, message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["ham", "spam"]}, "3 counts for 2 classes"),
        ({"classes": ["ham", "spam"], "counts": [1, 2], "priors": [0.5, 0.5]}, "has the shape"),
        ({"classes": ["ham", "spam", "ham"]}, "twice"),
        ({"classes": "ham"}, "classes"),
        ({"classes": ["ham", {}, "x"]}, "classes"),
        ({"counts": [1, 2, -1]}, "negative"),
        ({"priors": [0.5, 0.5]}, "2 priors for 3 classes"),
        ({"thresholds": [0.5, 0.5, 0]}, "threshold"),
        ({"positive": "eggs"}, "not one of the classes"),
        ({"calibration": {"method": "isotonic"}}, "calibrated"),
        ({"thresholds": "no"}, "thresholds"),
    ],
)
def test_forged_labels_are_refused(folder, changes, message):
    forge(folder, labels=toy_labels(**changes))
    refused(folder, message)


def weights_of(folder):
    return dict(safetensors.numpy.load_file(folder / "model.safetensors"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("shift"), "lacks shift"),
        (lambda w: w.update(extra=np.ones(3, np.float32)), "has 'extra', which the model"),
        (lambda w: w.update(shift=np.ones(4, np.float32)), r"shift has the shape \(4,\)"),
        (lambda w: w.update(shift=np.ones(3, np.float64)), "shift is torch.float64, the model needs torch.float32"),
        (lambda w: w.update(shift=np.array([1, np.nan, 2], np.float32)), "'shift' has a value that is not a finite"),
        (lambda w: w.update(shift=np.array([1, -np.inf, 2], np.float32)), "'shift' has a value that is not a finite"),
        (lambda w: w.clear(), "holds no weights"),
    ],
)
def test_forged_weights_are_refused(folder, change, message):
    weights = weights_of(folder)
    change(weights)
    forge(folder, model=safetensors.numpy.save(weights))
    refused(folder, message)


@pytest.mark.parametrize("keep", [0, 4, 8, 60, 0.5, -1])
def test_truncated_weights_with_the_right_hash_are_refused(folder, keep):
    content = (folder / "model.safetensors").read_bytes()
    forge(folder, model=content[: int(len(content) * keep) if isinstance(keep, float) else keep])
    refused(folder, "no sound safetensors file")


@pytest.mark.parametrize(
    "absurd",
    [
        {"hidden_size": 10**7},
        {"hidden_size": 10**12},
        {"embedding_size": 10**9},
        {"num_layers": 10**9},
        {"head_layers": 10**9},
        {"cell": "no such cell"},
        {"cell": "__import__('os')"},
    ],
)
def test_a_description_of_absurd_size_costs_nothing(folder, absurd):
    sections = read_folder(folder).settings
    forge(folder, config={"settings": {**sections, "model": {**sections["model"], **absurd}}})
    refused(folder, "model")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_folder_with_any_byte_changed_is_refused_or_answers_the_same(sound, tmp_path, data):
    path, expected = sound
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(path, copy)
    damaged = copy / data.draw(st.sampled_from(PARTS))
    content = bytearray(damaged.read_bytes())
    match data.draw(st.sampled_from(["flip", "truncate", "insert"])):
        case "flip":
            for _ in range(data.draw(st.integers(1, 3))):
                content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        case "truncate":
            del content[data.draw(st.integers(0, len(content) - 1)) :]
        case "insert":
            at = data.draw(st.integers(0, len(content)))
            content[at:at] = data.draw(st.binary(min_size=1, max_size=9))
    damaged.write_bytes(content)
    try:
        predictor = Predictor.load(copy)
    except ModelFolderError:
        return
    np.testing.assert_array_equal(predictor.predict_proba(TEXTS), expected)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**40) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(tree, path=()):
    """Every path into nested dictionaries and lists."""
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_forged_folder_is_refused_or_loads_but_never_raises_anything_else(sound, tmp_path, data):
    path, _ = sound
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(path, copy)
    stem = data.draw(st.sampled_from(["config", "vocabulary", "labels"]))
    tree = json.loads((copy / f"{stem}.json").read_text())
    found = [place for place in places(tree) if place[0] not in {"sha256", "format_version", "files"}]
    *parents, last = data.draw(st.sampled_from(found))
    target = tree
    for key in parents:
        target = target[key]
    if data.draw(st.booleans()):
        target[last] = data.draw(json_values)
    else:
        del target[last]
    forge(copy, **{stem: tree})
    with contextlib.suppress(ModelFolderError):
        Predictor.load(copy)


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    module = toy_model()[-1]
    with torch.no_grad():
        module.shift[0] = torch.nan
    with pytest.raises(ModelFolderError, match="not a finite number"):
        save_toy(tmp_path / "model", weights=module.state_dict())
    assert not (tmp_path / "model").exists()


def test_labels_that_do_not_fit_are_not_saved(tmp_path):
    with pytest.raises(ModelFolderError, match="3 counts for 2 classes"):
        save_toy(tmp_path / "model", labels=toy_labels(classes=["ham", "spam"]))
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("damage", [{"a": float("nan")}, {"a": object()}])
def test_what_is_not_json_is_not_saved(tmp_path, damage):
    text, model, _, module = toy_model()
    with pytest.raises(ModelFolderError, match="cannot be written as JSON"):
        write_folder(
            tmp_path / "model",
            config=toy_config(text, model),
            weights=module.state_dict(),
            vocabulary=damage,
            labels=toy_labels(),
        )
    assert not (tmp_path / "model").exists()


def test_a_full_disk_is_a_clear_error_and_leaves_the_older_model_sound(folder):
    """A file-size limit stands for the disk: writing beyond it fails in the kernel, in the middle of a file."""
    resource = pytest.importorskip("resource")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(FileError, match=r"could not be saved to .*: File too large"):
            save_toy(folder, hidden_size=50)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_error_while_saving_names_its_reason(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="No space left on device"):
        save_toy(tmp_path / "model")
    assert list((tmp_path / "model").iterdir()) == []
    monkeypatch.undo()
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="could not be saved"):
        save_toy(tmp_path / "file")


def test_saving_again_replaces_the_model(folder):
    _, module = save_toy(folder, hidden_size=5)
    assert restore(read_folder(folder)).module.state_dict().keys() == module.state_dict().keys()
    assert not [path for path in Path(folder).iterdir() if path.name.startswith(".")]


def test_weights_of_another_cell_of_the_same_shapes_are_refused(tmp_path):
    save_toy(tmp_path, cell="gru", architecture="recurrent")
    weights = weights_of(tmp_path)
    name = next(name for name in weights if name.endswith("cell_id"))
    forge(tmp_path, model=safetensors.numpy.save({**weights, name: np.asarray(weights[name] + 1)}))
    refused(tmp_path, "saved for another equation")
