import csv
import json

import pytest

from seqwise.errors import ConfigurationError
from seqwise.experiments import start_from
from seqwise.experiments.recipes import ReproductionRequest, reproduce
from seqwise.prediction import Predictor
from seqwise.prediction.language import LanguagePredictor

SMALL = {"embedding_size": 8, "hidden_size": 8, "num_layers": 2}


@pytest.fixture
def reviews(tmp_path, monkeypatch):
    """Reviews as small as can be, in place of the real ones."""
    folder = tmp_path / "data" / "imdb"
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps({"name": "imdb", "text": "text", "label": "label"}))
    rows = [
        (f"a {word} film number {i}", label) for i in range(30) for word, label in (("fine", "pos"), ("dull", "neg"))
    ]
    for part, columns in {"train": 2, "test": 2, "unlabelled": 1}.items():
        with (folder / f"{part}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label")[:columns], *(row[:columns] for row in rows)])
    monkeypatch.setenv("SEQWISE_DATA", str(tmp_path / "data"))
    for name, value in {
        "LABELLED": 20,
        "HELD_OUT": 10,
        "TESTED": 12,
        "MODEL": {**SMALL, "tie_weights": False, "bptt": 8},
        "TRAINING": {"epochs": 1, "batch_size": 4},
        "TEXT": {"unit": "words", "lowercase": True},
        "SIZES": {**SMALL, "bidirectional": False},
        "CLASSIFIER": {"epochs": 2},
    }.items():
        monkeypatch.setattr(start_from, name, value)


def test_it_puts_the_classifier_that_starts_from_a_language_model_beside_the_others(reviews, tmp_path):
    folder = tmp_path / "run"
    said = []
    result = reproduce(ReproductionRequest("imdb-start-from", folder, device="cpu", say=said.append))
    assert [row[0] for row in result.table[1]] == ["n-grams", "LSTM from nothing", "LSTM from the language model"]
    assert all(0 <= result.test[row[0]]["accuracy"] <= 1 for row in result.table[1])
    assert result.test["language model"]["perplexity"] > 1
    assert LanguagePredictor.load(folder / "language-model").network.settings.hidden_size == 8
    assert Predictor.load(folder).settings["model"]["start_from"] == str(folder / "language-model")
    reproduce(ReproductionRequest("imdb-start-from", folder, device="cpu", resume=True, say=said.append))
    assert any("taken as it is" in sentence for sentence in said)


def test_nothing_in_it_can_be_set(tmp_path):
    with pytest.raises(ConfigurationError, match="fixed experiment"):
        reproduce(ReproductionRequest("imdb-start-from", tmp_path, overrides=("training.epochs=1",)))
