import json

import numpy as np
import pytest

from seqwise.errors import DataError
from seqwise.text import TextPipeline, TextSettings
from seqwise.text.vocabulary import EOS, UNK

TEXTS = ["the cat sat", "The dog sat , the end", "a"]


def decoded(pipeline: TextPipeline, texts: list) -> list[str]:
    return [" ".join(pipeline.vocabulary.decode(row)) for row in pipeline.encode(texts)]


def test_texts_become_ids_and_back():
    pipeline = TextPipeline().fit(TEXTS)
    assert pipeline.settings.unit == "words"
    assert decoded(pipeline, TEXTS) == ["the cat sat", "the dog sat , the end", "a"]
    assert decoded(pipeline, ["the zebra sat"]) == ["the <unk> sat"]


def test_a_text_without_tokens_is_one_unknown_token():
    pipeline = TextPipeline(TextSettings(unit="words", punctuation=False)).fit(TEXTS)
    assert [row.tolist() for row in pipeline.encode(["", " \n", "!!!"])] == [[UNK]] * 3
    with_mark = TextPipeline(TextSettings(unit="words", end_mark=True)).fit(TEXTS)
    assert with_mark.encode([""])[0].tolist() == [EOS]


@pytest.mark.parametrize(
    ("keep", "end_mark", "expected"),
    [
        ("last", False, "sat , the end"),
        ("first", False, "the dog sat ,"),
        ("last", True, ", the end <eos>"),
        ("first", True, "the dog sat <eos>"),
    ],
)
def test_a_long_text_keeps_its_first_or_last_tokens(keep, end_mark, expected):
    settings = TextSettings(unit="words", max_length=4, keep=keep, end_mark=end_mark)
    assert decoded(TextPipeline(settings).fit(TEXTS), TEXTS)[1] == expected


def test_the_end_mark_follows_a_short_text():
    pipeline = TextPipeline(TextSettings(unit="words", end_mark=True)).fit(TEXTS)
    assert decoded(pipeline, ["the end"]) == ["the end <eos>"]


def test_a_length_of_one_holds_the_end_mark_alone():
    pipeline = TextPipeline(TextSettings(unit="words", end_mark=True, max_length=1)).fit(TEXTS)
    assert pipeline.encode(TEXTS).ids.tolist() == [EOS] * 3


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("unit", ["auto", "words", "characters", "tokens"])
def test_fitting_and_encoding_at_once_gives_the_same(tmp_path, unit, on_disk):
    settings = TextSettings(unit=unit, max_length=4, end_mark=True, max_vocabulary=6)
    folder = tmp_path if on_disk else None
    separate = TextPipeline(settings).fit(TEXTS)
    at_once = TextPipeline(settings)
    rows = at_once.fit_encode(iter(TEXTS), folder=folder)
    assert at_once.to_dict() == separate.to_dict()
    assert [row.tolist() for row in rows] == [row.tolist() for row in separate.encode(TEXTS)]
    assert isinstance(rows.ids, np.memmap) == on_disk
    assert len(list(tmp_path.iterdir())) == on_disk  # the provisional file is gone


def test_the_vocabulary_is_learned_from_whole_texts():
    pipeline = TextPipeline(TextSettings(unit="words", max_length=1)).fit(TEXTS)
    assert "dog" in pipeline.vocabulary


def test_texts_that_can_be_read_once_are_read_whole():
    assert len(TextPipeline().fit(iter(["a b c"] * 5000 + ["last one here"])).vocabulary) == 3 + 6


def test_lists_of_tokens_are_texts():
    pipeline = TextPipeline().fit([["New York", "is"], ["big"]])
    assert pipeline.settings.unit == "tokens"
    assert decoded(pipeline, [["big", "New York"], "is it"]) == ["big new_york", "is <unk>"]


def test_a_saved_pipeline_encodes_the_same():
    pipeline = TextPipeline(TextSettings(max_length=4)).fit(TEXTS)
    loaded = TextPipeline.from_dict(json.loads(json.dumps(pipeline.to_dict())))
    assert loaded.settings == pipeline.settings
    assert loaded.encode(TEXTS).ids.tolist() == pipeline.encode(TEXTS).ids.tolist()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"settings": {"unit": "word"}}, "unit"),
        ({"settings": {"unit": "auto"}}, "no fitted pipeline"),
        ({"settings": {"unit": "words", "max_length": "9"}}, "max_length"),
        ({"settings": {"unit": "words", "stemming": True}}, "stemming"),
        ({"settings": None}, "text settings"),
        ({"vocabulary": {}}, "vocabulary has the keys"),
    ],
)
def test_a_damaged_pipeline_is_refused_with_the_reason(change, reason):
    saved = TextPipeline().fit(TEXTS).to_dict()
    with pytest.raises(DataError, match=reason):
        TextPipeline.from_dict({**saved, **change})
    with pytest.raises(DataError, match="has the keys"):
        TextPipeline.from_dict({"vocabulary": saved["vocabulary"]})


def test_an_unfitted_pipeline_says_so():
    for pipeline in (TextPipeline(), TextPipeline(TextSettings(unit="words"))):
        with pytest.raises(DataError, match="call fit first"):
            pipeline.encode(["a"])


def test_a_megabyte_and_strange_scripts_are_encoded():
    texts = ["word " * 200_000, "😀" * 250_000, "שלום " * 100_000, "\ud800 lone surrogate", "\x00"]
    rows = TextPipeline(TextSettings(unit="words")).fit_encode(texts)
    assert rows.lengths.tolist() == [400, 400, 400, 3, 1]
