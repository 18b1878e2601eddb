import pytest

from seqwise.errors import DataError
from seqwise.evaluation.tag_baseline import TagBaseline
from seqwise.evaluation.tagging import worst_sentences

SENTENCES = [["the", "run", "ends"], ["They", "run"], ["to", "run", "the"]]
TAGS = [["DET", "NOUN", "VERB"], ["PRON", "VERB"], ["PART", "VERB", "DET"]]


def test_every_token_gets_its_most_frequent_tag_and_a_new_one_that_of_what_was_seen_once():
    baseline = TagBaseline.fit(SENTENCES, TAGS)
    assert baseline.predict([["The", "run"], ["dogs"]]) == [["DET", "VERB"], ["PART"]]
    assert TagBaseline.from_dict(baseline.to_dict()) == baseline
    with pytest.raises(DataError, match="baseline of a tagger"):
        TagBaseline.from_dict({"tags": 3})


def test_the_surest_mistakes_come_first_and_right_sentences_never():
    said = [["DET", "VERB", "VERB"], ["PRON", "VERB"], ["DET", "NOUN", "DET"]]
    sure = [[0.9, 0.9, 0.9], [1.0, 1.0], [0.8, 0.7, 0.9]]
    worst = worst_sentences(SENTENCES, TAGS, said, sure, rows=[4, 5, 9])
    assert [of["row"] for of in worst] == [10, 5]
    assert [of["wrong"] for of in worst] == [2, 1]
    assert worst[1]["words"][1] == {"text": "run", "true": "NOUN", "said": "VERB", "wrong": True}
    assert worst_sentences(SENTENCES, TAGS, said, sure, rows=[4, 5, 9], longest=2) == []
