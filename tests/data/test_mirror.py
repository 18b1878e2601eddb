"""The real data sets, where SEQWISE_DATA names a folder that has them."""

import pytest

from seqwise.data import load_examples, resolve, show_data
from seqwise.data.catalogue import catalogue
from seqwise.text import choose_unit

UNITS = {"names_gender": "characters", "names_language": "characters", "dna_splice": "characters"}
CLASSIFICATION = [name for name, entry in catalogue().items() if entry["task"] == "classification" and "text" in entry]


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_a_set_is_read_whole_and_as_it_is_described(seqwise_data, name):
    if not (seqwise_data / name).is_dir():
        pytest.skip(f"{name} is not there")
    source = resolve(name)
    assert (source.metadata["text"], source.metadata["label"]) == (
        catalogue()[name]["text"],
        catalogue()[name]["label"],
    )
    for part, table in source.splits.items():
        examples = load_examples(table, source.metadata["text"], source.metadata["label"])
        assert examples.rows == len(examples.labels) == source.metadata["rows"][part]
        assert choose_unit(examples.texts) == UNITS.get(name, "words")


def test_a_multi_label_set_is_refused_with_the_reason(seqwise_data):
    if not (seqwise_data / "goemotions").is_dir():
        pytest.skip("goemotions is not there")
    examples = load_examples(resolve("goemotions").table("train"), "text", "labels")
    assert examples.multilabel
    assert sum("neutral" in labels for labels in examples.labels) == 14219
    assert show_data("goemotions", rows=1)["splits"]["train"]["classes"]["neutral"] == 14219
