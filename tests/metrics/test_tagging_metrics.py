import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nervaluate import Evaluator
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from seqwise.errors import DataError
from seqwise.metrics.spans import EXACT, FOUND, PARTIAL, TRUE, count_spans, span_figures
from seqwise.metrics.tagging import Tagging, quick_tagging_figures, tagging_metrics
from seqwise.text.tag_schemes import Span, read_spans, write_spans

TYPES = ["LOC", "PER"]


@st.composite
def sentences(draw, length=9):
    spans, place = [], 0
    while place < length:
        end = draw(st.integers(place, min(length, place + 4)))
        if end > place:
            spans.append((draw(st.sampled_from(TYPES)), place, end))
        place = max(end, place + draw(st.integers(0, 2)), place + 1)
    return spans


def most_pairs(true, found):
    """The size of the largest matching of overlapping spans, by trying all."""
    best = 0
    for order in itertools.permutations(found):
        taken = [(a, b) for a, b in itertools.zip_longest(true, order) if a and b]
        best = max(best, sum(a[1] < b[2] and b[1] < a[2] for a, b in taken))
    if len(found) < len(true):
        for chosen in itertools.combinations(true, len(found)):
            for order in itertools.permutations(found):
                best = max(best, sum(a[1] < b[2] and b[1] < a[2] for a, b in zip(chosen, order, strict=True)))
    return best


@settings(max_examples=60)
@given(sentences(), sentences())
def test_spans_are_counted_as_by_trying_every_pairing(true, found):
    (counts,) = count_spans([true], [found], TYPES)
    for k, name in enumerate(TYPES):
        mine, theirs = ([s for s in spans if s[0] == name] for spans in (true, found))
        exact = set(mine) & set(theirs)
        rest = most_pairs(*([s for s in spans if s not in exact] for spans in (mine, theirs)))
        assert counts[k].tolist() == [len(exact), rest, len(mine), len(theirs)]


@settings(max_examples=60)
@given(st.lists(st.tuples(sentences(), sentences()), min_size=1, max_size=4))
def test_figures_of_spans_are_those_of_nervaluate(pairs):
    true, said = (
        [write_spans([Span(*span) for span in spans], 9, "BIO") for spans in of] for of in zip(*pairs, strict=True)
    )
    results = Evaluator(true, said, tags=TYPES, loader="list").evaluate()
    counts = count_spans(*([read_spans(row, "BIO")[0] for row in of] for of in (true, said)), TYPES).sum(0)
    for name in set(TYPES) & set(results["entities"]):
        ours, theirs = span_figures(counts[TYPES.index(name)]), results["entities"][name]
        for before, strategy in (("", "strict"), ("partial_", "partial")):
            for figure in ("precision", "recall", "f1"):
                # Where nothing is there, or nothing found, theirs are 0 and ours undefined.
                assert np.nan_to_num(ours[before + figure]) == pytest.approx(getattr(theirs[strategy], figure))
    overall = span_figures(counts.sum(0))
    assert np.nan_to_num(overall["f1"]) == pytest.approx(results["overall"]["strict"].f1)


def test_the_published_example_of_partial_matches():
    true = [("PER", 0, 2), ("LOC", 4, 7), ("LOC", 8, 9)]
    found = [("PER", 0, 2), ("LOC", 5, 8), ("PER", 8, 9)]
    counts = count_spans([true], [found], TYPES)[0]
    assert counts[1].tolist() == [1, 0, 1, 2]
    assert (counts[0, EXACT], counts[0, PARTIAL], counts[0, TRUE], counts[0, FOUND]) == (0, 1, 2, 1)
    figures = span_figures(counts.sum(0))
    assert figures["f1"] == pytest.approx(2 / 6)
    assert figures["partial_precision"] == pytest.approx(1.5 / 3)


def random_tags(seed, sentences=40, tags=("A", "B", "C")):
    random = np.random.default_rng(seed)
    lengths = np.random.default_rng(9).integers(1, 8, sentences)
    return [random.choice(tags, size=length, p=[0.6, 0.3, 0.1]).tolist() for length in lengths]


def test_tokens_are_judged_as_by_scikit_learn():
    true, said = random_tags(1), random_tags(2)
    block = tagging_metrics(Tagging(true), Tagging(said), resamples=50)
    flat, other = ([tag for tags in of for tag in tags] for of in (true, said))
    assert block["metric"] == "accuracy"
    assert block["accuracy"]["value"] == pytest.approx(accuracy_score(flat, other))
    assert block["macro_f1"]["value"] == pytest.approx(f1_score(flat, other, average="macro"))
    assert block["confusion_matrix"]["counts"] == confusion_matrix(flat, other).tolist()
    f1 = dict(zip("ABC", f1_score(flat, other, average=None), strict=True))
    assert {tag: row["f1"]["value"] for tag, row in block["per_tag"].items()} == pytest.approx(f1)
    assert block["tokens"] == len(flat)


def test_intervals_hold_the_figure_and_come_from_sentences():
    true, said = random_tags(1), random_tags(2)
    block = tagging_metrics(Tagging(true), Tagging(said), seed=3)
    found = block["accuracy"]
    assert found["low"] < found["value"] < found["high"]
    again = tagging_metrics(Tagging(true), Tagging(said), seed=3)
    assert again["accuracy"] == found
    # Every sentence is wholly right or wrong: the interval must be that of so many sentences, not of so many tokens.
    long = [["A"] * 50 for _ in range(20)]
    wrong = [["A"] * 50 if i % 2 else ["B"] * 50 for i in range(20)]
    wide = tagging_metrics(Tagging(long), Tagging(wrong))["accuracy"]
    assert wide["high"] - wide["low"] > 0.3
    assert tagging_metrics(Tagging(true[:1]), Tagging(said[:1]))["accuracy"]["low"] is None


def test_a_baseline_stands_beside_with_the_difference():
    true = Tagging([["O", "B"], ["B", "O"]] * 10, [[("X", 1, 2)], [("X", 0, 1)]] * 10)
    blind = Tagging([["O", "O"]] * 20, [[]] * 20)
    block = tagging_metrics(true, true, blind)
    assert block["f1"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert block["baseline"]["f1"]["value"] == 0.0
    assert block["baseline"]["precision"]["value"] is None
    assert block["difference"]["metric"] == "f1"
    assert block["difference"]["value"] == 1.0
    assert block["per_type"]["X"]["support"] == 20
    assert quick_tagging_figures(true, blind) == {"micro_f1": 0.0, "macro_f1": 0.0, "accuracy": 0.5}


def test_sentences_without_a_span_count_in_no_figure_of_spans():
    true = Tagging([["O"]] * 4, [[]] * 4)
    block = tagging_metrics(true, true)
    assert block["f1"]["value"] is None
    assert block["macro_f1"]["value"] is None
    assert block["accuracy"]["value"] == 1.0


def test_tags_that_do_not_stand_beside_each_other_are_refused():
    with pytest.raises(DataError, match="Every token has one true and one predicted tag"):
        tagging_metrics(Tagging([["A"]]), Tagging([["A", "B"]]))
    with pytest.raises(DataError, match="no tokens"):
        tagging_metrics(Tagging([]), Tagging([]))


def test_steps_of_which_nobody_knows_what_is_true_count_in_no_figure():
    true, said, other = random_tags(1), random_tags(2), random_tags(3)
    random = np.random.default_rng(0)
    masked = [[None if random.random() < 0.3 else tag for tag in row] for row in true]
    block = tagging_metrics(
        Tagging(masked), Tagging(said), Tagging(other), metric="macro_f1", units=("recordings", "steps")
    )
    known = [
        (right, tag, beside)
        for rows in zip(masked, said, other, strict=True)
        for right, tag, beside in zip(*rows, strict=True)
        if right is not None
    ]
    rights, ours, theirs = zip(*known, strict=True)
    assert (block["recordings"], block["steps"]) == (len(true), len(known))
    assert block["macro_f1"]["value"] == pytest.approx(f1_score(rights, ours, average="macro"))
    assert block["accuracy"]["value"] == pytest.approx(accuracy_score(rights, ours))
    assert block["baseline"]["macro_f1"]["value"] == pytest.approx(f1_score(rights, theirs, average="macro"))
    assert block["difference"]["metric"] == "macro_f1"
    expected = block["macro_f1"]["value"] - block["baseline"]["macro_f1"]["value"]
    assert block["difference"]["value"] == pytest.approx(expected)
    assert block["difference"]["low"] < expected < block["difference"]["high"]
    assert block["confusion_matrix"]["counts"] == confusion_matrix(rights, ours).tolist()
    assert quick_tagging_figures(Tagging(masked), Tagging(said))["macro_f1"] == block["macro_f1"]["value"]
    with pytest.raises(DataError, match="no tokens"):
        tagging_metrics(Tagging([[None]]), Tagging([["A"]]))
