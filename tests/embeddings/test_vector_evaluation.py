"""Analogies and similarities: counted by hand, and as scipy and gensim count them."""

import os

import numpy as np
import pytest
from scipy.stats import spearmanr

from seqwise.embeddings import WordVectors
from seqwise.embeddings.evaluation import (
    AnalogySection,
    evaluate_analogies,
    evaluate_similarities,
    evaluate_vectors,
    find_set,
    read_evaluation,
)
from seqwise.errors import InputError

ANALOGIES = """: family
man king woman queen
king man queen woman
man king woman tree

: gram1-plural
man king woman unheard
"""


@pytest.fixture
def royal() -> WordVectors:
    corners = np.array([[1, 0, 0, 1], [1, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 1], [1, 1, -1, -1]], np.float32)
    return WordVectors(["man", "king", "woman", "Queen", "tree"], corners)


def test_analogies_are_counted_by_section(tmp_path, royal):
    (tmp_path / "a.txt").write_text(ANALOGIES)
    result = evaluate_analogies(royal, read_evaluation(tmp_path / "a.txt"))
    family, plural = result.sections
    assert (family.questions, family.answered, family.correct) == (3, 3, 2)
    assert (plural.questions, plural.answered, plural.accuracy, plural.coverage) == (1, 0, None, 0.0)
    assert [one.name for one in result.totals] == ["semantic", "syntactic", "all"]
    assert (result.total.accuracy, result.total.coverage) == (2 / 3, 0.75)


def test_words_beyond_the_restriction_neither_ask_nor_answer(tmp_path, royal):
    (tmp_path / "a.txt").write_text(ANALOGIES)
    result = evaluate_analogies(royal, read_evaluation(tmp_path / "a.txt"), restriction=3)
    assert result.total.answered == 0
    with pytest.raises(InputError, match="at least one word"):
        evaluate_analogies(royal, [], restriction=0)


def test_words_that_differ_in_case_are_one():
    rows = [[1, 0, 0, 1], [1, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 1], [0, 1, 1.1, 1]]
    vectors = WordVectors(["man", "king", "woman", "Queen", "queen"], rows)
    section = AnalogySection("family", [("Man", "King", "Woman", "queen")])
    assert evaluate_analogies(vectors, [section]).total.correct == 1


def test_similarities_are_ranked_as_scipy_ranks_them(tmp_path):
    vectors = WordVectors([f"w{i}" for i in range(20)], np.random.default_rng(0).normal(size=(20, 6)))
    pairs = [(f"w{i}", f"W{19 - i}", float(i % 4)) for i in range(9)]
    (tmp_path / "s.txt").write_text("# two words\n" + "\n".join(f"{a}\t{b}\t{s}" for a, b, s in pairs) + "\nw1,zzz,3\n")
    result = evaluate_vectors(vectors, [str(tmp_path / "s.txt")])[str(tmp_path / "s.txt")]
    expected = spearmanr([vectors.similarity(a, b) for a, b, _ in pairs], [score for *_, score in pairs]).statistic
    assert result.spearman == pytest.approx(expected)
    assert (result.pairs, result.known, result.coverage) == (10, 9, 0.9)


@pytest.mark.parametrize("pairs", [[], [("a", "b", 1.0)], [("a", "b", 1.0), ("a", "c", 1.0)], [("a", "x", 1.0)] * 2])
def test_too_little_to_rank_has_no_correlation(pairs):
    vectors = WordVectors(["a", "b", "c"], np.eye(3) + 0.1)
    assert evaluate_similarities(vectors, pairs).spearman is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"# nothing\n\n", "neither questions nor pairs"),
        (b": s\na b c\n", "line 2: four words are expected, not 'a b c'"),
        (b"a b\n", "line 1: two words and a score"),
        (b"a b 3\na b much\n", "line 2: two words and a score"),
        (b"a,b,3,4\n", "line 1: two words and a score"),
        (b"a b nan\n", "line 1: two words and a score"),
        (b"a b 3\n\xff b 3\n", "not UTF-8: line 2"),
    ],
)
def test_a_malformed_set_is_described(tmp_path, content, message):
    (tmp_path / "s.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_evaluation(tmp_path / "s.txt")


def test_a_set_is_found_by_name_or_said_where_to_get(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQWISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SEQWISE_DATA", str(tmp_path))
    with pytest.raises(InputError, match=r"MEN is not here: get en-men-tr-3k\.txt \(Bruni"):
        find_set("men")
    with pytest.raises(InputError, match="there is no file mine, and the sets with a name are google, wordsim353"):
        find_set("mine")
    (tmp_path / "embeddings").mkdir()
    (tmp_path / "embeddings" / "en-men-tr-3k.txt").write_text("a b 1\n")
    assert find_set("MEN") == tmp_path / "embeddings" / "en-men-tr-3k.txt"


@pytest.mark.skipif(not os.environ.get("SEQWISE_DATA"), reason="needs the public sets")
@pytest.mark.filterwarnings("ignore")
def test_gensim_counts_the_same():
    models = pytest.importorskip("gensim.models")
    path = find_set("google")
    questions = read_evaluation(path)
    words = sorted({word for section in questions for question in section.questions for word in question})
    vectors = WordVectors(words, np.random.default_rng(0).normal(size=(len(words), 3)))
    theirs = models.KeyedVectors(3)
    theirs.add_vectors(vectors.words, vectors.vectors)
    _, sections = theirs.evaluate_word_analogies(str(path))
    ours = evaluate_analogies(vectors, questions).total
    assert (ours.correct, ours.answered) == (
        len(sections[-1]["correct"]),
        len(sections[-1]["correct"]) + len(sections[-1]["incorrect"]),
    )
