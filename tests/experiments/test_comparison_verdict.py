from seqwise.experiments.comparison.table import Row, recommendation, recommended


def figure(value, half=0.01):
    return {"value": value, "low": value - half, "high": value + half}


def row(name, value, *, kind="variant", gap=None, p=None, validation=0.5, accuracy=0.9):
    return Row(
        name=name,
        kind=kind,
        summary="",
        seeds=3,
        value=figure(value),
        difference=None if gap is None else figure(gap),
        p=p,
        figures={"accuracy": accuracy},
        per_class={},
        validation=validation,
        seconds=1.0,
        parameters=1,
    )


CE = row("ce", 0.70, kind="reference")


def test_no_treatment_helps_is_said_plainly_with_the_nearest():
    rows = [CE, row("focal", 0.71, gap=0.01, p=0.4), row("smote", 0.69, gap=-0.01, p=1.0)]
    sentence = recommendation(rows, "macro_f1", "treatment")
    assert sentence.startswith("No treatment helps here: keep ce")
    assert "the nearest is focal, difference +0.010" in sentence
    assert recommended(rows) is None


def test_what_is_worse_beyond_chance_does_not_help():
    sentence = recommendation([CE, row("smote", 0.60, gap=-0.1, p=0.001)], "macro_f1", "treatment")
    assert "No treatment helps here" in sentence


def test_the_only_one_that_helps_is_taken_with_its_reason():
    rows = [CE, row("focal", 0.75, gap=0.05, p=0.004), row("asl", 0.71, gap=0.01, p=0.6)]
    sentence = recommendation(rows, "macro_f1", "treatment")
    assert sentence.startswith("Take focal: macro F1 0.750 against 0.700 of ce, difference +0.050")
    assert "p = 0.004" in sentence
    assert recommended(rows) == "focal"


def test_among_those_that_help_the_validation_examples_decide():
    rows = [
        CE,
        row("focal", 0.80, gap=0.10, p=0.001, validation=0.74),
        row("weighted", 0.78, gap=0.08, p=0.001, validation=0.76),
        row("lucky", 0.71, gap=0.01, p=0.5, validation=0.99),
    ]
    assert recommended(rows) == "weighted"
    assert "the best on the validation examples of the 2" in recommendation(rows, "macro_f1", "treatment")


def test_the_price_in_accuracy_is_named():
    rows = [CE, row("weighted", 0.78, gap=0.08, p=0.001, accuracy=0.85)]
    assert "accuracy falls by 5.0 points" in recommendation(rows, "macro_f1", "treatment")
    cheap = [CE, row("weighted", 0.78, gap=0.08, p=0.001, accuracy=0.895)]
    assert "accuracy" not in recommendation(cheap, "macro_f1", "treatment")


def test_a_baseline_that_is_ahead_is_named():
    rows = [CE, row("focal", 0.71, gap=0.01, p=0.4), row("baseline", 0.75, kind="baseline", gap=0.05)]
    assert recommendation(rows, "macro_f1", "treatment").endswith("The n-gram baseline is ahead of it: 0.750.")
    rows[-1] = row("baseline", 0.65, kind="baseline", gap=-0.05)
    assert "baseline" not in recommendation(rows, "macro_f1", "treatment")


def test_a_lone_reference_recommends_nothing():
    assert "Nothing can be recommended yet" in recommendation([CE], "macro_f1", "treatment")
