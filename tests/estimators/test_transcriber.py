import json

import numpy as np
import pytest
from sklearn.base import clone

from seqwise.data.frames import Frames
from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.estimators import LanguageModel, Transcriber
from seqwise.models.transcriber_settings import TranscriberSearchSettings
from seqwise.prediction.transcriber import TranscriberPredictor, read_word_list
from seqwise.prediction.transcriber_language import language_scores

WORDS = ["AB", "BA", "C", "CAB"]
SOUNDS = dict(zip("ABC ", np.random.default_rng(7).normal(size=(4, 5)) * 2, strict=True))
SMALL = {
    "frames": {"rate": 50, "normalise": "channel"},
    "model": {"hidden_size": 24, "num_layers": 1, "factor": 2, "time_masks": 0, "channel_masks": 0, "dropout": 0.0},
    "training": {"epochs": 8, "learning_rate": 0.02, "select": "last"},
}


def spoken(count, seed=0):
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(WORDS, random.integers(1, 4))) for _ in range(count)]
    return [sound(text, random) for text in texts], texts


def sound(text, random):
    """Every letter for three to five frames, and one of silence behind it."""
    rows = [np.stack([SOUNDS[letter]] * random.integers(3, 6) + [np.zeros(5)]) for letter in text]
    whole = np.concatenate(rows) if rows else np.zeros((4, 5))
    return (whole + random.normal(size=whole.shape) * 0.2).astype(np.float32)


def made(**changes):
    settings = {name: {**values, **changes.pop(name, {})} for name, values in SMALL.items()}
    return Transcriber(**settings, **changes)


@pytest.fixture(scope="module")
def fitted():
    X, y = spoken(120)
    search = {"beam": 4, "word_list": "training", "language_model": "training"}
    return made(search=search).fit(X, y)


def test_what_was_said_is_written_down(fitted):
    X, y = spoken(30, seed=1)
    assert fitted.score(X, y) > 0.95
    assert fitted.held_ is not None
    assert len(fitted.held_) == 12
    assert fitted.history_[-1]["validation"]["wer"] < 0.1
    assert [row["name"] for row in fitted.searches_][:2] == ["most probable symbols", "beam of 4"]
    assert fitted.trials_
    assert fitted.settings_.search.language_weight is not None
    assert fitted.settings_.search.insertion_bonus is not None


def test_words_have_their_times(fitted):
    random = np.random.default_rng(5)
    text = "CAB AB"
    (heard,) = fitted.transcribe([sound(text, random)])
    assert heard.text == text
    assert heard.unit == "seconds"
    first, second = heard.words
    assert [first.text, second.text] == ["CAB", "AB"]
    assert 0 <= first.start < first.end <= second.start < second.end
    assert second.end <= 50 * 6 / 50  # frames of all letters at most, 50 of them a second
    assert 0 < first.score <= 1
    assert heard.log_probability < 0
    assert json.loads(json.dumps(heard.to_dict()))["words"][0]["word"] == "CAB"


def test_an_utterance_is_heard_alike_alone_and_beside_others(fitted):
    X, _ = spoken(5, seed=2)
    together = fitted.transcribe(X)
    for row, frames in zip(together, X, strict=True):
        (alone,) = fitted.transcribe([frames])
        assert alone.text == row.text
        assert alone.log_probability == pytest.approx(row.log_probability, rel=1e-4, abs=1e-4)
    assert fitted.transcribe([]) == []
    assert fitted.predict(Frames.from_rows(X)) == [row.text for row in together]


def test_a_saved_transcriber_hears_the_same(fitted, tmp_path):
    X, y = spoken(10, seed=3)
    fitted.save(tmp_path / "m")
    assert (tmp_path / "m" / "language_model" / "config.json").exists()
    loaded = Transcriber.load(tmp_path / "m")
    assert loaded.predict(X) == fitted.predict(X)
    assert loaded.score(X, y) == fitted.score(X, y)
    assert loaded.settings_ == fitted.settings_
    loaded.save(tmp_path / "again")
    assert Transcriber.load(tmp_path / "again").predict(X) == fitted.predict(X)
    with pytest.raises(ModelFolderError, match="not a transcriber"):
        TranscriberPredictor.load(tmp_path / "m" / "language_model")


def test_the_search_can_be_changed_afterwards(fitted, tmp_path):
    fitted.save(tmp_path / "m")
    predictor = TranscriberPredictor.load(tmp_path / "m")
    X, _ = spoken(5, seed=4)
    predictor.use(beam=1, words=["C"])
    assert {word for text in predictor.texts(X) for word in text.split()} <= {"C"}
    with pytest.raises(ConfigurationError, match=r"search\.beam: .* greater than or equal to 1, got 0"):
        predictor.use(beam=0)


def test_pieces_and_whole_words_are_symbols_too():
    X, y = spoken(120, seed=6)
    for text in ({"unit": "whitespace"}, {"unit": "bpe", "max_vocabulary": 12}):
        model = made(text=text, search={"word_list": "training"}).fit(X, y)
        assert model.score(X, y) > 0.8


def test_a_convolution_and_a_transformer_learn_it_too():
    X, y = spoken(150, seed=8)
    transformer = {"encoder": "transformer", "hidden_size": 16, "heads": 2, "subsampling": "convolution"}
    model = made(model=transformer, training={"epochs": 15, "learning_rate": 0.005, "batch_size": 8})
    assert model.fit(X, y).score(X, y) > 0.6


@pytest.mark.parametrize("unit", ["characters", "whitespace"])
def test_a_language_model_scores_what_its_predictor_scores(fitted, unit):
    _, texts = spoken(60, seed=9)
    small = {"embedding_size": 8, "hidden_size": 8, "num_layers": 1}
    model = LanguageModel(text={"unit": unit}, model=small, training={"epochs": 1}).fit(texts)
    features = fitted.predictor_.features
    scores = language_scores(model.predictor_, features)
    for text in ("AB CAB", "C"):
        read, total = scores.begin(), 0.0
        for symbol in features.targets([text])[0].tolist():
            total += scores.extensions(read)[symbol]
            (read,) = scores.read([read], [symbol])
        (expected,) = model.score_texts([text])
        assert total + scores.end(read) == pytest.approx(expected.log_probability, abs=1e-4)


def test_a_language_model_from_a_folder_decides_what_is_unclear(tmp_path):
    texts = ["AB C"] * 80
    small = {"embedding_size": 8, "hidden_size": 16, "num_layers": 1}
    language = LanguageModel(text={"unit": "characters"}, model=small, training={"epochs": 10}).fit(texts)
    language.save(tmp_path / "lm")
    X, y = spoken(80)
    search = {"language_model": str(tmp_path / "lm"), "language_weight": 4.0, "insertion_bonus": 0.0, "beam": 16}
    model = made(search=search, training={"epochs": 2}).fit(X, y)
    said = model.predict(X)
    plain = model.predictor_.find(
        model.predictor_.log_probabilities(X), TranscriberSearchSettings(beam=16, language_model="x", language_weight=0)
    )
    known = model.predictor_.language.score
    ours, theirs = (
        sum(of.log_probability for of in known(rows))
        for rows in (said, [model.predictor_.features.write(symbols) for symbols in plain])
    )
    assert ours > theirs


def test_a_language_model_of_other_symbols_is_refused(fitted, tmp_path):
    small = {"embedding_size": 8, "hidden_size": 8, "num_layers": 1}
    pieces = LanguageModel(text={"unit": "bpe", "max_vocabulary": 12}, model=small, training={"epochs": 1})
    pieces.fit(spoken(60)[1])
    with pytest.raises(ConfigurationError, match="a language model of characters or of words is needed"):
        language_scores(pieces.predictor_, fitted.predictor_.features)


def test_transcripts_that_do_not_fit_are_left_out_and_counted():
    X, y = spoken(40)
    X[2], X[5], y[8] = X[2][:2], X[5][:1], ""
    y[2] = y[5] = "CAB CAB"
    model = made(training={"epochs": 1}, validation=0.0).fit(X, y)
    assert model.skipped_ == 2
    assert model.silent_ == 1
    with pytest.raises(DataError, match=r"38 of 40 transcripts have more symbols .* \(utterance 1: .*model\.factor"):
        made(model={"factor": 30}).fit(X, ["CAB CAB"] * 38 + ["C"] * 2, validation_data=(X, y))


def test_without_validation_the_search_is_decided_all_the_same():
    X, y = spoken(20)
    model = made(training={"epochs": 1}, validation=0.0, search={"beam": 2}).fit(X, y)
    assert model.settings_.search.insertion_bonus == 0
    assert model.trials_ == model.searches_ == []
    assert isinstance(model.predict(X)[0], str)


def test_it_is_an_estimator_of_scikit_learn():
    model = made(validation=0.2)
    assert clone(model).get_params() == model.get_params()


def test_wrong_input_is_named(tmp_path):
    X, y = spoken(6)
    with pytest.raises(DataError, match="6 utterances and 5 transcripts"):
        made().fit(X, y[:5])
    with pytest.raises(DataError, match="transcript of utterance 2 is no text"):
        made().fit(X, [y[0], 3, *y[2:]])
    with pytest.raises(DataError, match="all empty"):
        made().fit(X, [""] * 6)
    with pytest.raises(ConfigurationError, match=r"training\.metric of a transcriber"):
        made(training={"metric": "accuracy"}).fit(X, y)
    with pytest.raises(ConfigurationError, match=r"search\.beam"):
        made(search={"beam": 0}).fit(X, y)
    (tmp_path / "words.txt").write_text("AB\nnew york\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"line 2: a word list has one word a line"):
        read_word_list(tmp_path / "words.txt")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        made(search={"word_list": str(tmp_path / "none.txt")}).fit(X, y)
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is empty"):
        made(search={"word_list": str(tmp_path / "empty.txt")}).fit(X, y)


def test_frames_of_other_channels_are_refused(fitted):
    with pytest.raises(DataError, match="3 channels, and the model was trained on 5"):
        fitted.predict([np.zeros((4, 3))])
    with pytest.raises(DataError, match="has no step"):
        fitted.predict([np.zeros((0, 5))])
