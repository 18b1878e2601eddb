import pytest
from program import QUICK, call

LONGER = ("--set", "training.epochs=12", "--set", "training.learning_rate=0.03", "--set", "training.batch_size=4")
LINES = ["the boy ate a fig .", "the girl ate the figs .", "a boy sleeps .", "the boys sleep ."] * 15


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("language")
    (place / "lines.txt").write_text("\n".join(LINES), encoding="utf-8")
    answer = call(
        "train",
        place / "lines.txt",
        "--task",
        "lm",
        "--out",
        place / "m",
        "--test",
        place / "lines.txt",
        *QUICK,
        *LONGER,
        "--json",
    )
    assert answer.code == 0, answer.err
    assert set(answer.document) >= {"validation", "test", "verdict"}
    assert answer.document["test"]["baseline"]["perplexity"]["value"] > 1
    return place / "m"


def test_the_report_shows_model_and_baseline_and_needs_nothing_else(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    for part in ("Kneser-Ney", "Perplexity", "Drawn from it", "What it found hardest", "What comes next"):
        assert part in page
    assert "<script" not in page
    assert "seqwise generate" in (folder / "README.md").read_text(encoding="utf-8")


def test_sentences_are_compared(folder):
    answer = call("score", folder, "the boys sleep .", "sleep the boys .", "--tokens")
    assert answer.code == 0, answer.err
    assert "Most probable: the boys sleep ." in answer.out
    document = call("score", folder, "--json", stdin="a boy\n").document
    assert [token for token, _ in document["texts"][0]["tokens"]] == ["a", "boy", "<eos>"]


def test_texts_are_drawn(folder):
    answer = call("generate", folder, "--prompt", "the boy", "--count", "2", "--max-tokens", "5", "--seed", "1")
    assert answer.code == 0, answer.err
    assert len(answer.out.splitlines()) == 2
    assert all(line.startswith("the boy") for line in answer.out.splitlines())
    assert len(call("generate", folder, "--prompt", "the", "--next", "4", "--json").document["next"]) == 4


def test_other_texts_are_evaluated_and_may_be_learned_from_while_reading(folder, tmp_path):
    (tmp_path / "more.txt").write_text("figs ate the girl .\n" * 30, encoding="utf-8")
    plain = call("evaluate", folder, tmp_path / "more.txt", "--json").document
    adapted = call("evaluate", folder, tmp_path / "more.txt", "--adapt", "0.5", "--json").document
    assert adapted["perplexity"]["value"] < plain["perplexity"]["value"]
    assert "Perplexity" in call("evaluate", folder, tmp_path / "more.txt").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "{folder}", "--task", "ml", "--out", "x"), "there are classify"),
        (("train", "{folder}", "--task", "lm", "--out", "x", "--label", "y"), "--label is for classification"),
        (("train", "{folder}/none.txt", "--task", "lm", "--out", "x"), "no file"),
        (("train", "{lines}", "--task", "lm", "--out", "x", "--text", "words"), "words"),
        (("train", "{lines}", "--task", "lm", "--out", "x", "--set", "model.pooling=max"), "no configuration key"),
        (("predict", "{folder}", "a text"), "seqwise score or seqwise generate"),
        (("score", "{folder}/none", "a text"), "no model folder"),
        (("generate", "{folder}", "--top-p", "2"), "top-p"),
        (("evaluate", "{folder}", "{lines}", "--label", "x"), "--label is for classification"),
        (("evaluate", "{folder}", "{lines}", "--adapt", "-1"), "learning rate"),
    ],
)
def test_wrong_input_is_one_sentence(folder, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    places = {"folder": str(folder), "lines": str(folder.parent / "lines.txt")}
    answer = call(*(argument.format(**places) for argument in arguments))
    assert answer.code == 2
    assert said in answer.err
    assert "Traceback" not in answer.err
