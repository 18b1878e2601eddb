import pytest
import torch

from seqwise.cells import LIBRARY
from seqwise.errors import ConfigurationError
from seqwise.models import LanguageNetwork, LanguageSettings
from tolerances import assert_close

SYMBOLS = 11
SMALL = {"embedding_size": 6, "hidden_size": 5}


def network(**settings):
    torch.manual_seed(4)
    backend = {} if settings.get("encoder") else {"backend": "reference"}
    model = LanguageNetwork(LanguageSettings(**{**SMALL, **backend, **settings}), SYMBOLS).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
    return model


def symbols(*shape):
    return torch.randint(1, SYMBOLS, shape, generator=torch.Generator().manual_seed(7))


VARIANTS = [
    {},
    {"tie_weights": False},
    {"tie_weights": False, "softmax": "adaptive", "cutoffs": (3, 6), "hidden_size": 17},
    {"num_layers": 1},
    {"num_layers": 3, "cell": "gru"},
    {"cell": "rnn"},
    {"encoder": "transformer", "hidden_size": 8, "context": 4},
    {"encoder": "transformer", "hidden_size": 8, "heads": 2, "tie_weights": False, "num_layers": 1},
]


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_the_probabilities_of_what_comes_next_sum_to_one_and_give_the_losses(settings):
    model, read, wanted = network(**settings), symbols(3, 7), symbols(3, 7)
    losses, reading = model.losses(read, wanted, model.start(3))
    logs = model.log_probabilities(reading.outputs)
    assert logs.shape == (3, 7, SYMBOLS - 1)
    assert_close(logs.exp().sum(-1), torch.ones(3, 7, dtype=torch.float64))
    assert_close(losses, -logs.gather(-1, wanted[..., None] - 1)[..., 0])


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_windows_one_after_the_other_are_one_long_pass(settings):
    model, read, wanted = network(**settings), symbols(2, 12), symbols(2, 12)
    whole, _ = model.losses(read, wanted, model.start(2))
    states, parts = model.start(2), []
    for cut in (slice(0, 5), slice(5, 6), slice(6, 12)):
        part, reading = model.losses(read[:, cut], wanted[:, cut], states)
        states = reading.states
        parts.append(part)
    assert_close(torch.cat(parts, 1), whole)


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_steps_are_the_whole_pass(settings):
    model, read = network(**settings), symbols(2, 9)
    whole = model.log_probabilities(model.read(read, model.start(2)).outputs)
    states = model.start(2)
    for step in range(9):
        logs, states = model.step(read[:, step], states)
        assert_close(logs, whole[:, step])


def test_before_it_has_learned_anything_it_knows_the_shares_of_the_symbols():
    model = LanguageNetwork(LanguageSettings(**SMALL), SYMBOLS).double().eval()
    with torch.no_grad():
        model.embedding.weight.zero_()
    counts = torch.arange(SYMBOLS)
    model.start_from_shares(counts)
    found = model.log_probabilities(model.read(symbols(1, 1), model.start(1)).outputs).exp()[0, 0]
    assert_close(found, (counts[1:] + 1.0).double() / (counts[1:] + 1.0).sum(), dtype=torch.float32)


def test_padding_is_no_target_and_costs_nothing():
    model, read, wanted = network(), symbols(1, 4), symbols(1, 4)
    wanted[0, 3] = 0
    losses, _ = model.losses(read, wanted, model.start(1))
    assert losses[0, 3] == 0
    assert (losses[0, :3] > 0).all()


def test_gradients_of_the_tied_matrix_are_those_of_both_its_uses():
    torch.manual_seed(0)
    tied = network()
    apart = network(tie_weights=False, hidden_size=6, num_layers=2)
    same = LanguageNetwork(LanguageSettings(**{**SMALL, "hidden_size": 6}), SYMBOLS).double()
    same.load_state_dict({k: v for k, v in apart.state_dict().items() if k != "weight"})
    with torch.no_grad():
        apart.weight.copy_(apart.embedding.weight[1:])
    read, wanted, upstream = symbols(2, 5), symbols(2, 5), torch.randn(2, 5, dtype=torch.float64)
    for model in (same, apart):
        model.eval()
        (model.losses(read, wanted, model.start(2))[0] * upstream).sum().backward()
    both = apart.embedding.weight.grad.clone()
    both[1:] += apart.weight.grad
    both[0] = same.embedding.weight.grad[0]
    assert_close(same.embedding.weight.grad, both)
    assert tied.weight is None


def test_every_dropout_acts_in_training_only_and_keeps_the_mean_of_the_weights():
    shares = ("dropout", "input_dropout", "layer_dropout", "embedding_dropout", "weight_dropout", "recurrent_dropout")
    nothing = dict.fromkeys(shares, 0.0)
    read = symbols(2, 6)
    for share in shares:
        model = network(**{**nothing, share: 0.5})
        still = model.read(read, model.start(2)).kept
        assert_close(model.read(read, model.start(2)).kept, still)
        model.train()
        assert not torch.allclose(model.read(read, model.start(2)).kept, still), share


def test_dropped_recurrent_weights_get_no_gradient():
    model = network(weight_dropout=0.5, dropout=0.0, input_dropout=0.0, layer_dropout=0.0).train()
    model.losses(symbols(2, 6), symbols(2, 6), model.start(2))[0].sum().backward()
    share = (model.layers[0].weight_hh_l0.grad == 0).double().mean()
    assert 0.3 < share < 0.7


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"softmax": "adaptive"}, "tie_weights"),
        ({"cutoffs": (3,)}, "adaptive"),
        ({"softmax": "adaptive", "tie_weights": False, "cutoffs": (5, 3)}, "rise"),
        ({"cell": "lstn"}, "did you mean lstm"),
        ({"encoder": "transformer", "weight_dropout": 0.1}, "weight_dropout is of recurrent layers"),
        ({"encoder": "transformer", "cell": "gru"}, "cell is of recurrent layers"),
        ({"encoder": "transformer", "hidden_size": 12}, "a multiple of 8"),
        ({"context": 12}, "context is of a Transformer"),
    ],
)
def test_what_does_not_go_together_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        LanguageSettings(**settings)


def test_an_adaptive_softmax_needs_symbols_enough():
    settings = LanguageSettings(softmax="adaptive", tie_weights=False, hidden_size=17)
    with pytest.raises(ConfigurationError, match="large vocabularies"):
        LanguageNetwork(settings, 4)
    with pytest.raises(ConfigurationError, match="at least 16 units"):
        LanguageNetwork(settings.model_copy(update={"hidden_size": 15}), SYMBOLS)
    with pytest.raises(ConfigurationError, match="cutoffs ends at 50"):
        LanguageNetwork(settings.model_copy(update={"cutoffs": (5, 50)}), SYMBOLS)


def test_every_cell_of_the_library_can_model_language():
    for cell in LIBRARY:
        model = network(cell=cell, num_layers=2)
        losses, _ = model.losses(symbols(2, 3), symbols(2, 3), model.start(2))
        assert torch.isfinite(losses).all(), cell
