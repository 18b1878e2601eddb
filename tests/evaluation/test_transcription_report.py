import numpy as np
import pytest

from seqwise.data.frames import Frames
from seqwise.errors import DataError
from seqwise.evaluation.transcription import alignment, transcription_sections, worst_utterances
from seqwise.evaluation.transcription_baseline import NearestUtterance
from seqwise.metrics.transcription import transcription_metrics
from seqwise.models.frame_features import FrameFeatures
from seqwise.models.frame_settings import FrameSettings


def utterances(seed=0):
    random = np.random.default_rng(seed)
    return Frames.from_rows([level + 0.1 * random.normal(size=(6, 3)) for level in (0.0, 5.0, 10.0, 0.1)])


@pytest.mark.parametrize("settings", [{}, {"normalise": "sequence", "deltas": 2, "stack": 2, "stride": 2}])
def test_the_baseline_answers_the_training_utterance_that_sounds_most_alike(settings):
    features = FrameFeatures(FrameSettings(**settings)).fit(utterances())
    baseline = NearestUtterance.fit(features, utterances(), ["low", "middle", "high", "low"])
    again = NearestUtterance.from_dict(baseline.to_dict())
    heard = Frames.from_rows([np.full((6, 3), 4.6), np.full((6, 3), 11.0), np.full((6, 3), -1.0)])
    for of in (baseline, again):
        assert of.predict(features, heard) == ["middle", "high", "low"]
    assert again.usual == "low"


@pytest.mark.parametrize(
    "saved", [[], {"marks": [], "spread": []}, {"marks": [[1.0]], "spread": [1.0], "texts": [], "usual": ""}]
)
def test_a_damaged_baseline_is_refused(saved):
    with pytest.raises(DataError, match="baseline of a transcriber"):
        NearestUtterance.from_dict(saved)


def test_the_worst_utterances_come_first_with_their_mistakes_marked():
    true, said = ["ONE TWO", "YES", "A B C"], ["ONE TO", "YES", "B C D E"]
    first, second = worst_utterances(true, said, [4, 5, 6])
    assert (first["row"], first["wrong"], first["of"]) == (7, 3, 3)
    assert first["steps"][0] == {"true": "A", "said": None}
    assert second["steps"][1] == {"true": "TWO", "said": "TO"}


def test_an_alignment_names_symbols_where_they_are_clear_and_escapes_them():
    logs = np.log(np.array([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.1, 0.2, 0.7], [0.9, 0.05, 0.05]]))
    page = alignment(logs, ["", "<", " "], seconds=0.03, unit="seconds", said="<", true="< &", number=2)
    assert page.startswith("<svg")
    assert "&lt;" in page
    assert "␣" in page
    assert 'id="alignment-2' in page or "alignment-2" in page or "<defs" not in page
    silent = alignment(logs[:1], ["", "a", " "], seconds=1, unit="frames", said="", true="", number=1)
    assert "nothing" in silent


def test_sections_show_what_there_is():
    block = transcription_metrics(["A <B", "C"], ["A D", "C"], ["C", "C"], resamples=50)
    block["usual"] = block["baseline"]["wer"]
    searches = [{"name": "beam of 4", "wer": 0.25, "cer": 0.125}]
    worst = worst_utterances(["A <B", "C"], ["A D", "C"], [0, 1])
    edits, mistakes = transcription_sections(block, split="test", alignments=[], searches=searches, worst=worst)
    assert "beam of 4" in str(edits.content)
    assert "&lt;B" in str(edits.content)
    assert "<B" not in str(edits.content)
    assert "D" in str(mistakes.content)
    assert len(transcription_sections(block, split="test", alignments=["<svg></svg>"], searches=[], worst=[])) == 2
