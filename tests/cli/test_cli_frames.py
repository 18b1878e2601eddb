"""Frames through the commands: sounds, tables of numbers, vectors, several columns."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from program import QUICK, call, reviews, write_csv
from scipy.io import wavfile
from scipy.signal import resample_poly

from seqwise.data import write_table

RATE = 4000
SOUND = (
    *("--set", "frames.bands=12", "--set", "model.hidden_size=8", "--set", "model.num_layers=1"),
    *("--set", "training.epochs=8", "--set", "training.batch_size=8", "--set", "training.learning_rate=0.02"),
)


def tone(pitch: float, random: np.random.Generator) -> np.ndarray:
    steps = np.arange(random.integers(600, 1200))
    return (0.3 * np.sin(2 * np.pi * pitch * steps / RATE + random.uniform(0, 6))).astype(np.float32)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of sounds, rising and falling in no way: high or low."""
    root, random = tmp_path_factory.mktemp("sounds"), np.random.default_rng(0)
    for part, count in (("train", 24), ("test", 8)):
        for label, pitch in (("high", 900.0), ("low", 300.0)):
            (root / part / label).mkdir(parents=True)
            for number in range(count):
                wavfile.write(root / part / label / f"{number}.wav", RATE, tone(pitch, random))
    return root


@pytest.fixture(scope="module")
def trained(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound-model") / "model"
    answer = call("train", sounds, "--test", sounds, "--out", folder, *SOUND, "--json")
    assert answer.code == 0, answer.err
    assert answer.document["test"]["examples"] == 16
    assert "A step is logarithms of the energies of 12 mel bands" in answer.err
    return folder


def test_a_report_of_sounds_prints_no_numbers_of_theirs(trained: Path) -> None:
    page = (trained / "report.html").read_text(encoding="utf-8")
    assert "logistic regression on the statistics of the frames" in page
    assert len(page) < 2_000_000
    assert "recording.wav" in (trained / "README.md").read_text(encoding="utf-8")


def test_files_given_as_arguments_are_heard(trained: Path, sounds: Path, tmp_path: Path) -> None:
    files = [sounds / "test" / "high" / "0.wav", sounds / "test" / "low" / "0.wav"]
    answer = call("predict", trained, *files)
    assert (answer.code, answer.err) == (0, "")
    rows = [line.split("\t") for line in answer.out.splitlines()]
    assert [row[0] for row in rows] == ["high", "low"]
    assert "high/0.wav" in rows[0][2]
    assert call("predict", trained, "-", stdin="\n".join(map(str, files))).out == answer.out
    rate, samples = wavfile.read(files[0])
    wavfile.write(tmp_path / "fast.wav", 2 * rate, np.column_stack([resample_poly(samples, 2, 1)] * 2))
    other = call("predict", trained, tmp_path / "fast.wav")
    assert other.out.startswith("high\t")
    assert "The sound has 8,000 Hz and was resampled to 4,000 Hz" in other.err
    assert "The sound has several channels, which were averaged" in other.err


def test_a_folder_and_a_table_of_sounds_are_answered_to_a_file(trained: Path, sounds: Path, tmp_path: Path) -> None:
    answer = call("predict", trained, "--input", sounds / "test", "--output", tmp_path / "out.csv")
    assert answer.code == 0, answer.err
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    assert [row["predicted_label"] for row in rows] == [row["label"] for row in rows]
    assert rows[0]["sound"].endswith("high/0.wav")


def test_a_model_of_sounds_is_evaluated_on_other_data(trained: Path, sounds: Path) -> None:
    answer = call("evaluate", trained, sounds, "--json")
    assert answer.code == 0, answer.err
    assert answer.document["accuracy"]["value"] == 1.0
    assert answer.document["baseline"]["accuracy"]["value"] > 0.5


def test_wrong_files_are_one_sentence(trained: Path, sounds: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.wav"
    cut.write_bytes((sounds / "test" / "high" / "0.wav").read_bytes()[:-50])
    for arguments, what in (
        ([cut], "cut.wav is truncated"),
        ([tmp_path / "no.wav"], "no file"),
        (["a text"], "the model reads frames of numbers: give .wav or .npy files, not 'a text'"),
        (["--input", cut.with_suffix(".npz")], "no file"),
        (["--input", sounds, "--text", "x"], "name their columns with --frames"),
    ):
        answer = call("predict", trained, *arguments)
        assert answer.code == 2, answer.err
        assert what in answer.err
        assert len([line for line in answer.err.splitlines() if line.startswith("Error: ")]) == 1


def series(count: int, seed: int = 0) -> tuple[list[np.ndarray], list[str]]:
    random = np.random.default_rng(seed)
    labels = ["up" if random.random() < 0.5 else "down" for _ in range(count)]
    slopes = [np.linspace(0, 2 if label == "up" else -2, random.integers(5, 9)) for label in labels]
    return [np.column_stack([slope, random.normal(size=len(slope))]) for slope in slopes], labels


def test_one_set_of_numbers_gives_one_model_whatever_file_it_is_in(tmp_path: Path) -> None:
    sequences, labels = series(60)
    lengths = [len(one) for one in sequences]
    np.savez(tmp_path / "a.npz", x=np.concatenate(sequences), lengths=lengths, label=np.array(labels))
    write_table(tmp_path / "b.parquet", [{"x": [one.tolist() for one in sequences], "label": labels}])
    rows = [
        (number, step / 10, *values, label)
        for number, (one, label) in enumerate(zip(sequences, labels, strict=True))
        for step, values in enumerate(one.tolist())
    ]
    write_csv(tmp_path / "c.csv", ("id", "time", "u", "v", "label"), rows)
    long = ("--frames", "u", "--frames", "v", "--set", "data.id=id", "--set", "data.time=time")
    figures = []
    for name, columns in (("a.npz", ("--frames", "x")), ("b.parquet", ("--frames", "x")), ("c.csv", long)):
        out = tmp_path / name.replace(".", "-")
        answer = call("train", tmp_path / name, *columns, "--label", "label", "--out", out, *QUICK, "--json")
        assert answer.code == 0, answer.err
        figures.append(answer.document["validation"]["log_loss"]["value"])
    assert figures == pytest.approx([figures[0]] * 3, rel=1e-4)
    answer = call("predict", tmp_path / "c-csv", "--input", tmp_path / "c.csv", "--output", tmp_path / "out.jsonl")
    assert answer.code == 0, answer.err
    assert len((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()) == 60
    np.save(tmp_path / "one.npy", sequences[0])
    assert call("predict", tmp_path / "a-npz", tmp_path / "one.npy").code == 0


def test_columns_of_numbers_are_vectors(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    numbers = random.normal(size=(80, 2))
    rows = [(a, b, "plus" if a > 0 else "minus") for a, b in numbers.tolist()]
    write_csv(tmp_path / "a.csv", ("a", "b", "label"), rows)
    answer = call("train", tmp_path / "a.csv", "--frames", "a", "--frames", "b", "--out", tmp_path / "m", "--json")
    assert answer.code == 0, answer.err
    assert answer.document["validation"]["accuracy"]["value"] > 0.8
    assert list(answer.document["parts"]) == ["dense"]
    write_table(tmp_path / "b.jsonl", [{"x": numbers.tolist(), "label": [row[2] for row in rows]}])
    lists = ("--frames", "x", "--set", "data.vectors=true")
    answer = call("train", tmp_path / "b.jsonl", *lists, "--out", tmp_path / "n", "--json")
    assert list(answer.document["parts"]) == ["dense"]


def test_treatments_are_compared_on_frames(tmp_path: Path) -> None:
    sequences, labels = series(60)
    write_table(tmp_path / "a.parquet", [{"x": [one.tolist() for one in sequences], "label": labels}])
    arguments = ("compare", tmp_path / "a.parquet", "--frames", "x", "--treatments", "focal", "--seeds", 1)
    answer = call(*arguments, "--out", tmp_path / "c", "--jobs", 1, *QUICK, "--json")
    assert answer.code == 0, answer.err
    assert {row["name"] for row in answer.document["rows"]} >= {"ce", "focal"}


def test_groups_are_held_back_whole(tmp_path: Path) -> None:
    sequences, labels = series(60)
    people = [f"p{number % 6}" for number in range(60)]
    rows = {"x": [one.tolist() for one in sequences], "label": labels, "who": people}
    write_table(tmp_path / "a.parquet", [rows])
    flags = ("--frames", "x", "--set", "data.group=who", "--set", "data.validation=0.3")
    answer = call("train", tmp_path / "a.parquet", *flags, "--out", tmp_path / "m", *QUICK, "--json")
    assert answer.code == 0, answer.err
    assert answer.document["validation"]["examples"] % 10 == 0


def test_several_columns_of_texts_are_one_text_everywhere(tmp_path: Path) -> None:
    rows = [(number, text, label) for number, (text, label) in enumerate(reviews(120))]
    file = write_csv(
        tmp_path / "a.csv", ("title", "body", "label"), [(f"t{n}", text, label) for n, text, label in rows]
    )
    out = tmp_path / "m"
    answer = call("train", file, "--text", "title", "--text", "body", "--out", out, *QUICK, "--json")
    assert answer.code == 0, answer.err
    assert call("evaluate", out, file).code == 0
    answer = call("predict", out, "--input", file, "--output", tmp_path / "out.csv")
    assert answer.code == 0, answer.err
    from seqwise.prediction import Predictor

    predictor = Predictor.load(out)
    joined = predictor.predict_proba([f"t0 ␞ {rows[0][1]}"])
    np.testing.assert_array_equal(predictor.predict_proba([{"title": "t0", "body": rows[0][1]}]), joined)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--frames", "y"), "no column of frames 'y'"),
        (("--frames", "x", "--text", "x"), "--text and --frames"),
        (("--frames", "x", "--set", "frames.features=mfcc"), "the frames have 2 channels"),
        (("--frames", "x", "--set", "frames.hop=2"), "frames.hop must be"),
        (("--frames", "label"), "and numbers are expected"),
        (("--frames", "x", "--model", "wide_deep"), "is for texts"),
        (("--text", "label", "--set", "frames.bands=20"), "the section frames"),
    ],
)
def test_wrong_settings_are_one_sentence(tmp_path: Path, options: tuple[str, ...], what: str) -> None:
    sequences, labels = series(20)
    write_table(tmp_path / "a.parquet", [{"x": [one.tolist() for one in sequences], "label": labels}])
    answer = call("train", tmp_path / "a.parquet", *options, "--label", "label", "--out", tmp_path / "m", *QUICK)
    assert answer.code == 2, answer.err
    assert what in answer.err
    assert not (tmp_path / "m").exists()
