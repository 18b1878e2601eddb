import json

import pytest
from program import call

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def test_an_exported_folder_predicts_what_the_model_does(trained, tmp_path):
    exported = tmp_path / "exported"
    answer = call("export", trained, "--onnx", exported)
    assert answer.code == 0, answer.err
    assert "Largest difference" in answer.out
    texts = ["a lovely warm film", "dull and grey"]
    ours, theirs = (call("predict", folder, *texts, "--json").document for folder in (trained, exported))
    for one, other in zip(ours["predictions"], theirs["predictions"], strict=True):
        assert one["label"] == other["label"]
        assert one["probability"] == pytest.approx(other["probability"], abs=2e-5)


def test_whole_numbers_say_what_they_cost_on_labelled_data(trained, held_out, tmp_path):
    target = tmp_path / "small.onnx"
    answer = call("export", trained, "--onnx", target, "--int8", "--data", held_out, "--json")
    assert answer.code == 0, answer.err
    document = answer.document
    assert document["int8"] is True
    assert document["bytes_onnx"] == target.stat().st_size
    before, after = document["figures"]["accuracy"]
    assert 0 <= before <= 1
    assert 0 <= after <= 1


def test_an_exported_folder_can_be_evaluated(trained, held_out, tmp_path):
    call("export", trained, "--onnx", tmp_path / "exported")
    ours, theirs = (call("evaluate", folder, held_out, "--json") for folder in (trained, tmp_path / "exported"))
    assert theirs.code == 0, theirs.err
    assert theirs.document["accuracy"]["value"] == ours.document["accuracy"]["value"]


def test_help_shows_examples():
    out = call("export", "--help").out
    assert "seqwise export my-model --onnx" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--onnx F"),
        (("--onnx", "{there}"), "--overwrite"),
        (("--onnx", "{new}", "--opset", "3"), "--opset is from 17"),
        (("--onnx", "{new}", "--data", "nothing.csv"), "nothing.csv"),
    ],
)
def test_what_is_wrong_is_one_sentence(trained, tmp_path, arguments, message):
    there = tmp_path / "there.onnx"
    there.write_bytes(b"kept")
    given = [of.format(there=there, new=tmp_path / "new.onnx") for of in arguments]
    answer = call("export", trained, *given)
    assert answer.code == 2
    assert message in answer.err
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "new.onnx").exists()


def test_no_folder_is_said(tmp_path):
    answer = call("export", tmp_path / "nothing", "--onnx", tmp_path / "new")
    assert answer.code == 2
    assert "there is no model folder" in answer.err


def test_json_is_one_document(trained, tmp_path):
    answer = call("export", trained, "--onnx", tmp_path / "one.onnx", "--json")
    assert json.loads(answer.out)["opset"] == 17
