"""`seqwise embed`: from a text file to vectors that other commands read."""

import gzip
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from program import call

from seqwise.embeddings import EmbeddingSettings, WordVectors, train_vectors
from seqwise.embeddings.windows import WindowTrainer


@pytest.fixture
def text(tmp_path):
    random = np.random.default_rng(0)
    lines = [" ".join(f"{topic}{i}" for i in random.integers(0, 9, 8)) for topic in random.choice(["a", "b"], 4000)]
    path = tmp_path / "text.txt"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize("objective", ["negative", "nce", "hierarchical", "softmax"])
def test_vectors_of_a_file_know_which_words_stand_together(text, tmp_path, model, objective):
    out = tmp_path / "words.bin"
    epochs = 1 if objective == "softmax" else 5
    options = (
        "--model",
        model,
        "--objective",
        objective,
        "--size",
        12,
        "--sample",
        0,
        "--threads",
        1,
        "--epochs",
        epochs,
    )
    answer = call("embed", text, "--out", out, *options, "--json")
    assert answer.code == 0, answer.err
    assert answer.document["words"] == 32_000
    assert answer.document["vocabulary"] == 18
    found = WordVectors.load(out).neighbours("a1", 8)
    assert {one.word[0] for one in found} == {"a"}


@pytest.mark.parametrize("objective", ["negative", "nce", "hierarchical", "softmax"])
def test_a_language_model_of_a_file_knows_which_words_stand_together(text, tmp_path, objective):
    out = tmp_path / "words.bin"
    options = ("--model", "nplm", "--objective", objective, "--context", "around", "--hidden", 10, "--direct")
    answer = call("embed", text, "--out", out, *options, "--size", 12, "--sample", 0, "--threads", 1, "--json")
    assert answer.code == 0, answer.err
    assert "NPLM with 5 words on either side, 10 hidden units and a direct connection" in answer.document["algorithm"]
    found = WordVectors.load(out).neighbours("a1", 8)
    assert {one.word[0] for one in found} == {"a"}


def test_the_command_and_the_function_give_the_same_vectors(text, tmp_path):
    packed = tmp_path / "text.txt.gz"
    packed.write_bytes(gzip.compress(text.read_bytes()))
    out = tmp_path / "words.safetensors"
    answer = call("embed", packed, "--out", out, "--threads", 1, "--seed", 4, "--epochs", 1)
    assert "skip-gram, negative sampling: 5 negatives drawn for each window" in answer.err
    assert str(out) in answer.out
    saved, trained = WordVectors.load(out), train_vectors(text, EmbeddingSettings(threads=1, seed=4, epochs=1))
    assert saved.words == trained.words
    np.testing.assert_array_equal(saved.vectors, trained.vectors)
    np.testing.assert_array_equal(saved.counts, trained.counts)


def test_ctrl_c_saves_what_is_there_and_says_so(text, tmp_path, monkeypatch):
    def interrupted(trainer, *_):
        trainer.interrupted = True
        return False

    monkeypatch.setattr(WindowTrainer, "train", interrupted)
    answer = call("embed", text, "--out", tmp_path / "words.vec")
    assert answer.code == 130
    assert "Interrupted: the vectors as they were then are in" in answer.err
    assert "The same command with --resume goes on." in answer.err
    assert len(WordVectors.load(tmp_path / "words.vec")) == 18
    assert (tmp_path / "words.vec.checkpoint").exists()
    monkeypatch.undo()
    answer = call("embed", text, "--out", tmp_path / "words.vec", "--epochs", 1, "--resume")
    assert answer.code == 2
    assert "was made with epochs 5, not 1" in answer.err
    answer = call("embed", text, "--out", tmp_path / "words.vec", "--epochs", 1)
    assert "is of an interrupted run: this one replaces it" in answer.err
    assert not (tmp_path / "words.vec.checkpoint").exists()
    answer = call("embed", text, "--out", tmp_path / "words.vec", "--epochs", 1, "--resume", "--json")
    assert "training begins at the beginning" in answer.err
    assert answer.document["resumed"] is False


def test_words_are_cleaned_as_a_model_cleans_them_and_it_is_said(text, tmp_path):
    tweets, out, config = tmp_path / "tweets.txt", tmp_path / "words.vec", tmp_path / "model.yaml"
    tweets.write_text("@Ann sooooo GOOD!\nSee http://x.org/a, @Bob: not good\n" * 5)
    config.write_text("text: {clean: tweets, max_length: 50}\nmodel: {hidden_size: 8}\n")
    options = ("--min-count", 1, "--size", 3, "--epochs", 1, "--threads", 1, "--json")
    answer = call("embed", tweets, "--out", out, *options, "--config", config)
    assert answer.code == 0, answer.err
    assert set(WordVectors.load(out).words) == {"@user", "soo", "good", "!", "see", "http", ",", ":", "not"}
    assert "Text: unit words; clean html, urls, users, hashtags, repeats, spaces; lower case; NFKC." in answer.err
    assert answer.document["text"].startswith("unit words")
    call("embed", tweets, "--out", out, *options, "--set", "text.punctuation=false", "--set", "text.lowercase=false")
    assert {"@Ann", "GOOD", "good", "See"} < set(WordVectors.load(out).words)
    answer = call("embed", tweets, "--out", out, *options, "--set", "text.lowercase=false", "--lowercase")
    assert "GOOD" not in WordVectors.load(out).words
    answer = call("embed", tweets, "--out", out, *options, "--lowercase")
    assert "good!" in WordVectors.load(out).words
    assert "Text: words between white space; lower case." in answer.err


def test_phrases_are_words_and_the_encoded_corpus_is_found_again(tmp_path):
    text, out = tmp_path / "text.txt", tmp_path / "words.vec"
    text.write_text("i saw new york\nnew ideas\nyork is old\n" * 3 + "new york was new\n" * 30)
    os.utime(text, (0, 0))
    options = ("--min-count", 2, "--size", 3, "--phrases", 1, "--phrase-threshold", 1.2, "--epochs", 1)
    assert ", read from the cache" not in call("embed", text, "--out", out, *options).err
    assert "new_york" in WordVectors.load(out).words
    answer = call("embed", text, "--out", out, *options, "--epochs", 2)
    assert "147 words, " in answer.err
    assert ", read from the cache" in answer.err
    assert "new_york" in WordVectors.load(out).words


@pytest.mark.parametrize("stop", ["SIGKILL", "SIGINT"])
def test_a_killed_or_interrupted_run_goes_on_to_the_same_bytes(text, tmp_path, stop):
    out, whole = tmp_path / "words.safetensors", tmp_path / "whole.safetensors"
    options = ["--threads", 1, "--seed", 5, "--epochs", 250, "--size", 12, "--sample", 0, "--checkpoint-seconds", 0.1]
    assert call("embed", text, "--out", whole, *options).code == 0
    command = [sys.executable, "-c", "from seqwise.cli import main; main()", "embed", text, "--out", out, *options]
    with subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE) as process:
        patience = time.monotonic() + 60
        while not (tmp_path / "words.safetensors.checkpoint").exists():
            assert process.poll() is None
            assert time.monotonic() < patience
            time.sleep(0.01)
        process.send_signal(getattr(signal, stop))
        process.communicate(timeout=60)
    assert process.returncode == (130 if stop == "SIGINT" else -9)
    assert out.exists() == (stop == "SIGINT")
    answer = call("embed", text, "--out", out, *options, "--resume", "--json")
    assert answer.code == 0, answer.err
    assert answer.document["resumed"] is True
    assert "Going on from" in answer.err
    assert out.read_bytes() == whole.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"text.txt", out.name, whole.name}


def test_n_grams_are_kept_where_there_is_room_for_them_and_else_it_is_said(text, tmp_path):
    options = ("--ngrams", "2-3", "--size", 12, "--sample", 0, "--threads", 1, "--epochs", 1)
    answer = call("embed", text, "--out", tmp_path / "words.safetensors", *options)
    assert (
        "skip-gram with n-grams of 2 to 3 characters, negative sampling: 5 negatives drawn for each pair" in answer.err
    )
    assert "no room" not in answer.err
    found = call("vectors", "neighbours", tmp_path / "words.safetensors", "a11", "--json")
    assert found.document["answers"][0]["word"][0] == "a"
    answer = call("embed", text, "--out", tmp_path / "words.vec", *options)
    assert "words.vec has no room for n-grams, so unknown words will have no vectors" in answer.err
    assert call("vectors", "neighbours", tmp_path / "words.vec", "a11").code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "glovr"), "--model: input should be 'skipgram', 'cbow', 'nplm' or"),
        (("--model", "cbow", "--hidden", "50"), "hidden is for nplm, not for cbow"),
        (("--model", "nplm", "--context", "left"), "--context: input should be 'previous', 'around' or 'nearby'"),
        (
            ("--objective", "hierarchical", "--negatives", "5"),
            "negatives is for negative and nce, not for hierarchical",
        ),
        (("--ngrams", "6-3"), "--ngrams: two lengths such as 3-6 are expected, not '6-3'"),
        (("--ngrams", "3-6", "--negatives-for", "window"), "with ngrams negatives are drawn for each pair"),
        (("--min-count", "0"), "--min-count: input should be greater than or equal to 1"),
        (("--errors", "ignore"), 'errors is "strict" or "replace"'),
        (("--column", "text"), "is read as text, which has no columns"),
        (("--set", "text.unit=bpe"), "text.unit is 'bpe'; vectors are of words"),
        (("--set", "text.max_length=3"), "--set text.max_length is for models"),
        (("--set", "model.cell=gru"), "--set model.cell is for models"),
        (("--set", "text.claen=tweets"), "claen"),
        (("--phrases", "1", "--phrase-threshold", "0"), "a threshold above 0"),
        (("--min-count", "100000"), "no word is there 100000 times"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(text, tmp_path, arguments, message):
    answer = call("embed", text, "--out", tmp_path / "words.vec", *arguments)
    assert answer.code == 2
    assert message in answer.err
    assert not (tmp_path / "words.vec").exists()


def test_an_unknown_kind_of_output_is_refused_before_anything_is_read(tmp_path):
    answer = call("embed", tmp_path / "missing.txt", "--out", tmp_path / "words.doc")
    assert answer.code == 2
    assert "words.doc" in answer.err
