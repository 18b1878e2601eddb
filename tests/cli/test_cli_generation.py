import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from program import call, write_csv

from seqwise.data.midi import read_midi, write_midi

SMALL = (
    *("--set", "model.hidden_size=16", "--set", "model.embedding_size=8", "--set", "model.dropout=0"),
    *("--set", "training.learning_rate=0.02", "--set", "training.batch_size=8"),
)
COLOURS = {"warm": ["red", "rose", "amber"], "cold": ["blue", "sky"]}
PIECES = [[[60, 64], [60, 67], [62], []] * 3, [[62, 65], [64, 67], [60, 64, 67]] * 4, [[60], [62], [64]] * 3] * 4


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("generation")


@pytest.fixture(scope="module")
def names(place):
    rows = [(word, group) for group, words in COLOURS.items() for word in words] * 8
    data = write_csv(place / "colours.csv", ("word", "group"), rows)
    options = ("--task", "generate", "--label", "group", "--target", "word", "--set", "model.condition_dropout=0.2")
    epochs = ("--set", "training.epochs=25", "--set", "text.unit=characters")
    answer = call("train", data, *options, *SMALL, *epochs, "--out", place / "names", "--test", data, "--json")
    assert answer.code == 0, answer.err
    assert answer.document["test"]["difference"]["metric"] == "log_loss"
    return place / "names"


@pytest.fixture(scope="module")
def music(place):
    pyarrow.parquet.write_table(pyarrow.table({"chords": PIECES}), place / "pieces.parquet")
    answer = call(
        *("train", place / "pieces.parquet", "--task", "generate", "--out", place / "music", "--test"),
        *(place / "pieces.parquet", "--set", "training.epochs=8", *SMALL),
    )
    assert answer.code == 0, answer.err
    assert "Log loss, nats a step" in answer.out
    return place / "music"


def test_the_reports_show_what_is_drawn_and_need_nothing_else(names, music):
    page = (names / "report.html").read_text(encoding="utf-8")
    for part in ("Drawn from it", "Class by class", "bigrams", "Perplexity"):
        assert part in page
    roll = (music / "report.html").read_text(encoding="utf-8")
    assert "What it plays" in roll
    assert "<svg" in roll
    for one in (page, roll):
        assert "<script" not in one
    assert "seqwise generate" in (names / "README.md").read_text(encoding="utf-8")


def test_texts_are_drawn_for_a_class_and_from_a_beginning(names):
    drawn = call("generate", names, "--condition", "cold", "--samples", "12", "--seed", "1")
    assert drawn.code == 0, drawn.err
    assert len(drawn.out.splitlines()) == 12
    assert set(drawn.out.splitlines()) & set(COLOURS["cold"])
    begun = call("generate", names, "--prompt", "r", "--count", "3", "--guidance", "1", "--json").document
    assert len(begun["texts"]) == 3
    assert all(text.startswith("r") for text in begun["texts"])


def test_the_most_probable_text_is_predicted(names, tmp_path):
    given = call("predict", names, "cold", "warm")
    assert given.code == 0, given.err
    assert len(given.out.splitlines()) == 2
    write_csv(tmp_path / "asked.csv", ("group",), [("cold",), ("warm",)])
    assert (
        call("predict", names, "--input", tmp_path / "asked.csv", "--json").document["texts"] == given.out.splitlines()
    )


def test_a_classifier_judges(names, place):
    data = place / "colours.csv"
    trained = call(
        *("train", data, "--text", "word", "--label", "group", "--out", place / "judge", "--set", "training.epochs=3"),
        *("--set", "model.hidden_size=8"),
    )
    assert trained.code == 0, trained.err
    asked = ("generate", names, "--samples", "20", "--judge", place / "judge")
    block = call(*asked, "--known", data, "--json").document
    assert block["samples"] == 20
    assert 0 < block["copied"]["value"] <= 1
    assert set(block["per_class"]) == set(COLOURS)
    shown = call(*asked, "--by", "prior")
    assert "judged to be of the asked class" in shown.out
    assert call("generate", names, "--judge", names).code == 2


def test_music_is_gone_on_with_and_written(music, place, tmp_path):
    write_midi(tmp_path / "seed.mid", PIECES[1])
    answer = call(
        *("generate", music, "--seed-from", tmp_path / "seed.mid", "--seed-steps", "4", "--max-tokens", "6"),
        *("--out", tmp_path / "song.mid", "--json"),
    )
    assert answer.code == 0, answer.err
    (piece,) = answer.document["pieces"]
    assert answer.document["seed"] == PIECES[1][:4]
    written = [*PIECES[1][:4], *piece]
    while not written[-1]:
        written.pop()
    assert read_midi(tmp_path / "song.mid") == written
    printed = call("generate", music, "--seed-from", place / "pieces.parquet", "--max-tokens", "3", "--struck")
    assert len(printed.out.strip().splitlines()) == 3


def test_other_data_are_evaluated_with_the_stored_baseline(names, music, place, tmp_path):
    block = call("evaluate", names, place / "colours.csv", "--json").document
    assert block["log_loss"]["value"] < block["baseline"]["log_loss"]["value"]
    saved = call("evaluate", music, place / "pieces.parquet", "--save")
    assert saved.code == 0, saved.err
    metrics = json.loads((music / "metrics.json").read_text(encoding="utf-8"))
    assert "independent_pitches" in metrics["test"]["baseline"]
    assert "log_loss_after_first" in metrics["test"]


def test_vectors_are_spelled(place):
    draw = np.random.default_rng(0)
    centres, words = draw.normal(size=(3, 4)), ["one", "two", "three"]
    numbers = draw.integers(3, size=120)
    rows = {"v": (centres[numbers] + 0.05 * draw.normal(size=(120, 4))).tolist(), "word": [words[i] for i in numbers]}
    pyarrow.parquet.write_table(pyarrow.table(rows), place / "vectors.parquet")
    data, out = place / "vectors.parquet", place / "spelling"
    options = ("--frames", "v", "--target", "word", "--set", "training.epochs=15", "--set", "text.unit=characters")
    answer = call("train", data, "--task", "generate", *options, *SMALL, "--out", out, "--test", data, "--json")
    assert answer.code == 0, answer.err
    assert answer.document["test"]["exact"]["value"] == 1.0
    assert answer.document["test"]["difference"]["metric"] == "exact"
    assert call("predict", out, "--input", data).out.splitlines()[:3] == rows["word"][:3]
    assert "seqwise predict" in call("generate", out).err


def wrong(*arguments):
    answer = call(*arguments)
    assert answer.code == 2
    assert answer.err.startswith("Error: ")
    return answer.err


def test_wrong_questions_get_one_sentence(names, music, tmp_path):
    assert "did you mean cold" in wrong("generate", names, "--condition", "colt")
    assert "not learned" in wrong("generate", names, "--prompt", "Q")
    assert "--next is for language models" in wrong("generate", names, "--next", "3")
    assert "--out is for music" in wrong("generate", names, "--out", tmp_path / "a.mid")
    assert "--prompt is a text" in wrong("generate", music, "--prompt", "C")
    assert "--guidance is for texts" in wrong("generate", music, "--guidance", "1")
    assert "one piece" in wrong("generate", music, "--out", tmp_path / "a.mid", "--count", "2")
    assert "there is no file" in wrong("generate", music, "--seed-from", tmp_path / "no.mid")
    assert "outside" not in call("generate", music, "--max-tokens", "2").err
    assert "max-tokens" in wrong("generate", names, "--max-tokens", "0")
    assert "--by is even or prior" in wrong("generate", names, "--by", "chance")


def test_wrong_data_get_one_sentence(place, tmp_path):
    data = write_csv(tmp_path / "a.csv", ("word", "group"), [("x", "a"), ("", "b"), ("y", "a")])
    base = ("train", data, "--task", "generate", "--out", tmp_path / "m")
    assert "name the column of the sequences by --target" in wrong(*base)
    assert "row 2" in wrong(*base, "--target", "word")
    assert "no column of the classes" in wrong(*base, "--target", "word", "--label", "grup")
    assert "not for --task generate" in wrong(*base, "--target", "word", "--positive", "a")
    both = wrong(*base, "--target", "word", "--label", "group", "--frames", "word")
    assert "not from both" in both
