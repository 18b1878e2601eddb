"""Word vectors trained before the fit: on which texts, of which symbols, the same again, and kept for a resumed fit."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from seqwise.embeddings import EmbeddingSettings, train_vectors
from seqwise.errors import ConfigurationError, InputError
from seqwise.estimators import SequenceClassifier, pretraining
from seqwise.text import TextSettings, Tokenizer
from seqwise.training import Callback

TEXTS = [f"{mood} {thing} {place}" for mood in ("good", "bad") for thing in ("days", "work") for place in "abcdefgh"]
LABELS = ["yes"] * 16 + ["no"] * 16
SMALL = {
    "epochs": 2,
    "hidden_size": 4,
    "device": "cpu",
    "architecture": "recurrent",
    "min_count": 1,
    "unit": "words",
    "pretrain_vectors": True,
    "pretraining": {"epochs": 3, "size": 6},
}


def table(model):
    """Word -> vector that the fitted model looks up."""
    part, vocabulary = model.fitted_.module.parts["recurrent"], model.fitted_.features.pipeline.vocabulary
    looked_up = part.embedding(torch.arange(len(vocabulary))).detach().numpy()
    return dict(zip(vocabulary.tokens, looked_up, strict=True))


@pytest.fixture
def trained_on(monkeypatch):
    """The symbols of every corpus that vectors were trained on."""
    corpora = []
    real = pretraining.run_training

    def remembering(corpus, settings):
        corpora.append([list(row) for row in corpus])
        return real(corpora[-1], settings)

    monkeypatch.setattr(pretraining, "run_training", remembering)
    return corpora


def test_frozen_vectors_are_those_of_training_on_the_same_symbols():
    """The oracle: `train_vectors` on the texts as the model's own tokenizer cuts them."""
    reads = {"stop_words": ["bad"], "stems": "en"}
    model = SequenceClassifier(**SMALL, **reads, freeze_vectors=True, validation=0.0).fit(TEXTS, LABELS)
    cut = map(Tokenizer(TextSettings(unit="words", **reads)), TEXTS)
    expected = train_vectors(cut, EmbeddingSettings(size=6, epochs=3, min_count=2, threads=1))
    assert set(expected.words) == {"good", "day", "work", *"abcdefgh"}
    looked_up = table(model)
    for word in expected.words:
        np.testing.assert_array_equal(looked_up[word], expected[word])


def test_validation_and_test_texts_are_never_trained_on(trained_on):
    model = SequenceClassifier(**SMALL, refit=True).fit(
        TEXTS, LABELS, validation_data=(["good validation day", "bad validation work"], ["yes", "no"])
    )
    model.predict(["a test text"])
    assert model.refitted_
    assert sorted(map(tuple, trained_on[0])) == sorted(tuple(text.split()) for text in TEXTS)
    assert len(trained_on) == 1, "the second fit, which sees the validation texts, takes the vectors of the first"


def test_held_out_texts_are_never_trained_on(trained_on):
    texts = [f"{text} t{number}" for number, text in enumerate(TEXTS)]
    model = SequenceClassifier(**SMALL, validation=0.25).fit(texts, LABELS)
    held = {text.split()[-1] for text in model.validation_[0]}
    seen = {word for row in trained_on[0] for word in row if word.startswith("t")}
    assert len(held) == 8
    assert seen == {f"t{number}" for number in range(32)} - held


def test_unlabelled_texts_are_trained_on_too_and_cleaned_alike(trained_on):
    more = ["Good REVIEWS", "reviews"]
    model = SequenceClassifier(**SMALL, validation=0.0).fit(TEXTS, LABELS, unlabelled=more)
    assert trained_on[0][len(TEXTS) :] == [["good", "reviews"], ["reviews"]]
    assert "reviews" not in table(model), "the vocabulary is that of the labelled texts"
    assert "of the training and the unlabelled texts" in model.fitted_.coverage.sentence()


def test_coverage_says_what_was_trained_and_how():
    model = SequenceClassifier(**SMALL, validation=0.0).fit([*TEXTS, "once"], [*LABELS, "no"])
    said = model.fitted_.coverage.sentence()
    assert "trained on 96 words of the training texts (skip-gram, negative sampling" in said
    assert "3 epochs), they have 12 of the 13 words of the vocabulary" in said


def test_the_same_seed_gives_the_same_classifier_and_another_one_other_vectors():
    first, again, other = (
        SequenceClassifier(**SMALL, seed=seed, freeze_vectors=True, validation=0.0).fit(TEXTS, LABELS)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.predict_proba(TEXTS), again.predict_proba(TEXTS))
    assert (table(first)["good"] != table(other)["good"]).any()


@pytest.mark.parametrize("unit", ["characters", "bpe"])
def test_every_kind_of_symbol_has_vectors_but_white_space(unit):
    model = SequenceClassifier(**{**SMALL, "unit": unit, "max_vocabulary": 60}, validation=0.0).fit(TEXTS, LABELS)
    coverage = model.fitted_.coverage
    spaces = sum(not token.strip() for token in table(model))
    assert spaces == (unit == "characters")
    assert coverage.known == coverage.words - spaces


def test_the_size_may_be_that_of_the_embedding():
    values = {**SMALL, "pretraining": None, "embedding_size": 9}
    model = SequenceClassifier(**values).fit(TEXTS, LABELS)
    assert table(model)["good"].shape == (9,)
    assert model.settings_.model.pretraining.size == 9
    with pytest.raises(ConfigurationError, match=r"embedding_size is 9, and .* vectors of 6 numbers"):
        SequenceClassifier(**{**SMALL, "embedding_size": 9}).fit(TEXTS, LABELS)


def test_a_saved_model_predicts_and_is_fitted_again_alike(tmp_path):
    model = SequenceClassifier(**SMALL, freeze_vectors=True).fit(TEXTS, LABELS)
    model.save(tmp_path / "model")
    loaded = SequenceClassifier.load(tmp_path / "model", device="cpu")
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), model.predict_proba(TEXTS))
    np.testing.assert_array_equal(loaded.fit(TEXTS, LABELS).predict_proba(TEXTS), model.predict_proba(TEXTS))
    assert loaded.settings_.model.pretraining == model.settings_.model.pretraining
    assert clone(model).get_params()["pretraining"] == {"epochs": 3, "size": 6}


@pytest.mark.parametrize("model", ["cbow", "nplm", "glove"])
def test_every_model_of_words_may_train_the_vectors(tmp_path, model):
    how = {**SMALL, "pretraining": {"model": model, "epochs": 3, "size": 6}}
    fitted = SequenceClassifier(**how, freeze_vectors=True, validation=0.0).fit(TEXTS, LABELS)
    fitted.save(tmp_path / "model")
    loaded = SequenceClassifier.load(tmp_path / "model", device="cpu")
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), fitted.predict_proba(TEXTS))


class StopAfter(Callback):
    """Ends the fit as Ctrl-C does."""

    def on_epoch(self, run, record):
        run.stop = "interrupted"


@pytest.mark.parametrize("threads", [1, 2])
def test_a_resumed_fit_takes_the_vectors_that_were_trained_and_ends_alike(tmp_path, trained_on, threads):
    how = {**SMALL, "pretraining": {"epochs": 3, "size": 6, "threads": threads}, "epochs": 3}
    stopped = SequenceClassifier(**how).fit(TEXTS, LABELS, folder=tmp_path / "a", callbacks=[StopAfter()])
    assert stopped.fit_history_.interrupted
    resumed = SequenceClassifier(**how).fit(TEXTS, LABELS, folder=tmp_path / "a", resume=True)
    assert len(trained_on) == 1
    assert len(resumed.history_) == 3
    if threads == 1:
        whole = SequenceClassifier(**how).fit(TEXTS, LABELS)
        np.testing.assert_array_equal(resumed.predict_proba(TEXTS), whole.predict_proba(TEXTS))


def test_a_checkpoint_of_other_vectors_is_refused_and_damaged_ones_are_trained_again(tmp_path, trained_on):
    fit = {"folder": tmp_path, "resume": True}
    SequenceClassifier(**SMALL).fit(TEXTS, LABELS, **fit)
    (kept,) = tmp_path.glob("checkpoints/vectors-*.safetensors")
    kept.write_bytes(b"no vectors")
    SequenceClassifier(**SMALL).fit(TEXTS, LABELS, **fit)
    assert len(trained_on) == 2
    other = {**SMALL, "pretraining": {"epochs": 4, "size": 6}}
    with pytest.raises(InputError, match="other data"):
        SequenceClassifier(**other).fit(TEXTS, LABELS, **fit)


def test_an_interrupted_training_of_vectors_interrupts_the_fit(monkeypatch):
    real = pretraining.run_training

    def interrupted(corpus, settings):
        done = real(corpus, settings)
        return type(done)(**{**vars(done), "finished": False})

    monkeypatch.setattr(pretraining, "run_training", interrupted)
    with pytest.raises(KeyboardInterrupt):
        SequenceClassifier(**SMALL).fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"architecture": "linear"}, "the architecture 'linear' has none"),
        ({"embedding": "one_hot"}, "embedding is 'one_hot'"),
        ({"pretraining": {"epochs": 0}}, "greater than or equal to 1"),
        ({"pretraining": {"quux": 1}}, "quux|not permitted"),
        ({"pretraining": {"min_count": 100}}, "no word is there 100 times"),
    ],
)
def test_what_does_not_go_with_training_vectors_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        SequenceClassifier(**{**SMALL, **values}).fit(TEXTS, LABELS)


def test_unlabelled_texts_without_training_of_vectors_are_refused():
    with pytest.raises(ConfigurationError, match="unlabelled texts are for training word vectors"):
        SequenceClassifier(**{**SMALL, "pretrain_vectors": False, "pretraining": None}).fit(
            TEXTS, LABELS, unlabelled=["more"]
        )
