"""From the section `imbalance` to the loss of training, and the treatments by name."""

import pickle

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from seqwise import losses
from seqwise.errors import ConfigurationError, DataError
from seqwise.losses import (
    LOSS_PARAMETERS,
    LOSSES,
    TREATMENTS,
    ImbalanceSettings,
    find_treatment,
    label_pairs,
    make_loss,
)
from tolerances import assert_close

COUNTS = np.array([40, 3, 11, 7])
N = 61
PAIRS = np.stack([N - COUNTS, COUNTS])


def problem():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(8, 4, generator=generator, dtype=torch.float64)
    targets = torch.randint(4, (8,), generator=generator)
    labels = torch.rand(8, 4, generator=generator) < 0.4
    return logits, targets, labels


@pytest.mark.parametrize(
    ("values", "name", "options", "of_labels"),
    [
        ({}, "weighted_cross_entropy", {}, {}),
        ({"loss": "focal", "gamma": 1.5}, "focal", {"gamma": 1.5}, {"gamma": 1.5}),
        ({"loss": "focal"}, "focal", {}, {}),
        ({"loss": "asymmetric", "gamma_pos": 1}, "asymmetric", {"gamma_pos": 1}, {"gamma_pos": 1}),
        ({"loss": "class_balanced"}, "class_balanced", {"counts": COUNTS}, {"counts": PAIRS}),
        (
            {"loss": "class_balanced", "beta": 0.9, "gamma": 1},
            "class_balanced",
            {"counts": COUNTS, "beta": 0.9, "gamma": 1},
            {"counts": PAIRS, "beta": 0.9, "gamma": 1},
        ),
        (
            {"loss": "logit_adjusted", "tau": 0.5},
            "logit_adjusted",
            {"counts": COUNTS, "tau": 0.5},
            {"counts": PAIRS, "tau": 0.5},
        ),
        ({"loss": "ldam", "deferred": 1.0}, "ldam", {"counts": COUNTS}, {"counts": PAIRS}),
        ({"loss": "balanced_softmax"}, "balanced_softmax", {"counts": COUNTS}, {"counts": PAIRS}),
    ],
)
def test_every_loss_is_made_of_its_settings(values, name, options, of_labels):
    logits, targets, labels = problem()
    settings = ImbalanceSettings(label_smoothing=0.1, **values)
    function = getattr(losses, name)
    assert_close(
        make_loss(settings, COUNTS)(logits, targets), function(logits, targets, label_smoothing=0.1, **options)
    )
    made = make_loss(settings, COUNTS, multilabel=True, examples=N)(logits, labels)
    assert made.shape == (8,)
    assert_close(made, function(logits, labels, multilabel=True, label_smoothing=0.1, **of_labels))


@pytest.mark.parametrize("loss", ["cross_entropy", "focal", "asymmetric"])
def test_class_weights_multiply(loss):
    logits, targets, labels = problem()
    settings = ImbalanceSettings(loss=loss)
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0])
    plain = make_loss(settings, COUNTS)(logits, targets)
    assert_close(make_loss(settings, COUNTS, weights)(logits, targets), plain * weights[targets])
    pairs = torch.stack([weights, 2 * weights])
    held = make_loss(settings, COUNTS, pairs, multilabel=True, examples=N)(logits, torch.ones_like(labels))
    alone = torch.stack(
        [
            make_loss(settings, COUNTS[j : j + 1], multilabel=True, examples=N)(logits[:, j : j + 1], torch.ones(8, 1))
            for j in range(4)
        ],
        1,
    )
    assert_close(held, (alone * pairs[1]).sum(1))


def test_ldam_weighs_late_by_the_class_weights_or_else_by_the_effective_number():
    logits, targets, _ = problem()
    for weights in (None, [1.0, 2.0, 3.0, 4.0]):
        loss = make_loss(ImbalanceSettings(loss="ldam"), COUNTS, weights)
        before, after = loss(logits, targets, progress=0.5), loss(logits, targets, progress=0.9)
        numbers = torch.as_tensor(COUNTS, dtype=torch.float64)
        late = losses.effective_weights(numbers, 0.9999) if weights is None else torch.tensor(weights)
        assert_close(after, before * late[targets])
        assert torch.equal(loss(logits, targets), after)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("multilabel", [False, True])
def test_a_class_without_examples_is_as_rare_as_the_rarest_that_has_some(loss, multilabel):
    logits, targets, labels = problem()
    settings = ImbalanceSettings(loss=loss)
    with_zero, without = (
        make_loss(settings, counts, multilabel=multilabel, examples=1000)(logits, labels if multilabel else targets)
        for counts in ([40, 0, 11, 7], [40, 7, 11, 7])
    )
    assert with_zero.isfinite().all()
    if not multilabel:
        assert_close(with_zero, without)
    nothing = make_loss(settings, [0, 0, 0, 0], multilabel=multilabel, examples=0)
    assert nothing(logits, labels if multilabel else targets).isfinite().all()


def test_pairs_are_those_without_and_those_with_a_label():
    assert label_pairs([0, 3, 5], 5).tolist() == [[5, 2, 0], [0, 3, 5]]
    weights = np.array([0.1, 0.2, 0.3, 0.7, 1.1])
    total = float(weights.sum())
    rounded = label_pairs([total * (1 + 1e-15), total * (1 - 1e-15)], total)
    assert (rounded[0] == 0).all()
    for counts in ([-1.0], [5.1]):
        with pytest.raises(DataError, match="labels must be held by 0 to 5 examples"):
            label_pairs(counts, 5)


def test_without_settings_it_is_cross_entropy():
    logits, targets, labels = problem()
    assert torch.equal(
        make_loss(ImbalanceSettings(), COUNTS)(logits, targets), F.cross_entropy(logits, targets, reduction="none")
    )
    made = make_loss(ImbalanceSettings(), COUNTS, multilabel=True, examples=N)(logits, labels)
    assert_close(made, F.binary_cross_entropy_with_logits(logits, labels.double(), reduction="none").sum(1))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigurationError, match="needs the number of training examples"):
        make_loss(ImbalanceSettings(), COUNTS, multilabel=True)
    with pytest.raises(ConfigurationError, match="balances the classes itself"):
        make_loss(ImbalanceSettings(loss="logit_adjusted"), COUNTS, [1, 1, 1, 1])
    with pytest.raises(ConfigurationError, match="for examples with several labels"):
        make_loss(ImbalanceSettings(loss="asymmetric", margin=0.1), COUNTS)
    with pytest.raises(DataError, match="non-negative"):
        make_loss(ImbalanceSettings(loss="ldam"), [3, -1])
    with pytest.raises(DataError, match=r"weights must have shape \(2,\)"):
        make_loss(ImbalanceSettings(loss="ldam"), [3, 1], [1, 2, 3])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gamma": 2.0}, "gamma is no parameter of the loss cross_entropy; it belongs to focal, class_balanced"),
        ({"loss": "focal", "tau": 1.0}, "tau is no parameter of the loss focal; it belongs to logit_adjusted"),
        ({"loss": "logit_adjusted", "margin": 1.0}, "it belongs to asymmetric, ldam"),
        ({"loss": "asymmetric", "margin": 1.0}, "is a probability below 1"),
        ({"loss": "class_balanced", "beta": 1.0}, "less than 1"),
        ({"loss": "focal", "gamma": -1.0}, "greater than or equal to 0"),
        ({"loss": "focal", "gamma": float("inf")}, "finite"),
        ({"loss": "ldam", "deferred": 1.5}, "less than or equal to 1"),
        ({"loss": "balanced_softmax", "class_weight": "balanced"}, "class_weight would do it twice"),
        ({"loss": "logit_adjusted", "sampler": "oversample"}, "the sampler oversample would do it twice"),
        ({"loss": "hinge"}, "Input should be 'cross_entropy'"),
        ({"sampler": "all"}, "Input should be 'instance'"),
        ({"synthetic": "mixup"}, "Input should be 'smote'"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        ImbalanceSettings(**values)


def test_parameters_are_those_set_and_the_losses_own():
    assert ImbalanceSettings(loss="asymmetric", gamma_neg=2).loss_parameters() == {
        "gamma_pos": 0.0, "gamma_neg": 2.0, "margin": 0.05,
    }  # fmt: skip
    assert set(LOSS_PARAMETERS) == set(LOSSES)
    for loss in LOSSES:
        assert ImbalanceSettings(loss=loss, **LOSS_PARAMETERS[loss]).loss_parameters() == LOSS_PARAMETERS[loss]


def test_every_treatment_sets_allowed_values_and_replaces_any_other():
    fields = {"loss", "class_weight", "sampler", "synthetic", "prior_correction"}
    for name, treatment in TREATMENTS.items():
        assert treatment.name == name
        assert set(treatment.values) == fields
        assert treatment.balances == (name != "ce")
        assert "\n" not in treatment.summary
        ImbalanceSettings(**treatment.values)
        assert find_treatment(name) is treatment
        assert pickle.loads(pickle.dumps(treatment)) == treatment
        if name not in ("ce", "prior_correction"):
            assert treatment.values["prior_correction"] == 0
    assert len({tuple(sorted(t.values.items(), key=str)) for t in TREATMENTS.values()}) == len(TREATMENTS)
    plain = ImbalanceSettings(**TREATMENTS["ce"].values)
    assert plain.model_dump() == ImbalanceSettings().model_dump()
    kinds = {treatment.values["loss"] for treatment in TREATMENTS.values()}
    assert kinds == set(LOSSES)


def test_an_unknown_treatment_names_the_nearest():
    with pytest.raises(ConfigurationError, match=r"no treatment of rare classes 'focl'; did you mean focal\?"):
        find_treatment("focl")
    with pytest.raises(ConfigurationError, match=r"'zzz'; there are ce, weighted, .*, adasyn"):
        find_treatment("zzz")
