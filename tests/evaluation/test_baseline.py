import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.evaluation import Baseline, baseline, fit_baseline

GOOD = ["a fine warm film", "fine and warm", "warm hearted and fine", "a film so warm"]
BAD = ["a dull cold film", "cold and dull", "dull hearted and cold", "a film so cold"]
ODD = ["strange birds sing", "birds sing and sing", "so strange a bird"]
TEXTS, LABELS = GOOD + BAD + ODD, ["good"] * 4 + ["bad"] * 4 + ["odd"] * 3
# float32 tf-idf here against float64 there, and a solver that stops within a tolerance of 1e-3
CLOSE = 5e-3


def by_scikit_learn(texts, labels, others, weights=None, **vectorizer):
    features = TfidfVectorizer(sublinear_tf=True, **vectorizer)
    solver = LogisticRegression(C=10, solver="liblinear", tol=1e-6, max_iter=10_000)
    if len(set(labels)) > 2:
        solver = OneVsRestClassifier(solver)
    solver.fit(features.fit_transform(texts), labels, **({} if weights is None else {"sample_weight": weights}))
    return solver.predict_proba(features.transform(others))


@pytest.mark.parametrize("rows", [slice(0, 8), slice(0, 11)], ids=["two classes", "three classes"])
def test_it_is_the_pipeline_that_anyone_would_write_with_scikit_learn(rows):
    texts, labels = TEXTS[rows], LABELS[rows]
    others = ["a warm and strange film", "cold birds", "unknown words only"]
    fitted = fit_baseline(texts, labels, unit="words")
    theirs = by_scikit_learn(texts, labels, others, ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b")
    assert fitted.classes == sorted(set(labels))
    np.testing.assert_allclose(fitted.predict_proba(others), theirs, atol=CLOSE)


def test_weights_count_as_in_scikit_learn_and_their_unit_does_not_matter():
    weights = np.array([1, 5, 2, 1, 3, 1, 1, 2], dtype=float)
    fitted = fit_baseline(TEXTS[:8], LABELS[:8], unit="words", sample_weight=weights / weights.mean())
    theirs = by_scikit_learn(
        TEXTS[:8],
        LABELS[:8],
        TEXTS,
        weights / weights.mean(),
        ngram_range=(1, 2),
        token_pattern=r"(?u)\b\w+\b",
    )
    np.testing.assert_allclose(fitted.predict_proba(TEXTS), theirs, atol=CLOSE)
    scaled = fit_baseline(TEXTS[:8], LABELS[:8], unit="words", sample_weight=1000 * weights)
    np.testing.assert_allclose(scaled.predict_proba(TEXTS), fitted.predict_proba(TEXTS), atol=1e-6)
    plain = fit_baseline(TEXTS[:8], LABELS[:8], unit="words")
    assert np.abs(plain.predict_proba(TEXTS) - theirs).max() > 0.01


def test_short_strings_are_taken_as_characters():
    names = ["Ivanov", "Petrov", "Sidorov", "Popov", "Rossi", "Bianchi", "Ricci", "Conti"]
    fitted = fit_baseline(names, ["ru"] * 4 + ["it"] * 4)
    assert "character n-grams (1 to 5)" in fitted.description
    assert fitted.predict_proba(["Romanov", "Marchetti"]).argmax(axis=1).tolist() == [1, 0]


def test_lists_of_tokens_are_taken_as_they_are():
    fitted = fit_baseline([text.split() for text in TEXTS], LABELS, unit="tokens")
    joined = fit_baseline(TEXTS, LABELS, unit="tokens")
    np.testing.assert_array_equal(fitted.predict_proba([["warm"]]), joined.predict_proba(["warm"]))


def test_columns_follow_the_given_classes_and_an_absent_class_gets_nothing():
    fitted = fit_baseline(TEXTS, LABELS, classes=["odd", "never", "good", "bad"], unit="words")
    got = fitted.predict_proba([*TEXTS, ""])
    plain = fit_baseline(TEXTS, LABELS, unit="words").predict_proba([*TEXTS, ""])
    assert (got[:, 1] == 0).all()
    np.testing.assert_allclose(got[:, [3, 2, 0]], plain, rtol=1e-6)
    np.testing.assert_allclose(got.sum(axis=1), 1)


def test_texts_may_be_a_stream():
    streamed = fit_baseline(iter(TEXTS), LABELS, unit="words").predict_proba(iter(TEXTS))
    np.testing.assert_array_equal(streamed, fit_baseline(TEXTS, LABELS, unit="words").predict_proba(TEXTS))
    assert fit_baseline(TEXTS, LABELS, unit="words").predict_proba([]).shape == (0, 3)


@pytest.mark.parametrize(
    "texts", [["", " ", "", ""], ["🙂", "🙁", "🙂 🙂", "🙁"], ["مرحبا", "שלום", "x" * 100_000, "1"]]
)
def test_texts_that_are_hardly_texts_give_probabilities(texts):
    fitted = fit_baseline(texts, ["a", "b", "a", "b"])
    got = fitted.predict_proba([*texts, "else"])
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got.sum(axis=1), 1)


def test_one_class_alone_is_always_said():
    fitted = fit_baseline(["one", "two"], ["a", "a"], classes=["a", "b"])
    np.testing.assert_array_equal(fitted.predict_proba(["one", "three"]), [[1, 0], [1, 0]])
    assert fitted.majority == 1


def test_of_very_many_examples_a_sample_is_used_that_keeps_rare_classes(monkeypatch):
    monkeypatch.setattr(baseline, "LARGEST", 40)
    texts = [f"common word {number % 7}" for number in range(399)] + ["rare"]
    labels = ["usual"] * 200 + ["other"] * 199 + ["rare"]
    weights = np.ones(400)
    fitted = fit_baseline(iter(texts), labels, unit="words", sample_weight=weights, seed=1)
    assert "41 of the 400" in fitted.description
    assert fitted.predict_proba(["rare"]).argmax() == fitted.classes.index("rare")
    same = fit_baseline(texts, labels, unit="words", sample_weight=weights, seed=1)
    np.testing.assert_array_equal(same.weight, fitted.weight)


def test_a_sample_is_drawn_from_the_examples_that_count(monkeypatch):
    monkeypatch.setattr(baseline, "LARGEST", 20)
    texts = [f"{'ignored' if row % 4 else 'counted'} {'even' if row % 8 else 'odd'} {row}" for row in range(200)]
    labels = ["b" if row % 8 else "a" for row in range(200)]
    weights = np.array([0.0 if row % 4 else 1.0 + row for row in range(200)])
    fitted = fit_baseline(texts, labels, unit="words", sample_weight=weights)
    assert "20 of the 50 training examples" in fitted.description
    features = {name for _, name in fitted.features.names}
    assert "counted" in features
    assert "ignored" not in features
    kept = weights > 0
    alone = fit_baseline(
        [text for text, counts in zip(texts, kept, strict=True) if counts],
        np.array(labels)[kept],
        unit="words",
        sample_weight=weights[kept],
    )
    np.testing.assert_array_equal(fitted.predict_proba(texts), alone.predict_proba(texts))


def test_the_majority_share_is_that_of_always_saying_the_most_frequent_class():
    assert fit_baseline(TEXTS[2:], LABELS[2:]).majority == pytest.approx(4 / 9)


def test_a_saved_baseline_gives_the_same_probabilities():
    fitted = fit_baseline(TEXTS, LABELS, classes=["odd", "never", "good", "bad"], unit="words")
    saved = json.loads(json.dumps(fitted.to_dict(), allow_nan=False))
    arrays = fitted.arrays()
    assert all(np.isfinite(values).all() for values in arrays.values())
    again = Baseline.from_parts(saved, arrays)
    np.testing.assert_array_equal(again.predict_proba(TEXTS), fitted.predict_proba(TEXTS))
    assert (again.description, again.majority, again.classes) == (fitted.description, fitted.majority, fitted.classes)


@pytest.mark.parametrize(
    "damage",
    [
        lambda saved, arrays: saved.pop("classes"),
        lambda saved, arrays: saved.update(absent=None),
        lambda saved, arrays: saved.update(seconds="soon"),
        lambda saved, arrays: saved["classes"].append("more"),
        lambda saved, arrays: arrays.pop("bias"),
        lambda saved, arrays: arrays.update(weight=arrays["weight"][1:]),
        lambda saved, arrays: arrays.update(weight=np.full_like(arrays["weight"], np.nan)),
        lambda saved, arrays: arrays.update(bias=np.full_like(arrays["bias"], np.inf)),
        lambda saved, arrays: saved.update(absent=list(saved["classes"])),
        lambda saved, arrays: saved.update(absent=["nobody"]),
    ],
)
def test_a_damaged_baseline_says_so(damage):
    fitted = fit_baseline(TEXTS, LABELS, unit="words")
    saved, arrays = fitted.to_dict() | {"classes": list(fitted.classes)}, fitted.arrays()
    damage(saved, arrays)
    with pytest.raises(ModelFolderError, match="baseline of the model folder is damaged"):
        Baseline.from_parts(saved, arrays)


def test_wrong_arguments_get_one_clear_sentence():
    with pytest.raises(DataError, match="label 'b' is not among the classes a, c"):
        fit_baseline(["x", "y"], ["a", "b"], classes=["a", "c"])
    with pytest.raises(DataError, match="3 texts and 2 labels"):
        fit_baseline(["x", "y", "z"], ["a", "b"])
    with pytest.raises(DataError, match="no examples"):
        fit_baseline([], [])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0] * 10, r"sample_weight must have the shape \(11,\), not \(10,\)"),
        ([1.0, np.nan] + [1.0] * 9, "sample_weight of example 2 is nan"),
        ([-1.0] * 11, "sample_weight of example 1 is -1"),
        ([0.0] * 11, "zero for every example"),
    ],
)
def test_wrong_weights_are_named_before_anything_is_fitted(weights, message):
    with pytest.raises(DataError, match=message):
        fit_baseline(TEXTS, LABELS, unit="words", sample_weight=weights)


@pytest.mark.parametrize("rows", [8, 11], ids=["two classes", "three classes"])
def test_an_example_of_weight_zero_counts_as_if_it_were_not_there(rows):
    texts, labels = TEXTS[:rows], LABELS[:rows]
    kept = [row for row in range(rows) if labels[row] != "bad"]
    fitted = fit_baseline(texts, labels, unit="words", sample_weight=[float(label != "bad") for label in labels])
    without = fit_baseline(
        [texts[row] for row in kept], [labels[row] for row in kept], classes=fitted.classes, unit="words"
    )
    assert fitted.classes == sorted(set(labels))
    assert (fitted.predict_proba(texts)[:, fitted.classes.index("bad")] == 0).all()
    np.testing.assert_array_equal(fitted.predict_proba(texts), without.predict_proba(texts))
    assert fitted.majority == without.majority


def test_an_unknown_unit_is_refused():
    with pytest.raises(ConfigurationError, match=r"unit is .*\"words\".*, not 'word'"):
        fit_baseline(TEXTS, LABELS, unit="word")


@pytest.mark.parametrize("texts", [TEXTS[:-1], [*TEXTS, "one too many"]], ids=["one missing", "one too many"])
def test_texts_that_do_not_match_their_labels_are_noticed_in_a_sample_too(texts, monkeypatch):
    monkeypatch.setattr(baseline, "LARGEST", 5)
    with pytest.raises(DataError, match=f"there are {len(texts)} texts and 11 labels"):
        fit_baseline(iter(texts), LABELS, unit="words")


def test_a_saved_baseline_needs_no_scikit_learn(tmp_path):
    fitted = fit_baseline(TEXTS, LABELS, unit="words")
    (tmp_path / "baseline.json").write_text(json.dumps(fitted.to_dict()))
    save_file(fitted.arrays(), tmp_path / "baseline.safetensors")
    code = (
        "import json, sys; from safetensors.numpy import load_file; from seqwise.evaluation import Baseline\n"
        "again = Baseline.from_parts(json.load(open('baseline.json')), load_file('baseline.safetensors'))\n"
        "print(again.predict_proba(['a fine film']).argmax(), 'sklearn' in sys.modules, 'torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["1", "False", "False"]


@pytest.mark.skipif("SEQWISE_DATA" not in os.environ, reason="needs the data sets")
@pytest.mark.parametrize(
    ("name", "column", "accuracy"),
    [("trec", "text", 0.884), ("sms_spam", "text", 0.985), ("dna_splice", "sequence", 0.70)],
)
def test_it_is_no_straw_man(name, column, accuracy):
    import pyarrow.parquet as parquet

    folder = Path(os.environ["SEQWISE_DATA"]) / name
    train, test = (
        parquet.read_table(folder / f"{part}.parquet", columns=[column, "label"]).to_pydict()
        for part in ("train", "test")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = fit_baseline(train[column], train["label"])
    predicted = np.array(fitted.classes)[fitted.predict_proba(test[column]).argmax(axis=1)]
    assert (predicted == np.array(test["label"])).mean() >= accuracy
