"""Every wrong input gets one sentence on standard error and exit code 2, and leaves everything as it was."""

import csv
import gzip
import json

import pytest
import torch
from program import call, reviews, write_csv

ROWS = reviews(60)
HEADER = ("review", "sentiment")


def refused(answer, *parts):
    assert answer.code == 2, (answer.code, answer.out, answer.err)
    assert answer.out == ""
    assert "Traceback" not in answer.err
    sentences = [line for line in answer.err.splitlines() if line.startswith("Error: ")]
    assert len(sentences) == 1, answer.err
    for part in parts:
        assert part in sentences[0], sentences[0]


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def good_csv(path):
    return write_csv(path, HEADER, ROWS)


FILES = {
    "missing file": ("no.csv", None, ["no.csv"]),
    "unknown suffix": ("reviews.docx", "x", ["'.docx'", ".csv", ".parquet"]),
    "no such data set": ("imdbb", None, ["imdbb", "did you mean imdb"]),
    "empty file": ("reviews.csv", "", ["reviews.csv", "empty"]),
    "header only": ("reviews.csv", "review,sentiment\n", ["no rows"]),
    "missing column": ("reviews.csv", "body,sentiment\nx,y\n", ["'review'", "'body', 'sentiment'"]),
    "one class only": ("reviews.csv", "review,sentiment\nx,good\ny,good\n", ["only one class", "'good'"]),
    "empty text": ("reviews.csv", "review,sentiment\nx,good\n,bad\ny,bad\n", ["row 2", "empty"]),
    "missing label": ("reviews.csv", "review,sentiment\nx,good\ny,\nz,bad\n", ["row 2", "'sentiment'", "missing"]),
    "not UTF-8": ("reviews.csv", b"review,sentiment\nx,good\ncaf\xe9,bad\n", ["line 3", "byte", "0xe9"]),
    "ragged rows": ("reviews.csv", "review,sentiment\nx,good\ny,bad,worse\nz,bad\n", ["line 3"]),
    "malformed JSON line": ("r.jsonl", '{"review": "x", "sentiment": "good"}\n{"review": \n', ["line 2"]),
    "damaged gzip": ("reviews.csv.gz", gzip.compress(b"review,sentiment\nx,y\n" * 99)[:-20], ["damaged"]),
    "no parquet": ("reviews.parquet", "not parquet", ["reviews.parquet"]),
}


@pytest.mark.parametrize(("name", "content", "parts"), FILES.values(), ids=FILES.keys())
def test_wrong_data_for_train(tmp_path, name, content, parts):
    file = tmp_path / name if content is not None else name
    if content is not None:
        written(file, content)
    answer = call("train", file, "--text", "review", "--label", "sentiment", "--out", tmp_path / "m")
    refused(answer, *parts)
    assert not (tmp_path / "m").exists()


OPTIONS = {
    "unknown key": (["--set", "training.epoch=3"], ["training.epoch", "did you mean training.epochs?"]),
    "unknown section": (["--set", "modell.cell=gru"], ["'modell'", "did you mean model?"]),
    "value out of range": (["--set", "training.learning_rate=-1"], ["training.learning_rate", "above 0", "-1"]),
    "value of another type": (["--set", "training.epochs=many"], ["training.epochs", "whole number", "'many'"]),
    "no key": (["--set", "epochs=3"], ["section.key=value"]),
    "no such cell": (["--set", "model.cell=lsmt"], ["lsmt", "lstm"]),
    "no such model": (["--model", "deep"], ["model.architecture", "wide_deep", "'deep'"]),
    "no configuration file": (["--config", "no.yaml"], ["no.yaml"]),
    "time budget": (["--time-budget", "soon"], ["time_budget", "'soon'"]),
    "no such weight column": (["--weight", "wieght"], ["'wieght'", "'review', 'sentiment'"]),
    "no such label column": (["--label", "sentimnt"], ["'sentimnt'", "did you mean sentiment"]),
    "no such class of interest": (["--positive", "terrible"], ["'terrible'", "'bad', 'good'"]),
    "device": (["--device", "tpu"], ["device"]),
    "test file": (["--test", "no.csv"], ["no.csv"]),
    "overwrite and resume": (["--overwrite", "--resume"], ["--overwrite", "--resume"]),
}


@pytest.mark.parametrize(("options", "parts"), OPTIONS.values(), ids=OPTIONS.keys())
def test_wrong_options_for_train(tmp_path, options, parts):
    file = good_csv(tmp_path / "reviews.csv")
    answer = call("train", file, "--text", "review", "--label", "sentiment", "--out", tmp_path / "m", *options)
    refused(answer, *parts)
    assert not (tmp_path / "m").exists()


def test_a_column_that_nobody_named_is_asked_for_with_the_columns_there_are(tmp_path):
    file = good_csv(tmp_path / "reviews.csv")
    refused(call("train", file, "--out", tmp_path / "m"), "--text", "'review', 'sentiment'")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
@pytest.mark.parametrize("command", ["train", "evaluate", "predict"])
def test_no_cuda(tmp_path, trained, command):
    file = good_csv(tmp_path / "reviews.csv")
    arguments = {
        "train": [file, "--text", "review", "--label", "sentiment", "--out", tmp_path / "m"],
        "evaluate": [trained, file],
        "predict": [trained, "x"],
    }[command]
    refused(call(command, *arguments, "--device", "cuda"), "CUDA")


def test_an_output_folder_that_is_not_empty(tmp_path):
    file = good_csv(tmp_path / "reviews.csv")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "thesis.tex").write_text("years of work")
    arguments = ("train", file, "--text", "review", "--label", "sentiment", "--out", tmp_path / "m")
    refused(call(*arguments), "not empty", "--overwrite", "--resume")
    refused(call(*arguments, "--overwrite"), "does not look like a model folder")
    refused(call(*arguments, "--resume"), "no checkpoints")
    assert (tmp_path / "m" / "thesis.tex").read_text() == "years of work"


def test_a_label_unseen_in_training_is_named_with_its_row(trained, tmp_path):
    file = write_csv(tmp_path / "new.csv", HEADER, [*ROWS[:5], ("so so", "mediocre")])
    refused(call("evaluate", trained, file), "'mediocre'", "row 6", "not seen in training", "'bad', 'good'")


def test_a_test_label_unseen_in_training_is_named_before_anything_is_trained(tmp_path):
    file = good_csv(tmp_path / "reviews.csv")
    test = write_csv(tmp_path / "new.csv", HEADER, [("so so", "mediocre")])
    answer = call("train", file, "--text", "review", "--label", "sentiment", "--out", tmp_path / "m", "--test", test)
    refused(answer, "'mediocre'", "row 1")
    assert not (tmp_path / "m").exists()


DAMAGES = {
    "no folder": lambda folder: [path.unlink() for path in folder.rglob("*") if path.is_file()],
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "cut weights": lambda folder: written(
        folder / "model.safetensors", (folder / "model.safetensors").read_bytes()[:-100]
    ),
    "no JSON": lambda folder: written(folder / "config.json", "{"),
    "newer": lambda folder: written(
        folder / "config.json",
        json.dumps({**json.loads((folder / "config.json").read_text()), "format_version": 999}),
    ),
    "no vocabulary": lambda folder: (folder / "vocabulary.json").unlink(),
}


@pytest.mark.parametrize("command", ["evaluate", "predict"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_model_folder(model, tmp_path, damage, command):
    damage(model)
    argument = good_csv(tmp_path / "reviews.csv") if command == "evaluate" else "x"
    refused(call(command, model, argument), str(model))


def test_a_model_folder_that_is_not_there(tmp_path):
    refused(call("predict", tmp_path / "nothing", "x"), "nothing")


PREDICT = {
    "nothing": ([], ["--input"]),
    "both": (["x", "--input", "reviews.csv"], ["either"]),
    "dash and text": (["-", "x"], ["standard input"]),
    "missing input": (["--input", "no.csv"], ["no.csv"]),
    "column without a file": (["x", "--text", "review"], ["--input"]),
    "overwrite without output": (["x", "--overwrite"], ["--output"]),
    "no folder for the output": (["x", "--output", "no/where.csv"], ["no"]),
    "unknown suffix of the output": (["x", "--output", "out.docx"], [".csv"]),
}


@pytest.mark.parametrize(("arguments", "parts"), PREDICT.values(), ids=PREDICT.keys())
def test_wrong_input_for_predict(trained, tmp_path, monkeypatch, arguments, parts):
    monkeypatch.chdir(tmp_path)
    good_csv(tmp_path / "reviews.csv")
    refused(call("predict", trained, *arguments), *parts)
    assert [path.name for path in tmp_path.iterdir()] == ["reviews.csv"]


def test_an_output_that_exists_is_kept(trained, tmp_path):
    output = written(tmp_path / "out.csv", "precious")
    refused(call("predict", trained, "x", "--output", output), "out.csv", "--overwrite")
    assert output.read_text() == "precious"


def test_an_input_without_the_column_of_training(trained, tmp_path):
    file = write_csv(tmp_path / "new.csv", ("body",), [("x",)])
    refused(call("predict", trained, "--input", file), "'review'", "'body'", "--text")


def test_a_malformed_row_leaves_no_half_written_output(trained, tmp_path):
    with (tmp_path / "new.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("review",), *[("x",)] * 5000, ("y", "too much")])
    refused(call("predict", trained, "--input", tmp_path / "new.csv", "--output", tmp_path / "out.csv"), "line 5002")
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


def test_unknown_recipes_and_data_sets_name_the_nearest(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQWISE_DATA", str(tmp_path))
    refused(call("reproduce", "imdb-ltsm"), "did you mean imdb-lstm?")
    refused(call("data", "show", "sms_span"), "did you mean sms_spam?")
    refused(call("data", "get", "sms_span"), "did you mean sms_spam?")


@pytest.mark.parametrize(
    "arguments", [["trian"], ["train"], ["train", "x"], ["train", "x", "--out", "m", "--sede", "1"], ["data"], []]
)
def test_usage_errors_exit_with_2(arguments):
    assert call(*arguments).code == 2
