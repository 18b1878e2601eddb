import json

from program import QUICK, call, reviews, write_csv


def test_figures_have_the_form_of_metrics_json_and_the_baseline_beside_them(data, held_out, tmp_path):
    out = tmp_path / "m"
    call("train", data, "--text", "review", "--label", "sentiment", "--out", out, "--test", held_out, *QUICK)
    answer = call("evaluate", out, held_out, "--json")
    assert answer.code == 0, answer.err
    expected = json.loads((out / "metrics.json").read_text())["test"]
    assert answer.document.keys() == expected.keys()
    assert answer.document["confusion_matrix"] == expected["confusion_matrix"]
    assert answer.document["baseline"]["confusion_matrix"] == expected["baseline"]["confusion_matrix"]
    assert answer.document["baseline"]["log_loss"]["value"] == expected["baseline"]["log_loss"]["value"]


def test_a_person_reads_figures_classes_confusion_and_verdict(trained, held_out):
    answer = call("evaluate", trained, held_out)
    assert answer.code == 0, answer.err
    for part in ("macro F1", "baseline", "Confusion matrix", "bad", "good", "60 examples"):
        assert part in answer.out


def test_nothing_is_written_unless_asked(model, held_out):
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    assert call("evaluate", model, held_out).code == 0
    assert {path: path.read_bytes() for path in model.rglob("*") if path.is_file()} == before


def test_save_writes_the_test_block_and_keeps_the_validation(model, held_out):
    validation = json.loads((model / "metrics.json").read_text())["validation"]
    document = call("evaluate", model, held_out, "--save", "--json").document
    assert json.loads((model / "metrics.json").read_text()) == {"validation": validation, "test": document}


def test_other_columns_can_be_named(trained, tmp_path):
    file = write_csv(tmp_path / "new.csv", ("body", "stars"), reviews(30, seed=3))
    assert call("evaluate", trained, file, "--text", "body", "--label", "stars", "--json").code == 0


def test_a_file_with_one_of_the_classes_can_be_evaluated(trained, tmp_path):
    file = write_csv(tmp_path / "new.csv", ("review", "sentiment"), [("a joy", "good"), ("a dull joy", "good")])
    document = call("evaluate", trained, file, "--json").document
    assert document["per_class"]["bad"]["support"] == 0
    assert document["per_class"]["bad"]["recall"]["value"] is None


def test_weights_of_training_are_missed_aloud(data, held_out, tmp_path):
    out = tmp_path / "m"
    call("train", data, "--text", "review", "--label", "sentiment", "--weight", "weight", "--out", out, *QUICK)
    answer = call("evaluate", out, held_out, "--json")
    assert "no column 'weight'" in answer.err
    assert "weight" in call("evaluate", out, data, "--json").document["per_class"]["bad"]
