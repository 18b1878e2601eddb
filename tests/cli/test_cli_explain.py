"""`seqwise explain`: in the terminal, as JSON, as a page; models of texts, of tags and of sounds."""

import re

import numpy as np
import pytest
from program import QUICK, call, reviews, write_csv

from seqwise.data import write_table

TEXT = "a lovely warm story and so dull"


def test_tokens_are_listed_with_their_contributions(trained):
    answer = call("explain", trained, TEXT, "--target", "good")
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[0].startswith("good: log-odds ")
    assert "with every token covered" in lines[0]
    rows = {line.split()[0]: line for line in lines if re.search(r"[+-]\d\.\d{3}", line) and "|" in line}
    assert set(rows) == set(TEXT.split())
    assert "|█" in rows["lovely"]
    assert "█|" in rows["dull"]
    assert "The values miss" in answer.err


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion", "gradient_x_input"])
def test_json_holds_the_explanation_and_what_was_asked_beside_it(trained, method):
    data = trained.parent / "reviews.csv"
    answer = call(
        *("explain", trained, TEXT, "--method", method, "--states", "--json"),
        *("--nearest", "3", "--data", data),
    )
    assert answer.code == 0, answer.err
    document = answer.document
    assert document["model"] == "model"
    assert document["method"] == method
    assert [token["text"] for token in document["tokens"]] == TEXT.split()
    assert document["states"]["symbols"] == TEXT.split()
    assert {layer["direction"] for layer in document["states"]["layers"]} == {"forward", "backward"}
    similar = document["neighbours"]
    assert [of["similarity"] for of in similar] == sorted((of["similarity"] for of in similar), reverse=True)
    first = similar[0]
    lines = data.read_text(encoding="utf-8").splitlines()
    assert lines[first["row"]] == f"{first['text']},{first['label']}"


def test_states_and_neighbours_are_printed_and_a_page_is_written(trained, tmp_path):
    page = tmp_path / "why.html"
    answer = call(
        *("explain", trained, TEXT, "--states", "--nearest", "2", "--data", trained.parent / "reviews.csv"),
        *("--output", page),
    )
    assert answer.code == 0, answer.err
    for said in ("Layer 1, forward: means of 8 units", "|h|", "The nearest training examples", "cosine"):
        assert said in answer.out
    text = page.read_text(encoding="utf-8")
    assert "Why " in text
    assert "log-odds" in text
    assert text.count("<img") == 12
    assert "The nearest examples" in text


def test_the_worst_mistakes_of_the_report_are_shaded(tmp_path, data):
    wrong = [(text, "good" if label == "bad" else "bad") for text, label in reviews(12, seed=3)]
    tested = write_csv(tmp_path / "wrong.csv", ("review", "sentiment"), wrong)
    columns = ("--text", "review", "--label", "sentiment", "--out", tmp_path / "m", "--test", tested)
    answer = call("train", data, *columns, *QUICK, "--json")
    assert answer.code == 0, answer.err
    page = (tmp_path / "m" / "report.html").read_text(encoding="utf-8")
    mistakes = page[page.index('<section id="mistakes">') :]
    assert "Shaded by integrated gradients" in mistakes
    assert re.search(r'<span class="for l[1-4]" title="\+\d', mistakes)
    assert re.search(r'title="Why (good|bad)\?"', mistakes)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Frames of two channels: what is high and what is low."""
    random, rows = np.random.default_rng(0), []
    for number in range(40):
        level = (-1.0, 1.0)[number % 2]
        rows.append([(level + 0.3 * random.standard_normal(2)).tolist() for _ in range(random.integers(4, 9))])
    place = tmp_path_factory.mktemp("recordings")
    table = {"frames": rows, "label": [("low", "high")[n % 2] for n in range(40)]}
    write_table(place / "data.parquet", iter([table]))
    columns = ("--frames", "frames", "--label", "label", "--out", place / "m")
    answer = call("train", place / "data.parquet", *columns, *QUICK, "--json")
    assert answer.code == 0, answer.err
    return place


def test_frames_are_a_row_of_a_table_or_an_array(recordings, tmp_path):
    data = recordings / "data.parquet"
    answer = call("explain", recordings / "m", data, "--row", "2", "--nearest", "1", "--data", data, "--json")
    assert answer.code == 0, answer.err
    assert answer.document["tokens"][0]["text"] == "step 1"
    assert answer.document["neighbours"][0]["row"] == 2
    np.save(tmp_path / "one.npy", np.ones((5, 2), np.float32))
    assert len(call("explain", recordings / "m", tmp_path / "one.npy", "--json").document["tokens"]) == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--method", "guess"), "no method 'guess'; there are integrated_gradients"),
        (("--target", "goood"), "no class 'goood'; did you mean good?"),
        (("--position", "0"), "position is of taggers and language models"),
        (("--nearest", "3"), "give both or neither"),
        (("--nearest", "0", "--data", "reviews.csv"), "at least one example"),
        (("--row", "1"), "--row is of tables of frames"),
        (("--output", "why.txt"), "a name that ends in .html"),
    ],
)
def test_wrong_input_is_one_sentence(trained, monkeypatch, arguments, said):
    monkeypatch.chdir(trained.parent)
    answer = call("explain", trained, TEXT, *arguments)
    assert answer.code == 2
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_a_model_of_frames_reads_no_text(recordings):
    for arguments, said in (
        (("a text",), "give a .wav or .npy file, or a table and --row"),
        ((recordings / "data.parquet", "--row", "99"), "has the rows 1 to 40, and no row 99"),
        (("nowhere.csv", "--row", "1"), "nowhere.csv"),
    ):
        answer = call("explain", recordings / "m", *arguments)
        assert answer.code == 2
        assert said in answer.err
