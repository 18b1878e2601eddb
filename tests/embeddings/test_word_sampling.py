"""What is drawn, and how often: by chi-square and by other constructions."""

import heapq

import numpy as np
import pytest
from scipy.stats import chisquare
from test_window_kernels import make_corpus, run_oracle
from word2vec_oracle import SplitMix

from seqwise.embeddings.huffman import build_tree
from seqwise.embeddings.sampling import alias_table, keep_probabilities, noise_probabilities
from seqwise.embeddings.settings import EmbeddingSettings
from seqwise.embeddings.windows import WindowTrainer

COUNTS = np.array([1000, 400, 100, 50, 50, 7, 3, 1, 1], np.int64)


@pytest.mark.parametrize("size", [1, 2, 9, 1000])
def test_an_alias_table_stands_for_its_distribution(size):
    wanted = noise_probabilities(np.random.default_rng(0).integers(1, 10_000, size))
    table = alias_table(wanted)
    share = np.zeros(size)
    np.add.at(share, np.arange(size), table[:, 0] / 2**32 / size)
    np.add.at(share, table[:, 1], (1 - table[:, 0] / 2**32) / size)
    np.testing.assert_allclose(share, wanted, atol=1e-9)


def test_negatives_follow_the_unigram_distribution_to_three_quarters():
    draw, table = SplitMix(7), alias_table(noise_probabilities(COUNTS)).tolist()
    drawn = []
    for _ in range(40_000):
        z = draw()
        entry = (z >> 32) * len(COUNTS) >> 32
        drawn.append(entry if z & 0xFFFFFFFF < table[entry][0] else table[entry][1])
    wanted = COUNTS**0.75 / (COUNTS**0.75).sum()
    assert chisquare(np.bincount(drawn, minlength=len(COUNTS)), wanted * len(drawn)).pvalue > 1e-3


def test_sub_sampling_is_by_the_formula_that_is_named():
    f, t = COUNTS / COUNTS.sum(), 1e-2
    np.testing.assert_allclose(keep_probabilities(COUNTS, t, "paper"), np.minimum(1, np.sqrt(t / f)))
    program = np.minimum(1, (np.sqrt(f / t) + 1) * t / f)
    np.testing.assert_allclose(keep_probabilities(COUNTS, t, "word2vec"), program)
    assert (keep_probabilities(COUNTS, 0, "paper") == 1).all()


def test_frequent_words_are_kept_as_often_and_windows_are_as_wide_as_they_should_be():
    tokens, counts = make_corpus(words=12, sentences=3000, seed=4)
    settings = EmbeddingSettings(size=2, negatives=1, sample=0.05, window=4, epochs=1)
    trainer = WindowTrainer(tokens, counts, settings, "float64")
    # The oracle is the kernel's equal (the other tests say so): its record shows what both did.
    windows, sentences = run_oracle(
        trainer, trainer.inputs.copy(), np.zeros_like(trainer.outputs), tokens[: np.flatnonzero(tokens < 0)[1500] + 1]
    )
    kept = np.bincount(np.concatenate(sentences).astype(int), minlength=12)
    seen = np.bincount(tokens[: np.flatnonzero(tokens < 0)[1500] + 1] + 1, minlength=13)[1:]
    p = keep_probabilities(counts, 0.05, "word2vec")
    assert (kept[p == 1] == seen[p == 1]).all()
    spread = np.sqrt(seen * p * (1 - p)) + 1e-9
    assert (np.abs(kept - seen * p) < 4 * spread + 1e-9).all()
    position, widths = 0, []
    for sentence in sentences:
        for i in range(len(sentence)):
            _, around = windows[position]
            position += 1
            if 4 <= i < len(sentence) - 4:
                widths.append(len(around) // 2 - 1)
    assert chisquare(np.bincount(widths, minlength=4)).pvalue > 1e-3


@pytest.mark.parametrize("size", [1, 2, 3, 50, 700])
def test_huffman_codes_are_as_short_as_a_heap_makes_them(size):
    counts = np.sort(np.random.default_rng(size).zipf(1.5, size) % 1000 + 1)[::-1].astype(np.int64)
    tree = build_tree(counts)
    heap = counts.tolist()
    heapq.heapify(heap)
    cost = 0  # the sum of all joined weights is the cost of the best code
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        cost += joined
        heapq.heappush(heap, joined)
    ways = [tree.way(word) for word in range(size)]
    assert sum(n * len(nodes) for n, (nodes, _) in zip(counts.tolist(), ways, strict=True)) == cost
    codes = {tuple(turns.tolist()) for _, turns in ways}
    assert len(codes) == size
    assert all(code[:k] not in codes for code in codes for k in range(len(code)))
    # A node is named by the turns that lead to it, and by nothing else.
    places = {}
    for nodes, turns in ways:
        for depth, node in enumerate(nodes.tolist()):
            assert places.setdefault(node, tuple(turns[:depth].tolist())) == tuple(turns[:depth].tolist())
    assert sorted(places) == list(range(size - 1))


def test_a_node_predicts_probabilities_that_add_to_one():
    tree = build_tree(COUNTS)
    scores = np.random.default_rng(1).normal(size=tree.inner)
    total = 0.0
    for word in range(len(COUNTS)):
        nodes, turns = tree.way(word)
        p = 1 / (1 + np.exp(-scores[nodes]))
        total += np.prod(np.where(turns == 1, p, 1 - p))
    assert abs(total - 1) < 1e-12
