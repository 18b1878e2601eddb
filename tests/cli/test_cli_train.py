import json
import signal
import subprocess
import sys
import time

import pytest
from program import QUICK, call, reviews, write_csv

from seqwise.data import write_table

COLUMNS = ("--text", "review", "--label", "sentiment")
SINGLE = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "mcc", "log_loss", "expected_calibration_error")
FILES = {
    *("config.json", "model.safetensors", "vocabulary.json", "labels.json", "metrics.json", "history.jsonl"),
    *("report.html", "README.md", "checkpoints"),
}


def train(data, out, *more):
    return call("train", data, *COLUMNS, "--out", out, *QUICK, *more)


def test_a_run_leaves_a_complete_folder_and_prints_one_document(data, held_out, tmp_path):
    answer = train(data, tmp_path / "m", "--test", held_out, "--json")
    assert answer.code == 0, answer.err
    assert {path.name for path in (tmp_path / "m").iterdir()} >= FILES
    metrics = json.loads((tmp_path / "m" / "metrics.json").read_text())
    assert metrics.keys() == {"validation", "test"}
    assert {part: answer.document[part] for part in metrics} == metrics
    for block in (metrics["validation"], metrics["test"], metrics["test"]["baseline"]):
        assert all(block[name].keys() == {"value", "low", "high"} for name in SINGLE)
        assert block["per_class"].keys() == {"bad", "good"}
        assert block["per_class"]["bad"].keys() >= {"precision", "recall", "f1", "pr_auc", "support"}
        assert sum(map(sum, block["confusion_matrix"]["counts"])) == block["examples"]
    assert metrics["test"]["examples"] == 60
    assert metrics["validation"]["examples"] == 16


def test_a_person_reads_both_models_a_verdict_and_what_to_type_next(data, tmp_path):
    answer = train(data, tmp_path / "m")
    assert answer.code == 0, answer.err
    for part in (
        "model",
        "baseline",
        "macro F1",
        "linear",
        "recurrent",
        "report.html",
        "seqwise predict",
        "validation",
    ):
        assert part in answer.out, answer.out
    assert "\x1b" not in answer.out, "colours in something that is no terminal"


def test_the_verdict_of_the_document_is_in_the_table_too(data, tmp_path):
    document = train(data, tmp_path / "a", "--json").document
    assert document["verdict"] in train(data, tmp_path / "b").out


def test_the_same_seed_gives_the_same_figures_and_weights(data, tmp_path):
    first, second, other = (
        train(data, tmp_path / str(number), "--seed", seed, "--json").document
        for number, seed in enumerate(("3", "3", "4"))
    )
    assert first["validation"] == second["validation"]
    assert first["validation"] != other["validation"]
    weights = [(tmp_path / str(number) / "model.safetensors").read_bytes() for number in range(3)]
    assert weights[0] == weights[1] != weights[2]


def test_the_saved_configuration_holds_columns_and_choices(data, tmp_path):
    (tmp_path / "c.yaml").write_text("model: {cell: gru}\ntraining: {batch_size: 16, epochs: 9}\n")
    assert train(data, tmp_path / "m", "--config", tmp_path / "c.yaml", "--seed", "5").code == 0
    config = json.loads((tmp_path / "m" / "config.json").read_text())["settings"]
    assert (config["data"]["text"], config["data"]["label"]) == ("review", "sentiment")
    assert config["model"]["cell"] == "gru"
    assert (config["training"]["batch_size"], config["training"]["epochs"], config["training"]["seed"]) == (16, 2, 5)
    assert config["text"]["unit"] == "words", "what was 'auto' is decided"


def test_a_folder_with_parts_and_a_known_text_column_needs_no_options(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    for part, rows in (("train", 120), ("validation", 40), ("test", 40)):
        texts, labels = zip(*reviews(rows, seed=rows), strict=True)
        write_table(folder / f"{part}.parquet", [{"body": list(texts), "stars": list(labels)}])
    (folder / "dataset.json").write_text(json.dumps({"name": "set", "text": "body", "label": "stars"}))
    answer = call("train", folder, "--out", tmp_path / "m", "--test", folder, *QUICK, "--json")
    assert answer.code == 0, answer.err
    assert (answer.document["validation"]["examples"], answer.document["test"]["examples"]) == (40, 40)


def test_positive_repeats_the_figures_of_the_class_of_interest(data, tmp_path):
    block = train(data, tmp_path / "m", "--positive", "bad", "--json").document["validation"]
    assert block["positive"] == "bad"
    assert block["recall"] == block["per_class"]["bad"]["recall"]
    assert "precision of bad" in train(data, tmp_path / "n", "--positive", "bad").out


def test_weights_change_the_model_and_its_figures(data, tmp_path):
    plain = train(data, tmp_path / "a", "--json").document["validation"]
    weighted = train(data, tmp_path / "b", "--weight", "weight", "--json").document["validation"]
    assert weighted["log_loss"] != plain["log_loss"]
    assert weighted["per_class"]["bad"]["weight"] > weighted["per_class"]["bad"]["support"]


@pytest.mark.parametrize("architecture", ["linear", "recurrent", "wide_deep"])
def test_every_architecture_trains_evaluates_and_predicts(data, tmp_path, architecture):
    assert train(data, tmp_path / "m", "--model", architecture).code == 0
    assert call("evaluate", tmp_path / "m", data, "--json").code == 0
    assert len(call("predict", tmp_path / "m", "a joy", "so dull").out.splitlines()) == 2


def test_overwrite_replaces_the_model_and_nothing_else(data, tmp_path):
    out = tmp_path / "m"
    assert train(data, out, "--seed", "1").code == 0
    (out / "notes.txt").write_text("mine")
    before = (out / "model.safetensors").read_bytes()
    refused = train(data, out, "--seed", "2")
    assert (refused.code, (out / "model.safetensors").read_bytes()) == (2, before)
    assert "--overwrite" in refused.err
    assert train(data, out, "--seed", "2", "--overwrite").code == 0
    assert (out / "model.safetensors").read_bytes() != before
    assert (out / "notes.txt").read_text() == "mine"


def test_wrong_data_destroy_nothing_even_with_overwrite(data, tmp_path):
    out = tmp_path / "m"
    assert train(data, out).code == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    write_csv(data, ("review", "sentiment"), [("x", "same"), ("y", "same")])
    assert train(data, out, "--overwrite").code == 2
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_resume_of_a_finished_run_gives_the_same_model(data, tmp_path):
    out = tmp_path / "m"
    first = train(data, out, "--json").document
    again = train(data, out, "--resume", "--json")
    assert again.code == 0, again.err
    assert again.document["validation"] == first["validation"]


def test_the_time_budget_covers_the_whole_run(data, tmp_path):
    started = time.perf_counter()
    train(data, tmp_path / "short")
    whole_run = time.perf_counter() - started  # baseline, figures and report, on a machine that may be busy
    started = time.perf_counter()
    answer = train(data, tmp_path / "m", "--set", "training.epochs=100000", "--time-budget", "6s", "--json")
    assert answer.code == 0, answer.err
    assert time.perf_counter() - started < 6 + 2 * whole_run
    assert "The time budget ended the training." in answer.document["notes"]
    assert (tmp_path / "m" / "report.html").exists()


def test_a_class_of_one_example_is_said_and_kept(data, tmp_path):
    rows = [*reviews(100), ("an odd one out", "odd")]
    write_csv(data, ("review", "sentiment"), rows)
    answer = train(data, tmp_path / "m", "--json")
    assert answer.code == 0, answer.err
    assert "'odd'" in answer.err
    assert "training part" in answer.err
    assert "odd" in answer.document["validation"]["per_class"]


@pytest.mark.parametrize(
    "text",
    ["😀 👍🏽 🏳️‍🌈", "هذا فيلم رائع", "זה סרט טוב", "   \t ", "x " * 500_000],
    ids=["emoji", "arabic", "hebrew", "blank", "1MB"],
)
def test_unusual_texts_are_learned_from_and_predicted(data, tmp_path, text):
    write_csv(data, ("review", "sentiment"), [*reviews(80), (text, "good"), (text, "bad")])
    assert train(data, tmp_path / "m").code == 0
    answer = call("predict", tmp_path / "m", "--", text)
    assert (answer.code, len(answer.out.splitlines())) == (0, 1)


def test_schema_prints_a_json_schema_and_needs_nothing_else():
    document = call("train", "--schema").document
    assert {"data", "text", "model", "imbalance", "training"} <= document["properties"].keys()


def started(data, out, *more):
    """The same run in a process of its own, as soon as it has written the history of an epoch."""
    code = "from seqwise.cli import main; main()"
    arguments = ["train", str(data), *COLUMNS, "--out", str(out), *QUICK, *more]
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 300
    while not (out / "history.jsonl").exists():
        if time.monotonic() > deadline or process.poll() is not None:
            process.kill()
            raise AssertionError(process.communicate())
        time.sleep(0.02)
    return process


def test_one_ctrl_c_saves_the_best_model_so_far(data, tmp_path):
    process = started(data, tmp_path / "m", "--set", "training.epochs=100000", "--json")
    try:
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert b"saved" in said
    assert b"Traceback" not in said
    assert json.loads(printed)["interrupted"] is True
    assert call("predict", tmp_path / "m", "joy").code == 0


def test_a_run_that_was_killed_goes_on_to_the_very_same_model(data, tmp_path):
    epochs = ("--set", "training.epochs=60")
    process = started(data, tmp_path / "killed", *epochs)
    process.kill()
    process.communicate()
    assert not (tmp_path / "killed" / "config.json").exists(), "killed too late to show anything"
    assert train(data, tmp_path / "killed", *epochs).code == 2, "it is not started anew unasked"
    resumed = train(data, tmp_path / "killed", *epochs, "--resume")
    assert resumed.code == 0, resumed.err
    assert train(data, tmp_path / "whole", *epochs).code == 0
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("killed", "whole"))
    assert one == other


def test_thresholds_and_calibration_are_chosen_said_and_saved(data, held_out, tmp_path):
    answer = train(
        data,
        tmp_path / "m",
        "--positive",
        "bad",
        "--threshold",
        "recall=0.9",
        "--calibrate",
        "platt",
        "--test",
        held_out,
    )
    assert answer.code == 0, answer.err
    assert "Threshold for recall=0.9" in answer.err
    assert "Few validation examples are 'bad'" in answer.err
    assert "Few validation examples are" in (tmp_path / "m" / "report.html").read_text()
    assert "Calibration by platt" in answer.err
    labels = json.loads((tmp_path / "m" / "labels.json").read_text())
    assert labels["calibration"]["method"] == "platt"
    assert len(labels["thresholds"]) == 2
    document = call("evaluate", tmp_path / "m", held_out, "--json").document
    saved = json.loads((tmp_path / "m" / "metrics.json").read_text())["test"]
    assert document["confusion_matrix"] == saved["confusion_matrix"]
    assert document["log_loss"] == saved["log_loss"]


def test_an_expensive_miss_is_answered_more_often(held_out, tmp_path):
    flipped = {"good": "bad", "bad": "good"}  # every fifth label is wrong, so that there is something to weigh
    rows = [(text, flipped[label] if row % 5 == 0 else label) for row, (text, label) in enumerate(reviews(300))]
    data, counts = write_csv(tmp_path / "noisy.csv", ("review", "sentiment"), rows), []
    for cost in (0.01, 100):
        folder = tmp_path / str(cost)
        options = (
            "--positive",
            "bad",
            "--threshold",
            "cost",
            "--cost",
            f"fn={cost}",
            "--cost",
            "fp=1",
            "--test",
            held_out,
        )
        assert train(data, folder, *options).code == 0
        matrix = json.loads((folder / "metrics.json").read_text())["test"]["confusion_matrix"]
        answered = matrix["classes"].index("bad")
        counts.append(sum(row[answered] for row in matrix["counts"]))
    assert counts[0] < counts[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--threshold", "recal=0.9"], "did you mean recall"),
        (["--threshold", "recall"], "recall=0.9"),
        (["--threshold", "cost"], "--cost"),
        (["--cost", "fn=3"], "only --threshold cost"),
        (["--threshold", "cost", "--cost", "fn"], "NAME=NUMBER"),
        (["--threshold", "cost", "--cost", "god=3"], "did you mean good"),
        (["--threshold", "cost", "--cost", "bad=-3"], "not a number of 0 or more"),
        (["--calibrate", "plat"], "did you mean platt"),
        (["--calibrate", "xyz"], "isotonic, auto, none"),
        (["--calibrate", "platt", "--set", "data.validation=0"], "validation"),
    ],
)
def test_wrong_decision_options_are_named_before_training(data, tmp_path, options, message):
    answer = train(data, tmp_path / "m", *options)
    assert answer.code == 2
    assert message in answer.err
    assert not (tmp_path / "m").exists()
