import gzip
import json
import socket

import pytest
from program import QUICK, call


def test_each_step_and_the_tokens_are_shown():
    answer = call("text", "show", "--preset", "tweets", "soooo @bob #BadDay")
    assert answer.code == 0, answer.err
    for part in ("soo @user Bad Day", "case", "soo · @user · bad · day"):
        assert part in answer.out, answer.out


def test_the_json_document_names_the_steps_that_changed_something():
    (document,) = call("text", "show", "--set", "text.clean=[urls,numbers]", "see www.a.org", "--json").document
    assert document == {
        "text": "see www.a.org",
        "steps": [{"name": "urls", "text": "see http"}],
        "tokens": ["see", "http"],
        "spans": [[0, 3], [4, 13]],
    }


def test_an_unknown_step_is_named():
    answer = call("text", "show", "--set", "text.clean=[url]", "x")
    assert answer.code == 2
    assert "did you mean urls?" in answer.err


def test_a_model_is_trained_on_cleaned_texts(data, tmp_path):
    arguments = ("--text", "review", "--label", "sentiment", "--out", tmp_path / "m", "--set", "text.clean=tweets")
    assert call("train", data, *arguments, "--set", "training.epochs=1", "--model", "linear").code == 0
    both = call("predict", tmp_path / "m", "--json", "joyyyyy @a", "joyy @b").document["predictions"]
    assert both[0]["probabilities"] == both[1]["probabilities"]


def test_the_sentiment_preset_says_what_it_drops_and_what_it_keeps():
    pytest.importorskip("stopwordsiso")
    answer = call("text", "show", "--preset", "sentiment", "it was not good")
    assert answer.code == 0, answer.err
    assert "not · good" in answer.out
    assert "negations (not, no, never, every word in n't) and words that judge" in answer.err


def test_training_with_the_sentiment_preset_says_so_and_the_model_keeps_it(data, tmp_path):
    pytest.importorskip("stopwordsiso")
    arguments = ("--text", "review", "--label", "sentiment", "--out", tmp_path / "m", *QUICK)
    answer = call("train", data, *arguments, "--set", "text.preset=sentiment", "--json")
    assert answer.code == 0, answer.err
    assert any("negations (not, no, never" in note for note in answer.document["notes"])
    said = call("predict", tmp_path / "m", "--json", "joy", "it is the joy", "joy not").document["predictions"]
    assert said[0]["probabilities"] == said[1]["probabilities"]


@pytest.mark.parametrize("unit", ["bpe", "unigram"])
def test_sub_words_are_learned_by_train_and_known_to_predict_without_a_network(unit, data, tmp_path, monkeypatch):
    pytest.importorskip("tokenizers")
    pytest.importorskip("simplemma")

    def refuse(*arguments):
        raise AssertionError(f"a test asked for the network: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    arguments = ("--text", "review", "--label", "sentiment", "--out", tmp_path / "m", *QUICK, "--model", "recurrent")
    answer = call("train", data, *arguments, "--set", f"text.unit={unit}", "--set", "text.max_vocabulary=60")
    assert answer.code == 0, answer.err
    learned = json.loads((tmp_path / "m" / "vocabulary.json").read_text(encoding="utf-8"))
    assert "subwords" in json.dumps(learned)
    both = call("predict", tmp_path / "m", "--json", "a  JOY of a film", "a joy of a film").document["predictions"]
    assert both[0]["probabilities"] == both[1]["probabilities"]
    forms = ("--set", "text.lemmas=en", "--set", "text.stems=en", "--preset", "sentiment")
    assert call("text", "show", *forms, "the mice were not running").code == 0


@pytest.mark.parametrize(
    ("unit", "message"), [("characters", "need n-grams of words"), ("bpe", "stop_words, lemmas and stems are of words")]
)
def test_stop_words_of_units_that_are_no_words_are_refused(unit, message, data, tmp_path):
    settings = ("--set", f"text.unit={unit}", "--set", "text.stop_words=[the]")
    answer = call("train", data, "--text", "review", "--label", "sentiment", "--out", tmp_path / "m", *settings)
    assert answer.code == 2
    assert message in answer.err


TEXTS = ["Well, it's not bad!", "", "caf\u00e9 \U0001f600 @bob"]
WORDS = ["well , it's not bad !", "", "caf\u00e9 \U0001f600 @bob"]


def test_the_words_of_a_file_are_printed_a_line_a_text(tmp_path):
    plain, packed, table = tmp_path / "a.txt", tmp_path / "a.txt.gz", tmp_path / "a.jsonl"
    text = "".join(f"{line}\r\n" for line in TEXTS)
    plain.write_bytes(b"\xef\xbb\xbf" + text.encode())
    packed.write_bytes(gzip.compress(text.encode()))
    table.write_text("".join(json.dumps({"said": line}) + "\n" for line in TEXTS))
    for answer in (
        call("text", "tokens", plain),
        call("text", "tokens", packed),
        call("text", "tokens", table, "--column", "said"),
        call("text", "tokens", "-", stdin=text),
    ):
        assert answer.code == 0, answer.err
        assert answer.out.splitlines() == WORDS


def test_the_places_of_the_words_come_as_json_lines(tmp_path):
    answer = call("text", "tokens", "-", "--spans", "--set", "text.clean=tweets", stdin="so cooool #BadDay\n\n")
    assert [json.loads(line) for line in answer.out.splitlines()] == [
        {"tokens": ["so", "cool", "bad", "day"], "spans": [[0, 2], [3, 9], [10, 17], [10, 17]]},
        {"tokens": [], "spans": []},
    ]


def test_stop_words_are_dropped_from_a_file_and_it_is_said(tmp_path):
    pytest.importorskip("stopwordsiso")
    answer = call("text", "tokens", "-", "--preset", "sentiment", stdin="it was not a good film\n")
    assert (answer.code, answer.out) == (0, "not good film\n")
    assert "negations" in answer.err


def test_what_is_wrong_with_a_file_of_texts_is_said(tmp_path):
    broken = tmp_path / "a.txt"
    broken.write_bytes(b"fine\n\xff\n")
    for arguments, part in (
        ((broken,), "line 2"),
        ((tmp_path / "none.txt",), "No such file"),
        ((broken, "--set", "text.unit=bpe"), "sub-words are learned"),
    ):
        answer = call("text", "tokens", *arguments)
        assert answer.code == 2
        assert part in answer.err
