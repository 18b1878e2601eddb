import json

import numpy as np
import pytest

from seqwise.errors import DataError
from seqwise.evaluation.word_translation import ROUNDS, WordTranslation, _translations

PAIRS = [
    ("the house", "das Haus"),
    ("the book", "das Buch"),
    ("a book", "ein Buch"),
    ("the book and a house", "das Buch und ein Haus"),
]


def reference(sources, targets, source_size, target_size):
    """IBM model 1 as its paper writes it, pair by pair."""
    table = np.full((source_size, target_size), 1.0 / target_size)
    for _ in range(ROUNDS):
        counts = np.zeros_like(table)
        for source, target in zip(sources, targets, strict=True):
            for f in target:
                shares = np.array([table[e, f] for e in [0, *source]])
                for e, share in zip([0, *source], shares / shares.sum(), strict=True):
                    counts[e, f] += share
        table = counts / np.maximum(counts.sum(1, keepdims=True), 1e-300)
    return table


def test_expectation_maximisation_is_that_of_the_paper():
    random = np.random.default_rng(0)
    sources = [random.integers(3, 9, size=random.integers(1, 6)) for _ in range(30)]
    targets = [random.integers(3, 8, size=random.integers(1, 6)) for _ in range(30)]
    words, logs = _translations(sources, targets, 9, 8)
    table = reference(sources, targets, 9, 8)
    for source in range(3, 9):
        best = np.sort(table[source])[::-1][: words.shape[1]]
        kept = best > 0
        np.testing.assert_allclose(np.exp(logs[source])[kept], best[kept], rtol=1e-6)
        np.testing.assert_allclose(table[source, words[source]][kept], best[kept], rtol=1e-6)


def test_words_that_stand_together_translate_each_other():
    baseline = WordTranslation.fit(*zip(*(PAIRS * 5), strict=True))
    assert baseline.predict(["the house and a book", "a house"]) == ["das Haus und ein Buch", "ein Haus"]


def test_unknown_words_stay_and_nothing_stays_nothing():
    baseline = WordTranslation.fit(*zip(*PAIRS, strict=True))
    assert baseline.predict(["the zeppelin", ""]) == ["das zeppelin", ""]


def test_the_bigrams_choose_between_translations():
    pairs = [("a woman", "eine Frau"), ("a man", "ein Mann"), ("a woman sees", "eine Frau sieht")] * 3
    baseline = WordTranslation.fit(*zip(*pairs, strict=True))
    assert baseline.predict(["a woman", "a man"]) == ["eine Frau", "ein Mann"]


def test_what_is_stored_translates_alike():
    baseline = WordTranslation.fit(*zip(*(PAIRS * 2), strict=True))
    again = WordTranslation.from_dict(json.loads(json.dumps(baseline.to_dict())))
    texts = [source for source, _ in PAIRS]
    assert again.predict(texts) == baseline.predict(texts)


@pytest.mark.parametrize("change", [{"words": [[0]]}, {"logs": None}, {"features": {}}, {"texts": "many"}])
def test_a_damaged_one_is_refused(change):
    saved = WordTranslation.fit(*zip(*PAIRS, strict=True)).to_dict()
    with pytest.raises(DataError):
        WordTranslation.from_dict({**saved, **change})


def test_none_at_all_is_refused():
    with pytest.raises(DataError):
        WordTranslation.from_dict([])
