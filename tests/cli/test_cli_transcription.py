import json
import wave

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program import call

WORDS = ["AB", "BA", "C", "CAB"]
SOUNDS = dict(zip("ABC ", np.random.default_rng(7).normal(size=(4, 5)) * 2, strict=True))
SMALL = [
    *("model.hidden_size=24", "model.num_layers=1", "model.factor=2", "model.time_masks=0", "model.channel_masks=0"),
    *("training.epochs=8", "training.learning_rate=0.02", "training.select=last", "frames.normalise=channel"),
]
OPTIONS = [part for setting in SMALL for part in ("--set", setting)]


def table(path, count, seed, **changes):
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(WORDS, random.integers(1, 4))) for _ in range(count)]
    frames = []
    for text in texts:
        rows = [np.stack([SOUNDS[letter]] * random.integers(3, 6) + [np.zeros(5)]) for letter in text]
        whole = np.concatenate(rows)
        frames.append((whole + random.normal(size=whole.shape) * 0.2).tolist())
    columns = {"frames": frames, "said": texts, "id": [f"x/s{i % 8}/{i}" for i in range(count)], **changes}
    pq.write_table(pa.table(columns), path)
    return texts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("transcription")
    table(place / "train.parquet", 120, 0)
    table(place / "test.parquet", 20, 1)
    answer = call(
        *("train", place / "train.parquet", "--task", "transcribe", "--target", "said", "--out", place / "m"),
        *("--test", place / "test.parquet", *OPTIONS, "--set", "data.group=id", "--set", "data.group_pattern=/(.+)/"),
        *("--set", "search.word_list=training", "--set", "search.beam=4", "--set", "frames.rate=100", "--json"),
    )
    assert answer.code == 0, answer.err
    block = answer.document["test"]
    assert block["wer"]["value"] < 0.1 < block["baseline"]["wer"]["value"]
    assert block["usual"]["value"] > 0.5
    assert answer.document["validation"]["utterances"] == 15  # one speaker of eight
    return place / "m"


def test_the_report_shows_alignment_search_and_mistakes_and_needs_nothing_else(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    for part in (
        "Word error rate",
        "nearest training utterance",
        "When what was heard",
        "What the search gains",
        "svg",
    ):
        assert part in page
    assert "heard as it was said" in page
    assert "<script" not in page
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "seqwise predict" in card
    assert "105 utterances" in card


def test_a_table_is_transcribed(folder, tmp_path):
    texts = table(tmp_path / "more.parquet", 6, 2)
    document = call("predict", folder, "--input", tmp_path / "more.parquet", "--json").document
    assert [of["text"] for of in document["utterances"]] == texts
    first = document["utterances"][0]
    assert first["utterance"] == "row 1"
    assert [word["word"] for word in first["words"]] == texts[0].split()
    assert first["unit"] == "seconds"
    lines = call("predict", folder, "--input", tmp_path / "more.parquet").out.splitlines()
    assert lines[1].split("\t")[0] == "row 2"
    assert lines[1].split("\t")[2] == texts[1]
    answer = call("predict", folder, "--input", tmp_path / "more.parquet", "--output", tmp_path / "heard.csv")
    assert answer.code == 0, answer.err
    assert (tmp_path / "heard.csv").read_text(encoding="utf-8").splitlines()[0] == "utterance,text,log_probability"
    assert call("predict", folder, "--input", tmp_path / "more.parquet", "--output", tmp_path / "heard.csv").code == 2


def test_other_utterances_are_evaluated_beside_the_stored_baseline(folder):
    data = folder.parent / "test.parquet"
    block = call("evaluate", folder, data, "--save", "--json").document
    assert json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["test"] == block
    assert block["baseline"]["wer"]["value"] > block["wer"]["value"]
    shown = call("evaluate", folder, data).out
    assert "Word error rate" in shown
    assert "lower is better" in shown


def test_sounds_are_heard_from_wav_files(tmp_path):
    random = np.random.default_rng(0)
    tones = {"A": 300, "B": 700}
    rows = []
    for number in range(24):
        text = "".join(random.choice(["A", "B"], 2))
        signal = np.concatenate([np.sin(2 * np.pi * tones[c] * np.arange(1600) / 8000) for c in text])
        path = tmp_path / f"{number}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes((signal * 9000 + random.normal(size=len(signal)) * 300).astype("<i2").tobytes())
        rows.append((str(path), text))
    (tmp_path / "data.csv").write_text("path,text\n" + "".join(f"{p},{t}\n" for p, t in rows), encoding="utf-8")
    answer = call(
        *("train", tmp_path / "data.csv", "--task", "transcribe", "--out", tmp_path / "m", *OPTIONS),
        *("--set", "training.epochs=2", "--set", "frames.bands=12"),
    )
    assert answer.code == 0, answer.err
    answer = call("predict", tmp_path / "m", rows[0][0], rows[1][0], "--json")
    assert answer.code == 0, answer.err
    first = answer.document["utterances"][0]
    assert first["utterance"] == rows[0][0]
    assert all(0 <= word["start"] < word["end"] <= 0.5 for word in first["words"])


def test_wrong_input_is_one_sentence_and_exit_code_2(folder, tmp_path):
    data = folder.parent / "train.parquet"
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"frames": [[[1.0, 2.0]] * 4], "said": ["AB"]}), other)
    cases = [
        (("train", data, "--task", "transcribe", "--target", "sad", "--out", tmp_path / "a"), "'sad'"),
        (
            (
                "train",
                data,
                "--task",
                "transcribe",
                "--target",
                "said",
                "--out",
                tmp_path / "a",
                "--set",
                "search.beam=0",
            ),
            "search.beam",
        ),
        (("train", data, "--task", "transcribe", "--label", "said", "--out", tmp_path / "a"), "--label is for"),
        (
            (
                "train",
                data,
                "--task",
                "transcribe",
                "--target",
                "said",
                "--out",
                tmp_path / "a",
                "--set",
                "model.factor=40",
            ),
            "more symbols than their utterances have steps",
        ),
        (
            ("train", data, "--task", "transcribe", "--target", "frames", "--out", tmp_path / "a"),
            "a text is expected in 'frames'",
        ),
        (("predict", folder, "hello"), "listens to .wav files"),
        (("predict", folder, "none.wav"), "none.wav"),
        (("predict", folder, "--input", data, "--beam", "0"), "search.beam"),
        (("predict", folder, "--input", other), "2 channels"),
        (("predict", folder, "--input", data, "--priors", "A=0.5"), "--priors is for"),
    ]
    for command, said in cases:
        answer = call(*command)
        assert answer.code == 2, (command, answer.out, answer.err)
        assert said in answer.err, (command, answer.err)
        assert "Traceback" not in answer.err
