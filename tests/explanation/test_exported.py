"""An exported model has no gradients: occlusion says of it what it says of the model that it was made from."""

import subprocess
import sys

import numpy as np
import pytest
from explained_models import SENTENCES, TEXTS

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from seqwise.errors import ConfigurationError
from seqwise.estimators import LanguageModel, SequenceClassifier, SequenceTagger
from seqwise.explanation import explain, nearest, trace
from seqwise.export.onnx_export import export_onnx
from seqwise.prediction import Predictor
from seqwise.prediction.language import LanguagePredictor
from seqwise.prediction.tagger import TaggerPredictor

SMALL = {"hidden_size": 6, "embedding_size": 5, "num_layers": 1}
TAGS = [["B-X", "O", "O", "B-X", "O"], ["O", "O", "B-X", "O", "B-X", "O"]]


def classify(folder):
    model = SequenceClassifier(**SMALL, epochs=2)
    model.fit(TEXTS * 6, ["x", "y", "x", "y", "z"] * 6).save(folder)
    return Predictor, "the cat ran, not far"


def tag(folder):
    SequenceTagger(model=SMALL, training={"epochs": 2}).fit(SENTENCES * 10, TAGS * 10).save(folder)
    return TaggerPredictor, "Anna lives in Bonn."


def language(folder):
    LanguageModel(model=SMALL, training={"epochs": 1, "batch_size": 2}).fit(TEXTS * 20).save(folder)
    return LanguagePredictor, "the cat sat"


@pytest.fixture(scope="module", params=[classify, tag, language], ids=lambda make: make.__name__)
def pair(request, tmp_path_factory):
    """What loads a model, its folder, that of its export, and a text."""
    place = tmp_path_factory.mktemp(request.param.__name__)
    predictor, text = request.param(place / "model")
    export_onnx(place / "model", place / "exported")
    return predictor, place / "model", place / "exported", text


def test_occlusion_says_the_same(pair):
    predictor, model, exported, text = pair
    ours = explain(predictor.load(model), text, method="occlusion")
    theirs = explain(predictor.load(exported), text, method="occlusion")
    assert (theirs.target, theirs.tokens, theirs.position) == (ours.target, ours.tokens, ours.position)
    np.testing.assert_allclose(theirs.values, ours.values, rtol=1e-3, atol=1e-4)
    assert (theirs.output, theirs.baseline) == pytest.approx((ours.output, ours.baseline), rel=1e-3, abs=1e-4)


def test_what_needs_the_network_is_refused(pair):
    predictor, _, exported, text = pair
    loaded = predictor.load(exported)
    for method in ("integrated_gradients", "gradient_x_input"):
        with pytest.raises(ConfigurationError, match=f"no gradients, which {method} needs: take the method occlusion"):
            explain(loaded, text, method=method)
    with pytest.raises(ConfigurationError):
        trace(loaded, text)
    with pytest.raises(ConfigurationError):
        nearest(loaded, text, [text])


def test_neither_torch_nor_scipy_is_imported(pair):
    predictor, _, exported, text = pair
    code = (
        "import sys\n"
        f"from {predictor.__module__} import {predictor.__name__} as P\n"
        "from seqwise.explanation import explain\n"
        f"found = explain(P.load({str(exported)!r}), {text!r}, method='occlusion')\n"
        "print(len(found.tokens) > 2, not {'torch', 'scipy', 'sklearn', 'pyarrow'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["True", "True"]
