import math

import numpy as np
import pytest
import torch
from sklearn.base import clone

from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.estimators.language import LanguageModel, split_end
from seqwise.prediction import Predictor
from seqwise.prediction.language import LanguagePredictor
from seqwise.prediction.sampling import Sampling, draw
from seqwise.text.vocabulary import EOS, UNK
from tolerances import assert_close

SENTENCES = ["the boy ate a fig .", "the girl ate the figs .", "a boy sleeps .", "the boys sleep .", "girls sleep ."]
SMALL = {"embedding_size": 12, "hidden_size": 16, "num_layers": 1, "bptt": 8, "dropout": 0.0, "input_dropout": 0.0}
BRIEF = {"epochs": 15, "batch_size": 4, "learning_rate": 0.02}


def fitted(texts=tuple(SENTENCES * 20), text=None, encoder="recurrent", **training):
    return LanguageModel(text=text, model={**SMALL, "encoder": encoder}, training={**BRIEF, **training}).fit(
        list(texts)
    )


@pytest.fixture(scope="module", params=["recurrent", "transformer"])
def model(request):
    return fitted(encoder=request.param)


def test_it_learns_what_follows_what(model):
    assert model.perplexity(SENTENCES * 4) < 3 < len(model.predictor_.pipeline.vocabulary)
    scored = model.score_texts(["the boys sleep .", "the boys sleeps ."])
    assert scored[0].log_probability > scored[1].log_probability


def test_the_score_of_a_sentence_is_the_sum_over_its_symbols_with_its_end(model):
    (scored,) = model.score_texts(["a boy sleeps ."])
    assert scored.tokens == ["a", "boy", "sleeps", ".", "<eos>"]
    predictor, ids = model.predictor_, model.predictor_.pipeline.vocabulary.encode(scored.tokens)
    states, before, total = predictor.network.start(1), predictor.opening, 0.0
    for symbol in ids.tolist():
        logs, states = predictor.network.step(torch.tensor([before]), states)
        total += float(logs[0, symbol - 1])
        before = symbol
    assert_close(torch.tensor(scored.log_probability), torch.tensor(total))
    assert scored.perplexity == pytest.approx(math.exp(-total / 5), rel=1e-4)


def test_texts_scored_together_are_scored_as_alone(model):
    alone = [model.score_texts([text])[0].log_probability for text in SENTENCES]
    together = [of.log_probability for of in model.score_texts(SENTENCES)]
    assert_close(torch.tensor(together), torch.tensor(alone))


def test_an_unknown_word_is_unk_and_never_drawn(model):
    assert model.score_texts(["the zebra sleeps ."])[0].tokens[1] == "<unk>"
    logs = np.full(6, -5.0)
    logs[UNK - 1] = -0.1
    random = np.random.default_rng(0)
    assert UNK not in {draw(logs, Sampling(), random) for _ in range(300)}


def test_draws_have_the_probabilities_of_the_model():
    logs = np.log(np.array([1e-12, 0.5, 0.3, 0.2 - 1e-12]))
    random = np.random.default_rng(3)
    seen = np.bincount([draw(logs, Sampling(), random) for _ in range(6000)], minlength=5)[2:]
    expected = 6000 * np.array([0.5, 0.3, 0.2])
    assert ((seen - expected) ** 2 / expected).sum() < 13.8  # chi-square, 2 degrees of freedom, p = .001


def test_temperature_top_k_and_top_p_keep_what_they_say():
    logs = np.log(np.array([1e-12, 0.5, 0.3, 0.2 - 1e-12]))
    random = np.random.default_rng(0)

    def drawn(**how):
        return {draw(logs, Sampling(**how), random) for _ in range(200)}

    assert drawn(temperature=0) == {2}
    assert drawn(top_k=2) == {2, 3}
    assert drawn(top_p=0.5) == {2}
    assert drawn(top_p=0.6) == {2, 3}
    assert drawn(temperature=0.01) == {2}
    assert drawn() == {2, 3, 4}


def test_a_drawn_text_ends_with_eos_and_the_same_seed_draws_the_same(model):
    texts = [model.sample("the boy", seed=seed, max_tokens=50) for seed in range(8)]
    assert texts == [model.sample("the boy", seed=seed, max_tokens=50) for seed in range(8)]
    assert len(set(texts)) > 1
    assert all(len(text.split()) < 50 for text in texts)
    assert "<" not in "".join(texts)


def test_the_next_words_have_their_probabilities(model):
    found = model.predictor_.next_symbols("the boys", 3)
    assert found[0][0] == "sleep"
    assert [p for _, p in found] == sorted((p for _, p in found), reverse=True)
    logs = model.predictor_.log_probabilities_after(["the boys"], ["sleep"])
    assert math.exp(logs[0]) == pytest.approx(found[0][1])


def test_a_saved_model_answers_the_same(model, tmp_path):
    model.save(tmp_path)
    again = LanguageModel.load(tmp_path)
    assert again.perplexity(SENTENCES) == model.perplexity(SENTENCES)
    assert LanguagePredictor.load(tmp_path).next_symbols("the", 4) == model.predictor_.next_symbols("the", 4)
    with pytest.raises(ModelFolderError, match="LanguageModel, not a classifier"):
        Predictor.load(tmp_path)


def test_reading_in_windows_is_one_long_pass(model, monkeypatch):
    symbols = model.predictor_.pipeline.encode_stream(SENTENCES * 3)
    whole = model.predictor_.read_stream(symbols)
    monkeypatch.setattr("seqwise.prediction.language.WINDOW", 7)
    assert_close(torch.from_numpy(model.predictor_.read_stream(symbols)), torch.from_numpy(whole), dtype=torch.float32)


def test_dynamic_evaluation_learns_from_what_it_reads_and_leaves_the_model_as_it_is(model):
    symbols = model.predictor_.pipeline.encode_stream(["figs sleep the ."] * 40)
    before = model.predictor_.read_stream(symbols)
    adapted = model.predictor_.adapt_stream(symbols, 0.3)
    assert adapted[-40:].mean() < 0.7 * before[-40:].mean()
    assert_close(torch.from_numpy(model.predictor_.read_stream(symbols)), torch.from_numpy(before))


def test_characters_keep_their_white_space_and_need_no_end():
    text = "ab ab\nba ba\n" * 40
    model = fitted([text], {"unit": "characters"})
    assert not model.settings_.text.end_mark
    assert model.predictor_.pipeline.vocabulary.decode([model.predictor_.opening]) == ["\n"]
    assert (
        model.predictor_.encode([" ab\n"])[0].tolist() == model.predictor_.pipeline.vocabulary.encode(" ab\n").tolist()
    )
    assert len(model.sample("ab", max_tokens=30)) == 30


def test_sub_words_are_joined_to_text_again():
    model = fitted(text={"unit": "bpe", "max_vocabulary": 30})
    assert "▁" not in model.sample("the boy", max_tokens=20)
    assert model.predictor_.opening == EOS


def test_an_interrupted_fit_goes_on_as_if_there_had_been_none(tmp_path):
    from seqwise.training import Callback

    class Stop(Callback):
        def on_step(self, run):
            if run.epoch == 2 and run.step == 3:
                run.stop = "interrupted"

    whole = fitted(epochs=4)
    parts = LanguageModel(model=SMALL, training={**BRIEF, "epochs": 4})
    parts.fit(SENTENCES * 20, folder=tmp_path, callbacks=[Stop()])
    assert parts.fit_history_.interrupted
    parts = clone(parts).fit(SENTENCES * 20, folder=tmp_path, resume=True)
    for name, value in whole.predictor_.network.state_dict().items():
        assert torch.equal(parts.predictor_.network.state_dict()[name], value), name


def test_penalties_are_part_of_the_loss():
    plain = fitted(epochs=1).fit_history_.losses[0]
    model = LanguageModel(
        model={**SMALL, "activation_penalty": 2.0, "slowness_penalty": 1.0}, training={**BRIEF, "epochs": 1}
    )
    assert model.fit(SENTENCES * 20).fit_history_.losses[0] > plain


@pytest.mark.parametrize(
    ("texts", "parameters", "error", "said"),
    [
        ([], {}, DataError, "no texts"),
        ("a text", {}, DataError, "list of strings"),
        (["a"], {"validation": 0.0, "text": {"unit": "characters"}}, DataError, "more than one symbol"),
        (["ab"] * 5, {"training": {"metric": "accuracy"}}, ConfigurationError, "log_loss"),
        (["ab"] * 5, {"model": {"hidden_size": 0}}, ConfigurationError, "model.hidden_size"),
        (["ab"] * 5, {"text": 3}, ConfigurationError, "keys and values"),
        (["a"], {}, DataError, "not enough text"),
    ],
)
def test_wrong_input_is_one_sentence(texts, parameters, error, said):
    with pytest.raises(error, match=said):
        LanguageModel(**parameters).fit(texts)


def test_the_end_is_held_back():
    assert split_end(["a", "b", "c", "d"], 0.25) == (["a", "b", "c"], ["d"])
    assert split_end(["one\ntwo\nthree"], 0.3) == (["one\ntwo\n"], ["three"])
    assert split_end(["abcdefghij"], 0.2) == (["abcdefgh"], ["ij"])


@pytest.mark.parametrize(
    "how", [{"temperature": -1}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}, {"max_tokens": 0}, {"seed": -1}]
)
def test_a_way_of_drawing_that_is_none_is_refused(how):
    with pytest.raises(ConfigurationError, match=next(iter(how)).replace("_", "-")):
        Sampling(**how)
