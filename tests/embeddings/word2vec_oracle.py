"""Skip-gram and CBOW as plain loops in float64: one pair of rows after the other, drawn from the same random numbers."""

from __future__ import annotations

import numpy as np

MASK = (1 << 64) - 1


class SplitMix:
    """The generator of Steele, Lea and Flood 2014, as published."""

    def __init__(self, state):
        self.state = state & MASK

    def __call__(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(inputs, rows, outputs, targets, labels, rates, shifts, groups):
    """Skip-gram: all errors of a group at the old values, then the updates, row after row. Rows and targets may repeat."""
    for first in range(0, len(targets), groups):
        chosen, wanted, rate, shift = (
            np.array(part[first : first + groups]) for part in (targets, labels, rates, shifts)
        )
        t = outputs[chosen]
        errors = rate * (wanted - sigmoid(inputs[rows] @ t.T - shift))
        change = np.zeros_like(t)
        for row, error in zip(rows, errors, strict=True):
            change += np.outer(error, inputs[row])
            inputs[row] += error @ t
        np.add.at(outputs, chosen, change)


def step_of_mean(inputs, rows, outputs, targets, labels, rates, shifts, groups):
    """CBOW: the mean of the rows predicts, each row takes the whole update of the mean."""
    mean, update = inputs[rows].mean(0), 0
    for first in range(0, len(targets), groups):
        chosen, wanted, rate, shift = (
            np.array(part[first : first + groups]) for part in (targets, labels, rates, shifts)
        )
        t = outputs[chosen].copy()
        gradient = rate * (wanted - sigmoid(t @ mean - shift))
        np.add.at(outputs, chosen, np.outer(gradient, mean))
        update = update + gradient @ t
    np.add.at(inputs, rows, np.broadcast_to(update, (len(rows), len(mean))))


def train(trainer, inputs, outputs, tokens, state, rate, groups, longest):
    """One slice of text; changes inputs and outputs, returns the windows (word, words around)."""
    draw, windows = SplitMix(state), []
    sentence = []
    sentences = []
    for n, token in enumerate(tokens):
        if token >= 0 and draw() & 0xFFFFFFFF <= trainer.keep[token]:
            sentence.append(int(token))
        if token < 0 or len(sentence) == longest or n == len(tokens) - 1:
            learn(trainer, inputs, outputs, sentence, draw, rate, groups, windows)
            sentences.append(sentence)
            sentence = []
    return windows, sentences


def learn(trainer, inputs, outputs, sentence, draw, rate, groups, windows):
    settings = trainer.settings
    for i, word in enumerate(sentence):
        width = ((draw() >> 32) * settings.window >> 32) + 1
        around = sentence[max(0, i - width) : i] + sentence[i + 1 : i + 1 + width]
        windows.append((word, around))
        if not around:
            continue
        if trainer.subwords is not None:
            learn_ngrams(trainer, inputs, outputs, word, around, draw, rate, groups)
        elif settings.model == "cbow":
            step_of_mean(inputs, around, outputs, *targets_of(trainer, word, draw, rate), groups)
        elif settings.objective != "hierarchical" and settings.negatives_for == "pair":
            for row in around:
                step(inputs, [row], outputs, *targets_of(trainer, word, draw, rate), groups)
        else:
            step(inputs, around, outputs, *targets_of(trainer, word, draw, rate), groups)


def learn_ngrams(trainer, inputs, outputs, word, around, draw, rate, groups):
    """A word has several rows. CBOW: the mean of all rows of the words around predicts the word. Skip-gram: the mean of
    the word's rows predicts each word around, and changes with each; then every row takes the whole change."""

    def rows_of(one):
        return trainer.subwords.rows[trainer.subwords.offsets[one] : trainer.subwords.offsets[one + 1]].tolist()

    if trainer.settings.model == "cbow":
        rows = [row for one in around for row in rows_of(one)]
        step_of_mean(inputs, rows, outputs, *targets_of(trainer, word, draw, rate), groups)
        return
    rows = rows_of(word)
    before = inputs[rows].mean(0)
    mean = before[None].copy()
    for one in around:
        step(mean, [0], outputs, *targets_of(trainer, one, draw, rate), groups)
    np.add.at(inputs, rows, np.broadcast_to(mean[0] - before, (len(rows), len(before))))


def targets_of(trainer, word, draw, rate):
    """Output rows, labels, rates and shifts; a negative (not: noise) that is the word itself has the rate 0."""
    if trainer.settings.objective == "hierarchical":
        nodes, turns = trainer.tree.way(word)
        return nodes.tolist(), [float(turn) for turn in turns], [rate] * len(nodes), [0.0] * len(nodes)
    contrastive = trainer.settings.objective == "nce"
    targets, labels, rates = [word], [1.0], [rate]
    for _ in range(trainer.settings.negatives):
        z = draw()
        entry = (z >> 32) * len(trainer.counts) >> 32
        threshold, other = trainer.alias[entry].tolist()
        drawn = entry if z & 0xFFFFFFFF < threshold else other
        targets.append(drawn)
        labels.append(0.0)
        rates.append(rate if drawn != word or contrastive else 0.0)
    return targets, labels, rates, [float(trainer.shift[t]) if contrastive else 0.0 for t in targets]
