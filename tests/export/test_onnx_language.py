"""Whole language models through onnxruntime are the modules themselves: scores, what comes next, texts drawn."""

import numpy as np
import pytest
import torch

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

import onnx
from onnx_runs import normal_

from seqwise.errors import ConfigurationError
from seqwise.export.onnx_export import export_onnx
from seqwise.export.onnx_graph import model_of
from seqwise.export.onnx_language import language_graph
from seqwise.models import LanguageNetwork, LanguageSettings
from seqwise.prediction import exported, write_folder
from seqwise.prediction.exported import Network
from seqwise.prediction.language import LanguagePredictor
from seqwise.prediction.sampling import Sampling
from seqwise.text import TextPipeline, TextSettings
from tolerances import assert_close

TEXTS = ["the cat sat on the mat", "a dog ran far away", "no", "yes yes yes", "the dog sat"]
VARIANTS = [
    {},
    {"cell": "gru", "num_layers": 3},
    {"cell": "lstm_peephole"},
    {"cell": "gru_simplified", "zoneout": 0.1},
    {"tie_weights": False, "hidden_size": 7},
    {"softmax": "adaptive", "tie_weights": False, "cutoffs": (3, 7), "hidden_size": 17},
]


def pipeline_of(unit="words"):
    pipeline = TextPipeline(TextSettings(unit=unit, end_mark=True, min_count=1))
    pipeline.fit_encode(TEXTS)
    return pipeline


def network(pipeline, **settings):
    given = {"embedding_size": 6, "hidden_size": 5, "num_layers": 2, **settings}
    return normal_(LanguageNetwork(LanguageSettings(**given), len(pipeline.vocabulary)), scale=0.6)


def save(path, pipeline, module):
    text, model = pipeline.settings.model_dump(mode="json"), module.settings.model_dump(mode="json")
    config = {"task": "lm", "estimator": "LanguageModel", "unit": pipeline.settings.unit}
    write_folder(
        path,
        config={**config, "settings": {"text": text, "model": model}},
        weights=module.state_dict(),
        vocabulary=pipeline.to_dict(),
    )


@pytest.mark.parametrize("settings", VARIANTS, ids=lambda of: " ".join(map(str, of.values())) or "default")
def test_every_language_model_carries_its_states_from_part_to_part(settings):
    module = network(pipeline_of(), **settings)
    model = model_of(language_graph(module, 17), "0", {})
    onnx.checker.check_model(model, full_check=True)
    run = Network(model.SerializeToString(), "the model")
    symbols = torch.randint(1, module.embedding.num_embeddings, (3, 20), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = module.log_probabilities(module.read(symbols, module.start(3)).outputs)
    states = {name: np.zeros((3, shape[-1]), np.float32) for name, shape in run.inputs.items() if name != "symbols"}
    parts = []
    for begin, end in ((0, 1), (1, 12), (12, 20)):
        found = dict(zip(run.outputs, run({"symbols": symbols[:, begin:end].numpy(), **states}), strict=True))
        states = {name: found[f"{name}_after"] for name in states}
        parts.append(torch.from_numpy(found["log_probabilities"]))
    assert_close(torch.cat(parts, 1), expected, "log P")


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_an_exported_language_model_scores_and_draws_what_the_folder_does(tmp_path, unit, monkeypatch):
    pipeline = pipeline_of(unit)
    save(tmp_path / "model", pipeline, network(pipeline))
    outcome = export_onnx(tmp_path / "model", tmp_path / "exported")
    assert outcome.largest_difference < 2e-5
    ours, theirs = (LanguagePredictor.load(tmp_path / name) for name in ("model", "exported"))
    monkeypatch.setattr(exported, "LARGEST_OUTPUT", 3 * len(pipeline.vocabulary))  # answers in many small parts
    for one, other in zip(ours.score(TEXTS), theirs.score(TEXTS), strict=True):
        assert one.tokens == other.tokens
        logs = (torch.tensor(of.log_probabilities).float() for of in (other, one))
        assert_close(*logs, "log P")
    symbols = pipeline.encode_stream(TEXTS)
    found, expected = (torch.from_numpy(of.read_stream(symbols)).float() for of in (theirs, ours))
    assert_close(found, expected, "stream")
    assert [name for name, _ in theirs.next_symbols("the", 5)] == [name for name, _ in ours.next_symbols("the", 5)]
    sampling = Sampling(seed=3, max_tokens=30)
    assert list(theirs.generate("the", sampling)) == list(ours.generate("the", sampling))


def test_what_needs_gradients_or_grows_is_refused(tmp_path):
    pipeline = pipeline_of()
    save(tmp_path / "model", pipeline, network(pipeline))
    export_onnx(tmp_path / "model", tmp_path / "exported")
    with pytest.raises(ConfigurationError, match="exported model"):
        LanguagePredictor.load(tmp_path / "exported").adapt_stream(np.array([4, 5, 6]), 0.1)
    save(tmp_path / "transformer", pipeline, network(pipeline, encoder="transformer", hidden_size=8, heads=2))
    with pytest.raises(ConfigurationError, match="Transformer"):
        export_onnx(tmp_path / "transformer", tmp_path / "other")
