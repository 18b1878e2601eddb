import numpy as np
import pytest
from sample_labels import sample_labels, scored_labels
from sample_report import sample, scored
from test_report import HOSTILE, Page, assert_needs_nothing_else

from seqwise.errors import DataError
from seqwise.evaluation import labels, probabilities, sizes
from seqwise.evaluation.card import model_card
from seqwise.evaluation.decisions import decision_sentences, threshold_rows
from seqwise.evaluation.mistakes import worst_mistakes
from seqwise.evaluation.report import render_report
from seqwise.metrics import classification_metrics

NAMES = [f"class{number}" for number in range(8)]


def decided(names, **changes):
    """A report of classes with groups, costs, thresholds and a calibration."""
    targets, model, baseline = scored(len(names))
    counts = np.bincount(targets) * 10
    given = {"counts": counts, "costs": 1 - np.eye(len(names)), "resamples": 50, "positive": changes.get("positive")}
    block = classification_metrics(targets, model, names, **given)
    block["baseline"] = classification_metrics(targets, baseline, names, **given)
    record = {"name": "recall=0.9", "figure": "recall", "of": names[1], "examples": 70, "before": 0.5, "after": 0.8}
    record |= {"reached": False, "costs": None}
    decisions = {"thresholds": [1 / len(names)] * len(names), "criterion": record, "calibration": None}
    fields = {"metrics": {"test": block}, "decisions": decisions, "uncalibrated": model[:, ::-1]} | changes
    fields.setdefault("counts", {"train": dict(zip(names, counts.tolist(), strict=True))})
    return sample(names, **fields)


@pytest.mark.parametrize("count", [2, 5, 28])
def test_a_report_of_labels_is_one_well_formed_file_that_needs_nothing_else(count):
    html = render_report(sample_labels([f"label {n}" for n in range(count)]))
    page = Page(html)
    assert_needs_nothing_else(page)
    assert "nan" not in page.text.lower().split()
    for words in ("Micro F1", "Wrong decisions", "Label by label", "labels on average", "Labels that go together"):
        assert words in page.text
    assert "What is taken for what" not in page.text
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_hostile_labels_are_shown_and_do_nothing():
    assert_needs_nothing_else(Page(render_report(sample_labels(["good", HOSTILE, "odd"]))))
    assert_needs_nothing_else(Page(render_report(decided(["ham", HOSTILE], positive=HOSTILE))))
    card = model_card(sample_labels(["good", HOSTILE, "odd"]))
    assert "<script>" not in card


def test_the_table_of_labels_says_from_where_on_each_is_given():
    content = sample_labels(["a", "b", "c"])
    text = Page(render_report(content)).text
    block = content.metrics["test"]["per_class"]["c"]
    assert f"c {block['support']} {block['predicted']} 0.600 {block['precision']['value']:.3f}" in text
    without = Page(render_report(sample_labels(["a", "b", "c"], decisions={}))).text
    assert f"c {block['support']} {block['predicted']} 0.500" in without


def test_the_section_of_decisions_says_criterion_calibration_and_shared_threshold():
    text = Page(render_report(sample_labels(["a", "b", "c"]))).text
    assert "A label is given from its own threshold on" in text
    assert "Chosen for the best F1 on 200 validation examples: mean F1 there is 0.520, and was 0.410 without." in text
    assert "drawn towards 0.31" in text
    assert "log loss there 0.400 before and 0.300 after" in text
    assert "Before calibration" in text
    assert "After calibration" in text


def test_thresholds_for_a_stated_level_are_not_said_to_be_drawn():
    content = sample_labels(["a", "b", "c"])
    record = content.decisions["criterion"] | {"name": "recall=0.9", "figure": "recall"}
    decisions = content.decisions | {"criterion": record}
    text = Page(render_report(sample_labels(["a", "b", "c"], decisions=decisions))).text
    assert "Chosen for a recall of at least 0.9" in text
    assert "drawn towards" not in text


def test_a_stated_level_that_is_not_reached_is_said_and_thresholds_are_listed():
    text = Page(render_report(decided(NAMES))).text
    assert "Chosen for a recall of at least 0.9 on 70 validation examples: recall of class1 there is 0.800" in text
    assert "The stated level is not reached" in text
    assert "class0 0.1250 1.00" in text


def test_of_two_classes_the_threshold_is_said_in_a_sentence():
    decisions = {"thresholds": [0.9, 0.1], "criterion": {"name": "cost", "figure": "mean cost", "of": None,
                 "examples": 9, "before": 1, "after": 0.5, "reached": True, "costs": {"fp": 1, "fn": 20}}}  # fmt: skip
    first, second, third = decision_sentences(decisions, ["ham", "spam"], multilabel=False)
    assert first == "The answer is spam from the probability 0.1 on, otherwise ham."
    assert second.startswith("Chosen for the lowest mean cost on 9 validation examples")
    assert third == "Costs: fp 1, fn 20."
    (plain,) = decision_sentences({}, ["ham", "spam"], multilabel=False)
    assert plain == "The answer is the most probable class."


def test_a_class_with_half_the_usual_threshold_is_favoured_twice():
    content = decided(["a", "b", "c"])
    rows = threshold_rows({"thresholds": [0.4, 0.2, 0.4]}, ["a", "b", "c"], content.metrics["test"], ["c", "b"])
    assert [row["name"] for row in rows] == ["c", "b"]
    assert rows[1]["favour"] == pytest.approx(2 * rows[0]["favour"])
    assert threshold_rows({}, ["a", "b", "c"], content.metrics["test"], ["c", "b"]) == []


def test_groups_and_levels_stand_beside_the_baseline():
    content = decided(NAMES, positive="class7")
    block = content.metrics["test"]
    text = Page(render_report(content)).text
    tail = block["groups"]["tail"]
    assert f"tail 3 {tail['fewest']} to {tail['most']} {tail['recall']['value']:.3f}" in text
    assert f"{block['baseline']['groups']['tail']['recall']['value']:.3f}" in text
    assert "What finding class7 costs" in text
    own = block["per_class"]["class7"]["recall_at_precision"]["0.99"]
    assert f"0.99 {own['value']:.3f}" in text
    assert "Mean cost" in text


def test_few_classes_and_older_figures_have_no_section_of_rare_classes():
    text = Page(render_report(decided(["a", "b", "c"]))).text
    assert "Recall by size of the class" in text
    assert "By size" not in text
    content = sample(["a", "b"])
    block = content.metrics["test"]
    for part in (block, block["baseline"]):
        for of in part["per_class"].values():
            del of["recall_at_precision"], of["precision_at_recall"]
    assert "Rare classes" not in Page(render_report(sample(["a", "b"], metrics={"test": block}))).text


def test_classes_without_a_size_or_a_figure_are_not_drawn():
    content = decided(NAMES)
    block = content.metrics["test"]
    assert sizes.by_size(block, {"class0": 5, "class1": 3}, "recall") is None
    picture = sizes.by_size(block, dict.fromkeys(NAMES, 5), "recall")
    assert picture is not None
    assert "nan" not in picture


def test_labels_that_never_go_together_have_no_picture():
    assert labels.together(np.diag([3, 4, 5]), ["a", "b", "c"]) is None
    picture = labels.together(np.array([[10, 1, 0], [1, 4, 0], [0, 0, 0]]), ["a", "b", "absent"])
    assert picture is not None
    assert ">10</text>" in picture
    assert ">25</text>" in picture
    assert "absent" not in picture


def test_diagrams_before_and_after_calibration_name_their_errors():
    from seqwise.metrics import expected_calibration_error

    targets, model, _ = scored_labels(4)
    before, after = probabilities.calibration(targets, model**3, model)
    for picture, values in ((before, model**3), (after, model)):
        assert f"error {expected_calibration_error(values.ravel(), targets.ravel()):.3f}" in picture


def test_worst_mistakes_of_labels_name_what_is_missed_and_what_is_wrong():
    targets = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 0]])
    scores = np.array([[0.01, 0.2, 0.9], [0.1, 0.9, 0.1], [0.6, 0.7, 0.2]])
    found = worst_mistakes(["x", "y", "z"], targets, scores, ["a", "b", "c"])
    assert found[0] == {"text": "x", "row": 1, "true": "a, c", "predicted": "c", "missed": [("a", 0.01)], "wrong": []}
    assert found[1] == {"text": "z", "row": 3, "true": "a", "predicted": "a, b", "missed": [], "wrong": [("b", 0.7)]}
    assert len(found) == 2


def test_the_card_says_how_answers_are_decided_and_what_labels_are():
    card = model_card(sample_labels([f"label {n}" for n in range(40)]))
    assert "gives every text any number of 40 labels" in card
    assert "## Decisions" in card
    assert "A label is given from its own threshold on" in card
    assert "The 10 smaller labels are in `report.html`" in card
    assert "confusion matrix" not in card
    assert "The answer is the most probable class." in model_card(sample(["ham", "spam"]))


def test_decisions_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="2 thresholds for 3 classes"):
        sample(["a", "b", "c"], decisions={"thresholds": [0.5, 0.5]})
    with pytest.raises(DataError, match="uncalibrated has the shape"):
        sample(["a", "b", "c"], uncalibrated=np.ones((3, 3)))


def test_validation_figures_say_that_the_decisions_were_chosen_on_them():
    said = "chose the best epoch and how answers are decided"
    content = sample_labels(["a", "b", "c"])
    block = {"validation": content.metrics["test"]}
    assert said in Page(render_report(sample_labels(["a", "b", "c"], metrics=block))).text
    assert said not in Page(render_report(content)).text
