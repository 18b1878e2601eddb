import json

import numpy as np
import pytest
from program import QUICK, call

DICTIONARY = dict(
    zip(
        ["a", "man", "woman", "dog", "runs", "sleeps", "eats", "red"],
        ["ein", "Mann", "Frau", "Hund", "läuft", "schläft", "isst", "rot"],
        strict=True,
    )
)
SMALL = ("hidden_size=24", "decoder_hidden_size=32", "embedding_size=24", "dropout=0.1", "embedding_dropout=0")


def written(path, count, seed):
    random = np.random.default_rng(seed)
    rows = ["en\tde"]
    for _ in range(count):
        words = list(random.choice(list(DICTIONARY), size=random.integers(2, 5)))
        # The last word comes first: no word-by-word translation can know that.
        rows.append(" ".join(words) + "\t" + " ".join(DICTIONARY[word] for word in reversed(words)))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("translation")
    sets = [argument for value in SMALL for argument in ("--set", f"model.{value}")]
    training = ("epochs=12", "learning_rate=0.01", "batch_size=16", "average=none")
    answer = call(
        *("train", written(place / "train.tsv", 300, 0), "--task", "translate", "--text", "en", "--target", "de"),
        *("--test", written(place / "test.tsv", 30, 1), "--out", place / "m", "--set", "text.unit=whitespace"),
        *(*QUICK, *sets, *(argument for value in training for argument in ("--set", f"training.{value}")), "--json"),
    )
    assert answer.code == 0, answer.err
    block = answer.document["test"]
    assert block["bleu"]["value"] > block["baseline"]["bleu"]["value"]
    assert "better than translating word by word" in answer.document["verdict"]
    return place / "m"


def test_the_report_shows_figures_attention_and_the_worst_sentences_and_needs_nothing_else(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    for part in ("BLEU", "chrF", "IBM model 1", "Where it looked", "Its worst sentences", "tok:13a", "<svg"):
        assert part in page
    assert "<script" not in page
    assert "seqwise predict" in (folder / "README.md").read_text(encoding="utf-8")


def test_texts_are_translated_a_line_each(folder, tmp_path):
    assert call("predict", folder, "a man sleeps", "a dog").out == "schläft Mann ein\nHund ein\n"
    assert call("predict", folder, "-", "--beam", "1", stdin="a man sleeps\n").out == "schläft Mann ein\n"
    (tmp_path / "more.jsonl").write_text(json.dumps({"en": "a red dog"}), encoding="utf-8")
    assert call("predict", folder, "--input", tmp_path / "more.jsonl").out == "Hund rot ein\n"


def test_the_next_best_come_with_their_scores(folder):
    lines = call("predict", folder, "a man sleeps", "--n-best", "3").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["1", "1", "1"]
    scores = [float(line.split("\t")[1]) for line in lines]
    assert scores == sorted(scores, reverse=True)
    (of,) = call("predict", folder, "a man sleeps", "--n-best", "2", "--json").document["translations"]
    assert of["translation"] == "schläft Mann ein"
    assert len(of["answers"]) == 2
    assert np.sum(of["answers"][0]["attention"], axis=1) == pytest.approx(1, abs=1e-2)


def test_translations_are_written_to_a_file(folder, tmp_path):
    (tmp_path / "in.tsv").write_text("en\na man sleeps\na dog\n", encoding="utf-8")
    out = tmp_path / "out.tsv"
    assert call("predict", folder, "--input", tmp_path / "in.tsv", "--output", out).code == 0
    lines = out.read_text(encoding="utf-8").splitlines()
    assert lines[0].split("\t") == ["text", "translation", "score"]
    assert lines[1].split("\t")[:2] == ["a man sleeps", "schläft Mann ein"]
    assert call("predict", folder, "a dog", "--output", out).code == 2
    assert call("predict", folder, "a dog", "--output", out, "--overwrite").code == 0


def test_it_is_evaluated_on_other_data_beside_its_baseline(folder, tmp_path):
    answer = call("evaluate", folder, written(tmp_path / "more.tsv", 20, 5), "--json")
    assert answer.document["baseline"]["bleu"]["value"] < answer.document["bleu"]["value"]
    assert call("evaluate", folder, tmp_path / "more.tsv", "--beam", "0").code == 2
    shown = call("evaluate", folder, tmp_path / "more.tsv", "--beam", "1").out
    assert "BLEU" in shown
    assert "IBM model 1" in shown


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--beam", "0"), "at least one hypothesis, not 0"),
        (("--n-best", "0"), "answers, not 0"),
        (("--beam", "2", "--n-best", "3"), "from 1 to 2 answers, not 3"),
        (("--priors", "a=1"), "--priors is for classification"),
    ],
)
def test_wrong_options_are_refused_in_one_sentence(folder, arguments, part):
    answer = call("predict", folder, "a man", *arguments)
    assert answer.code == 2
    assert part in answer.err
    assert len(answer.err.strip().splitlines()) == 1


def test_wrong_data_are_refused_in_one_sentence(tmp_path):
    (tmp_path / "pairs.tsv").write_text("en\tde\na man\tein Mann\na dog\t\n", encoding="utf-8")

    def refused(*arguments):
        answer = call("train", tmp_path / "pairs.tsv", "--task", "translate", "--out", tmp_path / "m", *arguments)
        assert answer.code == 2
        return answer.err

    assert "row 2" in refused("--text", "en", "--target", "de")
    assert "--target" in refused("--text", "en")
    assert "both in the column" in refused("--text", "en", "--target", "en")
    assert "--label" in refused("--label", "de")
    assert not (tmp_path / "m").exists()
