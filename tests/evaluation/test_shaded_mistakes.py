"""The worst mistakes of a report, with what spoke for the wrong answer."""

import sys
from pathlib import Path

import numpy as np

from seqwise.evaluation.mistakes import FEWEST_STEPS, LONGEST, MISTAKE_LENGTH, explained, worst_mistakes

sys.path.insert(0, str(Path(__file__).parents[1] / "explanation"))
from explained_models import CLASSES, classifier

TEXTS = ["the cat sat on the mat", "a dog ran far away", "no", "yes yes, not yet!"]


def scored(count, classes=3):
    return np.random.default_rng(0).dirichlet(np.ones(classes), count)


def test_every_mistake_is_shaded_by_why_it_was_said():
    predictor = classifier()
    scores = predictor.predict_proba(TEXTS)
    targets = (scores.argmax(axis=1) + 1) % 3
    found = worst_mistakes(TEXTS, targets, scores, CLASSES, predictor=predictor)
    plain = worst_mistakes(TEXTS, targets, scores, CLASSES)
    assert len(found) == 4
    for mistake, bare in zip(found, plain, strict=True):
        assert "".join(piece.text for piece in mistake["pieces"]) == mistake["text"]
        assert mistake["explained"] == mistake["predicted"]
        assert max(abs(piece.level) for piece in mistake["pieces"]) == 4
        assert {key: mistake[key] for key in bare} == bare


def test_of_labels_the_worst_decision_is_explained():
    predictor = classifier(multilabel=True)
    targets = np.array([[1, 0, 0], [0, 0, 1]])
    scores = np.array([[0.9, 0.8, 0.1], [0.2, 0.1, 0.05]])  # gives the second wrongly; misses the third
    found = worst_mistakes(TEXTS[:2], targets, scores, CLASSES, predictor=predictor)
    assert {mistake["row"]: mistake["explained"] for mistake in found} == {1: "spam", 2: "other"}


def test_a_long_text_is_shaded_as_far_as_it_is_shown():
    predictor = classifier(architecture="linear")
    text = "the cat sat " * 60
    pieces = explained(predictor, text, "spam")["pieces"]
    shown = "".join(piece.text for piece in pieces)
    assert shown == text[: MISTAKE_LENGTH - 1] + "…"


def test_lists_of_tokens_are_shown_as_text():
    predictor = classifier(text={"unit": "tokens"}, texts=[text.split() for text in TEXTS])
    pieces = explained(predictor, ["the", "cat"], "ham")["pieces"]
    assert "".join(piece.text for piece in pieces) == "the cat"


def test_what_it_costs_is_bounded(monkeypatch):
    predictor, asked = classifier(), []

    def recorded(*arguments, most_steps, **options):
        asked.append(most_steps)
        from seqwise.explanation import explain

        return explain(*arguments, most_steps=most_steps, **options)

    monkeypatch.setattr("seqwise.evaluation.mistakes.explain", recorded)
    explained(predictor, "cat", "ham")
    explained(predictor, "cat " * 2000, "ham")
    assert asked == [64, FEWEST_STEPS]
    assert explained(predictor, "c" * (LONGEST + 1), "ham") == {}
    assert explained(predictor, "cat", "no such class") == {}
