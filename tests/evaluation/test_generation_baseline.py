"""Bigrams of classes and of chords, and the nearest vector."""

import itertools
import json

import numpy as np
import pytest

from seqwise.errors import DataError
from seqwise.evaluation.generation import piano_roll
from seqwise.evaluation.generation_baseline import (
    ChordBigrams,
    ClassBigrams,
    NearestVector,
    fit_generation_baseline,
    load_generation_baseline,
)
from seqwise.models.generator_features import GeneratorExamples

SYMBOLS, EOS = 6, 2
TEXTS = GeneratorExamples(
    [np.array(row) for row in ([3, 4, 2], [3, 3, 2], [4, 2], [5, 3, 2])], np.array([1, 1, 2, 2], np.int64)
)
MUSIC = GeneratorExamples([np.array([[0, 2], [1, -1], [-1, -1], [0, 2]]), np.array([[0, 2], [1, -1]])], None, 3)
VECTORS = GeneratorExamples(
    [np.array([3, 2]), np.array([3, 2]), np.array([4, 2])], np.array([[0, 0], [0, 1], [5, 5]], np.float32)
)


def test_bigrams_of_classes_sum_to_one_over_all_symbols():
    bigrams = ClassBigrams.fit(TEXTS, SYMBOLS)
    for group, before in itertools.product((0, 1, 2, 7), range(1, SYMBOLS)):
        total = sum(bigrams.probability(group, before, symbol) for symbol in range(1, SYMBOLS))
        assert total == pytest.approx(1)


def test_bigrams_of_classes_are_the_formula():
    # Class 1 after the start: 3 twice of 2; anywhere after the start: 3 twice of 4; anywhere: 3 four times of 11.
    bigrams = ClassBigrams.fit(TEXTS, SYMBOLS)
    single = (4 + 1) / (11 + 5)
    pair = (2 + 30 * single) / (4 + 30)
    assert bigrams.probability(1, EOS, 3) == pytest.approx((2 + 30 * pair) / (2 + 30))
    assert bigrams.losses(TEXTS)[0][0] == pytest.approx(-np.log((2 + 30 * pair) / (2 + 30)))


def test_bigrams_draw_what_they_say():
    bigrams, random = ClassBigrams.fit(TEXTS, SYMBOLS), np.random.default_rng(0)
    first = [(bigrams.sample(1, random, longest=1) or [EOS])[0] for _ in range(3000)]
    shares = np.array([bigrams.probability(1, EOS, symbol) for symbol in range(2, SYMBOLS)])
    counts = np.bincount(first, minlength=SYMBOLS)[2:]
    assert counts / 3000 == pytest.approx(shares / shares.sum(), abs=0.03)


def test_bigrams_of_chords_sum_to_one_over_all_sets_of_pitches():
    bigrams = ChordBigrams.fit(MUSIC)
    sets = [one for size in range(4) for one in itertools.combinations(range(3), size)]
    for before in (None, (0, 2), (1,), (0, 1, 2)):
        assert sum(bigrams.probability(before, chord) for chord in sets) == pytest.approx(1)
    alone = bigrams.independent_losses(MUSIC)[0][0]  # 0 and 2 sound at three of six steps, 1 at two
    assert alone == pytest.approx(-2 * np.log(3.5 / 7) - np.log(1 - 2.5 / 7))


def test_what_followed_before_is_likelier():
    bigrams = ChordBigrams.fit(MUSIC)
    assert bigrams.probability((0, 2), (1,)) > bigrams.probability((1,), (1,))


def test_the_nearest_vector_answers():
    nearest = NearestVector.fit(VECTORS)
    asked = GeneratorExamples([np.array([4, 2]), np.array([4, 2])], np.array([[4, 6], [0.1, 0.2]], np.float32))
    assert nearest.exact(asked).tolist() == [True, False]
    assert nearest.majority_exact(VECTORS).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("examples", "condition", "symbols"), [(TEXTS, "class", SYMBOLS), (MUSIC, "none", 0), (VECTORS, "vector", 5)]
)
def test_a_stored_baseline_is_the_same(examples, condition, symbols):
    baseline = fit_generation_baseline(examples, condition, symbols)
    again = load_generation_baseline(json.loads(json.dumps(baseline.to_dict())))
    ask = "exact" if condition == "vector" else "losses"
    for ours, theirs in zip(getattr(baseline, ask)(examples), getattr(again, ask)(examples), strict=True):
        assert np.array_equal(ours, theirs)


def test_a_damaged_one_is_named():
    with pytest.raises(DataError, match="describes no baseline"):
        load_generation_baseline({"kind": "trigrams"})


def test_a_piano_roll_has_a_bar_for_every_note_that_goes_on():
    svg = piano_roll([[60, 64], [60]], [[60], [], [62]], "A <piece>")
    assert svg.startswith("<svg")
    assert "2 steps given, 3 drawn" in svg
    assert "&lt;piece&gt;" in svg
    assert "C4" in svg
    assert piano_roll([], [[]], "silence").startswith("<svg")
