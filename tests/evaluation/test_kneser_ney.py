import itertools
import math
from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

from seqwise.evaluation.kneser_ney import KneserNey
from tolerances import assert_close

WORDS = 5


def close(actual, expected):
    """Numbers, or arrays of them."""
    assert_close(*(torch.as_tensor(of, dtype=torch.float64) for of in (actual, expected)))


def brute_force(text, order, history, word):
    """P(word | history), from the definition: dictionaries of tuples, one recursion an order."""
    grams = {n: Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1)) for n in range(1, order + 1)}
    counts = {order: grams[order]}
    for n in range(order - 1, 0, -1):
        before = defaultdict(set)
        for gram in grams[n + 1]:
            before[gram[1:]].add(gram[0])
        counts[n] = Counter({gram: max(1, len(before[gram])) for gram in grams[n]})

    def discounts(n):
        n1, n2, n3, n4 = (sum(c == i for c in counts[n].values()) for i in (1, 2, 3, 4))
        y = n1 / (n1 + 2 * n2) if n1 + n2 else 0.5
        own = [
            1 - 2 * y * n2 / n1 if n1 else y,
            2 - 3 * y * n3 / n2 if n2 else 2 * y,
            3 - 4 * y * n4 / n3 if n3 else 3 * y,
        ]
        return [min(max(d, 0.1), top) for d, top in zip(own, (1, 2, 3), strict=True)]

    def probability(n, context):
        if n == 0:
            return 1 / WORDS
        context = context[len(context) - n + 1 :] if n > 1 else ()
        following = {gram: c for gram, c in counts[n].items() if gram[:-1] == context}
        lower = probability(n - 1, context[1:] if n > 1 else ())
        if not following:
            return lower
        d, total = discounts(n), sum(following.values())
        taken = {gram: d[min(c, 3) - 1] for gram, c in following.items()}
        gram = (*context, word)
        own = (following[gram] - taken[gram]) / total if gram in following else 0.0
        return own + sum(taken.values()) / total * lower

    return probability(order, tuple(history))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_are_those_of_the_definition(order):
    random = np.random.default_rng(order)
    text = random.integers(0, WORDS - 1, 120)  # the last word is never seen
    model = KneserNey.fit(text, WORDS, order)
    for history in itertools.islice(itertools.product(range(WORDS), repeat=order), 0, None, 7):
        for word in range(WORDS):
            found = math.exp(-model.losses(np.array([word]), np.array(history))[0])
            close(found, brute_force(text.tolist(), order, history[1:] if order > 1 else (), word))


def test_probabilities_sum_to_one_whatever_came_before():
    text = np.random.default_rng(0).integers(0, WORDS - 1, 60)
    model = KneserNey.fit(text, WORDS)
    for history in ([], [4], [0, 1], [4, 4, 4, 4], text[:4].tolist(), text[-4:].tolist()):
        losses = [model.losses(np.array([word]), np.array(history, np.int64))[0] for word in range(WORDS)]
        close(np.exp(-np.array(losses)).sum(), 1.0)


def test_losses_of_a_text_are_those_of_its_symbols_one_by_one():
    random = np.random.default_rng(1)
    model = KneserNey.fit(random.integers(0, WORDS, 200), WORDS, 3)
    text = random.integers(0, WORDS, 30)
    single = [model.losses(text[i : i + 1], text[max(0, i - 2) : i])[0] for i in range(len(text))]
    close(model.losses(text), np.array(single))


def test_a_text_shorter_than_the_order_is_enough():
    model = KneserNey.fit(np.array([1]), WORDS)
    assert np.isfinite(model.losses(np.array([1, 2, 3]))).all()
