import numpy as np
import pytest
import torch
from explained_models import TEXTS, language_model

from seqwise.errors import ConfigurationError, DataError
from seqwise.explanation import METHODS, explain
from seqwise.explanation.gradients import TOLERANCE

TEXT = "the cat sat on the mat"
VARIANTS = [
    {},
    {"cell": "gru", "num_layers": 1, "end_mark": False},
    {"tie_weights": False, "softmax": "adaptive", "cutoffs": (3, 6), "hidden_size": 17},
    {"encoder": "transformer", "hidden_size": 8, "heads": 2},
]


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
@pytest.mark.parametrize("position", [1, 4, None])
def test_the_log_probability_of_a_symbol_is_explained_completely(settings, position):
    predictor = language_model(**settings)
    explanation = explain(predictor, TEXT, position=position)
    words = TEXT.split()
    if position is None:
        ((symbol, chance),) = predictor.next_symbols(TEXT, 1)
        assert explanation.target == symbol
        assert explanation.output == pytest.approx(np.log(chance), rel=1e-4)
    else:
        assert explanation.target == words[position]
        assert explanation.output == pytest.approx(predictor.score([TEXT])[0].log_probabilities[position], rel=1e-4)
    assert [token.text for token in explanation.tokens] == words[:position]
    change = explanation.output - explanation.baseline
    assert abs(explanation.values.sum() - change) <= TOLERANCE * max(abs(change), 1) + 1e-6


def test_occlusion_is_a_loop_over_texts_with_an_unknown_word():
    predictor = language_model()
    explanation = explain(predictor, TEXT, method="occlusion", target="dog", position=4)
    words = TEXT.split()[:4]
    texts = [" ".join(words), *(" ".join([*words[:i], "\ufffd", *words[i + 1 :]]) for i in range(4))]
    logs = np.array(predictor.log_probabilities_after(texts, ["dog"] * 5))
    np.testing.assert_allclose(explanation.values, logs[0] - logs[1:], atol=1e-5)


def test_gradient_x_input_is_autograd_by_hand():
    predictor = language_model(num_layers=1)
    network, vocabulary = predictor.network, predictor.pipeline.vocabulary
    symbols = torch.tensor([[predictor.opening, *vocabulary.encode(["the", "cat"]).tolist()]])
    vectors = network.embedding(symbols).requires_grad_()
    logs = network.log_probabilities(network.read_vectors(vectors, network.start(1)).outputs[:, -1])
    logs[0, int(vocabulary.encode(["sat"])[0]) - 1].backward()
    explanation = explain(predictor, TEXT, method="gradient_x_input", position=2)
    np.testing.assert_allclose(
        explanation.values, (vectors.grad * vectors)[0, 1:].sum(-1).detach(), rtol=1e-4, atol=1e-6
    )


def test_characters_keep_the_white_space_that_the_model_reads():
    predictor = language_model(unit="characters", num_layers=1)
    explanation = explain(predictor, " a Cat ")
    assert [token.text for token in explanation.tokens] == list(" a Cat ")
    assert [token.start for token in explanation.tokens] == list(range(7))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers(method):
    assert np.abs(explain(language_model(), TEXTS[1], method=method).values).max() > 0


@pytest.mark.parametrize(
    ("text", "options", "error", "said"),
    [
        (TEXT, {"position": 0}, DataError, "position is from 1"),
        (TEXT, {"position": 7}, DataError, "to 6, not 7"),
        (TEXT, {"target": "zebra"}, ConfigurationError, "no symbol 'zebra'"),
        ("", {}, DataError, "no symbol in the text"),
    ],
)
def test_what_is_not_there_is_refused(text, options, error, said):
    with pytest.raises(error, match=said):
        explain(language_model(), text, **options)
