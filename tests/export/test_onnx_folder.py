"""Exported folders and files: they answer what the model does, without PyTorch; and what is wrong is said."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

import onnx

from seqwise.errors import ConfigurationError, DeviceError, FileError, MissingExtraError, ModelFolderError
from seqwise.estimators import SequenceRegressor
from seqwise.export.onnx_export import export_onnx
from seqwise.prediction import Predictor, add_piece, is_exported, read_folder, restore
from seqwise.prediction.regressor import RegressorPredictor
from tolerances import assert_close

sys.path.insert(0, str(Path(__file__).parents[1] / "prediction"))
from saved_toy import CLASSES, TEXTS, forge, save_toy, toy_labels

DECIDED = {
    "calibration": {"method": "bcts", "slope": 1.3, "shift": [0.2, -0.1, 0.0]},
    "thresholds": [0.6, 0.3, 0.1],
    "implied_priors": [0.4, 0.4, 0.2],
}
REFUSED = ("torch", "numba", "llvmlite", "sklearn", "scipy", "accelerate", "matplotlib", "sympy", "pyarrow", "pandas")
# What the packages of the requirements file are made of; everything else is refused, whether heavy or not.
ALLOWED = {
    *("seqwise", "numpy", "onnxruntime", "flatbuffers", "google", "packaging", "platformdirs", "regex", "safetensors"),
    *("pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"),
    *("typer", "click", "rich", "pygments", "markdown_it", "mdurl", "shellingham", "annotated_doc"),
}


@pytest.fixture
def pair(tmp_path):
    """A model with calibration and thresholds, and its export."""
    save_toy(tmp_path / "model", toy_labels(**DECIDED))
    export_onnx(tmp_path / "model", tmp_path / "exported")
    return tmp_path / "model", tmp_path / "exported"


def without_torch(code, allowed=ALLOWED):
    """What code prints in an interpreter that can import what is allowed and nothing else; None: all but the refused."""
    preamble = f"""
        import sys
        def refused(name):
            if name in sys.stdlib_module_names or name.startswith("_"):
                return False
            return name in {REFUSED!r} if {allowed is None} else name not in {allowed!r}
        class Refuse:
            def find_spec(self, name, path=None, target=None):
                if refused(name.split(".")[0]):
                    raise ImportError(name + " is refused")
        sys.meta_path.insert(0, Refuse())
    """
    closing = f"assert not set({REFUSED!r}) & {{name.split('.')[0] for name in sys.modules}}"
    code = "\n".join(map(textwrap.dedent, (preamble, code, closing)))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_raw_texts_get_the_same_calibrated_probabilities_and_decisions(pair):
    ours, theirs = (Predictor.load(folder) for folder in pair)
    texts = [*TEXTS, "the cat ran", "yes " * 50]
    for size in (1, 3, 256):
        expected = ours.predict_proba(texts)
        assert_close(torch.from_numpy(theirs.predict_proba(texts, size)).float(), torch.from_numpy(expected).float())
    assert theirs.predict(texts) == ours.predict(texts)
    assert theirs.classes == CLASSES
    assert theirs.decisions.thresholds.tolist() == DECIDED["thresholds"]
    priors = np.array([0.2, 0.2, 0.6])
    for predictor in (ours, theirs):
        predictor.decisions = predictor.decisions.used(priors=priors, abstain_below=0.5)
    assert theirs.predict(texts) == ours.predict(texts)
    assert theirs.predict_proba([]).shape == (0, 3)


def test_predict_needs_neither_torch_nor_numba_nor_scikit_learn(pair):
    model, exported = pair
    code = """
        import seqwise.cli
        sys.argv[1:] = {arguments!r}
        try:
            seqwise.cli.main()
        except SystemExit as end:
            assert not end.code, end.code
    """
    arguments = ["predict", str(exported), "the cat sat", "no", "--json"]
    document = json.loads(without_torch(code.format(arguments=arguments)))
    expected = Predictor.load(model).predict_proba(["the cat sat", "no"])
    found = [[of["probabilities"][name] for name in CLASSES] for of in document["predictions"]]
    assert np.abs(np.array(found) - expected).max() < 2e-5


def test_python_needs_neither_torch_nor_numba_nor_scikit_learn(pair):
    code = f"""
        from seqwise.prediction import Predictor
        print(Predictor.load({str(pair[1])!r}).predict(["the cat sat"])[0])
    """
    assert without_torch(code).strip() == Predictor.load(pair[0]).predict(["the cat sat"])[0]


def test_labels_of_which_a_text_has_several(tmp_path):
    save_toy(tmp_path / "model", toy_labels(kind="multilabel", examples=6, thresholds=[0.4, 0.5, 0.6]))
    export_onnx(tmp_path / "model", tmp_path / "exported")
    ours, theirs = (Predictor.load(tmp_path / name) for name in ("model", "exported"))
    assert theirs.multilabel
    assert theirs.predict(TEXTS) == ours.predict(TEXTS)


def test_a_regressor_answers_in_the_units_of_its_targets(tmp_path):
    texts, stars = ["good", "fine", "poor", "bad"] * 8, [9.0, 8.0, 3.0, 1.0] * 8
    small = {"model": {"hidden_size": 4, "embedding_size": 4}, "training": {"epochs": 1}}
    SequenceRegressor(**small).fit(texts, stars).save(tmp_path / "model")
    export_onnx(tmp_path / "model", tmp_path / "exported")
    ours, theirs = (RegressorPredictor.load(tmp_path / name).predict(texts[:5]) for name in ("model", "exported"))
    assert_close(torch.from_numpy(theirs).float(), torch.from_numpy(ours).float())


def test_the_folder_is_sealed_and_holds_no_weights(pair):
    model, exported = pair
    add_piece(model, "README.md", "# A card")
    export_onnx(model, exported, overwrite=True)
    there = {path.name for path in exported.iterdir()}
    assert there == {"config.json", "labels.json", "model.onnx", "vocabulary.json", "requirements.txt", "README.md"}
    assert is_exported(exported)
    assert not is_exported(model)
    (exported / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(ModelFolderError, match="sha256"):
        Predictor.load(exported)


def test_a_network_that_cannot_be_run_is_one_sentence(pair):
    _, exported = pair
    current = json.loads((exported / "config.json").read_text())
    forge(exported, {**current, "files": {**current["files"], "model.onnx": _hash(b"no network")}})
    (exported / "model.onnx").write_bytes(b"no network")
    with pytest.raises(ModelFolderError, match=r"model\.onnx cannot be run by onnxruntime"):
        Predictor.load(exported)


def _hash(content):
    import hashlib

    return hashlib.sha256(content).hexdigest()


def test_the_requirements_are_a_file_that_pip_reads(pair):
    lines = (pair[1] / "requirements.txt").read_text().splitlines()
    names = [line for line in lines if not line.startswith("#")]
    assert any(line.startswith("onnxruntime") for line in names)
    assert not any(line.startswith(REFUSED) for line in names)


def test_what_an_exported_model_cannot_do_is_said(pair):
    predictor = Predictor.load(pair[1])
    with pytest.raises(ConfigurationError, match="exported model") as refused:
        predictor.start()
    assert "/" not in str(refused.value)  # a server shows the sentence to its clients
    with pytest.raises(ModelFolderError, match="exported model"):
        restore(read_folder(pair[1]))
    with pytest.raises(DeviceError, match="processor"):
        Predictor.load(pair[1], device="cuda")
    with pytest.raises(ConfigurationError, match="exported model already"):
        export_onnx(pair[1], pair[1].parent / "again")


def test_onnxruntime_tells_nobody_that_it_runs(pair, tmp_path):
    code = "import sys; from seqwise.prediction import Predictor; Predictor.load(sys.argv[1]).predict(['a'])"
    unset = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    home = {name: str(tmp_path) for name in ("HOME", "USERPROFILE", "XDG_CACHE_HOME")}
    done = subprocess.run([sys.executable, "-c", code, str(pair[1])], env=unset | home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name]


def test_a_missing_onnxruntime_is_named(pair, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match="pip install onnxruntime"):
        Predictor.load(pair[1])
    said = []
    outcome = export_onnx(*pair, overwrite=True, say=said.append)
    assert outcome.largest_difference is None
    assert "not tried" in said[0]
    with pytest.raises(MissingExtraError, match="--int8"):
        export_onnx(*pair, overwrite=True, int8=True)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"seqwise\[onnx\]"):
        export_onnx(*pair, overwrite=True)


def test_a_single_file_has_labels_and_symbols_in_its_metadata(tmp_path):
    features, _ = save_toy(tmp_path / "model", toy_labels(**DECIDED))
    outcome = export_onnx(tmp_path / "model", tmp_path / "model.onnx", opset=19)
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    found = {prop.key: json.loads(prop.value) for prop in model.metadata_props}
    assert found["seqwise.labels"]["classes"] == CLASSES
    assert found["seqwise.labels"]["thresholds"] == DECIDED["thresholds"]
    assert found["seqwise.symbols"] == features.pipeline.vocabulary.tokens
    assert [of.version for of in model.opset_import] == [19]
    assert outcome.bytes_onnx == (tmp_path / "model.onnx").stat().st_size
    assert outcome.largest_difference < 2e-5


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nowhere/model.onnx", "no folder"),
        ("nowhere/exported", "no folder"),
        ("model", "the model itself"),
        ("exported", "--overwrite"),
        ("there.onnx", "--overwrite"),
        ("folder.onnx", "is a folder"),
        ("there.txt", "is a file"),
        ("other", "something other than an exported model"),
    ],
)
def test_nothing_is_replaced_that_should_not_be(pair, target, message):
    place = pair[0].parent
    (place / "there.onnx").write_bytes(b"kept")
    (place / "there.txt").write_bytes(b"kept")
    (place / "folder.onnx").mkdir()
    (place / "other").mkdir()
    (place / "other" / "thesis.txt").write_text("kept")
    with pytest.raises(FileError, match=message):
        export_onnx(pair[0], place / target)
    assert (place / "there.onnx").read_bytes() == b"kept"


@pytest.mark.parametrize("opset", [16, 99])
def test_an_unknown_opset_is_refused(pair, opset):
    with pytest.raises(ConfigurationError, match="--opset is from 17 to"):
        export_onnx(pair[0], pair[0].parent / "other.onnx", opset=opset)


@pytest.mark.parametrize("target", ["new.onnx", "new"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_ctrl_c_leaves_nothing_half_written(pair, monkeypatch, target, failure):
    def fail(descriptor):
        raise failure

    before = sorted(path.name for path in pair[0].parent.iterdir())
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((FileError, KeyboardInterrupt)):
        export_onnx(pair[0], pair[0].parent / target)
    assert sorted(path.name for path in pair[0].parent.iterdir()) == before


def test_a_model_of_another_kind_is_refused_by_name(pair):
    forge(pair[0], {"estimator": "Translator", "task": "translate"})
    with pytest.raises((ConfigurationError, ModelFolderError)):
        export_onnx(pair[0], pair[0].parent / "other.onnx")


def test_whole_numbers_make_the_model_smaller_and_a_little_different(tmp_path):
    save_toy(tmp_path / "model", embedding_size=64, hidden_size=64)
    exact = export_onnx(tmp_path / "model", tmp_path / "exact")
    rounded = export_onnx(tmp_path / "model", tmp_path / "rounded", int8=True)
    assert rounded.bytes_onnx < 0.5 * exact.bytes_onnx
    assert exact.largest_difference < 2e-5 < rounded.largest_difference
    assert "int8" in rounded.lines()[0]
    ours, theirs = (Predictor.load(tmp_path / name).predict_proba(TEXTS) for name in ("exact", "rounded"))
    assert np.abs(ours - theirs).max() < 0.5


def test_serve_needs_neither_torch_nor_numba_nor_scikit_learn(pair):
    pytest.importorskip("fastapi", reason="the extra serve is not installed")
    pytest.importorskip("httpx", reason="httpx is not installed")
    code = f"""
        import json
        from seqwise.serving.application import create_app
        from seqwise.serving.settings import ServerSettings
        from starlette.testclient import TestClient
        with TestClient(create_app({{"toy": {str(pair[1])!r}}}, ServerSettings())) as client:
            print(client.post("/predict", json={{"text": "the cat sat"}}).text)
            print(client.get("/models").text)
            print(client.post("/explain", json={{"text": "the cat sat"}}).text)
    """
    predicted, models, explained = map(json.loads, without_torch(code, allowed=None).splitlines())
    expected = Predictor.load(pair[0]).predict_proba(["the cat sat"])[0]
    found = [predicted["probabilities"][name] for name in CLASSES]
    assert np.abs(np.array(found) - expected).max() < 2e-5
    assert "predict" in models["models"][0]["verbs"]
    assert "trace" not in models["models"][0]["verbs"]  # of states, which the network keeps to itself
    assert explained["method"] == "occlusion"  # what needs no gradients
