import numpy as np
import pytest

from seqwise.experiments.figures import Evaluated, figures_beside_baseline, verdict
from seqwise.experiments.parts import Part
from seqwise.metrics import classification_metrics, paired_difference
from seqwise.prediction import Decisions

CLASSES = ["ham", "spam"]


def right(share, targets, seed):
    """Probabilities whose most probable class is right for this share of the examples."""
    hit = np.random.default_rng(seed).permutation(len(targets)) < share * len(targets)
    return np.where((np.where(hit, targets, 1 - targets) == 1)[:, None], [[0.2, 0.8]], [[0.8, 0.2]])


def evaluated(model, baseline, examples=400, weights=None):
    targets = np.arange(examples) % 2
    part = Part([f"text {row}" for row in range(examples)], np.array(CLASSES)[targets], weights, targets, "a file")

    class Fixed:
        def predict_proba(self, texts):
            return right(baseline, targets, seed=1)

        def decide(self, probabilities):
            return probabilities.argmax(axis=1)

    return Evaluated.of(
        part, CLASSES, right(model, targets, seed=2), Fixed(), Decisions(None, None, np.array([0.5, 0.5]))
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_model_and_baseline_are_measured_alike_and_compared_in_pairs(weighted):
    weights = np.random.default_rng(0).uniform(0, 2, 400) if weighted else None
    both = evaluated(0.9, 0.7, weights=weights)
    block = figures_beside_baseline(both, CLASSES, positive="spam", seed=5)
    given = {"sample_weight": weights, "positive": "spam", "seed": 5}
    assert block["baseline"] == classification_metrics(both.targets, both.baseline, CLASSES, **given)
    alone = classification_metrics(both.targets, both.model, CLASSES, **given)
    assert {key: block[key] for key in alone} == alone
    assert set(block) - set(alone) == {"baseline", "difference"}
    assert block["difference"]["macro_f1"] == paired_difference(
        both.targets, both.model.argmax(1), both.baseline.argmax(1), "macro_f1", sample_weight=weights, seed=5
    )


@pytest.mark.parametrize(
    ("model", "baseline", "sentence"),
    [
        (0.95, 0.70, "The model beats the baseline"),
        (0.70, 0.95, "The baseline wins"),
        (0.90, 0.88, "The model is ahead of the baseline, but within chance"),
        (0.88, 0.90, "The baseline is ahead of the model, though within chance"),
        (1.0, 1.0, "Model and baseline are equally good"),
    ],
)
def test_the_verdict_names_the_winner_only_where_the_data_show_one(model, baseline, sentence):
    block = figures_beside_baseline(evaluated(model, baseline), CLASSES)
    said = verdict(block, "test")
    assert said.startswith(f"{sentence}: macro F1 {block['macro_f1']['value']:.3f}")
    assert "on the test examples" in said


def test_one_example_decides_nothing():
    said = verdict(figures_beside_baseline(evaluated(1.0, 0.0, examples=1), CLASSES), "validation")
    assert said.startswith("Too few examples to tell model and baseline apart")
