import json

import numpy as np
import pytest
import torch

from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.estimators import Translator
from seqwise.models.search import BeamSettings
from seqwise.prediction.translator import TranslatorPredictor

DICTIONARY = dict(
    zip(
        ["a", "man", "woman", "dog", "runs", "sleeps", "eats", "red", "blue"],
        ["ein", "Mann", "Frau", "Hund", "läuft", "schläft", "isst", "rot", "blau"],
        strict=True,
    )
)
SMALL = {"hidden_size": 24, "decoder_hidden_size": 32, "embedding_size": 24, "dropout": 0.1, "embedding_dropout": 0.0}
QUICK = {"epochs": 12, "learning_rate": 1e-2, "batch_size": 16, "average": "none", "device": "cpu"}


def pairs(count, seed):
    """Sentences of two to four words, and each word's translation, the last one first."""
    random = np.random.default_rng(seed)
    drawn = [list(random.choice(list(DICTIONARY), size=random.integers(2, 5))) for _ in range(count)]
    return [" ".join(of) for of in drawn], [" ".join(DICTIONARY[word] for word in reversed(of)) for of in drawn]


def fitted(**values):
    settings = {"text": {"unit": "whitespace"}, "model": SMALL, "training": QUICK}
    merged = {name: {**settings.get(name, {}), **of} for name, of in {**settings, **values}.items()}
    return Translator(**merged, validation=0.0).fit(*pairs(300, 0), validation_data=pairs(40, 1))


@pytest.fixture(scope="module")
def translator():
    return fitted()


def test_it_learns_words_and_their_order(translator):
    sources, targets = pairs(60, 2)
    assert np.mean([a == b for a, b in zip(translator.predict(sources), targets, strict=True)]) > 0.9
    assert translator.score(sources, targets) > 90
    assert translator.history_[-1]["validation"]["accuracy"] > 0.9


def test_answers_come_with_scores_attention_and_the_next_best(translator):
    (answer,) = translator.translate(["a man sleeps"], n_best=3)
    assert answer.text == "schläft Mann ein"
    assert [of.score for of in answer.answers] == sorted([of.score for of in answer.answers], reverse=True)
    best = answer.answers[0]
    assert best.symbols == ["schläft", "Mann", "ein", "<eos>"]
    assert answer.symbols == ["a", "man", "sleeps", "<eos>"]
    np.testing.assert_allclose(best.attention.sum(1), 1.0, rtol=1e-5)
    assert best.attention.shape == (4, 4)
    assert best.score == pytest.approx(best.log_probability / 4)
    assert json.loads(json.dumps(answer.to_dict(attention=True)))["answers"][0]["text"] == answer.text


def test_texts_are_translated_alike_alone_and_together(translator):
    sources, _ = pairs(30, 3)
    together = translator.translate(sources)
    for source, of in zip(sources, together, strict=True):
        (alone,) = translator.translate([source])
        assert alone.text == of.text
        assert alone.answers[0].score == pytest.approx(of.answers[0].score, abs=1e-4)


def test_unknown_words_are_replaced_by_what_was_looked_at():
    sources, targets = pairs(250, 0)
    sources += [f"{word} name{i} runs" for i in range(60) for word in ("a", "red")]
    targets += [f"läuft name{i} {word}" for i in range(60) for word in ("ein", "rot")]
    names = {"unit": "whitespace", "min_count": 3}
    apart = {**SMALL, "shared_vocabulary": False}
    model = Translator(text=names, model=apart, training=QUICK, validation=0.0).fit(sources, targets)
    assert model.predict(["a zeppelin runs"]) == ["läuft zeppelin ein"]


def test_too_long_texts_are_cut_off_and_the_answer_says_so():
    model = fitted(text={"max_length": 6}, training={"epochs": 1})
    cut, whole = model.translate(["a man eats a red dog runs", "a man"])
    assert cut.truncated
    assert len(cut.symbols) == 6
    assert not whole.truncated
    with pytest.raises(DataError, match="none of the 2 pairs"):
        Translator(text={"unit": "whitespace", "max_length": 2}, validation=0.0).fit(["a b c", "a b"], ["x y z", "u v"])


def test_nothing_is_translated_by_nothing(translator):
    empty, full = translator.translate(["", "a man"])
    assert empty.text == ""
    assert full.text


def test_saved_and_loaded_it_says_the_same(translator, tmp_path):
    translator.save(tmp_path / "m")
    sources, _ = pairs(10, 4)
    again = Translator.load(tmp_path / "m")
    assert again.predict(sources) == translator.predict(sources)
    assert again.settings_ == translator.settings_
    predictor = TranslatorPredictor.load(tmp_path / "m")
    options = BeamSettings(beam=2, length_norm="wu", alpha=0.6, coverage=0.1)
    assert len(predictor.translate(sources, options=options)) == len(sources)
    (tmp_path / "m" / "vocabulary.json").write_text("{}")
    with pytest.raises(ModelFolderError):
        Translator.load(tmp_path / "m")


@pytest.mark.parametrize(
    "model",
    [
        {"attention": "additive", "input_feeding": True, "shared_vocabulary": False},
        {"attention": "none", "cell": "gru", "tie_weights": False},
        {"encoder": "transformer", "decoder": "transformer", "decoder_hidden_size": 16, "hidden_size": 8},
        {"teacher_forcing": 0.5, "teacher_forcing_schedule": "linear", "word_dropout": 0.1},
    ],
)
def test_every_kind_of_model_learns_and_is_saved(model, tmp_path):
    fit = fitted(model=model, training={"epochs": 3, "learning_rate": 5e-3})
    losses = [record["validation"]["log_loss"] for record in fit.history_]
    assert losses[-1] < losses[0]
    fit.save(tmp_path / "m")
    assert Translator.load(tmp_path / "m").predict(["a man sleeps"]) == fit.predict(["a man sleeps"])


def test_an_interrupted_fit_goes_on_as_if_nothing_had_happened(tmp_path):
    def fit(epochs, resume):
        torch.manual_seed(0)
        training = {**QUICK, "epochs": 2, "schedule": "constant"}
        model = Translator(text={"unit": "whitespace"}, model=SMALL, training=training, validation=0.0)

        class Stop:
            def __getattr__(self, name):
                return lambda *of: None

            def on_epoch(self, run, record):
                if run.epoch == epochs:
                    run.stop = "interrupted"

        from seqwise.training import Callback

        stop = type("Stop", (Callback,), {"on_epoch": Stop.on_epoch})()
        return model.fit(*pairs(60, 0), validation_data=pairs(10, 1), folder=tmp_path, resume=resume, callbacks=[stop])

    fit(1, resume=False)
    resumed = fit(9, resume=True)
    assert [record["epoch"] for record in resumed.history_] == [1, 2]


@pytest.mark.parametrize(
    ("sources", "targets", "part"),
    [
        (["a", "b"], ["x"], "2 sources and 1 targets"),
        (["a"], [" "], "target 1 is empty"),
        ([""], ["x"], "source 1 is empty"),
        ([3], ["x"], "no text"),
        ("a man", ["x"], "put it in a list"),
        ([], [], "0 sources"),
    ],
)
def test_wrong_pairs_are_refused(sources, targets, part):
    with pytest.raises(DataError, match=part):
        Translator(validation=0.0).fit(sources, targets)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"training": {"metric": "accuracy"}}, "log_loss"),
        ({"training": {"refit": True}}, "refit"),
        ({"search": {"beam": 0}}, r"search\.beam"),
        ({"model": {"attention": "cosine"}}, r"model\.attention"),
        ({"target_text": {"unit": "characters"}}, "shared_vocabulary"),
    ],
)
def test_wrong_settings_are_refused(values, part):
    with pytest.raises(ConfigurationError, match=part):
        Translator(**values, validation=0.0).fit(["a b"], ["c d"])


def test_a_beam_of_nothing_is_refused_in_one_sentence(translator):
    with pytest.raises(ConfigurationError, match="at least one hypothesis, not 0"):
        translator.translate(["a man"], beam=0)
    with pytest.raises(DataError, match="text 2 is int"):
        translator.translate(["a man", 3])
