import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.errors import DataError
from seqwise.metrics.transcription import (
    DELETIONS,
    INSERTIONS,
    SUBSTITUTIONS,
    align_words,
    edit_counts,
    quick_transcription_figures,
    transcription_metrics,
)

words = st.lists(st.sampled_from(["ONE", "TWO", "A", "B"]), max_size=8)
pairs = st.lists(st.tuples(words.filter(bool), words), min_size=1, max_size=6)


@given(pairs)
def test_error_rates_are_jiwers(given):
    true, said = ([" ".join(pair[side]) for pair in given] for side in (0, 1))
    found = quick_transcription_figures(true, said)
    assert found["wer"] == pytest.approx(jiwer.wer(true, said))
    assert found["cer"] == pytest.approx(jiwer.cer(true, said))


@given(pairs)
def test_counts_are_those_of_an_alignment_with_the_fewest_edits(given):
    true, said = ([pair[side] for pair in given] for side in (0, 1))
    for right, answer, counts in zip(true, said, edit_counts(true, said), strict=True):
        theirs = jiwer.process_words(" ".join(right), " ".join(answer))
        assert counts[1:].sum() == theirs.substitutions + theirs.insertions + theirs.deletions
        assert counts[0] >= theirs.hits
        steps = align_words(right, answer)
        assert [step.true for step in steps if step.true is not None] == right
        assert [step.said for step in steps if step.said is not None] == answer
        kinds = [
            sum(step.true == step.said for step in steps),
            sum(None not in step and step.true != step.said for step in steps),
            sum(step.true is None for step in steps),
            sum(step.said is None for step in steps),
        ]
        assert kinds == counts.tolist()


def test_a_known_case():
    counts = edit_counts(["kitten", "", "abc", "ab"], ["sitting", "ab", "", "ba"])
    assert counts.tolist() == [[4, 2, 1, 0], [0, 0, 2, 0], [0, 0, 0, 3], [1, 0, 1, 1]]


def test_the_block_has_the_figures_of_model_and_baseline():
    true = ["ONE TWO THREE", "YES", "A B", "NO"] * 5
    said = ["ONE TO THREE", "YES", "A B C", ""] * 5
    block = transcription_metrics(true, said, ["YES"] * 20, resamples=200)
    assert block["words"] == 35
    assert block["wer"]["value"] == pytest.approx(15 / 35)
    assert block["wer"]["low"] < 15 / 35 < block["wer"]["high"]
    assert block["exact"]["value"] == 0.25
    assert [block[name] for name in ("substitutions", "insertions", "deletions")] == [5, 5, 5]
    assert block["confusions"] == [["", "C", 5], ["NO", "", 5], ["TWO", "TO", 5]]
    assert block["baseline"]["wer"]["value"] == pytest.approx((15 + 0 + 10 + 5) / 35)
    gap = block["difference"]
    assert gap["value"] == pytest.approx(-15 / 35)
    assert gap["low"] < gap["value"] < gap["high"] < 0


def test_white_space_only_separates():
    assert quick_transcription_figures([" ONE  TWO "], ["ONE TWO"]) == {"wer": 0.0, "cer": 0.0}


def test_many_utterances_are_counted_as_one_by_one():
    random = np.random.default_rng(0)
    true = ["".join(random.choice(list("abc"), random.integers(0, 30))) for _ in range(600)]
    said = ["".join(random.choice(list("abc"), random.integers(0, 30))) for _ in range(600)]
    together = edit_counts(true, said)
    for i in (0, 17, 299, 599):
        assert together[i].tolist() == edit_counts([true[i]], [said[i]])[0].tolist()
        assert together[i, [SUBSTITUTIONS, INSERTIONS, DELETIONS]].sum() == (
            jiwer.process_characters(true[i], said[i]).substitutions
            + jiwer.process_characters(true[i], said[i]).insertions
            + jiwer.process_characters(true[i], said[i]).deletions
        )


def test_nothing_to_evaluate_is_refused():
    with pytest.raises(DataError, match="no word"):
        transcription_metrics(["", " "], ["a", "b"])
    with pytest.raises(DataError, match="one right and one said"):
        transcription_metrics(["a"], ["a", "b"])
