"""Folders of models with recurrent layers or a Transformer, and those from before there was a choice."""

import numpy as np
import pytest
from safetensors.numpy import save

from saved_toy import TEXTS, forge, save_toy, toy_config, toy_model
from seqwise.errors import ModelFolderError
from seqwise.prediction import Predictor, read_folder

TRANSFORMER = {"encoder": "transformer", "hidden_size": 4, "heads": 2}


@pytest.mark.parametrize("settings", [{}, {"num_layers": 2, "cell": "gru"}], ids=["lstm", "gru"])
def test_a_folder_from_before_there_was_a_choice_answers_as_it_did(tmp_path, settings):
    save_toy(tmp_path, **settings)
    expected = Predictor.load(tmp_path).predict_proba(TEXTS)
    content, (text, section, *_) = read_folder(tmp_path), toy_model(**settings)
    earlier = toy_config(text, section)
    for name in ("encoder", "heads"):
        del earlier["settings"]["model"][name]
    weights = {name.replace("recurrent.layers.", "recurrent."): of for name, of in content.weights.items()}
    assert set(weights) != set(content.weights)
    forge(tmp_path, earlier, model=save(weights))
    np.testing.assert_array_equal(Predictor.load(tmp_path).predict_proba(TEXTS), expected)


def test_a_transformer_is_saved_and_read(tmp_path):
    save_toy(tmp_path, **TRANSFORMER)
    probabilities = Predictor.load(tmp_path).predict_proba(TEXTS)
    assert probabilities.shape == (len(TEXTS), 3)
    np.testing.assert_array_equal(Predictor.load(tmp_path).predict_proba(TEXTS[::-1])[::-1], probabilities)


def test_weights_of_recurrent_layers_are_not_taken_for_a_transformers(tmp_path):
    _, module = save_toy(tmp_path, hidden_size=4)
    save_toy(tmp_path, weights=module.state_dict(), **TRANSFORMER)
    with pytest.raises(ModelFolderError, match=r"which the model in config\.json"):
        Predictor.load(tmp_path)
