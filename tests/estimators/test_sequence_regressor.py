"""Numbers out of texts: learned, weighed, saved; scikit-learn outside."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.base import clone, is_regressor
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score as sklearn_r2
from sklearn.model_selection import GridSearchCV, cross_val_score

from seqwise.data import Frames
from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.estimators import SequenceClassifier, SequenceRegressor
from seqwise.estimators.regressor_fitting import fit_number_scales, fit_ridge_part
from seqwise.losses import RegressionSettings
from seqwise.models import LinearPart
from seqwise.text import Ragged

WORDS = {"awful": -2.0, "bad": -1.0, "good": 1.0, "great": 2.0}
SMALL = {
    "model": {"hidden_size": 8, "embedding_size": 8, "dropout": 0.0, "word_dropout": 0.0, "embedding_dropout": 0.0},
    "training": {"epochs": 6, "batch_size": 16, "learning_rate": 0.02},
}


def reviews(count=160, seed=0):
    """Texts whose number is the sum of their words' values, plus 5."""
    generator = np.random.default_rng(seed)
    texts, stars = [], []
    for _ in range(count):
        chosen = generator.choice(list(WORDS), generator.integers(1, 4))
        filler = generator.choice(["the", "film", "a", "plot", "was"], 4)
        texts.append(" ".join(generator.permutation([*chosen, *filler])))
        stars.append(5 + sum(WORDS[word] for word in chosen))
    return texts, np.array(stars)


@pytest.fixture(scope="module")
def fitted():
    return SequenceRegressor(**SMALL).fit(*reviews())


def test_it_learns_and_its_score_is_scikit_learns_r2(fitted):
    texts, stars = reviews(60, seed=1)
    assert fitted.score(texts, stars) > 0.8
    assert fitted.score(texts, stars) == pytest.approx(sklearn_r2(stars, fitted.predict(texts)))
    weights = np.arange(60.0)
    expected = sklearn_r2(stars, fitted.predict(texts), sample_weight=weights)
    assert fitted.score(texts, stars, weights) == pytest.approx(expected)
    assert fitted.predict(texts).shape == (60,)


def test_both_parts_are_reported_beside_what_they_are_together(fitted):
    assert set(fitted.parts_) == {"linear", "recurrent", "together"}
    assert fitted.parts_["together"]["rmse"] <= 1.05 * min(of["rmse"] for of in fitted.parts_.values())
    assert fitted.settings_.training.metric == "rmse"


def test_the_linear_part_is_scikit_learns_ridge():
    generator = np.random.default_rng(0)
    X, y, w = generator.random((50, 7)), generator.normal(size=(50, 2)), generator.random((50, 2))
    sparse = csr_matrix(X)
    rows = Ragged(sparse.indices.astype(np.int32), sparse.indptr.astype(np.int64), sparse.data.astype(np.float32))
    part = LinearPart(7, 2)
    fit_ridge_part(part, rows, y, penalty=0.5, weights=w)
    for place in range(2):
        exact = Ridge(alpha=2.0, solver="cholesky").fit(X, y[:, place], w[:, place])
        np.testing.assert_allclose(part.weight.weight[:, place].numpy(), exact.coef_, atol=2e-3)
        assert float(part.bias[place]) == pytest.approx(exact.intercept_, abs=2e-3)


@pytest.mark.parametrize("loss", ["squared", "absolute", "huber"])
def test_the_scales_find_the_part_that_knows(loss):
    generator = np.random.default_rng(0)
    y = generator.normal(size=(40_000, 1))
    noise = generator.normal(size=(40_000, 1))
    parts = np.stack([0.5 * y, noise], axis=1)
    scales, shift = fit_number_scales(parts, y + 0.3, None, RegressionSettings(loss=loss))
    assert scales == pytest.approx([2.0, 0.0], abs=0.05)
    assert shift == pytest.approx([0.3], abs=0.05)
    few, _ = fit_number_scales(parts[:3], y[:3], None, RegressionSettings(loss=loss))
    assert few == pytest.approx([0.5, 0.5], abs=0.3), "three examples decide little"


def test_several_targets_have_names_units_and_answers_of_their_own():
    texts, stars = reviews()
    both = np.stack([stars, 1000.0 - 50 * stars], axis=1)
    model = SequenceRegressor(**SMALL).fit(texts, both, target_names=["stars", "price"])
    answers = model.predict(texts)
    assert answers.shape == (160, 2)
    assert model.score(texts, both) > 0.8
    assert model.scale_.names == ("stars", "price")
    assert model.predictor_.named(answers[:1])[0].keys() == {"stars", "price"}


def test_targets_of_another_unit_give_the_same_model_in_that_unit(fitted):
    texts, stars = reviews()
    scaled = SequenceRegressor(**SMALL).fit(texts, 1e4 * stars - 7e5)
    np.testing.assert_allclose(scaled.predict(texts[:20]), 1e4 * fitted.predict(texts[:20]) - 7e5, rtol=1e-3)


def test_rare_values_weigh_more_where_it_is_asked_for():
    texts, stars = reviews(300)
    rare = np.abs(stars - 5) >= 4
    assert 0 < rare.mean() < 0.25
    linear = {**SMALL, "model": {"architecture": "linear", "linear_c": 0.02}}
    plain = SequenceRegressor(**linear).fit(texts, stars)
    weighed = SequenceRegressor(**linear, regression={"rare": "inverse_frequency"}).fit(texts, stars)
    errors = [np.abs(model.predict(texts) - stars)[rare].mean() for model in (plain, weighed)]
    assert errors[1] < 0.95 * errors[0]


def test_sample_weights_of_zero_leave_examples_out():
    texts, stars = reviews()
    wrong = np.concatenate([stars, stars + 50])
    weights = np.concatenate([np.ones(160), np.zeros(160)])
    linear = {"model": {"architecture": "linear"}, "validation": 0.0}
    weighed = SequenceRegressor(**linear).fit(texts * 2, wrong, weights)
    alone = SequenceRegressor(**linear).fit(texts, stars)
    assert np.abs(weighed.predict(texts) - alone.predict(texts)).mean() < 0.3


def test_bounds_cut_answers_to_the_range_of_the_training_targets():
    texts, stars = reviews()
    model = SequenceRegressor(**SMALL, regression={"bounds": "training"}).fit(texts, stars)
    answers = model.predict(["great " * 30, "awful " * 30])
    assert answers.max() <= stars.max()
    assert answers.min() >= stars.min()


def test_a_saved_model_answers_as_before_and_can_be_fitted_anew(fitted, tmp_path):
    texts, stars = reviews(30, seed=3)
    fitted.save(tmp_path / "m", data={"text": "review", "target": "stars"})
    loaded = SequenceRegressor.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict(texts), fitted.predict(texts))
    assert loaded.settings_ == fitted.settings_
    assert not (tmp_path / "m" / "labels.json").exists()
    again = loaded.fit(*reviews())
    np.testing.assert_allclose(again.predict(texts), fitted.predict(texts), rtol=1e-4)
    assert stars.shape == again.predict(texts).shape


def test_it_is_a_scikit_learn_estimator():
    model = SequenceRegressor(model={"architecture": "linear"}, validation=0.2)
    assert clone(model).get_params()["model"] == {"architecture": "linear"}
    assert is_regressor(model)
    texts, stars = reviews(60)
    assert cross_val_score(model, texts, stars, cv=3).min() > 0.2
    search = GridSearchCV(model, {"model": [{"architecture": "linear", "linear_c": c} for c in (1e-4, 1.0)]}, cv=2)
    assert search.fit(texts, stars).best_params_["model"]["linear_c"] == 1.0


def test_texts_of_nothing_that_is_known_get_an_answer_too(fitted):
    assert np.isfinite(fitted.predict(["", "words never seen", "x" * 5000])).all()


def test_two_fits_with_one_seed_are_the_same():
    texts, stars = reviews(60)
    first, second = (SequenceRegressor(**SMALL).fit(texts, stars).predict(texts) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_padding_never_changes_an_answer(fitted):
    texts = ["good film", "the plot was great and good and great " * 5]
    alone = [fitted.predict([text])[0] for text in texts]
    np.testing.assert_allclose(fitted.predict(texts), alone, rtol=1e-5)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([1.0, "many", 3.0], "target of row 2 is 'many', and a number is expected"),
        ([1.0, None, 3.0], "target of row 2 is missing"),
        ([1.0, float("nan"), 3.0], "target of row 2 is nan, and a finite number is expected"),
        ([2.0, 2.0, 2.0], "target is 2 in every training example that counts: there is nothing to learn"),
        ([1.0, 2.0], r"X has 3 rows, y has the shape \(2,\)"),
    ],
)
def test_wrong_targets_are_named(targets, message):
    model = SequenceRegressor(**SMALL, validation=0.0)
    with pytest.raises(DataError, match=message):
        model.fit(["a b", "c d", "e f"], targets)


def test_wrong_settings_are_named(tmp_path):
    texts, stars = reviews(20)
    with pytest.raises(ConfigurationError, match=r"training\.metric of a regressor is one of mae, rmse, r2"):
        SequenceRegressor(training={"metric": "macro_f1"}).fit(texts, stars)
    with pytest.raises(ConfigurationError, match=r"training\.refit is not for regressors"):
        SequenceRegressor(training={"refit": True}).fit(texts, stars)
    with pytest.raises(ConfigurationError, match=r"model\.start_from is for classifiers"):
        SequenceRegressor(model={"start_from": "lm"}).fit(texts, stars)
    with pytest.raises(ConfigurationError, match=r"regression.loss"):
        SequenceRegressor(regression={"loss": "cubic"}).fit(texts, stars)
    classifier = SequenceClassifier(architecture="linear", validation=0.0).fit(["a", "b"] * 4, [0, 1] * 4)
    classifier.save(tmp_path / "c")
    with pytest.raises(ModelFolderError, match="holds a SequenceClassifier, not a regressor"):
        SequenceRegressor.load(tmp_path / "c")


def test_the_answers_of_a_batch_are_those_of_torch_in_float32(fitted):
    texts, _ = reviews(5, seed=9)
    answers = fitted.predictor_.predict(texts)
    batch = fitted.fitted_.features.encode(texts).batch(np.arange(5))
    with torch.no_grad():
        raw = fitted.fitted_.module(batch).double().numpy()
    np.testing.assert_allclose(answers, raw * fitted.scale_.deviation + fitted.scale_.mean, rtol=1e-5)


def signals(count=120, seed=0):
    """Frames of two channels whose numbers are how loud the first is, and how long it lasts."""
    generator = np.random.default_rng(seed)
    rows, targets = [], []
    for _ in range(count):
        loud, steps = generator.uniform(0.5, 3), int(generator.integers(8, 30))
        rows.append(np.stack([loud * np.sin(np.arange(steps)), generator.normal(size=steps)], 1))
        targets.append((loud, steps))
    return Frames.from_rows(rows), np.array(targets)


def test_numbers_are_learned_from_frames_too(tmp_path):
    frames, targets = signals()
    training = {**SMALL["training"], "epochs": 25, "learning_rate": 0.01}
    model = SequenceRegressor(model={"hidden_size": 16, "num_layers": 1, "dropout": 0.0}, training=training)
    model.fit(frames, targets, target_names=["loudness", "steps"])
    others, true = signals(40, seed=1)
    assert model.score(others, true) > 0.7
    assert set(model.parts_) == {"recurrent"}
    model.save(tmp_path / "m")
    loaded = SequenceRegressor.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict(others), model.predict(others))
    np.testing.assert_allclose(model.predict([others[0]])[0], model.predict(others)[0], rtol=1e-4)
    with pytest.raises(DataError, match="the model reads frames"):
        model.predict(["a text"])


def test_one_vector_a_row_is_read_by_dense_layers():
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(150, 1, 4))
    targets = vectors[:, 0] @ np.array([1.0, -2.0, 0.0, 3.0])
    training = {"epochs": 40, "learning_rate": 0.02}
    model = SequenceRegressor(model={"hidden_size": 16, "dropout": 0.0}, training=training).fit(vectors, targets)
    assert model.settings_.model.architecture == "dense"
    assert model.score(vectors, targets) > 0.9


CAUSAL = {**SMALL["model"], "architecture": "recurrent", "bidirectional": False}


@pytest.mark.parametrize(
    ("pooling", "model"),
    [("last", {}), ("last+max+mean+attention", {"cell": "gru", "num_layers": 2}), ("mean", {"encoder": "transformer"})],
)
def test_frames_step_by_step_give_what_the_whole_sequence_gives(pooling, model):
    frames, targets = signals(40)
    settings = {**CAUSAL, **model, "pooling": pooling}
    estimator = SequenceRegressor(model=settings, training={**SMALL["training"], "epochs": 1}).fit(frames, targets)
    rows = np.stack([frames[0][:8], frames[1][:8], frames[2][:8]])
    state = estimator.start(3)
    for steps in range(1, 9):
        state, numbers = estimator.step(state, rows[:, steps - 1])
        np.testing.assert_allclose(numbers, estimator.predict(rows[:, :steps]), rtol=1e-4, atol=1e-4)


def test_symbols_step_by_step_give_what_the_whole_text_gives():
    texts, stars = reviews(60)
    tokens = [text.split() for text in texts]
    settings = {**CAUSAL, "pooling": "last+mean"}
    model = SequenceRegressor(text={"unit": "tokens"}, model=settings, training={**SMALL["training"], "epochs": 1})
    model.fit(tokens, stars)
    state = model.start()
    for steps, token in enumerate(tokens[0], 1):
        state, numbers = model.step(state, [token])
        np.testing.assert_allclose(numbers[:, 0], model.predict([tokens[0][:steps]]), rtol=1e-5)
    with pytest.raises(DataError, match="one symbol or frame for each of 1 sequences"):
        model.step(state, ["good", "bad"])


def test_what_needs_the_whole_sequence_has_no_steps(fitted):
    with pytest.raises(ConfigurationError, match="needs the whole sequence"):
        fitted.start()
    frames, targets = signals(40)
    training = {**SMALL["training"], "epochs": 1}
    stacked = SequenceRegressor(model=CAUSAL, training=training, frames={"stack": 2}).fit(frames, targets)
    with pytest.raises(ConfigurationError, match=r"frames\.stack needs more than one step"):
        stacked.start()
