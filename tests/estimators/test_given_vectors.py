"""Word vectors of a file in the classifier: coverage, frozen or tuned, saved with the model."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seqwise.embeddings import WordVectors
from seqwise.errors import ConfigurationError, FileError, InputError
from seqwise.estimators import SequenceClassifier

TEXTS = [f"{mood} {thing} {place}" for mood in ("good", "bad") for thing in ("day", "work") for place in "abcdefgh"]
LABELS = ["yes"] * 16 + ["no"] * 16
SMALL = {"epochs": 3, "hidden_size": 8, "device": "cpu", "architecture": "recurrent", "min_count": 1, "unit": "words"}


@pytest.fixture
def file(tmp_path):
    words = ["Good", "bad", "day", "a", "b", "unheard"]
    WordVectors(words, np.random.default_rng(0).normal(size=(6, 7))).save(tmp_path / "vectors.txt.gz")
    return str(tmp_path / "vectors.txt.gz")


def table(model):
    """Word -> vector that the fitted model looks up."""
    part, vocabulary = model.fitted_.module.parts["recurrent"], model.fitted_.features.pipeline.vocabulary
    looked_up = part.embedding(torch.arange(len(vocabulary))).detach().numpy()
    return dict(zip(vocabulary.tokens, looked_up, strict=True))


@pytest.mark.parametrize("frozen", [True, False])
def test_vectors_are_kept_or_tuned(file, frozen):
    model = SequenceClassifier(vectors=file, freeze_vectors=frozen, **SMALL).fit(TEXTS, LABELS)
    given, looked_up = WordVectors.load(file), table(model)
    assert model.settings_.model.embedding_size == 7
    for word in ("good", "bad", "day", "a", "b"):
        assert (looked_up[word] == given[word]).all() == frozen
    assert not looked_up["<pad>"].any()
    assert looked_up["work"].any()


def test_the_coverage_counts_words_tokens_and_other_case(file):
    coverage = SequenceClassifier(vectors=file, validation=0.0, **SMALL).fit(TEXTS, LABELS).fitted_.coverage
    assert (coverage.words, coverage.known, coverage.other_case) == (12, 5, 1)
    assert (coverage.tokens, coverage.known_tokens) == (96, 16 + 16 + 16 + 4 + 4)
    said = coverage.sentence()
    assert "5 of the 12 words of the vocabulary (1 in other case), 58.3% of the words in the training texts" in said
    assert "are tuned, the other words start at random and are learned" in said


@pytest.mark.parametrize("frozen", [True, False])
def test_a_saved_model_needs_no_vectors(file, tmp_path, frozen):
    model = SequenceClassifier(vectors=file, freeze_vectors=frozen, **SMALL).fit(TEXTS, LABELS)
    model.save(tmp_path / "model")
    (tmp_path / "vectors.txt.gz").unlink()
    loaded = SequenceClassifier.load(tmp_path / "model", device="cpu")
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), model.predict_proba(TEXTS))
    with pytest.raises(FileError, match="there is no file"):
        loaded.fit(TEXTS, LABELS)


def test_both_parts_of_the_default_model_take_vectors(file):
    model = SequenceClassifier(vectors=file, **{**SMALL, "architecture": "wide_deep"}).fit(TEXTS, LABELS)
    assert model.fitted_.coverage.known == 5
    assert model.score(TEXTS, LABELS) == 1.0


def test_a_checkpoint_of_other_vectors_is_refused(file, tmp_path):
    fit = {"folder": tmp_path / "run", "resume": True}
    SequenceClassifier(vectors=file, **SMALL).fit(TEXTS, LABELS, **fit)
    WordVectors(["good", "bad"], np.eye(2, 7)).save(file)
    with pytest.raises(InputError, match="other data"):
        SequenceClassifier(vectors=file, **SMALL).fit(TEXTS, LABELS, **fit)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"embedding_size": 9}, "embedding_size is 9, and the vectors of .* have 7 numbers"),
        ({"architecture": "linear"}, "the architecture 'linear' has none"),
        ({"embedding": "one_hot"}, "embedding is 'one_hot'"),
        ({"vectors": None, "freeze_vectors": True}, r"model\.vectors names none, and pretrain_vectors is not set"),
        ({"pretrain_vectors": True}, "are trained .pretrain_vectors., not both"),
        ({"pretraining": {"epochs": 1}}, "pretrain_vectors is not set"),
        ({"vectors": ""}, "vectors"),
    ],
)
def test_what_does_not_go_with_vectors_is_refused(file, values, message):
    with pytest.raises(ConfigurationError, match=message):
        SequenceClassifier(**{**SMALL, "vectors": file, **values}).fit(TEXTS, LABELS)


def test_vectors_of_another_language_are_refused(file):
    with pytest.raises(ConfigurationError, match=r"vectors\.txt\.gz has no word of the training texts"):
        SequenceClassifier(vectors=file, **SMALL).fit([f"ni{i} hao{i} ma" for i in range(20)], [0, 1] * 10)


def test_a_size_of_its_own_is_accepted_where_it_is_that_of_the_vectors(file):
    model = SequenceClassifier(vectors=file, embedding_size=7, **SMALL).fit(TEXTS, LABELS)
    assert model.settings_.model.embedding_size == 7


@pytest.mark.parametrize("frozen", [True, False])
def test_a_rare_word_of_the_training_texts_that_has_a_vector_stays_in_the_vocabulary(tmp_path, frozen):
    WordVectors(["good", "splendid"], [[1.0, 2.0], [3.0, 4.0]]).save(tmp_path / "v.txt")
    rare = ["good splendid day", "bad awful day", *TEXTS]
    few = {**SMALL, "min_count": 3, "vectors": str(tmp_path / "v.txt"), "freeze_vectors": frozen, "validation": 0.0}
    looked_up = table(SequenceClassifier(**few).fit(rare, ["yes", "no", *LABELS]))
    assert "splendid" in looked_up
    assert "awful" not in looked_up
    assert (looked_up["splendid"] == [3.0, 4.0]).all() == frozen
    few["max_vocabulary"] = 3
    assert "splendid" not in table(SequenceClassifier(**few).fit(rare, ["yes", "no", *LABELS])), "the limit holds"


def test_a_name_alone_is_looked_for_among_the_data_sets(file, tmp_path, monkeypatch):
    monkeypatch.setenv("SEQWISE_DATA", str(tmp_path))
    (tmp_path / "embeddings").mkdir()
    (tmp_path / "embeddings" / "small.txt.gz").write_bytes(Path(file).read_bytes())
    model = SequenceClassifier(vectors="small.txt.gz", **SMALL).fit(TEXTS, LABELS)
    assert model.fitted_.coverage.known == 5
