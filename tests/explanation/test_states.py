import numpy as np
import pytest
import torch
from explained_models import FRAMES, SENTENCES, TEXTS, classifier, frame_tagger, language_model, regressor, tagger

from seqwise.cells import LIBRARY, cell, relu, sigmoid
from seqwise.errors import ConfigurationError, DataError
from seqwise.explanation import trace
from seqwise.layers import LSTM, Recurrent, trace_layers
from tolerances import assert_close


@cell
def two_speeds(x, h, s, p):
    """Gates under other names than those of the library, one of them without an activation of its own."""
    slow = sigmoid(x.slow + h.slow + p.bias * s)
    raw = x.raw
    s = slow * s + (1 - slow) * raw
    return relu(s + h.mix), s


CELLS = {**LIBRARY, "two_speeds": two_speeds}


def layers_of(cell_, **options):
    torch.manual_seed(3)
    layers = Recurrent(cell_, 4, 3, batch_first=True, dtype=torch.float64, **options).eval()
    return layers, torch.randn(6, 4, dtype=torch.float64)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}, {"zoneout": 0.3}], ids=str)
def test_the_states_are_those_that_the_layers_run_through(name, options):
    layers, x = layers_of(CELLS[name], **options)
    outputs, finals = layers(x[None])
    traced = trace_layers(layers, x)
    last = [next(iter(of.states.values())) for of in traced if of.layer == layers.num_layers - 1]
    assert_close(torch.cat(last, -1), outputs[0].detach())
    finals = finals if isinstance(finals, tuple) else (finals,)
    for number, of in enumerate(traced):
        assert of.reverse == (number % 2 == 1 and layers.bidirectional)
        for state, final in zip(of.states.values(), finals, strict=True):
            assert_close(state[0 if of.reverse else -1], final[number, 0].detach())
    assert all(list(of.gates) == list(CELLS[name].program.gates) for of in traced)


def test_the_gates_of_an_lstm_make_its_states():
    layers, x = layers_of(LIBRARY["lstm"], bidirectional=True)
    for of in trace_layers(layers, x):
        gates, states = of.gates, of.states
        nothing = torch.zeros(1, 3, dtype=torch.float64)
        before = torch.cat([states["c"][1:], nothing] if of.reverse else [nothing, states["c"][:-1]])
        assert_close(states["c"], gates["f"] * before + gates["i"] * gates["g"])
        assert_close(states["h"], gates["o"] * torch.tanh(states["c"]))


def test_the_gates_of_an_lstm_are_those_of_its_weights_in_torch():
    layers, x = layers_of(LIBRARY["lstm"])
    theirs = torch.nn.LSTM(4, 3, dtype=torch.float64)
    theirs.load_state_dict(layers.state_dict())
    hidden, _ = theirs(x)
    before = torch.cat([torch.zeros(1, 3, dtype=torch.float64), hidden[:-1]])
    sums = (x @ theirs.weight_ih_l0.T + theirs.bias_ih_l0 + before @ theirs.weight_hh_l0.T + theirs.bias_hh_l0).detach()
    (found,) = trace_layers(layers, x)
    functions = [torch.sigmoid, torch.sigmoid, torch.tanh, torch.sigmoid]
    for gate, values, function in zip("ifgo", sums.chunk(4, -1), functions, strict=True):
        assert_close(found.gates[gate], function(values))


@pytest.mark.parametrize("name", ["gru", "gru_reset_after", "gru_simplified", "min_gru"])
def test_the_gates_of_a_gru_blend_its_state(name):
    layers, x = layers_of(LIBRARY[name])
    (of,) = trace_layers(layers, x)
    z, n, h = of.gates["z"], of.gates["n"], of.states["h"]
    before = torch.cat([torch.zeros(1, 3, dtype=torch.float64), h[:-1]])
    new, old = (1 - z, z) if name == "gru_reset_after" else (z, 1 - z)
    assert_close(h, new * n + old * before)


def test_a_gate_without_an_activation_is_the_sum_of_its_projections():
    layers, x = layers_of(two_speeds)
    (of,) = trace_layers(layers, x)
    rows = layers.weight_ih_l0[3:6], layers.bias_ih_l0[3:6]
    assert_close(of.gates["raw"], (x @ rows[0].T + rows[1]).detach())


def test_what_a_classifier_reads_is_named_with_its_place():
    predictor = classifier(num_layers=2, text={"end_mark": True, "max_length": 4})
    found = trace(predictor, TEXTS[0])
    assert found.symbols == ["on", "the", "mat", "<eos>"]
    assert found.starts == [12, 15, 19, 22]
    assert [(of.name, of.direction) for of in found.layers] == [
        ("layer 1", "forward"),
        ("layer 1", "backward"),
        ("layer 2", "forward"),
        ("layer 2", "backward"),
    ]
    assert set(found.layers[0].states) == {"h", "c"}
    assert set(found.layers[0].gates) == {"i", "f", "g", "o"}
    batch = predictor._model.encode([TEXTS[0]]).batch(np.zeros(1, np.int64))
    part = predictor._model.module.parts["recurrent"]
    outputs, _ = part.recurrent(part.vectors(batch), batch.lengths)
    both = np.concatenate([of.states["h"] for of in found.layers[2:]], axis=1)
    np.testing.assert_allclose(both, outputs[0].numpy(), atol=1e-5)


def test_other_models_are_traced_too():
    assert trace(tagger(), SENTENCES[0]).symbols == SENTENCES[0]
    assert len(trace(frame_tagger({"stride": 2}), FRAMES[:1]).symbols) == 5
    assert trace(regressor(), "no").symbols == ["no"]
    assert trace(classifier(frames=FRAMES, architecture="recurrent"), FRAMES[0]).starts == list(range(9))
    predictor = language_model(num_layers=2, hidden_size=7)
    found = trace(predictor, "the cat")
    assert found.symbols == ["<start>", "the", "cat"]
    assert [of.name for of in found.layers] == ["layer 1", "layer 2"]
    with torch.no_grad():
        symbols = [predictor.opening, *predictor.pipeline.vocabulary.encode(["the", "cat"]).tolist()]
        outputs = predictor.network.read(torch.tensor([symbols]), predictor.network.start(1)).outputs[0]
    np.testing.assert_allclose(found.layers[1].states["h"], outputs.numpy(), atol=1e-5)


def test_long_texts_and_wide_layers_are_cut_to_what_moves_most():
    predictor = classifier(hidden_size=8)
    whole, part = trace(predictor, TEXTS[0]), trace(predictor, TEXTS[0], steps=2, units=3)
    assert (len(part.symbols), part.steps) == (2, 6)
    layer, full = part.layers[0], whole.layers[0]
    assert layer.states["h"].shape == layer.gates["i"].shape == (2, 3)
    assert layer.units == sorted(np.argsort(-full.states["h"].var(axis=0))[:3].tolist())
    np.testing.assert_array_equal(layer.states["c"], full.states["c"][:2, layer.units])


def test_plain_values_are_those_of_the_answer():
    document = trace(classifier(), "the cat").to_dict()
    assert list(document) == ["symbols", "starts", "steps", "layers"]
    assert list(document["layers"][0]) == ["name", "direction", "units", "states", "gates"]
    assert np.shape(document["layers"][0]["states"]["h"]) == (2, 3)


@pytest.mark.parametrize(
    ("predictor", "given", "error", "said"),
    [
        (lambda: classifier(encoder="transformer", hidden_size=4), "a", ConfigurationError, "Transformer"),
        (lambda: classifier(architecture="linear"), "a", ConfigurationError, "no recurrent layers"),
        (language_model, "", DataError, "no symbol"),
        (lambda: LSTM(2, 2), "a", ConfigurationError, "LSTM: the states of classifiers"),
    ],
)
def test_what_has_no_state_is_refused(predictor, given, error, said):
    with pytest.raises(error, match=said):
        trace(predictor(), given)
