import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from program import call

from seqwise.data import open_table

QUICK = ("--set", "training.epochs=3", "--set", "model.hidden_size=8", "--set", "training.batch_size=4")
NAMES = {"-1": "unlabelled", "0": "rest", "1": "walk", "2": "jump"}


def recordings(seed, count):
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        labels = np.repeat(random.choice([-1, 0, 1, 2], 6, p=[0.1, 0.4, 0.4, 0.1]), random.integers(4, 12, 6))
        frames = labels[:, None] * np.array([1.0, -1.0]) + 0.3 * random.normal(size=(len(labels), 2))
        rows.append({"frames": frames.tolist(), "labels": labels.tolist(), "person": number // 2})
    return pyarrow.Table.from_pylist(rows)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    place = tmp_path_factory.mktemp("moves")
    pyarrow.parquet.write_table(recordings(0, 12), place / "train.parquet")
    pyarrow.parquet.write_table(recordings(1, 4), place / "test.parquet")
    content = {"name": "moves", "sequence": "frames", "label": "labels", "rate_hz": 20, "classes": NAMES}
    (place / "dataset.json").write_text(json.dumps(content))
    return place


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("model") / "m"
    answer = call(
        *("train", data, "--task", "tag", "--out", out, "--test", data, "--json", "--imbalance", "weighted", *QUICK),
        *("--set", "data.group=person", "--set", "data.validation=0.3", "--set", "frames.stack=2"),
    )
    assert answer.code == 0, answer.err
    block = answer.document["test"]
    assert block["metric"] == "macro_f1"
    assert set(block["per_tag"]) == {"rest", "walk", "jump"}
    assert block["unlabelled"] > 0
    assert block["baseline"]["macro_f1"]["value"] > 0.5
    assert any(note.startswith("Held back for validation, whole: ") for note in answer.document["notes"])
    assert any("training steps have no label" in note for note in answer.document["notes"])
    return out


def test_the_report_shows_labels_confusion_and_a_recording_over_time(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    for part in ("logistic regression on the frame", "Macro F1", "Over time", "walk", "svg", "labelled steps"):
        assert part in page
    assert "<script" not in page
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "--input recordings.parquet" in card


def test_recordings_are_evaluated_beside_the_stored_baseline(folder, data):
    block = call("evaluate", folder, data, "--save", "--json").document
    assert json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["test"] == block
    shown = call("evaluate", folder, data).out
    assert "judging every frame by itself" in shown.lower()
    assert "By tag" in shown


def test_segments_stand_where_time_says(folder, data):
    document = call("predict", folder, "--input", data / "test.parquet", "--json").document
    (first, *others) = document["recordings"]
    assert len(others) == 3
    table = pyarrow.parquet.read_table(data / "test.parquet").to_pylist()
    assert first["unit"] == "seconds", "a file by itself does not tell its rate: it is taken for that of training"
    assert len(first["tags"]) == len(first["probabilities"]) == len(table[0]["frames"])
    assert first["segments"][0]["start"] == 0
    assert first["segments"][-1]["end"] == len(table[0]["frames"]) / 20
    lines = call("predict", folder, "--input", data / "test.parquet").out.split("\n\n")
    assert [line.split("\t")[0] for line in lines[0].splitlines()] == [
        segment["entity_group"] for segment in first["segments"]
    ]
    (data.parent / "one.npy").write_bytes(b"")
    np.save(data.parent / "one.npy", np.array([row["frames"][:20] for row in table]))
    of_array = call("predict", folder, "--input", data.parent / "one.npy", "--json").document["recordings"]
    assert [len(recording["tags"]) for recording in of_array] == [20] * 4


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "csv"])
def test_answers_are_written_beside_the_rows(folder, data, tmp_path, suffix):
    output = tmp_path / f"o.{suffix}"
    answer = call("predict", folder, "--input", data / "test.parquet", "--output", output)
    assert answer.code == 0, answer.err
    assert "4 rows with tags written" in answer.err
    (chunk,) = open_table(output).iter_chunks()
    assert list(chunk) == ["frames", "labels", "person", "tags", "probabilities", "segments"]
    tags = [json.loads(row) if isinstance(row, str) else row for row in chunk["tags"]]
    expected = call("predict", folder, "--input", data / "test.parquet", "--json").document["recordings"]
    assert tags == [recording["tags"] for recording in expected]


def test_a_table_of_steps_is_learned_from(tmp_path):
    random = np.random.default_rng(0)
    lines = ["run,time,x,y,doing"]
    for run in range(8):
        for step in range(40):
            doing = (step // 10 + run) % 2
            x, y = doing + 0.1 * random.normal(), random.normal()
            lines.append(f"r{run},{step / 10},{x:.3f},{y:.3f},{['sit', 'walk'][doing]}")
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    answer = call(
        *("train", tmp_path / "a.csv", "--task", "tag", "--frames", "x", "--frames", "y", "--label", "doing", *QUICK),
        *("--set", "data.id=run", "--set", "data.time=time", "--out", tmp_path / "m", "--set", "data.validation=0.25"),
    )
    assert answer.code == 0, answer.err
    assert "2 validation recordings of 80 labelled steps" in answer.out
    assert "--input recordings.parquet" in answer.out
    document = call("predict", tmp_path / "m", "--input", tmp_path / "a.csv", "--json").document
    assert document["recordings"][0]["unit"] == "seconds"
    assert document["recordings"][0]["segments"][-1]["end"] == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "{data}", "--task", "tag", "--out", "x", "--text", "frames"), "tokens are texts"),
        (("train", "{data}", "--task", "tag", "--out", "x", "--frames", "values"), "no column of frames 'values'"),
        (("train", "{data}", "--task", "tag", "--out", "x", "--label", "tags"), "no column of the labels 'tags'"),
        (("train", "{data}", "--task", "tag", "--out", "x", "--set", "data.group=user"), "column 'user'"),
        (("train", "{data}", "--task", "tag", "--out", "x", "--vectors", "v.txt"), "model.vectors is for words"),
        (
            ("train", "{data}", "--task", "tag", "--out", "x", "--set", "text.min_count=2"),
            "the section text is for words",
        ),
        (
            ("train", "{data}", "--task", "tag", "--out", "x", "--set", "data.weight=w"),
            "data.weight is not for --task tag",
        ),
        (
            ("train", "{data}", "--task", "tag", "--out", "x", "--set", "data.ignore=[rest, 1, jump]"),
            "no step has a label",
        ),
        (("evaluate", "{folder}", "{data}/test.parquet"), "not one label of the data was seen in training"),
        (("predict", "{folder}", "a text"), "reads frames of numbers, not texts"),
        (("predict", "{folder}", "--input", "{data}/test.parquet", "--text", "no"), "no column of frames 'no'"),
        (("predict", "{folder}", "--input", "{data}/test.parquet", "--output", "{data}/test.parquet"), "exists"),
    ],
)
def test_wrong_input_is_one_sentence(folder, data, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    answer = call(*(argument.format(folder=folder, data=data) for argument in arguments))
    assert answer.code == 2
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "x").exists()
