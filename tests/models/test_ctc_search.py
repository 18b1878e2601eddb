import itertools
import math

import numpy as np
import pytest

from seqwise.errors import ConfigurationError
from seqwise.models.ctc_search import Searcher, SearchSettings, greedy
from seqwise.models.lexicon import Lexicon

LETTERS = ["", "a", "b", " "]  # the first is the blank


def outputs(steps=5, count=4, seed=0, sharpness=1.0):
    logits = np.random.default_rng(seed).normal(size=(steps, count)) * sharpness
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def collapsed(path, blank=0):
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != blank)


def enumerated(logs, blank=0):
    """log P of every text, summed over its paths."""
    found = {}
    for path in itertools.product(range(logs.shape[1]), repeat=len(logs)):
        value = sum(logs[t, symbol] for t, symbol in enumerate(path))
        text = collapsed(path, blank)
        found[text] = np.logaddexp(found.get(text, -np.inf), value)
    return found


class Bigrams:
    """A language model of symbols that sees one symbol back; it gives out the last symbol as what has been read."""

    def begin(self):
        return 0

    def __init__(self, count=4, seed=9):
        table = np.random.default_rng(seed).normal(size=(count, count))
        self.table = table - np.logaddexp.reduce(table, axis=1, keepdims=True)  # column 0 is the end

    def extensions(self, read):
        return self.table[read]

    def read(self, before, symbols):
        return list(symbols)

    def end(self, read):
        return float(self.table[read, 0])

    def log_probability(self, text):
        return sum(self.table[a, b] for a, b in itertools.pairwise((0, *text, 0)))


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("seed", range(4))
def test_a_full_beam_gives_every_text_its_whole_probability(seed, blank):
    logs = outputs(seed=seed)
    expected = enumerated(logs, blank)
    found = Searcher(SearchSettings(beam=10_000, cutoff=0), blank).search(logs, best=10_000)
    assert len(found) == len(expected)
    assert sum(math.exp(of.log_probability) for of in found) == pytest.approx(1, abs=1e-12)
    for of in found:
        assert of.log_probability == pytest.approx(expected[tuple(of.symbols)], abs=1e-10)
        assert of.score == of.log_probability
    assert [of.score for of in found] == sorted((of.score for of in found), reverse=True)


@pytest.mark.parametrize("seed", range(4))
def test_with_a_language_model_and_a_bonus_the_best_of_all_texts_is_found(seed):
    logs, language, weight, bonus = outputs(seed=seed), Bigrams(), 0.7, 0.4
    scores = {
        text: value + weight * language.log_probability(text) + bonus * text.count(3)
        for text, value in enumerated(logs).items()
    }
    settings = SearchSettings(beam=10_000, weight=weight, bonus=bonus, cutoff=0)
    counted = np.array([0, 0, 0, 1])
    (found,) = Searcher(settings, language=language, counted=counted).search(logs)
    best = max(scores, key=lambda text: scores[text])
    assert tuple(found.symbols) == best
    assert found.score == pytest.approx(scores[best], abs=1e-10)


@pytest.mark.parametrize("seed", range(6))
def test_with_a_word_list_the_best_text_of_its_words_is_found(seed):
    logs, words = outputs(seed=seed), {"ab", "b", "bb"}
    allowed = {
        text: value
        for text, value in enumerated(logs).items()
        if set("".join(LETTERS[s] for s in text).split(" ")) <= words or not text
    }
    searcher = Searcher(SearchSettings(beam=10_000, cutoff=0), lexicon=Lexicon(words, LETTERS))
    (found,) = searcher.search(logs)
    best = max(allowed, key=lambda text: allowed[text])
    assert tuple(found.symbols) == best
    assert found.log_probability == pytest.approx(allowed[best], abs=1e-10)


def test_a_narrow_beam_finds_what_is_clear():
    logs = outputs(30, 6, seed=3, sharpness=8)
    expected = greedy(logs)
    for beam in (1, 4):
        assert Searcher(SearchSettings(beam=beam)).search(logs)[0].symbols == expected


def test_a_wider_beam_never_finds_a_less_probable_text_here():
    values = []
    for beam in (1, 2, 4, 64):
        found = [Searcher(SearchSettings(beam=beam, cutoff=0)).search(outputs(12, 6, seed=s))[0] for s in range(20)]
        values.append(sum(of.log_probability for of in found))
    assert values == sorted(values)


def test_where_no_whole_word_is_left_the_best_prefix_is_cut_back():
    logs = np.log(np.full((5, 4), 1e-12))
    for step, symbol in enumerate([1, 2, 3, 1, 1]):  # "ab a"
        logs[step, symbol] = 0.0
    searcher = Searcher(SearchSettings(beam=1), lexicon=Lexicon(["ab"], LETTERS))
    assert searcher.search(logs)[0].symbols == [1, 2]


def test_greedy_joins_repeats_and_drops_blanks():
    path = np.eye(3)[[1, 1, 0, 1, 2, 2, 0, 0]]
    assert greedy(path) == [1, 1, 2]
    assert greedy(path[:0]) == []


def test_words_of_pieces_are_spelled_by_any_pieces():
    pieces = ["", " a", "b", " ab", " b", "c"]
    lexicon = Lexicon(["ab", "b"], pieces)
    places = lexicon.after(0)
    assert (places >= 0).tolist() == [True, True, False, True, True, False]
    inside = int(places[1])
    assert not lexicon.ends(inside)
    assert (lexicon.after(inside) >= 0).tolist() == [True, False, True, False, False, False]
    assert lexicon.ends(int(lexicon.after(inside)[2]))
    assert int(places[3]) == int(lexicon.after(inside)[2])


def test_wrong_settings_and_word_lists_are_refused():
    with pytest.raises(ConfigurationError, match="at least one prefix, not 0"):
        SearchSettings(beam=0)
    with pytest.raises(ConfigurationError, match="weight is a number from 0 on"):
        SearchSettings(weight=-1)
    with pytest.raises(ConfigurationError, match="cutoff"):
        SearchSettings(cutoff=1)
    with pytest.raises(ConfigurationError, match="word list is empty"):
        Lexicon([], LETTERS)
    with pytest.raises(ConfigurationError, match="no word that the model can spell"):
        Lexicon(["xyz"], LETTERS)
