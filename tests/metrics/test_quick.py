import numpy as np
import pytest

from seqwise.metrics import classification_metrics, quick_figures


@pytest.mark.parametrize("weighted", [False, True])
def test_quick_figures_are_those_of_the_full_evaluation(weighted):
    generator = np.random.default_rng(4)
    probabilities = generator.dirichlet(np.ones(5), size=80)
    targets = generator.integers(0, 4, 80)  # the fifth class has no example
    weights = generator.uniform(0.1, 3, 80) if weighted else None
    full = classification_metrics(targets, probabilities, list("abcde"), sample_weight=weights, resamples=0)
    for name, value in quick_figures(targets, probabilities, weights).items():
        assert value == pytest.approx(full[name]["value"], rel=1e-12), name
