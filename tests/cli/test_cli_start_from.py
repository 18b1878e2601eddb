import pytest
from program import GOOD, QUICK, call, reviews, write_csv

SMALL = (*QUICK, "--set", "model.bptt=8", "--set", "training.batch_size=4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("start")
    write_csv(place / "reviews.csv", ("review", "sentiment"), reviews(120))
    (place / "more.txt").write_text("\n".join(text for text, _ in reviews(200, seed=5)), encoding="utf-8")
    answer = call("train", place / "more.txt", "--task", "lm", "--out", place / "lm", *SMALL, "--json")
    assert answer.code == 0, answer.err
    return place


def train(folder, out, *options):
    columns = ("--text", "review", "--label", "sentiment")
    return call("train", folder / "reviews.csv", *columns, "--out", out, "--set", "training.epochs=2", *options)


def test_a_classifier_starts_from_a_language_model(folder, tmp_path):
    tuned = tmp_path / "tuned"
    options = ("--task", "lm", "--start-from", folder / "lm", "--text", "review", "--set", "training.epochs=1")
    answer = call("train", folder / "reviews.csv", *options, "--out", tuned)
    assert answer.code == 0, answer.err
    answer = train(folder, tmp_path / "m", "--start-from", tuned, "--model", "recurrent", "--json")
    assert answer.code == 0, answer.err
    predicted = call("predict", tmp_path / "m", f"a {GOOD[0]} film", "--json")
    assert predicted.code == 0, predicted.err


@pytest.mark.parametrize("options", [("--model", "recurrent"), ("--task", "lm"), ("--task", "tag")], ids=str)
def test_a_transformer_is_asked_for_by_one_option(options, tmp_path):
    if "tag" in options:
        rows = ["a\tX\nfilm\tY\n"] * 12
        data = tmp_path / "tags.conll"
        data.write_text("\n".join(rows), encoding="utf-8")
        columns = ()
    else:
        data = write_csv(tmp_path / "reviews.csv", ("review", "sentiment"), reviews(60))
        columns = ("--text", "review", *(() if "lm" in options else ("--label", "sentiment")))
    answer = call("train", data, *columns, *options, "--encoder", "transformer", "--out", tmp_path / "m", *QUICK)
    assert answer.code == 0, answer.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--start-from", "{folder}/reviews.csv"), "is not a folder"),
        (("--start-from", "{folder}/nothing"), "there is no model folder"),
        (("--start-from", "{folder}/lm", "--set", "model.hidden_size=12"), "has 8: leave it out"),
        (("--start-from", "{folder}/lm", "--set", "text.unit=characters"), "text.unit"),
        (("--start-from", "{folder}/lm", "--encoder", "transformer"), "model.encoder is transformer"),
        (("--encoder", "transformer", "--set", "model.cell=gru"), "cell is of recurrent layers"),
        (("--encoder", "transformer", "--set", "model.hidden_size=10", "--set", "model.heads=3"), "a multiple of 6"),
        (("--encoder", "convolution"), "recurrent, transformer"),
        (("--task", "tag", "--start-from", "{folder}/lm"), "--start-from is for"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_one_sentence(options, said, folder, tmp_path):
    answer = train(folder, tmp_path / "m", *(option.format(folder=folder) for option in options))
    assert answer.code == 2
    assert said in answer.err
    assert "Traceback" not in answer.err
