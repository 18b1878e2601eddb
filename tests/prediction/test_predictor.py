from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from saved_toy import CLASSES, TEXTS, forge, save_toy, toy_labels
from seqwise.errors import DataError, DeviceError, ModelFolderError
from seqwise.models import logits_of, softmax
from seqwise.prediction import Decisions, Predictor, read_folder, resolve_device

ARCHITECTURES = ["wide_deep", "recurrent", "linear"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("cell", ["lstm", "gru", "min_gru"])
def test_a_loaded_model_answers_exactly_as_the_saved_one(tmp_path, architecture, cell):
    features, module = save_toy(tmp_path, architecture=architecture, cell=cell, num_layers=2, head_layers=1)
    expected = softmax(logits_of(module, features.encode(TEXTS)))
    predictor = Predictor.load(tmp_path)
    assert predictor.classes == CLASSES
    np.testing.assert_array_equal(predictor.predict_proba(TEXTS), expected)
    assert predictor.predict(TEXTS) == [CLASSES[index] for index in expected.argmax(axis=1)]
    assert not any(tensor.is_meta for tensor in predictor._model.module.state_dict().values())


@pytest.mark.parametrize("pooling", ["last", "attention", "max+mean"])
@pytest.mark.parametrize("embedding", ["learned", "one_hot"])
def test_every_head_and_embedding_is_restored(tmp_path, pooling, embedding):
    features, module = save_toy(tmp_path, pooling=pooling, embedding=embedding)
    expected = softmax(logits_of(module, features.encode(TEXTS)))
    np.testing.assert_array_equal(Predictor.load(tmp_path).predict_proba(TEXTS), expected)


def test_the_order_of_the_texts_is_kept_whatever_the_batches(tmp_path):
    save_toy(tmp_path)
    predictor = Predictor.load(tmp_path)
    texts = [TEXTS[i] for i in np.random.default_rng(0).integers(0, len(TEXTS), 50)]
    alone = np.concatenate([predictor.predict_proba([text]) for text in texts])
    for batch_size in (1, 3, 256):
        together = predictor.predict_proba(texts, batch_size=batch_size)
        np.testing.assert_allclose(together, alone, atol=1e-6)  # float32: sums in another order
    np.testing.assert_allclose(alone.sum(axis=1), 1, rtol=1e-12)


def test_texts_come_from_any_iterable_even_longer_than_a_chunk(tmp_path, monkeypatch):
    save_toy(tmp_path)
    predictor = Predictor.load(tmp_path)
    expected = predictor.predict_proba(TEXTS)
    monkeypatch.setattr("seqwise.prediction.predictor.CHUNK", 4)
    np.testing.assert_allclose(predictor.predict_proba(iter(TEXTS)), expected, atol=1e-6)


def test_no_text_gets_no_answer(tmp_path):
    save_toy(tmp_path)
    predictor = Predictor.load(tmp_path)
    assert predictor.predict_proba([]).shape == (0, 3)
    assert predictor.predict([]) == []


@pytest.mark.parametrize("wrong", ["one text", b"bytes", ["good", 3], ["good", None], [["a", "list"]]])
def test_what_is_no_list_of_texts_is_refused(tmp_path, wrong):
    save_toy(tmp_path)
    predictor = Predictor.load(tmp_path)
    with pytest.raises(DataError, match=r"text|expected a string"):
        predictor.predict_proba(wrong)


def test_a_batch_size_below_one_is_refused(tmp_path):
    save_toy(tmp_path)
    with pytest.raises(DataError, match="batch_size"):
        Predictor.load(tmp_path).predict_proba(TEXTS, batch_size=0)


def test_thresholds_decide_where_there_are_some(tmp_path):
    save_toy(tmp_path, labels=toy_labels(thresholds=[0.9, 0.08, 0.02]))
    predictor = Predictor.load(tmp_path)
    rows = np.array([[0.95, 0.04, 0.01], [0.80, 0.15, 0.05], [0.85, 0.14, 0.01]])
    assert predictor.decide(rows).tolist() == [0, 2, 1]


def test_of_two_classes_the_second_is_chosen_from_its_threshold_on():
    rows = np.array([[0.71, 0.29], [0.69, 0.31]])
    predictor = object.__new__(Predictor)
    predictor.decisions = Decisions(None, np.array([0.7, 0.3]), np.array([0.5, 0.5]))
    assert predictor.decide(rows).tolist() == [0, 1]


def test_classes_keep_their_types(tmp_path):
    save_toy(tmp_path, labels=toy_labels(classes=[0, 1, 7]))
    assert set(map(type, Predictor.load(tmp_path).predict(TEXTS))) == {int}


def test_a_folder_of_another_estimator_is_refused(tmp_path):
    save_toy(tmp_path)
    forge(tmp_path, config={"estimator": "VectorClassifier"})
    with pytest.raises(ModelFolderError, match="holds a VectorClassifier, not a classifier of texts"):
        Predictor.load(tmp_path)


def test_loading_leaves_the_random_generator_alone(tmp_path):
    save_toy(tmp_path)
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    Predictor.load(tmp_path)
    assert torch.equal(torch.rand(1), expected)


def test_prediction_imports_neither_torch_nor_scikit_learn_before_a_model_is_loaded():
    script = (
        "import sys; import seqwise.prediction; "
        "print(sorted({'torch', 'sklearn', 'numba', 'accelerate'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_names_of_devices():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for wrong in ("gpu", "cuda:x", "", "cpu:0"):
        with pytest.raises(DeviceError, match="auto, cpu, cuda or cuda:N"):
            resolve_device(wrong)
    with pytest.raises(DeviceError, match=r"no CUDA device is available|there is no cuda:99"):
        resolve_device("cuda:99")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_loading_to_a_device_that_is_not_there_is_a_device_error(tmp_path):
    save_toy(tmp_path)
    with pytest.raises(DeviceError, match="no CUDA device is available: use --device cpu or auto"):
        Predictor.load(tmp_path, device="cuda")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_packed_weights_give_the_same_answers_to_rounding(tmp_path, architecture):
    save_toy(tmp_path, architecture=architecture, num_layers=2)
    expected, packed = Predictor.load(tmp_path), Predictor.load(tmp_path, "cpu", packed=True)
    np.testing.assert_allclose(packed.predict_proba(TEXTS), expected.predict_proba(TEXTS), rtol=1e-5)
    assert packed.predict(TEXTS) == expected.predict(TEXTS)
    for name, tensor in expected._model.module.state_dict().items():
        torch.testing.assert_close(packed._model.module.state_dict()[name], tensor, rtol=0, atol=0)


def test_packed_weights_answer_without_torch(tmp_path):
    save_toy(tmp_path)
    code = (
        "import sys; from seqwise.prediction import Predictor; "
        f"found = Predictor.load({str(tmp_path)!r}, 'cpu', packed=True).predict(['the cat']); "
        "assert len(found) == 1 and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_damage_is_found_in_packed_weights_too(tmp_path):
    save_toy(tmp_path)
    settings = read_folder(tmp_path).settings
    settings["model"]["hidden_size"] = 4
    forge(tmp_path, config={"settings": settings})
    with pytest.raises(ModelFolderError, match="has the shape"):
        Predictor.load(tmp_path, "cpu", packed=True)
