import sys

import numpy as np
import pytest
import sacrebleu

from seqwise.errors import DataError, MissingExtraError
from seqwise.metrics.translation import quick_chrf, sentence_scores, translation_metrics

REFERENCES = [
    "Ein Mann schläft in einem grünen Raum auf einem Sofa.",
    "Zwei Männer bauen eine blaue Eisfischerhütte auf.",
    "Ein Junge mit Kopfhörern sitzt auf den Schultern einer Frau.",
    "Eine Gruppe von Männern lädt Baumwolle auf einen Lastwagen.",
] * 5
SAID = [
    "Ein Mann schläft in einem grünen Zimmer auf einer Couch.",
    "Zwei Männer bauen eine blaue Hütte auf.",
    "Ein junge mit Kopfhörern sitzt auf der Schulter einer Frau.",
    "Eine Gruppe von Männern lädt Baumwolle auf einen Lastwagen.",
] * 5
WORSE = [" ".join(reversed(text.split())) for text in REFERENCES]


def test_figures_are_those_of_sacrebleu():
    block = translation_metrics(SAID, REFERENCES)
    bleu, chrf = sacrebleu.corpus_bleu(SAID, [REFERENCES]), sacrebleu.corpus_chrf(SAID, [REFERENCES])
    assert block["bleu"]["value"] == pytest.approx(bleu.score)
    assert block["chrf"]["value"] == pytest.approx(chrf.score)
    assert block["precisions"] == pytest.approx(bleu.precisions)
    assert block["brevity"] == pytest.approx(bleu.bp)
    assert block["same"] == 0.25
    assert "tok:13a" in block["signature"]
    assert "case:mixed" in block["signature"]
    assert quick_chrf(SAID, REFERENCES) == pytest.approx(chrf.score)
    assert sentence_scores(SAID[:1], REFERENCES[:1])[0] == pytest.approx(
        sacrebleu.sentence_chrf(SAID[0], [REFERENCES[0]]).score
    )


def test_intervals_are_those_of_corpora_drawn_again():
    said, references = SAID[:8] + WORSE[8:12], REFERENCES[:12]
    block = translation_metrics(said, references, resamples=400, seed=3)
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(400):
        rows = random.integers(12, size=12)
        drawn.append(sacrebleu.corpus_bleu([said[i] for i in rows], [[references[i] for i in rows]]).score)
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert block["bleu"]["low"] == pytest.approx(low, abs=4)
    assert block["bleu"]["high"] == pytest.approx(high, abs=4)
    assert block["bleu"]["low"] < block["bleu"]["value"] < block["bleu"]["high"]


def test_the_baseline_is_drawn_with_the_model():
    block = translation_metrics(SAID, REFERENCES, WORSE)
    assert block["baseline"]["bleu"]["value"] == pytest.approx(sacrebleu.corpus_bleu(WORSE, [REFERENCES]).score)
    gap = block["difference"]
    assert gap["value"] == pytest.approx(block["bleu"]["value"] - block["baseline"]["bleu"]["value"])
    assert 0 < gap["low"] < gap["value"] < gap["high"]
    same = translation_metrics(SAID, REFERENCES, SAID)["difference"]
    assert same["low"] == same["value"] == same["high"] == 0


def test_one_sentence_allows_no_interval():
    block = translation_metrics(SAID[:1], REFERENCES[:1])
    assert block["bleu"]["low"] is None


@pytest.mark.parametrize(("said", "references"), [([], []), (SAID[:2], REFERENCES[:3])])
def test_wrong_numbers_of_sentences_are_refused(said, references):
    with pytest.raises(DataError):
        translation_metrics(said, references)


def test_without_the_library_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(MissingExtraError, match=r"seqwise\[translation\]"):
        translation_metrics(SAID, REFERENCES)
