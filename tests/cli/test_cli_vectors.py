"""`seqwise vectors`: answers on standard output, mistakes in one sentence."""

import json

import numpy as np
import pytest
from program import GOOD, PLAIN, call

from seqwise.embeddings import WordVectors

CORNERS = [[1, 0, 0, 1], [1, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 1], [1, 1, -1, -1]]
WORDS = ["man", "king", "woman", "queen", "tree"]


@pytest.fixture
def file(tmp_path):
    WordVectors(WORDS, np.array(CORNERS)).save(tmp_path / "royal.vec.gz")
    return tmp_path / "royal.vec.gz"


def document(*arguments):
    answer = call("vectors", *arguments, "--json")
    assert answer.code == 0, answer.err
    return json.loads(answer.out)


def test_neighbours_are_those_of_the_vectors(file):
    expected = [one.word for one in WordVectors.load(file).neighbours("king", 2)]
    assert [one["word"] for one in document("neighbours", file, "KING", "-n", 2)["answers"]] == expected
    assert expected[0] in call("vectors", "neighbours", file, "king").out
    both = document("neighbours", file, "man", "queen")["answers"]
    assert [one["word"] for one in both][-1] == "tree"
    assert {"man", "queen"}.isdisjoint(one["word"] for one in both)


@pytest.mark.parametrize("method", ["add", "mul"])
def test_an_analogy_is_completed(file, method):
    answer = document("analogy", file, "man", "king", "woman", "--method", method)
    assert answer["answers"][0]["word"] == "queen"
    assert answer["method"] == method


def test_similarity_is_one_number(file):
    expected = WordVectors.load(file).similarity("man", "queen")
    assert document("similarity", file, "man", "queen")["similarity"] == pytest.approx(expected)
    assert call("vectors", "similarity", file, "man", "queen").out.strip() == f"{expected:.4f}"


def test_the_odd_one_comes_first(file):
    answer = document("odd", file, "man", "tree", "woman", "queen")
    assert answer["odd"] == answer["answers"][0]["word"] == "tree"


def test_evaluation_takes_files_and_names(file, tmp_path, monkeypatch):
    monkeypatch.setenv("SEQWISE_DATA", str(tmp_path))
    (tmp_path / "embeddings").mkdir()
    (tmp_path / "embeddings" / "en-men-tr-3k.txt").write_text("man\twoman\t9\nman\ttree\t1\nking\tqueen\t7\nx\ty\t1\n")
    (tmp_path / "questions.txt").write_text(": family\nman king woman queen\nman king tree x\n")
    arguments = ("evaluate", file, "--set", "men", "--set", tmp_path / "questions.txt")
    answer = document(*arguments)
    assert answer["men"]["known"] == 3
    family = answer[str(tmp_path / "questions.txt")]["sections"][0]
    assert (family["accuracy"], family["coverage"]) == (1.0, 0.5)
    shown = call("vectors", *arguments).out
    assert "MEN" in shown
    assert "family" in shown


def test_a_map_is_written(file, tmp_path):
    assert document("map", file, "--out", tmp_path / "map.html", "--method", "pca")["words"] == 5
    assert "queen" in (tmp_path / "map.html").read_text("utf-8")


def test_a_limit_reads_less_and_duplicates_can_be_kept(tmp_path):
    path = tmp_path / "v.txt"
    path.write_bytes(b"a 1 2\nb 2 1\na 3 4\nc\xff 1 1\n")
    assert len(document("neighbours", path, "a", "--limit", 2)["answers"]) == 1
    loose = ("--duplicates", "first", "--errors", "replace")
    assert len(document("neighbours", path, "a", *loose)["answers"]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("neighbours", "FILE", "quean"), "there is no vector for 'quean'; similar words that have one: queen"),
        (("neighbours", "none.vec", "a"), "there is no file none.vec"),
        (("neighbours", "v.pickle", "a"), "there is no file v.pickle"),
        (("neighbours", "FILE", "king", "--duplicates", "last"), 'duplicates: "error" or "first" is expected'),
        (("neighbours", "FILE", "king", "--errors", "x"), 'errors: "strict" or "replace" is expected'),
        (("analogy", "FILE", "man", "king", "woman", "--method", "sub"), "'sub' is not add or mul"),
        (("odd", "FILE", "man", "king"), "at least three words"),
        (("evaluate", "FILE", "--set", "mine"), "there is no file mine, and the sets with a name are google"),
        (("map", "FILE", "--out", "none/map.html"), "there is no folder none"),
        (("map", "FILE", "--out", "map.html", "--method", "umap"), "'umap' is not tsne or pca"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(file, arguments, message):
    answer = call("vectors", *(file if one == "FILE" else one for one in arguments))
    assert answer.code == 2
    assert message in " ".join(answer.err.replace("│", " ").split())
    assert "Traceback" not in answer.err


def test_a_missing_set_is_known_before_a_large_file_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQWISE_DATA", str(tmp_path))
    monkeypatch.setenv("SEQWISE_CACHE", str(tmp_path))
    answer = call("vectors", "evaluate", "there-is-no-such.vec")
    assert answer.code == 2
    assert "Google analogies is not here: get questions-words.txt" in answer.err


def test_training_starts_from_vectors_and_says_how_many_words_have_one(data, tmp_path):
    words = [word.title() for word in (*GOOD, *PLAIN)]
    WordVectors(words, np.random.default_rng(0).normal(size=(len(words), 6))).save(tmp_path / "v.bin")
    answer = call(
        *("train", data, "--text", "review", "--label", "sentiment", "--out", tmp_path / "m", "--vectors"),
        *(tmp_path / "v.bin", "--freeze-vectors", "--set", "training.epochs=1", "--set", "model.hidden_size=4"),
        *("--set", "model.num_layers=1"),
    )
    assert answer.code == 0, answer.err
    assert "Word vectors: v.bin has 14 of the 19 words of the vocabulary (14 in other case)" in answer.err
    assert "they stay as they are" in answer.err
    (tmp_path / "v.bin").unlink()
    assert call("predict", tmp_path / "m", "a warm film").code == 0


def test_training_with_vectors_that_are_not_there_is_one_sentence(data, tmp_path):
    options = ("train", data, "--text", "review", "--label", "sentiment", "--out", tmp_path / "m")
    answer = call(*options, "--vectors", "none.vec")
    assert answer.code == 2
    assert "there is no file none.vec" in answer.err
    answer = call(*options, "--freeze-vectors", "--overwrite")
    assert answer.code == 2
    assert "model.vectors names none" in answer.err


def test_vectors_are_trained_first_on_labelled_and_unlabelled_texts(data, tmp_path):
    (tmp_path / "more.txt").write_text("a warm film\nnothing but warm words\n" * 3)
    quick = ("--set", "training.epochs=1", "--set", "model.hidden_size=4", "--set", "model.num_layers=1")
    train = ("train", data, "--text", "review", "--label", "sentiment", "--out", tmp_path / "m")
    pretrain = ("--pretrain-vectors", "--unlabelled", tmp_path / "more.txt", "--set", "model.pretraining={epochs: 2}")
    answer = call(*train, *pretrain, *quick)
    assert answer.code == 0, answer.err
    said = " ".join(answer.err.split())
    assert "Training word vectors on the training texts and more.txt" in said
    assert "words of the training and the unlabelled texts (skip-gram" in said
    assert "2 epochs), they have 19 of the 19 words of the vocabulary" in said
    assert call("predict", tmp_path / "m", "a warm film").code == 0
    answer = call(*train, "--overwrite", "--unlabelled", tmp_path / "more.txt")
    assert answer.code == 2
    assert "pretrain_vectors is not set" in answer.err
    answer = call("train", data, "--task", "lm", "--out", tmp_path / "lm", "--pretrain-vectors")
    assert answer.code == 2
    assert "--pretrain-vectors" in answer.err


def test_a_comparison_may_switch_the_training_of_vectors(data, tmp_path):
    (tmp_path / "more.txt").write_text("a warm film\n" * 3)
    answer = call(
        *("compare", data, "--text", "review", "--label", "sentiment", "--out", tmp_path / "c", "--seeds", "1"),
        *("--vary", "model.pretrain_vectors=false,true", "--set", f"data.unlabelled={tmp_path / 'more.txt'}"),
        *("--set", "training.epochs=1", "--set", "model.hidden_size=4", "--set", "model.num_layers=1", "--jobs", "1"),
    )
    assert answer.code == 0, answer.err
    assert "Skipped" not in answer.out


def test_an_approximate_search_keeps_its_graph_beside_the_file(tmp_path):
    pytest.importorskip("usearch", reason="usearch is not installed")
    words = [f"w{i}" for i in range(300)]
    WordVectors(words, np.random.default_rng(0).normal(size=(300, 6))).save(tmp_path / "v.bin")
    exact = call("vectors", "neighbours", tmp_path / "v.bin", "w5", "--json")
    first = call("vectors", "neighbours", tmp_path / "v.bin", "w5", "--json", "--approximate")
    assert first.code == 0, first.err
    assert "building the graph of 300 words, kept in" in " ".join(first.err.split())
    assert first.out == exact.out
    again = call("vectors", "neighbours", tmp_path / "v.bin", "w5", "--json", "--approximate")
    assert "building" not in again.err
    assert again.out == exact.out
    part = call("vectors", "neighbours", tmp_path / "v.bin", "w5", "--approximate", "--limit", "100")
    assert part.code == 0, part.err
