from program import call


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
