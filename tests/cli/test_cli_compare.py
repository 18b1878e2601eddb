import json
import os
import signal
import subprocess
import sys
import time

import pytest
from program import QUICK, call

COLUMNS = ("--text", "review", "--label", "sentiment")


def compare(data, out, *more):
    return call("compare", data, *COLUMNS, "--out", out, *QUICK, "--seeds", "1", "--jobs", "1", *more)


def test_a_person_reads_a_table_and_a_recommendation(data, tmp_path):
    answer = compare(data, tmp_path / "c", "--treatments", "weighted")
    assert answer.code == 0, answer.err
    for part in ("ce", "weighted", "baseline", "majority class", "difference to ce", "p (Holm)", "parameters"):
        assert part in answer.out, answer.out
    assert f"Tables and pictures: {tmp_path / 'c'}" in answer.out
    assert "[1/4] ce, seed 0" in answer.err
    again = compare(data, tmp_path / "c", "--treatments", "weighted", "--json")
    assert "4 of the 4 runs are finished" in again.err
    assert again.document["recommendation"] in answer.out
    assert again.document == {**json.loads((tmp_path / "c" / "compare.json").read_text())}


def test_cells_are_compared_by_name(data, tmp_path):
    answer = compare(
        data, tmp_path / "c", "--vary", "cell", "--treatments", "rnn,gru", "--metric", "accuracy", "--json"
    )
    assert answer.code == 0, answer.err
    assert answer.document["reference"] == "rnn"
    assert [row["name"] for row in answer.document["rows"]] == ["rnn", "gru", "baseline", "majority class"]
    assert answer.document["metric"] == "accuracy"


def test_test_data_of_its_own(data, held_out, tmp_path):
    answer = compare(data, tmp_path / "c", "--vary", "model.hidden_size=4,6", "--test", held_out)
    assert answer.code == 0, answer.err
    assert "60 for the test" in answer.err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--treatments", "focall"], "did you mean focal"),
        (["--vary", "imbalence"], "did you mean imbalance"),
        (["--vary", "cell", "--treatments", "lstn,gru"], "did you mean lstm"),
        (["--metric", "macro"], "metric 'macro'"),
        (["--folds", "1"], "--folds"),
        (["--vary", "model.dropout=2,3"], "model.dropout must be a number"),
    ],
)
def test_wrong_input_exits_with_2_and_writes_nothing(data, tmp_path, arguments, part):
    answer = compare(data, tmp_path / "c", *arguments)
    assert answer.code == 2
    assert part in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "c").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_leaves_the_finished_runs_and_the_same_command_goes_on(data, tmp_path):
    words = [
        "compare",
        data,
        *COLUMNS,
        "--out",
        tmp_path / "c",
        *QUICK,
        "--vary",
        "cell",
        "--seeds",
        "2",
        "--jobs",
        "2",
    ]
    command = [sys.executable, "-c", "from seqwise.cli import main; main()", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and not list((tmp_path / "c").glob("runs/rnn-*.json")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    if "Interrupted" in err:  # a fast machine may have been done before
        assert process.returncode == 130, err
        assert "the same command goes on from there" in err
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "c").glob("runs/*.json")}
    assert before
    answer = call(*words)
    assert answer.code == 0, answer.err
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "c").glob("runs/*.json")}
    assert before.items() <= after.items(), "a finished run was run again"
