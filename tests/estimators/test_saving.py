import json
import subprocess
import sys

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from seqwise.data import StreamedColumn, load_examples, open_table
from seqwise.errors import ModelFolderError
from seqwise.estimators import SequenceClassifier, VectorClassifier
from seqwise.prediction import Predictor

TEXTS = [f"{mood} {thing} {place}" for mood in ("good", "bad") for thing in ("day", "work") for place in "abcdefgh"]
LABELS = ["yes"] * 16 + ["no"] * 16
SMALL = {"epochs": 2, "hidden_size": 8, "embedding_size": 8, "device": "cpu"}


@pytest.fixture(scope="module", params=["wide_deep", "recurrent", "linear"])
def saved(request, tmp_path_factory):
    model = SequenceClassifier(architecture=request.param, **SMALL).fit(TEXTS, LABELS)
    folder = tmp_path_factory.mktemp("model")
    model.save(folder)
    return model, folder


def test_a_loaded_estimator_and_a_predictor_answer_bit_for_bit_as_the_saved_one(saved):
    model, folder = saved
    expected = model.predict_proba(TEXTS)
    loaded = SequenceClassifier.load(folder)
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), expected)
    np.testing.assert_array_equal(Predictor.load(folder).predict_proba(TEXTS), expected)
    assert loaded.classes_.tolist() == model.classes_.tolist()
    assert loaded.settings_ == model.settings_


def test_a_new_process_answers_the_same(saved):
    model, folder = saved
    program = (
        "import json, sys; from seqwise.prediction import Predictor;"
        "print(json.dumps(Predictor.load(sys.argv[1]).predict_proba(json.loads(sys.argv[2])).tolist()))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program, str(folder), json.dumps(TEXTS[:4])], capture_output=True, text=True, check=True
    ).stdout
    np.testing.assert_allclose(json.loads(output), model.predict_proba(TEXTS[:4]), atol=1e-6)


def test_a_loaded_estimator_can_be_fitted_anew_with_the_same_result(saved):
    model, folder = saved
    again = SequenceClassifier.load(folder, device="cpu").fit(TEXTS, LABELS)
    np.testing.assert_array_equal(again.predict_proba(TEXTS), model.predict_proba(TEXTS))


@pytest.mark.parametrize("labels", [[1] * 16 + [0] * 16, [True] * 16 + [False] * 16])
def test_classes_keep_their_type_through_the_folder(labels, tmp_path):
    SequenceClassifier(architecture="linear", device="cpu").fit(TEXTS, labels).save(tmp_path)
    loaded = SequenceClassifier.load(tmp_path)
    assert loaded.classes_.tolist() == sorted(set(labels))
    assert loaded.score(TEXTS, labels) == 1.0


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(ModelFolderError, match="no model folder"):
        SequenceClassifier.load(tmp_path / "missing")


@pytest.mark.parametrize("hidden", [(), (4,)])
@pytest.mark.parametrize("kind", ["dense", "sparse", "texts"])
def test_a_loaded_vector_classifier_answers_as_the_saved_one(hidden, kind, tmp_path):
    dense = np.random.default_rng(0).normal(size=(32, 3))
    X = {"dense": dense, "sparse": csr_matrix(dense), "texts": TEXTS}[kind]
    model = VectorClassifier(hidden_layers=hidden, epochs=3, device="cpu").fit(X, LABELS)
    model.save(tmp_path)
    loaded = VectorClassifier.load(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.get_params() == model.get_params()
    with pytest.raises(ModelFolderError, match="VectorClassifier, not a SequenceClassifier"):
        SequenceClassifier.load(tmp_path)


def test_streamed_texts_give_the_same_model_as_texts_in_memory(tmp_path):
    file = tmp_path / "texts.jsonl"
    rows = [{"text": text, "label": label} for text, label in zip(TEXTS, LABELS, strict=True)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    streamed = load_examples(open_table(file), "text", "label", stream_above=0)
    assert isinstance(streamed.texts, StreamedColumn)
    expected = SequenceClassifier(**SMALL).fit(TEXTS, LABELS).predict_proba(TEXTS)
    model = SequenceClassifier(**SMALL).fit(streamed.texts, streamed.labels)
    np.testing.assert_array_equal(model.predict_proba(streamed.texts), expected)
