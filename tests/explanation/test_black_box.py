import subprocess
import sys

import numpy as np
import pytest

from seqwise.errors import ConfigurationError
from seqwise.explanation import explain


class Lengths:
    """Says "long" by the number of letters a, and of frames by their sum."""

    classes = ("short", "long")

    def predict_proba(self, inputs):
        sums = [of.count("a") if isinstance(of, str | list) else float(np.sum(of)) for of in inputs]
        chances = 1 / (1 + np.exp(-np.array(sums)))
        return np.stack([1 - chances, chances], axis=1)


def test_occlusion_needs_nothing_but_probabilities():
    explanation = explain(Lengths(), "a banana or two", method="occlusion")
    assert explanation.target == "long"
    assert [token.text for token in explanation.tokens] == ["a", "banana", "or", "two"]
    np.testing.assert_allclose(explanation.values, [1, 3, 0, 0], atol=1e-9)
    assert (explanation.output, explanation.baseline) == pytest.approx((4.0, 0.0))


def test_lists_and_frames_too():
    listed = explain(Lengths(), ["a", "b", "a"], method="occlusion", target="short")
    np.testing.assert_allclose(listed.values, [-1, 0, -1], atol=1e-9)
    frames = explain(Lengths(), np.array([[1.0, 0.0], [3.0, 2.0]]), method="occlusion")
    np.testing.assert_allclose(frames.values, [-2, 2], atol=1e-6)  # covered by the means (2, 1)


def test_what_is_certain_keeps_finite_odds():
    class Sure(Lengths):
        def predict_proba(self, inputs):
            return np.array([[0.0, 1.0]] * len(inputs))

    assert np.isfinite(explain(Sure(), "a b", method="occlusion").output)


@pytest.mark.parametrize("method", ["integrated_gradients", "gradient_x_input"])
def test_there_are_no_gradients(method):
    with pytest.raises(ConfigurationError, match="no gradients, which"):
        explain(Lengths(), "a b", method=method)


def test_torch_is_not_imported():
    code = (
        "import sys, numpy as np\n"
        "from seqwise.explanation import explain\n"
        "class M:\n"
        "    classes = ['n', 'y']\n"
        "    def predict_proba(self, X): return np.array([[.2, .8]] * len(X))\n"
        "print(explain(M(), 'a b', method='occlusion').to_dict()['target'], 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["y", "False"]
