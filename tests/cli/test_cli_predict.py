import csv
import json
import os
import re
import subprocess
import sys
import time

import pytest
from program import call, reviews, write_csv

from seqwise.data import open_table, write_table


def labels(text):
    return [line.split("\t")[0] for line in text.splitlines()]


def test_one_line_for_each_text_in_order(trained):
    answer = call("predict", trained, "a lovely warm joy", "so dull and grey and poor", "a lovely warm joy")
    assert (answer.code, answer.err) == (0, "")
    rows = [line.split("\t") for line in answer.out.splitlines()]
    assert [row[2] for row in rows] == ["a lovely warm joy", "so dull and grey and poor", "a lovely warm joy"]
    assert rows[0] == rows[2] != rows[1]
    assert all(0.5 <= float(row[1]) <= 1 and row[0] in {"good", "bad"} for row in rows)


def test_a_long_text_of_many_lines_is_one_line(trained):
    answer = call("predict", trained, "one\ntwo\tthree " * 100)
    assert len(answer.out.splitlines()) == 1
    assert len(answer.out) < 100


def test_json_holds_every_probability(trained):
    document = call("predict", trained, "joy", "dull", "--json").document
    assert document["classes"] == ["bad", "good"]
    assert len(document["predictions"]) == 2
    for entry in document["predictions"]:
        assert sum(entry["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert entry["probability"] == entry["probabilities"][entry["label"]] == max(entry["probabilities"].values())


def test_lines_of_standard_input_give_as_many_lines(trained):
    answer = call("predict", trained, "-", stdin="joy\n\ndull\r\nlast")
    assert [line.split("\t")[2] for line in answer.out.splitlines()] == ["joy", "", "dull", "last"]


def test_no_line_gives_no_line_and_an_empty_document(trained):
    assert call("predict", trained, "-", stdin="").out == ""
    assert call("predict", trained, "-", "--json", stdin="").document["predictions"] == []


def test_a_file_gives_what_its_texts_give(trained, tmp_path):
    texts = [text for text, _ in reviews(300, seed=5)]
    file = write_csv(tmp_path / "new.csv", ("id", "review"), list(enumerate(texts)))
    assert call("predict", trained, "--input", file).out == call("predict", trained, "--", *texts).out


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet", ".csv.gz", ".jsonl.zst"])
def test_output_holds_the_columns_of_the_input_and_the_prediction(trained, tmp_path, suffix):
    texts = [text for text, _ in reviews(50, seed=5)]
    write_table(tmp_path / "new.parquet", [{"id": list(range(50)), "review": texts}])
    output = tmp_path / f"out{suffix}"
    answer = call("predict", trained, "--input", tmp_path / "new.parquet", "--output", output)
    assert (answer.code, answer.out) == (0, ""), answer.err
    table = open_table(output)
    assert table.columns == ["id", "review", "label", "probability_bad", "probability_good"]
    (chunk,) = table.iter_chunks()
    assert chunk["review"] == texts
    assert [int(number) for number in chunk["id"]] == list(range(50))
    assert chunk["label"] == labels(call("predict", trained, "--", *texts).out)


def test_output_of_texts_has_a_text_column_and_json_says_where(trained, tmp_path):
    document = call("predict", trained, "joy", "dull", "--output", tmp_path / "o.csv", "--json").document
    assert document == {"output": str(tmp_path / "o.csv"), "rows": 2}
    with (tmp_path / "o.csv").open() as file:
        assert [row["text"] for row in csv.DictReader(file)] == ["joy", "dull"]


def test_output_keeps_a_label_of_the_input(trained, tmp_path):
    file = write_csv(tmp_path / "new.csv", ("review", "label"), [("joy", "mine")])
    call("predict", trained, "--input", file, "--output", tmp_path / "o.csv")
    (chunk,) = open_table(tmp_path / "o.csv").iter_chunks()
    assert chunk["label"] == ["mine"]
    assert chunk["predicted_label"][0] in {"good", "bad"}


def test_output_is_replaced_only_when_asked(trained, tmp_path):
    (tmp_path / "o.csv").write_text("old")
    assert call("predict", trained, "joy", "--output", tmp_path / "o.csv", "--overwrite").code == 0
    assert (tmp_path / "o.csv").read_text().startswith("text,label")


def test_empty_and_missing_texts_of_a_file_get_a_line_each(trained, tmp_path):
    (tmp_path / "new.jsonl").write_text('{"review": "joy"}\n{"review": ""}\n{"review": null}\n')
    assert len(call("predict", trained, "--input", tmp_path / "new.jsonl").out.splitlines()) == 3


def test_another_column_can_be_named(trained, tmp_path):
    file = write_csv(tmp_path / "new.csv", ("review", "body"), [("joy", "dull grey poor")])
    assert "dull grey poor" in call("predict", trained, "--input", file, "--text", "body").out


def program(*arguments):
    return [sys.executable, "-c", "from seqwise.cli import main; main()", *map(str, arguments)]


def test_a_reader_that_leaves_early_is_no_error(trained, tmp_path):
    file = write_csv(tmp_path / "new.csv", ("review",), [("joy",)] * 20_000)
    command = " ".join(["'" + part + "'" for part in program("predict", trained, "--input", file)])
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -n 1"], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, len(done.stdout.splitlines()), done.stderr) == (0, 1, "")


def test_a_pipe_that_stays_open_is_answered_at_once(trained):
    process = subprocess.Popen(
        program("predict", trained, "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        process.stdin.write("a joy\n")
        process.stdin.flush()
        assert process.stdout.readline().split("\t")[2] == "a joy\n"
        assert process.poll() is None
    finally:
        process.stdin.close()
        process.stdout.close()
        assert process.wait(30) == 0


def test_predicting_needs_neither_scikit_learn_nor_the_training_loop(trained):
    code = (
        "import sys\nfrom seqwise.cli import main\n"
        f"sys.argv[1:] = ['predict', {str(trained)!r}, 'joy', '--json']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({'sklearn', 'accelerate', 'matplotlib', 'scipy'} & set(sys.modules)), file=sys.stderr)"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["predictions"]
    assert done.stderr.strip() == "[]", f"after {time.perf_counter() - started:.1f} s"


def test_stated_priors_move_the_answers(trained):
    text = "a lovely warm joy so dull and grey and poor"
    shares = [
        call("predict", trained, text, "--json", "--priors", f"good={share},bad={1 - share}").document["predictions"][0]
        for share in (0.001, 0.5, 0.999)
    ]
    good = [entry["probabilities"]["good"] for entry in shares]
    assert good[0] < good[1] < good[2]
    assert (shares[0]["label"], shares[2]["label"]) == ("bad", "good")


def test_priors_are_estimated_from_the_texts_and_said(trained):
    texts = [text for text, label in reviews(200, seed=8) if label == "good"]
    for method in ("em", "bbse"):
        answer = call("predict", trained, "--estimate-priors", method, "--", *texts)
        assert answer.code == 0, answer.err
        assert len(answer.out.splitlines()) == len(texts)
        share = float(re.search(r"good ([\d.]+)", answer.err)[1])
        assert share > 0.9
        assert "hundreds are needed" not in answer.err
    assert (
        "from 2 texts, these shares say little"
        in call("predict", trained, "--estimate-priors", "em", "--", "a lovely warm joy", "the").err
    )


def test_the_model_abstains_below_a_probability(trained):
    answer = call("predict", trained, "a lovely warm joy", "the", "--abstain-below", "0.9999999", "--json")
    assert [entry["label"] for entry in answer.document["predictions"]] == [None, None]
    assert call("predict", trained, "the", "--abstain-below", "0.9999999").out.split("\t")[0] == "-"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--priors", "good=0.5,bad=0.6"], "sum"),
        (["--priors", "good=0.5"], "bad"),
        (["--priors", "good=0.5,nice=0.5"], "nice"),
        (["--priors", "good"], "NAME=NUMBER"),
        (["--priors", "good=.5,bad=.5", "--estimate-priors", "em"], "give one of them"),
        (["--estimate-priors", "guess"], "em, bbse"),
        (["--abstain-below", "2"], "abstain_below"),
    ],
)
def test_wrong_decision_options_are_named(trained, options, message):
    answer = call("predict", trained, "joy", *options)
    assert answer.code == 2
    assert message in answer.err
    assert "Traceback" not in answer.err
