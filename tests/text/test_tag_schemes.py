import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.errors import ConfigurationError, DataError
from seqwise.text.tag_schemes import (
    SCHEMES,
    Span,
    allowed_transitions,
    convert_tags,
    find_scheme,
    read_spans,
    write_spans,
)

# The example of Ramshaw and Marcus 1995 in all schemes: two spans of one type that touch.
SPANS = [Span("PER", 0, 2), Span("LOC", 3, 4), Span("LOC", 4, 6)]
WRITTEN = {
    "BIO": ["B-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-LOC", "O"],
    "IOB1": ["I-PER", "I-PER", "O", "I-LOC", "B-LOC", "I-LOC", "O"],
    "BIOES": ["B-PER", "E-PER", "O", "S-LOC", "B-LOC", "E-LOC", "O"],
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_spans_are_written_as_the_scheme_says_and_read_back(scheme):
    assert write_spans(SPANS, 7, scheme) == WRITTEN[scheme]
    assert read_spans(WRITTEN[scheme], scheme) == (SPANS, 0)
    assert find_scheme([WRITTEN[scheme]]) == scheme


@given(st.data(), st.sampled_from(SCHEMES), st.sampled_from(SCHEMES))
def test_every_set_of_spans_survives_every_way_through_the_schemes(data, first, second):
    length = data.draw(st.integers(1, 8))
    spans, place = [], 0
    while place < length:
        end = data.draw(st.integers(place, length))
        if end > place and data.draw(st.booleans()):
            spans.append(Span(data.draw(st.sampled_from(["A", "B-C"])), place, end))
        place = max(end, place + 1)
    tags, broken = convert_tags(write_spans(spans, length, first), first, second)
    assert broken == 0
    assert read_spans(tags, second) == (spans, 0)
    allowed = allowed_transitions(sorted(set(tags)), second)
    numbers = [sorted(set(tags)).index(tag) for tag in tags]
    assert allowed.first[numbers[0]]
    assert allowed.last[numbers[-1]]
    assert all(allowed.following[a, b] for a, b in itertools.pairwise(numbers))


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_exactly_the_tags_without_a_broken_rule_are_allowed(scheme):
    marks = "BI" if scheme == "BIO" else "BIES"
    tags = ["O", *(f"{mark}-{kind}" for mark in marks for kind in "XY")]
    allowed = allowed_transitions(tags, scheme)
    for numbers in itertools.product(range(len(tags)), repeat=3):
        path = bool(allowed.first[numbers[0]] and allowed.last[numbers[-1]]) and all(
            allowed.following[a, b] for a, b in itertools.pairwise(numbers)
        )
        assert path == (read_spans([tags[i] for i in numbers], scheme)[1] == 0)


@pytest.mark.parametrize(
    ("tags", "scheme", "spans", "broken"),
    [
        (["O", "I-PER", "I-PER"], "BIO", [Span("PER", 1, 3)], 1),
        (["B-PER", "I-LOC"], "BIO", [Span("PER", 0, 1), Span("LOC", 1, 2)], 1),
        (["B-PER", "O", "E-LOC"], "BIOES", [Span("PER", 0, 1), Span("LOC", 2, 3)], 2),
        (["I-PER", "I-LOC"], "IOB1", [Span("PER", 0, 1), Span("LOC", 1, 2)], 0),
        (["B-PER", "L-PER", "U-LOC"], "BIOES", [Span("PER", 0, 2), Span("LOC", 2, 3)], 0),
        ([], "BIO", [], 0),
    ],
)
def test_what_breaks_a_rule_is_read_as_what_was_meant_and_counted(tags, scheme, spans, broken):
    assert read_spans(tags, scheme) == (spans, broken)


def test_parts_of_speech_follow_no_scheme():
    assert find_scheme([["NOUN", "VERB"], ["I", "B"]]) is None
    assert find_scheme([["O", "O"]]) is None
    assert find_scheme([["B-PER", "O"], ["O", "I-PER"]]) == "BIO"
    some = [["O", "I-PER", "I-PER", "B-PER"], ["I-LOC", "O"], ["O", "B-MISC"]]  # the last one is a mistake
    assert find_scheme(some) == "IOB1"


def test_what_is_no_tag_no_scheme_or_no_sentence_is_refused():
    with pytest.raises(DataError, match="'X-PER' is no tag of the scheme BIO"):
        read_spans(["X-PER"], "BIO")
    with pytest.raises(DataError, match="'S-PER' is no tag of the scheme BIO: O, or B- or I- and a type"):
        read_spans(["S-PER"], "BIO")
    with pytest.raises(ConfigurationError, match="no scheme of tags 'BIOS'; did you mean BIO"):
        read_spans(["O"], "BIOS")
    with pytest.raises(DataError, match="overlaps"):
        write_spans([Span("A", 0, 2), Span("B", 1, 3)], 3, "BIO")
    with pytest.raises(DataError, match="overlaps"):
        write_spans([Span("A", 0, 4)], 3, "BIO")
