import json

import numpy as np
import pytest

from seqwise.errors import DataError
from seqwise.text import Vocabulary

ROWS = [["b", "a", "c"], ["a", "b"], ["d", "a"]]


def test_ids_go_by_falling_count_and_ties_by_token():
    vocabulary = Vocabulary.fit(ROWS)
    assert vocabulary.tokens == ["<pad>", "<unk>", "<eos>", "a", "b", "c", "d"]
    assert vocabulary.counts.tolist() == [0, 0, 0, 3, 2, 1, 1]
    assert len(vocabulary) == 7


def test_the_order_of_the_texts_does_not_matter():
    assert Vocabulary.fit(ROWS[::-1]).to_dict() == Vocabulary.fit(ROWS).to_dict()


def test_size_and_count_leave_rare_tokens_out_and_count_them_as_unknown():
    assert Vocabulary.fit(ROWS, max_size=1).tokens[3:] == ["a"]
    vocabulary = Vocabulary.fit(ROWS, min_count=2)
    assert vocabulary.tokens[3:] == ["a", "b"]
    assert vocabulary.counts[1] == 2


def test_encoding_and_decoding_are_inverse_but_for_unknown_tokens():
    vocabulary = Vocabulary.fit(ROWS)
    ids = vocabulary.encode(["d", "zebra", "a"])
    assert ids.dtype == np.int32
    assert ids.tolist() == [6, 1, 3]
    assert vocabulary.decode(ids) == ["d", "<unk>", "a"]
    assert "d" in vocabulary
    assert "zebra" not in vocabulary


def test_special_tokens_in_a_text_are_the_special_ids():
    vocabulary = Vocabulary.fit([["<unk>", "a", "<eos>", "<eos>"]])
    assert vocabulary.tokens[3:] == ["a"]
    assert vocabulary.encode(["<unk>", "<eos>", "<pad>"]).tolist() == [1, 2, 0]
    assert vocabulary.counts.tolist() == [0, 1, 0, 1]


def test_a_saved_vocabulary_is_the_same():
    vocabulary = Vocabulary.fit([["é", "a", "a", "日", "\u2028"]], max_size=3)
    loaded = Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict())))
    assert loaded.tokens == vocabulary.tokens
    assert loaded.counts.tolist() == vocabulary.counts.tolist()
    assert loaded.encode(["日", "x"]).tolist() == vocabulary.encode(["日", "x"]).tolist()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tokens": "abc"}, "a list is expected, not str"),
        ({"tokens": ["a", 3]}, "entry 1 is int"),
        ({"tokens": ["a", "a"]}, "'a' is listed twice"),
        ({"tokens": ["a"]}, "1 tokens but 2 counts"),
        ({"tokens": ["a", "<unk>"]}, "special token <unk>"),
        ({"counts": [1, -1]}, "count 1 is -1"),
        ({"counts": [1, True]}, "count 1 is True"),
        ({"counts": [1, 1e400]}, "count 1 is inf"),
        ({"counts": [1, 2**70]}, "not a whole number"),
        ({"unknown_count": None}, "count 2 is None"),
        ({"extra": 1}, "has the keys"),
    ],
)
def test_a_damaged_vocabulary_is_refused_with_the_reason(change, reason):
    with pytest.raises(DataError, match=reason):
        Vocabulary.from_dict({"tokens": ["a", "b"], "counts": [2, 1], "unknown_count": 0, **change})
    with pytest.raises(DataError, match="has the keys"):
        Vocabulary.from_dict([])
