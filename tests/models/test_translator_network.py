import pytest
import torch
from pydantic import ValidationError

from seqwise.models.search import BeamSettings
from seqwise.models.translator import TranslationBatch, TranslatorNetwork
from seqwise.models.translator_settings import TranslatorSettings
from seqwise.text.vocabulary import EOS
from tolerances import assert_close

SMALL = {"embedding_size": 8, "hidden_size": 4, "decoder_hidden_size": 8, "label_smoothing": 0.0}
VARIANTS = {
    "multiplicative": {},
    "additive": {"attention": "additive", "attention_size": 5},
    "dot": {"attention": "dot"},
    "none": {"attention": "none", "cell": "gru"},
    "input_feeding": {"input_feeding": True, "attention": "additive"},
    "two_layers": {"num_layers": 2, "decoder_layers": 2, "cell": "gru", "zoneout": 0.2},
    "apart": {"shared_vocabulary": False, "tie_weights": False},
    "transformer_encoder": {"encoder": "transformer", "heads": 2},
    "transformer_decoder": {"decoder": "transformer"},
    "transformer": {
        "encoder": "transformer",
        "decoder": "transformer",
        "heads": 2,
        "num_layers": 2,
        "decoder_layers": 2,
    },
}
V, B = 12, 3


@pytest.fixture(params=VARIANTS)
def network(request):
    return build(VARIANTS[request.param])


def build(values, **others):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return TranslatorNetwork(TranslatorSettings(**{**SMALL, **values, **others}), V, V).double().eval()


def drawn(longer=0):
    """A batch with padding, and with more of it."""
    generator = torch.Generator().manual_seed(0)
    lengths, target_lengths = torch.tensor([5, 2, 4]), torch.tensor([3, 6, 1])
    parts = []
    for of in (lengths, target_lengths):
        width = int(of.max())
        symbols = torch.randint(3, V, (B, width), generator=generator)
        live = torch.arange(width) < of[:, None]
        symbols = torch.where(live, symbols, 0)
        symbols[torch.arange(B), of - 1] = EOS
        parts += [torch.nn.functional.pad(symbols, (0, longer)), of]
    return TranslationBatch(*parts)


def rows_of(network, batch):
    """log P of every target symbol, read one by one."""
    memory = network.encode(batch.source, batch.source_lengths)
    states, stays = network.decoder.start(memory)
    found, looks = [], []
    for symbols in network.inputs(batch.targets).unbind(1):
        logs, look, states = network.step(symbols, states, stays)
        states = tuple(of.clone() for of in states)
        found.append(logs)
        looks.append(look)
    return torch.stack(found, 1), looks


def test_teacher_forced_and_step_by_step_agree(network):
    batch = drawn()
    logs, looks = rows_of(network, batch)
    memory = network.encode(batch.source, batch.source_lengths)
    outputs, weights = network.decode(network.inputs(batch.targets), memory)
    forced = network.logits(outputs).log_softmax(-1)
    live = batch.live
    some = slice(1 if weights is None else 0, None)  # <unk> is never said without attention
    assert_close(logs[live][:, 1:][:, some].double(), forced[live][:, some], dtype=torch.float32)
    if weights is not None:
        assert_close(torch.stack(looks, 1)[live], weights[live].double(), dtype=torch.float32)
        sums = weights[live].sum(-1)
        assert_close(sums, torch.ones_like(sums), dtype=torch.float32)


def test_padding_never_changes_a_loss_or_a_translation(network):
    batch, padded = drawn(), drawn(longer=4)
    assert_close(network.losses(padded), network.losses(batch), dtype=torch.float32)
    for row in range(B):
        one = [part[row : row + 1] for part in batch]
        alone = TranslationBatch(one[0][:, : one[1]], one[1], one[2][:, : one[3]], one[3])
        assert_close(network.losses(alone), network.losses(batch)[row : row + 1], dtype=torch.float32)
    longest, options = torch.tensor([6, 4, 9]), BeamSettings(beam=3, n_best=2)
    together, wider = (network.translate(of, options, longest) for of in (batch, padded))
    assert [[one.symbols for one in of] for of in together] == [[one.symbols for one in of] for of in wider]


def test_every_parameter_learns(network):
    network.train()
    losses = network.losses(drawn())
    losses.backward(torch.tensor([0.7, -1.1, 0.4], dtype=losses.dtype))
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_a_beam_of_one_says_what_is_most_probable_at_each_step(network):
    batch = drawn()
    memory = network.encode(batch.source, batch.source_lengths)
    states, stays = network.decoder.start(memory)
    symbols, said = torch.full((B,), network.begin), []
    for _ in range(7):
        logs, _, states = network.step(symbols, states, stays)
        states = tuple(of.clone() for of in states)
        symbols = logs.argmax(-1)
        said.append(symbols)
    found = network.translate(batch, BeamSettings(beam=1), torch.full((B,), 8))
    for row, (answer,) in enumerate(found):
        greedy = [int(of[row]) for of in said]
        assert answer.symbols == (greedy[: greedy.index(EOS)] if EOS in greedy else greedy)


def test_label_smoothing_spreads_the_target_and_only_in_training():
    network, batch = build({}, label_smoothing=0.2, dropout=0.0, embedding_dropout=0.0), drawn()
    plain = network.losses(batch)
    smoothed = network.train().losses(batch)
    memory = network.encode(batch.source, batch.source_lengths)
    logs = network.logits(network.decode(network.inputs(batch.targets), memory)[0]).log_softmax(-1)
    live = batch.live
    spread = torch.where(live, -logs.mean(-1), 0.0).sum(1)
    assert_close(smoothed, 0.8 * plain + 0.2 * spread, dtype=torch.float32)


def test_without_teacher_forcing_the_decoder_reads_its_own_answers():
    network = build({}, dropout=0.0, embedding_dropout=0.0).train()
    batch = drawn()
    assert_close(network.losses(batch, truth=1.0), network.eval().losses(batch), dtype=torch.float32)
    own = network.train().losses(batch, truth=0.0)
    memory = network.encode(batch.source, batch.source_lengths)
    inputs = network.inputs(batch.targets)
    said = network.logits(network.decode(inputs, memory)[0]).argmax(-1) + 1
    mixed = torch.cat([inputs[:, :1], said[:, :-1]], 1)
    logs = network.logits(network.decode(mixed, memory)[0]).log_softmax(-1)
    right = logs.gather(-1, (batch.targets - 1).clamp(min=0)[..., None])[..., 0]
    assert_close(own, torch.where(batch.live, -right, 0.0).sum(1), dtype=torch.float32)


def test_without_attention_unknown_words_are_never_said():
    network = build({"attention": "none"})
    with torch.no_grad():
        network.bias[0] = 50.0  # <unk> would be said always
    batch = drawn()
    for (answer,) in network.translate(batch, BeamSettings(beam=1), torch.full((B,), 5)):
        assert 1 not in answer.symbols


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"attention": "dot", "decoder_hidden_size": 9}, "one size"),
        ({"attention_size": 3}, "of additive attention"),
        ({"decoder": "transformer", "attention": "additive"}, "of a recurrent decoder"),
        ({"decoder": "transformer", "input_feeding": True}, "of a recurrent decoder"),
        ({"decoder": "transformer", "decoder_hidden_size": 12}, "shared out"),
        ({"attention": "none", "input_feeding": True}, "hands on"),
        ({"input_feeding": True, "recurrent_dropout": 0.2}, "one mask"),
        ({"teacher_forcing_schedule": "linear"}, "below 1"),
        ({"cell": "lstn"}, "lstm"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(values, part):
    with pytest.raises(ValidationError, match=part):
        TranslatorSettings(**{**SMALL, **values})


def test_it_trains_in_bfloat16_too(network):
    network = network.float().train()
    with torch.autocast("cpu", torch.bfloat16):
        losses = network.losses(drawn(), truth=0.5)
    assert losses.dtype == torch.float32
    losses.backward(torch.ones(B))
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters() if parameter.grad is not None)
