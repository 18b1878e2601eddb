import numpy as np
import pytest
import torch
from explained_models import CLASSES, FRAMES, TEXTS, classifier, regressor

from seqwise.cells import LIBRARY, cell, sigmoid, tanh
from seqwise.data import Frames
from seqwise.errors import ConfigurationError, DataError
from seqwise.explanation import METHODS, explain
from seqwise.explanation.gradients import TOLERANCE
from seqwise.explanation.inputs import COVER
from tolerances import assert_close

TEXT = "the cat ran, not far away!"
KINDS = [
    {"architecture": "wide_deep"},
    {"architecture": "wide_deep", "character_ngrams": (2, 4), "num_layers": 2},
    {"architecture": "recurrent", "cell": "gru", "pooling": "attention+last", "position_embedding": 4},
    {"architecture": "recurrent", "encoder": "transformer", "hidden_size": 4},
    {"architecture": "recurrent", "embedding": "one_hot", "head_layers": 1},
    {"architecture": "linear", "character_ngrams": (2, 3)},
    {"text": {"unit": "characters"}, "word_ngrams": None, "character_ngrams": (1, 3), "ngram_positions": True},
    {"text": {"max_length": 4, "keep": "last"}},
    {"text": {"max_length": 4, "end_mark": True}, "architecture": "recurrent"},
    {"text": {"clean": ("punctuation",), "punctuation": False}},
]


def odds(probabilities):
    return np.log(probabilities) - np.log1p(-probabilities)


def assert_complete(explanation):
    change = explanation.output - explanation.baseline
    assert explanation.delta == pytest.approx(explanation.values.sum() - change, abs=1e-9)
    assert abs(explanation.delta) <= TOLERANCE * max(abs(change), 1) + 1e-6


@pytest.mark.parametrize("settings", KINDS, ids=str)
@pytest.mark.parametrize("classes", [CLASSES, CLASSES[:2]], ids=["three", "two"])
def test_integrated_gradients_add_up_to_the_change_of_the_log_odds(settings, classes):
    predictor = classifier(classes, **settings)
    for text in [TEXT, *TEXTS]:
        explanation = explain(predictor, text)
        assert_complete(explanation)
        probability = predictor.predict_proba([text])[0][predictor.classes.index(explanation.target)]
        assert explanation.output == pytest.approx(odds(probability), rel=1e-3, abs=1e-4)
        assert explanation.target == predictor.predict([text])[0]
        for token in explanation.tokens:
            assert text[token.start : token.end] == token.text


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_occlusion_is_a_plain_loop(settings):
    predictor = classifier(**settings)
    explanation = explain(predictor, TEXT, method="occlusion", target="spam")
    output = odds(predictor.predict_proba([TEXT])[0, 1])
    expected = []
    for token in explanation.tokens:
        without = TEXT[: token.start] + COVER + TEXT[token.end :]
        expected.append(output - odds(predictor.predict_proba([without])[0, 1]))
    np.testing.assert_allclose(explanation.values, expected, atol=2e-5)
    assert explanation.output == pytest.approx(output, abs=1e-5)
    assert explanation.delta is None


@pytest.mark.parametrize("name", [*LIBRARY, "own"])
def test_any_cell_can_be_explained_in_evaluation_mode(name, monkeypatch):
    @cell
    def own(x, h, s):
        """Two states, and a gate that the library does not have."""
        a = sigmoid(x.a + h.a)
        s = a * s + (1 - a) * tanh(x.b + h.b)
        return s * sigmoid(x.o), s

    monkeypatch.setitem(LIBRARY, "own", own)
    predictor = classifier(architecture="recurrent", cell=name, zoneout=0.2)
    for method in METHODS:
        explanation = explain(predictor, TEXT, method=method)
        assert len(explanation.values) == 8
        assert np.abs(explanation.values).max() > 1e-3
    assert not predictor._model.module.training
    assert_complete(explain(predictor, TEXT))


def test_the_values_of_a_recurrent_model_are_those_of_captum():
    attr = pytest.importorskip("captum.attr")
    predictor = classifier(architecture="recurrent", pooling="mean")
    module = predictor._model.module
    part = module.parts["recurrent"]
    batch = predictor._model.encode([TEXT]).batch(np.zeros(1, np.int64))
    vectors = part.embedding(batch.tokens)
    unknown = part.embedding(torch.ones_like(batch.tokens))

    def log_odds(rows):
        logits = part.head(part.read(rows, batch.lengths.expand(len(rows)).contiguous()))
        return (logits * module.scales + module.shift).log_softmax(1)[:, 1].exp().logit()

    theirs = attr.IntegratedGradients(log_odds).attribute(vectors, unknown, n_steps=64).sum(-1)[0]
    ours = explain(predictor, TEXT, target="spam")
    np.testing.assert_allclose(ours.values, theirs.numpy(), atol=2e-3)


def test_gradient_x_input_is_autograd_by_hand():
    predictor = classifier(CLASSES[:2], architecture="recurrent", pooling="max")
    part = predictor._model.module.parts["recurrent"]
    batch = predictor._model.encode([TEXT]).batch(np.zeros(1, np.int64))
    vectors = part.embedding(batch.tokens).requires_grad_()
    logits = part.head(part.read(vectors, batch.lengths)) * predictor._model.module.scales
    (logits[0, 1] - logits[0, 0]).backward()
    found = explain(predictor, TEXT, method="gradient_x_input", target="spam")
    assert_close(torch.from_numpy(found.values), (vectors.grad * vectors)[0].sum(-1).detach(), dtype=torch.float32)
    assert (found.baseline, found.delta, found.steps) == (None, None, 1)


def test_the_linear_part_is_attributed_exactly_and_shared_among_what_its_ngrams_cover():
    predictor = classifier(CLASSES[:2], architecture="linear", word_ngrams=(1, 2), texts=["a b a", "b c"])
    module, features = predictor._model.module, predictor._model.features
    rows = features.ngrams.transform(["a b a c"])
    weights = module.parts["linear"].weight.weight[:, 1] - module.parts["linear"].weight.weight[:, 0]
    worth = {
        features.ngrams.names[i][1]: float(v * weights[i] * module.scales[0])
        for i, v in zip(rows.ids.tolist(), rows.values.tolist(), strict=True)
    }
    assert set(worth) == {"a", "b", "c", "a b", "b a"}
    explanation = explain(predictor, "a b a c", target="spam")
    expected = [
        worth["a"] / 2 + worth["a b"] / 2,
        worth["b"] + worth["a b"] / 2 + worth["b a"] / 2,
        worth["a"] / 2 + worth["b a"] / 2,
        worth["c"],
    ]
    np.testing.assert_allclose(explanation.values, expected, atol=1e-6)
    assert abs(explanation.delta) < 1e-5
    assert explanation.steps == 16


def test_the_parts_of_a_wide_and_deep_model_are_explained_together():
    predictor = classifier(CLASSES[:2])
    whole = explain(predictor, TEXT, target="spam")
    module = predictor._model.module
    with torch.no_grad():
        module.parts["linear"].weight.weight.zero_()
    deep = explain(predictor, TEXT, target="spam")
    assert np.abs(whole.values - deep.values).max() > 1e-2
    assert_complete(deep)


def test_each_of_several_labels_has_its_own_explanation():
    predictor = classifier(multilabel=True)
    for target in CLASSES:
        explanation = explain(predictor, TEXT, target=target)
        assert_complete(explanation)
        probability = predictor.predict_proba([TEXT])[0, CLASSES.index(target)]
        assert explanation.output == pytest.approx(odds(probability), rel=1e-3, abs=1e-4)
    assert explain(predictor, TEXT).target == CLASSES[predictor.predict_proba([TEXT])[0].argmax()]


@pytest.mark.parametrize(
    ("frame_settings", "given"),
    [({}, FRAMES[:1]), ({"stack": 2, "stride": 2}, FRAMES[0]), ({"max_length": 5}, FRAMES[0])],
)
@pytest.mark.parametrize("method", METHODS)
def test_frames_are_explained_step_by_step(frame_settings, given, method):
    predictor = classifier(frames=FRAMES, frame_settings=frame_settings, architecture="recurrent")
    explanation = explain(predictor, given, method=method)
    steps = {None: 9, 2: 5}[frame_settings.get("stride")] if "max_length" not in frame_settings else 5
    assert len(explanation.tokens) == steps
    assert explanation.text == ""
    assert explanation.tokens[1].start == frame_settings.get("stride", 1)
    if method == "integrated_gradients":
        assert_complete(explanation)
    if method == "occlusion":
        values = FRAMES[0].copy()
        first = explanation.tokens[0]
        values[first.start : first.end] = FRAMES.values.mean(axis=0)
        number = predictor.classes.index(explanation.target)
        both = predictor.predict_proba(Frames.from_rows([FRAMES[0], values]))[:, number]
        assert explanation.values[0] == pytest.approx(odds(both[0]) - odds(both[1]), abs=2e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_recording_of_one_step_is_one_token_even_if_it_has_no_number(method):
    predictor = classifier(frames=FRAMES, architecture="recurrent")
    for row in (FRAMES.values[:1], np.full((1, 3), np.nan, np.float32)):
        found = explain(predictor, Frames.from_rows([row], 50.0), method=method)
        assert [(token.start, token.end) for token in found.tokens] == [(0, 1)]
        assert found.values.shape == (1,)


def test_one_frame_is_explained_number_by_number():
    vectors = Frames.from_rows([row[None] for row in FRAMES.values])
    vectors = Frames(vectors.values, vectors.offsets, names=("left", "middle", "right"))
    predictor = classifier(CLASSES[:2], frames=vectors, architecture="dense")
    explanation = explain(predictor, vectors[:1], target="spam")
    assert [token.text for token in explanation.tokens] == ["left", "middle", "right"]
    first = predictor._model.module.parts["dense"].layers[0].weight
    scaled = predictor._model.encode(vectors[:1]).frames.values[0]
    scale = float(predictor._model.module.scales[0])
    np.testing.assert_allclose(explanation.values, scaled * (first[1] - first[0]).numpy() * scale, rtol=1e-4)
    covered = explain(predictor, vectors[:1], target="spam", method="occlusion")
    np.testing.assert_allclose(covered.values, explanation.values, rtol=1e-3, atol=1e-5)


def test_a_regressor_is_explained_in_the_numbers_of_its_network():
    predictor = regressor()
    first, second = explain(predictor, TEXT), explain(predictor, TEXT, target="length")
    assert (first.target, second.target) == ("stars", "length")
    assert_complete(first)
    logits = predictor.model.logits(predictor.model.encode([TEXT]))[0]
    assert [first.output, second.output] == pytest.approx(logits.tolist(), rel=1e-5)


def test_lists_of_tokens_and_mappings_of_columns_are_explained_as_they_are_read():
    predictor = classifier(text={"unit": "tokens"}, texts=[text.split() for text in TEXTS])
    explanation = explain(predictor, ["the", "New York", "cat"])
    assert explanation.text == "the New York cat"
    assert [tuple(token) for token in explanation.tokens] == [("the", 0, 3), ("New York", 4, 12), ("cat", 13, 16)]
    assert_complete(explanation)
    covered = explain(predictor, ["the", "New York", "cat"], method="occlusion", target="ham")
    both = odds(predictor.predict_proba([["the", "New York", "cat"], ["the", "New York", COVER]])[:, 0])
    assert covered.values[2] == pytest.approx(both[0] - both[1], abs=2e-5)
    several = classifier()
    several.settings["data"]["text"] = "title + body"
    joined = explain(several, {"title": "the cat", "body": "ran away"})
    assert "cat" in joined.text
    assert "away" in joined.text


def test_an_unknown_token_contributes_nothing_of_its_own():
    predictor = classifier(architecture="recurrent")
    explanation = explain(predictor, "the zebra sat")
    assert explanation.values[1] == 0.0
    assert abs(explanation.values[0]) > 0


def test_a_text_without_tokens_has_no_values():
    for method in METHODS:
        explanation = explain(classifier(), "", method=method)
        assert explanation.tokens == []
        assert explanation.values.shape == (0,)


def test_plain_values_are_those_of_the_answer():
    document = explain(classifier(), "the cat").to_dict()
    assert list(document)[:5] == ["method", "target", "output", "baseline", "delta"]
    assert [list(token) for token in document["tokens"]] == [["text", "start", "end", "value"]] * 2
    assert [token["start"] for token in document["tokens"]] == [0, 4]


@pytest.mark.parametrize(
    ("given", "options", "error", "said"),
    [
        (TEXT, {"method": "guess"}, ConfigurationError, "no method 'guess'"),
        (TEXT, {"target": "hum"}, ConfigurationError, "no class 'hum'; did you mean ham"),
        (TEXT, {"position": 1}, ConfigurationError, "position is of taggers"),
        (3.5, {}, DataError, "text 1 is float"),
        (["a", "b"], {}, DataError, "text 1 is list"),
    ],
)
def test_what_cannot_be_explained_is_refused(given, options, error, said):
    with pytest.raises(error, match=said):
        explain(classifier(), given, **options)


def test_something_else_than_a_predictor_is_refused():
    with pytest.raises(ConfigurationError, match="object: classifiers, taggers"):
        explain(object(), TEXT)
