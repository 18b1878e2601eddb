"""Whole taggers through onnxruntime are the modules themselves, with the answers that follow from their scores."""

import numpy as np
import pytest
import torch

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

import onnx
from onnx_runs import normal_

from seqwise.data import Frames
from seqwise.export.onnx_export import export_onnx
from seqwise.export.onnx_graph import model_of
from seqwise.export.onnx_tagger import tagger_graph
from seqwise.models import FrameSettings, FrameTaggerFeatures, TaggerFeatures, TaggerSettings, build_tagger
from seqwise.prediction import write_folder
from seqwise.prediction.exported import Network
from seqwise.prediction.tagger import TaggerPredictor
from seqwise.text import TextSettings
from tolerances import assert_close

SENTENCES = [["Anna", "lives", "in", "Bonn", "."], ["Yes"], ["In", "1990", "B2B", "ended", "iPads", "..."]]
TAGS = ["O", "B-X", "I-X", "E-X", "S-X"]
SMALL = {
    "embedding_size": 5,
    "character_size": 4,
    "character_hidden_size": 3,
    "hidden_size": 6,
    "scheme": "BIO",
    "head": "crf",
}
VARIANTS = [
    {},
    {"head": "softmax"},
    {"character_size": 0},
    {"character_size": 0, "casing": False},
    {"cell": "gru", "num_layers": 2},
    {"cell": "lstm_peephole"},
    {"encoder": "transformer", "heads": 2},
    {"freeze_vectors": True},
]


def word_tagger(**settings):
    features = TaggerFeatures(TextSettings())
    features.fit(SENTENCES)
    return features, normal_(build_tagger(TaggerSettings(**{**SMALL, **settings}), features, TAGS), scale=0.7)


def frame_tagger():
    features = FrameTaggerFeatures(FrameSettings(stride=2))
    random = np.random.default_rng(0)
    features.fit(Frames.from_rows([random.standard_normal((steps, 3)) for steps in (4, 9)]))
    settings = TaggerSettings(**{**SMALL, "scheme": "none", "head": "softmax"})
    return features, normal_(build_tagger(settings, features, ["still", "moving"]), scale=0.7)


def save(path, features, module, tags, temperature=1.4):
    sections = {"text": TextSettings().model_dump(mode="json"), "model": module.settings.model_dump(mode="json")}
    unit = "frames" if features.framed else "words"
    write_folder(
        path,
        config={"task": "tag", "estimator": "SequenceTagger", "settings": sections, "unit": unit},
        weights=module.state_dict(),
        vocabulary=features.to_dict(),
        labels={
            "classes": tags,
            "counts": [3] * len(tags),
            "priors": [1 / len(tags)] * len(tags),
            "thresholds": None,
            "positive": None,
            "calibration": None,
            "temperature": temperature,
        },
    )


@pytest.mark.parametrize("settings", VARIANTS, ids=lambda of: " ".join(map(str, of.values())) or "all parts")
def test_every_tagger_of_words_is_exported(settings):
    features, module = word_tagger(**settings)
    model = model_of(tagger_graph(module, 17), "0", {})
    onnx.checker.check_model(model, full_check=True)
    network, examples = Network(model.SerializeToString(), "the model"), features.encode(SENTENCES)
    for indices in (np.arange(3), np.array([1]), np.array([2])):
        with torch.no_grad():
            expected = module(examples.batch(indices))
        scores = torch.from_numpy(network(examples.arrays(indices))[0])
        for row, length in enumerate(examples.lengths[indices].tolist()):
            assert_close(scores[row, :length], expected[row, :length], "scores")


@pytest.mark.parametrize("head", ["crf", "softmax"])
def test_an_exported_tagger_answers_what_the_folder_does(tmp_path, head):
    features, module = word_tagger(head=head)
    save(tmp_path / "model", features, module, TAGS)
    export_onnx(tmp_path / "model", tmp_path / "exported")
    ours, theirs = (TaggerPredictor.load(tmp_path / name) for name in ("model", "exported"))
    texts = ["Anna lives in Bonn .", "", "In 1990 B2B ended"]
    for one, other in zip(ours.tag(texts), theirs.tag(texts), strict=True):
        assert (one.tags, one.spans) == (other.tags, other.spans)
        assert_close(torch.tensor(other.scores).float(), torch.tensor(one.scores).float(), "spans")
    for one, other in zip(ours.marginals(SENTENCES), theirs.marginals(SENTENCES), strict=True):
        assert_close(torch.from_numpy(other).float(), torch.from_numpy(one).float(), "marginals")


def test_an_exported_tagger_of_frames_answers_every_given_step(tmp_path):
    features, module = frame_tagger()
    save(tmp_path / "model", features, module, ["still", "moving"])
    export_onnx(tmp_path / "model", tmp_path / "exported")
    ours, theirs = (TaggerPredictor.load(tmp_path / name) for name in ("model", "exported"))
    random = np.random.default_rng(1)
    frames = [random.standard_normal((steps, 3)) for steps in (1, 7, 30)]
    for one, other in zip(ours.answers(frames), theirs.answers(frames), strict=True):
        assert np.array_equal(one[0], other[0])
        assert_close(torch.from_numpy(other[1]).float(), torch.from_numpy(one[1]).float(), "probabilities")
