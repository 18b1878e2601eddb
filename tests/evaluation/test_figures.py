import numpy as np
import pytest
from sample_report import epoch, scored

from seqwise.evaluation import figures, probabilities
from seqwise.evaluation.drawing import BASELINE, MODEL, readable


def test_curves_are_those_of_the_class_of_interest_or_of_a_few_or_of_the_rarest():
    targets = np.repeat(np.arange(9), [50, 40, 30, 20, 10, 5, 3, 2, 0])
    names = list("abcdefghi")
    assert probabilities.chosen_curves(np.array([0, 1, 1]), ["no", "yes"], "yes") == [1]
    assert probabilities.chosen_curves(np.array([0, 1, 1]), ["no", "yes"], None) == [0, 1]
    assert probabilities.chosen_curves(targets, names, None) == [6, 5, 4, 3, 2]  # neither two examples nor none
    assert probabilities.chosen_curves(targets, names, "a")[0] == 0


def test_precision_recall_panels_name_the_areas_of_both():
    from sklearn.metrics import average_precision_score

    targets, model, baseline = scored(2)
    (picture,) = probabilities.precision_recall(targets, model, baseline, ["no", "yes"], "yes")
    for scores in (model, baseline):
        assert f"{average_precision_score(targets == 1, scores[:, 1]):.3f}" in picture
    assert MODEL in picture
    assert BASELINE in picture


def test_fifty_two_classes_give_six_panels():
    targets, model, baseline = scored(52, 900)
    assert len(probabilities.precision_recall(targets, model, baseline, [str(n) for n in range(52)])) == 6


def test_classes_without_examples_do_not_spoil_the_mean_curve():
    targets, model, _ = scored(3)
    targets[targets == 2] = 0
    pictures = probabilities.precision_recall(targets, model, None, ["a", "b", "c"])
    assert len(pictures) == 3
    assert not any("nan" in picture for picture in pictures)


def test_learning_curves_show_gradient_norms_and_the_baseline():
    loss, validation, norms = figures.learning_curves([epoch(1), epoch(2, best=True)], {"macro_f1": 0.6})
    assert "baseline" in validation
    assert "baseline" not in loss
    assert "best" in validation
    assert "largest" in norms


@pytest.mark.parametrize(
    "record",
    [{"epoch": 1, "loss": 0.5}, {"epoch": 1, "loss": None, "gradient_norm": 0.0, "gradient_norm_max": 3.0}],
)
def test_a_single_epoch_or_one_without_validation_can_be_drawn(record):
    pictures = figures.learning_curves([record], {})
    assert len(pictures) == 1


def test_reliability_needs_no_baseline():
    targets, model, baseline = scored(2)
    assert BASELINE in probabilities.reliability(targets, model, baseline)[0]
    assert BASELINE not in probabilities.reliability(targets, model, None)[0]


def test_class_balance_adds_up_what_it_does_not_name():
    names = [f"c{number}" for number in range(30)]
    picture = figures.class_balance({"train": dict.fromkeys(names, 7), "test": {"c0": 1}}, names)
    assert ">10 others</text>" in picture
    assert "70  ·  33%" in picture


def test_names_in_figures_are_short_and_printable():
    assert readable("x" * 50, 10) == "x" * 9 + "…"
    assert readable("a\x00\ud800b") == "a��b"
