"""What a treatment of rare classes means for the linear part and for the joint of the parts."""

import numpy as np
import pytest

from seqwise import SequenceClassifier
from seqwise.errors import ConfigurationError
from seqwise.estimators.balancing import class_factors, shift_of_treatment
from seqwise.losses import TREATMENTS, ImbalanceSettings

CLASSES, COUNTS = ["a", "b", "c"], np.array([900, 90, 10])


def factors(**settings):
    return class_factors(ImbalanceSettings(**settings), CLASSES, COUNTS)


def test_where_all_examples_count_alike_there_are_no_factors():
    assert factors() is None
    assert factors(loss="class_balanced", beta=0.0) is None
    assert factors(loss="focal") is None


@pytest.mark.parametrize(
    "settings",
    [{"class_weight": "balanced"}, {"sampler": "oversample"}, {"sampler": "class_balanced"}, {"synthetic": "smote"}],
)
def test_balanced_treatments_give_every_class_the_same_weight_in_all(settings):
    np.testing.assert_allclose(factors(**settings) * COUNTS, 1000 / 3, rtol=1e-6)


def test_square_root_sampling_weighs_a_class_by_the_root_of_its_size():
    weighted = factors(sampler="square_root") * COUNTS
    np.testing.assert_allclose(weighted / weighted.sum(), np.sqrt(COUNTS) / np.sqrt(COUNTS).sum(), rtol=1e-12)


def test_effective_numbers_are_those_of_the_paper():
    given = factors(loss="class_balanced", beta=0.99)
    effective = (1 - 0.99**COUNTS) / (1 - 0.99)
    np.testing.assert_allclose(given / given[0], effective[0] / effective, rtol=1e-12)


def test_the_mean_factor_of_an_example_is_one():
    for settings in ({"class_weight": {"c": 7.0}}, {"sampler": "square_root"}, {"loss": "class_balanced"}):
        assert factors(**settings) @ COUNTS / COUNTS.sum() == pytest.approx(1)


def test_a_loss_that_adjusts_logits_leaves_them_short_of_what_it_adds():
    shares = np.log((COUNTS + 1) / (COUNTS.sum() + 3))
    adjusted = shift_of_treatment(ImbalanceSettings(loss="logit_adjusted", tau=0.7), CLASSES, COUNTS)
    np.testing.assert_allclose(adjusted, -0.7 * shares)
    np.testing.assert_allclose(shift_of_treatment(ImbalanceSettings(loss="balanced_softmax"), CLASSES, COUNTS), -shares)
    assert not shift_of_treatment(ImbalanceSettings(loss="focal"), CLASSES, COUNTS).any()


def test_class_weights_shift_by_their_logarithms():
    shift = shift_of_treatment(ImbalanceSettings(class_weight={"b": 3.0, "c": 9.0}), CLASSES, COUNTS)
    np.testing.assert_allclose(shift - shift[0], np.log([1, 3, 9]), rtol=1e-6)


def messages(rows, seed):
    """A rare class of which the words are common in the other one, too."""
    random = np.random.default_rng(seed)
    labels = np.where(random.random(rows) < 0.08, "rare", "common")
    words = {"common": [*["home", "lunch", "call"] * 4, "win", "free"], "rare": ["win", "free", "home", "call"]}
    return [" ".join(random.choice(words[label], 4)) for label in labels], labels


@pytest.mark.parametrize("architecture", ["wide_deep", "recurrent", "linear"])
@pytest.mark.parametrize(
    "name", ["weighted", "logit_adjusted", "prior_correction", "class_balanced", "balanced_softmax"]
)
def test_a_balancing_treatment_raises_the_recall_of_the_rare_class(architecture, name):
    texts, labels = messages(800, 0)
    others, truth = messages(500, 1)
    quick = {"architecture": architecture, "hidden_size": 8, "embedding_size": 8, "num_layers": 1, "epochs": 6}
    plain, treated = (
        SequenceClassifier(**quick, refit=False, device="cpu", **TREATMENTS[chosen].values).fit(texts, labels)
        for chosen in ("ce", name)
    )
    recalls = [(model.predict(others)[truth == "rare"] == "rare").mean() for model in (plain, treated)]
    assert recalls[1] > recalls[0] + 0.1
    # The probabilities are calibrated all the same: on average they are the share of the class.
    assert treated.predict_proba(others)[:, 1].mean() == pytest.approx((truth == "rare").mean(), abs=0.04)


@pytest.mark.parametrize("name", ["focal", "asl", "ldam"])
def test_a_loss_of_the_recurrent_part_is_refused_without_one(name):
    texts, labels = messages(50, 0)
    with pytest.raises(ConfigurationError, match="needs a recurrent part"):
        SequenceClassifier(architecture="linear", **TREATMENTS[name].values).fit(texts, labels)
