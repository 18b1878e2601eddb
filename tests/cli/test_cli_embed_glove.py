"""`seqwise embed --model glove`: options of its own, what it refuses, and what Ctrl-C leaves."""

import numpy as np
import pytest
from program import call

from seqwise.embeddings import EmbeddingSettings, WordVectors, glove, train_vectors
from seqwise.embeddings.glove import GloveTrainer


@pytest.fixture
def text(tmp_path):
    random = np.random.default_rng(0)
    lines = [" ".join(f"{topic}{i}" for i in random.integers(0, 9, 8)) for topic in random.choice(["a", "b"], 4000)]
    path = tmp_path / "text.txt"
    path.write_text("\n".join(lines))
    return path


def test_vectors_of_a_file_know_which_words_stand_together(text, tmp_path):
    out = tmp_path / "words.bin"
    options = ("--model", "glove", "--window", 3, "--x-max", 20, "--alpha", 0.5, "--size", 8, "--epochs", 60)
    answer = call("embed", text, "--out", out, *options, "--json")
    assert answer.code == 0, answer.err
    assert answer.document["algorithm"] == "GloVe, 3 words on either side, x_max 20, alpha 0.5"
    assert 32_000 / answer.document["words_per_second"] == pytest.approx(answer.document["seconds"], abs=0.006)
    found = WordVectors.load(out).neighbours("a1", 8)
    assert {one.word[0] for one in found} == {"a"}


def test_the_command_and_the_function_give_the_same_vectors(text, tmp_path):
    out = tmp_path / "words.safetensors"
    answer = call("embed", text, "--model", "glove", "--out", out, "--threads", 1, "--seed", 4)
    assert answer.code == 0, answer.err
    trained = train_vectors(text, EmbeddingSettings(model="glove", threads=1, seed=4, epochs=15))
    np.testing.assert_array_equal(WordVectors.load(out).vectors, trained.vectors)


def test_a_run_that_is_interrupted_goes_on_to_the_same_vectors(text, tmp_path, monkeypatch):
    whole, out = tmp_path / "whole.bin", tmp_path / "words.bin"
    options = ("--model", "glove", "--threads", 1, "--size", 8, "--epochs", 2000)
    assert call("embed", text, "--out", whole, *options).code == 0
    monkeypatch.setattr(glove, "SLICE", 50)
    learn = GloveTrainer.learn

    def learn_a_little(trainer, cells, threads, report=None, seconds=None):
        assert not learn(trainer, cells, threads, report, 1e-3)
        trainer.interrupted = True
        return False

    monkeypatch.setattr(GloveTrainer, "learn", learn_a_little)
    answer = call("embed", text, "--out", out, *options)
    assert answer.code == 130
    assert "Interrupted: the vectors as they were then are in" in answer.err
    assert len(WordVectors.load(out)) == 18
    monkeypatch.undo()
    answer = call("embed", text, "--out", out, *options, "--resume")
    assert answer.code == 0, answer.err
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "glove", "--objective", "negative"), "objective is for skipgram and cbow and nplm, not for glove"),
        (("--model", "glove", "--negatives", "5"), "negatives is for skipgram and cbow and nplm, not for glove"),
        (("--model", "glove", "--sample", "1e-3"), "sample is for skipgram and cbow and nplm, not for glove"),
        (("--model", "cbow", "--x-max", "10"), "x_max is for glove, not for cbow"),
        (("--model", "glove", "--x-max", "0"), "--x-max: input should be greater than 0"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(text, tmp_path, arguments, message):
    answer = call("embed", text, "--out", tmp_path / "words.vec", *arguments)
    assert answer.code == 2
    assert message in answer.err
    assert not (tmp_path / "words.vec").exists()
