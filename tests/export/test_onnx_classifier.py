"""Whole classifiers and regressors through onnxruntime are the modules themselves, on ragged batches."""

import json

import numpy as np
import pytest
import torch

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

import onnx
from onnx_runs import normal_

from seqwise.export.onnx_classifier import classifier_graph
from seqwise.export.onnx_graph import model_of
from seqwise.export.onnx_integers import quantised
from seqwise.models import Batch, ModelSettings, Ngrams, SequenceModel
from seqwise.prediction.exported import Network
from tolerances import assert_close

SYMBOLS, NGRAMS, CLASSES = 20, 30, 3


def module_of(frame_size=0, **settings):
    model = ModelSettings(**{"embedding_size": 6, "hidden_size": 4, **settings})
    module = SequenceModel(model, vocabulary_size=SYMBOLS, ngrams=NGRAMS, classes=CLASSES, frame_size=frame_size)
    keep = {
        name: value.clone() for name, value in module.state_dict().items() if settings.get("embedding") == "one_hot"
    }
    module = normal_(module)
    if keep:
        module.parts["recurrent"].embedding.weight.data = keep["parts.recurrent.embedding.weight"]
    return module


def batch_of(module, batch, steps, frame_size=0, seed=0):
    random = np.random.default_rng(seed)
    lengths = random.integers(1, steps + 1, batch)
    lengths[0], lengths[-1] = steps, 1 if batch > 1 else steps
    exists = np.arange(steps) < lengths[:, None]
    counts = random.integers(0, 6, batch)
    counts[-1] = 0  # an example without n-grams at the end, and one in between
    counts[batch // 2] = 0
    tokens = frames = ngrams = None
    given = {"lengths": lengths}
    if frame_size:
        frames = random.standard_normal((batch, steps, frame_size)).astype(np.float32)
        given["frames"] = frames = np.where(exists[..., None], frames, np.float32(0))
    elif "recurrent" in module.parts:
        given["tokens"] = tokens = np.where(exists, random.integers(1, SYMBOLS, (batch, steps)), 0)
    if "linear" in module.parts:
        given["ngram_ids"] = random.integers(0, NGRAMS, counts.sum())
        given["ngram_offsets"] = np.cumsum(counts) - counts
        given["ngram_values"] = random.random(counts.sum()).astype(np.float32)
        ngrams = Ngrams(*(torch.from_numpy(given[f"ngram_{name}"]) for name in ("ids", "offsets", "values")))
    parts = [None if part is None else torch.from_numpy(part) for part in (tokens, lengths)]
    return given, Batch(*parts, ngrams, frames=None if frames is None else torch.from_numpy(frames))


def assert_exported(module, frame_size=0, opset=17):
    model = model_of(classifier_graph(module, opset), "0", {})
    onnx.checker.check_model(model, full_check=True)
    network = Network(model.SerializeToString(), "the model")
    for batch, steps in ((1, 1), (1, 9), (5, 7), (2, 80)):
        if frame_size and list(module.parts) == ["dense"]:
            steps = 1
        given, read = batch_of(module, batch, steps, frame_size)
        with torch.no_grad():
            expected = module(read)
        (found,) = network(given)
        assert_close(torch.from_numpy(found), expected, f"logits of {batch} x {steps}")
    return model


def test_both_parts_with_their_scales_and_shift_are_exported():
    model = assert_exported(module_of())
    assert [of.name for of in model.graph.input] == ["ngram_ids", "ngram_offsets", "ngram_values", "tokens", "lengths"]
    dimension = model.graph.input[3].type.tensor_type.shape.dim
    assert [of.dim_param for of in dimension] == ["batch", "time"]


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention", "last+mean+max+attention"])
@pytest.mark.parametrize("encoder", ["recurrent", "transformer"])
def test_every_pooling_is_exported(pooling, encoder):
    further = {"heads": 2} if encoder == "transformer" else {}
    assert_exported(module_of(architecture="recurrent", pooling=pooling, encoder=encoder, num_layers=2, **further))


@pytest.mark.parametrize(
    "settings",
    [
        {"architecture": "linear"},
        {"architecture": "recurrent", "embedding": "one_hot"},
        {"architecture": "recurrent", "freeze_vectors": True},
        {"architecture": "recurrent", "position_embedding": 4},
        {"architecture": "recurrent", "head_layers": 2},
        {"architecture": "recurrent", "bidirectional": False, "pooling": "last", "cell": "gru", "num_layers": 3},
        {"cell": "min_gru", "num_layers": 2},
        {"cell": "lstm_peephole", "zoneout": 0.1, "recurrent_dropout": 0.2},
        {"architecture": "recurrent", "encoder": "transformer", "bidirectional": False, "heads": 1},
        {"architecture": "recurrent", "encoder": "transformer", "bidirectional": False, "heads": 2, "context": 3},
    ],
    ids=lambda settings: " ".join(map(str, settings.values())),
)
def test_every_part_and_setting_is_exported(settings):
    assert_exported(module_of(**settings))


@pytest.mark.parametrize("opset", [18, 21, 24])
def test_newer_opsets_give_the_same(opset):
    assert_exported(module_of(pooling="max+mean+attention"), opset=opset)
    assert_exported(module_of(architecture="recurrent", encoder="transformer", heads=2), opset=opset)


def test_frames_are_read_in_the_place_of_symbols():
    assert_exported(module_of(architecture="recurrent", frame_size=5), frame_size=5)
    assert_exported(module_of(architecture="recurrent", encoder="transformer", heads=2, frame_size=5), frame_size=5)


def test_vectors_with_dense_layers_are_exported():
    assert_exported(module_of(architecture="dense", head_layers=1, frame_size=5), frame_size=5)


def test_one_hot_symbols_need_no_table():
    model = assert_exported(module_of(architecture="recurrent", embedding="one_hot"))
    assert not any(tensor.dims == [SYMBOLS, SYMBOLS] for tensor in model.graph.initializer)


def test_a_batch_without_a_single_ngram_is_answered():
    module = module_of(architecture="linear")
    network = Network(model_of(classifier_graph(module, 17), "0", {}).SerializeToString(), "the model")
    nothing = {
        "ngram_ids": np.empty(0, np.int64),
        "ngram_offsets": np.zeros(2, np.int64),
        "ngram_values": np.empty(0, np.float32),
    }
    (found,) = network(nothing)
    expected = module.parts["linear"].bias * module.scales[0] + module.shift
    assert_close(torch.from_numpy(found), expected.detach().expand(2, -1))


def test_metadata_are_json():
    model = model_of(classifier_graph(module_of(), 17), "1.2", {"seqwise.labels": json.dumps({"classes": ["é"]})})
    assert model.producer_version == "1.2"
    assert json.loads(model.metadata_props[0].value) == {"classes": ["é"]}


@pytest.mark.parametrize(
    "settings",
    [
        {"cell": "lstm", "num_layers": 2},
        {"cell": "gru"},
        {"cell": "lstm_peephole"},
        {"architecture": "recurrent", "encoder": "transformer", "heads": 2},
        {"architecture": "linear"},
    ],
    ids=lambda settings: " ".join(map(str, settings.values())),
)
def test_whole_numbers_run_whatever_the_parts_are(settings):
    module = module_of(**{"embedding_size": 32, "hidden_size": 32, **settings})
    exact = model_of(classifier_graph(module, 17), "0", {}).SerializeToString()
    given, _ = batch_of(module, 5, 7)
    ours, theirs = (Network(model, "the model")(given)[0] for model in (exact, quantised(exact)))
    assert 0 < np.abs(ours - theirs).max() < 0.1 * np.abs(ours).max()


def test_the_reference_of_onnx_agrees_with_onnxruntime():
    from onnx.reference import ReferenceEvaluator

    for settings in ({"cell": "gru"}, {"encoder": "transformer", "heads": 2, "architecture": "recurrent"}):
        module = module_of(**settings)
        given, read = batch_of(module, 1, 7)
        with torch.no_grad():
            expected = module(read)
        (found,) = ReferenceEvaluator(model_of(classifier_graph(module, 17), "0", {})).run(None, given)
        assert_close(torch.from_numpy(found), expected)
