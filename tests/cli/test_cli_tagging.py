import json

import numpy as np
import pytest
from program import QUICK, call

from seqwise.data import open_table

SMALL = ("--set", "model.character_size=4", "--set", "model.character_hidden_size=4", "--set", "model.dropout=0.1")
LONGER = ("--set", "training.epochs=6", "--set", "training.learning_rate=0.03", "--set", "training.batch_size=8")
NAMES, PLACES = ["Anna", "Ben", "Carla Diaz"], ["Bonn", "New York", "Rome"]


def conll(seed, count=60):
    random = np.random.default_rng(seed)
    blocks = []
    for _ in range(count):
        who, where = random.choice(NAMES).split(), random.choice([*PLACES, *NAMES]).split()
        tags = [*("I-PER" for _ in who), "O", "O", *("I-LOC" for _ in where), "O"]
        pairs = zip([*who, "lives", "in", *where, "."], tags, strict=True)
        blocks.append("\n".join(f"{word} X {tag}" for word, tag in pairs))
    return "\n\n".join(blocks) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("tagging")
    (place / "train.conll").write_text(conll(0), encoding="utf-8")
    (place / "test.conll").write_text(conll(1, 20), encoding="utf-8")
    answer = call(
        *("train", place / "train.conll", "--task", "tag", "--out", place / "m", "--test", place / "test.conll"),
        *(*QUICK, *SMALL, *LONGER, "--json"),
    )
    assert answer.code == 0, answer.err
    block = answer.document["test"]
    assert block["f1"]["value"] > block["baseline"]["f1"]["value"]
    assert set(block["per_type"]) == {"LOC", "PER"}
    return place / "m"


def test_the_report_shows_types_confusion_and_the_worst_sentences_and_needs_nothing_else(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    for part in ("most frequent tag of each token", "F1 of spans", "What is taken for what", "PER", "svg"):
        assert part in page
    assert "<script" not in page
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "seqwise predict" in card
    assert "(54 sentences)" in card


def test_texts_are_tagged_at_their_places(folder, tmp_path):
    text = "Anna lives in  New York."
    document = call("predict", folder, text, "--json").document
    (answer,) = document["texts"]
    assert [entity["word"] for entity in answer["entities"]] == ["Anna", "New York"]
    for entity in answer["entities"]:
        assert set(entity) == {"entity_group", "score", "word", "start", "end"}
        assert text[entity["start"] : entity["end"]] == entity["word"]
    lines = call("predict", folder, "-", stdin="Ben lives in Rome .\n\n").out.split("\n")
    assert lines[0].split("\t")[0] == "PER"
    assert lines[0].split("\t")[2:] == ["0", "3", "Ben"]
    (tmp_path / "more.jsonl").write_text(json.dumps({"words": ["Ben", "lives", "in", "Rome", "."]}))
    listed = call("predict", folder, "--input", tmp_path / "more.jsonl", "--text", "words", "--json").document
    assert [entity["entity_group"] for entity in listed["texts"][0]["entities"]] == ["PER", "LOC"]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "csv"])
def test_answers_are_written_beside_the_rows(folder, tmp_path, suffix):
    rows = [["no", "name", "here"], ["Ben", "lives", "in", "Rome", "."]]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"tokens": row, "tags": ["x"]}) for row in rows))
    answer = call("predict", folder, "--input", tmp_path / "a.jsonl", "--output", tmp_path / f"o.{suffix}", "--json")
    assert answer.document == {"output": str(tmp_path / f"o.{suffix}"), "rows": 2}
    (chunk,) = open_table(tmp_path / f"o.{suffix}").iter_chunks()
    assert list(chunk) == ["tokens", "tags", "predicted_tags", "probabilities", "entities"]
    read = {name: [json.loads(v) if isinstance(v, str) else v for v in values] for name, values in chunk.items()}
    assert [len(row) for row in read["predicted_tags"]] == [3, 5]
    assert [entity["entity_group"] for entity in read["entities"][1]] == ["PER", "LOC"]
    again = call("predict", folder, "--input", tmp_path / "a.jsonl", "--output", tmp_path / f"o.{suffix}")
    assert again.code == 2
    assert "--overwrite" in again.err


def test_texts_of_the_command_line_are_written_too(folder, tmp_path):
    assert call("predict", folder, "Ben lives in Rome", "--output", tmp_path / "o.csv").code == 0
    (chunk,) = open_table(tmp_path / "o.csv").iter_chunks()
    assert chunk["text"] == ["Ben lives in Rome"]
    assert json.loads(chunk["tags"][0])[0] == "I-PER"


def test_other_sentences_are_evaluated_beside_the_stored_baseline(folder):
    data = folder.parent / "test.conll"
    block = call("evaluate", folder, data, "--save", "--json").document
    saved = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["test"]
    assert saved == block
    assert block["baseline"]["f1"]["value"] is not None
    shown = call("evaluate", folder, data).out
    assert "By type" in shown
    assert "looking tokens up" in shown


def test_marked_spans_are_learned_from_with_a_treatment_of_rare_tags(tmp_path):
    rows = []
    for who in NAMES * 6:
        spans = [{"start": 0, "end": len(who), "label": "PER"}]
        rows.append(json.dumps({"text": f"{who} lives here.", "spans": spans}))
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    answer = call(
        *("train", tmp_path / "a.jsonl", "--task", "tag", "--out", tmp_path / "m", "--imbalance", "focal", *QUICK),
        *("--set", "model.head=softmax", "--set", "model.casing=false"),
    )
    assert answer.code == 0, answer.err
    assert "F1 of spans" in answer.out
    settings = json.loads((tmp_path / "m" / "config.json").read_text())["settings"]
    assert settings["imbalance"]["loss"] == "focal"
    assert settings["data"]["text"] == "text"
    assert settings["model"]["scheme"] == "BIO"


def test_a_broken_scheme_is_converted_with_a_count(tmp_path):
    (tmp_path / "a.conll").write_text(conll(0, 20).replace("I-PER", "B-PER", 1), encoding="utf-8")
    answer = call(
        *("train", tmp_path / "a.conll", "--task", "tag", "--out", tmp_path / "m", *QUICK, "--json"),
        *("--set", "model.scheme=BIO", "--set", "data.validation=0.2"),
    )
    assert answer.code == 0, answer.err
    assert any("training tags broke a rule of the scheme BIO" in note for note in answer.document["notes"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("train", "{wrong}", "--task", "tag", "--out", "x"),
            "row 1 (line 1): 1 tokens in 'tokens' and 2 tags in 'tags'",
        ),
        (("train", "{data}", "--task", "tag", "--out", "x", "--positive", "PER"), "--positive is for classification"),
        (("train", "{data}", "--task", "tag", "--out", "x", "--label", "ner"), "no column of the tags 'ner'"),
        (("train", "{data}", "--task", "tag", "--out", "x", "--set", "model.scheme=BIOS"), "one of auto, none, BIO"),
        (("train", "{data}", "--task", "tag", "--out", "x", "--set", "model.pooling=max"), "no configuration key"),
        (("train", "{data}", "--task", "tag", "--out", "x", "--imbalance", "focal"), "model.head to 'softmax'"),
        (("train", "{data}", "--task", "tag", "--out", "x", "--label", "column2"), "every token has the tag 'X'"),
        (
            ("train", "{data}", "--task", "tag", "--out", "x", "--set", "data.weight=w"),
            "data.weight is not for --task tag",
        ),
        (("train", "{data}", "--task", "tag", "--out", "x", "--vectors", "none.txt"), "none.txt"),
        (("predict", "{folder}", "a text", "--abstain-below", "0.5"), "--abstain-below is for classification"),
        (("predict", "{folder}", "--input", "{data}", "--text", "words"), "no column of the texts 'words'"),
        (("evaluate", "{folder}", "{data}", "--adapt", "0.1"), "--adapt is for language models"),
        (("evaluate", "{folder}", "{data}", "--label", "column2"), "'X' is no tag of the scheme IOB1"),
        (("score", "{folder}", "a text"), "not a language model"),
    ],
)
def test_wrong_input_is_one_sentence(folder, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.jsonl").write_text('{"tokens": ["a"], "tags": ["O", "O"]}')
    places = {
        "folder": str(folder),
        "data": str(folder.parent / "train.conll"),
        "wrong": str(tmp_path / "wrong.jsonl"),
    }
    answer = call(*(argument.format(**places) for argument in arguments))
    assert answer.code == 2
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "x").exists()
