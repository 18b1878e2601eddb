import math
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from seqwise.cells import LIBRARY
from seqwise.errors import ConfigurationError, InputError
from seqwise.models.attention import Attention, turn_of, turned
from seqwise.models.encoder import Encoder, EncoderSettings
from seqwise.models.transformer import TransformerDecoder, TransformerEncoder
from tolerances import assert_close

INPUT, HIDDEN, BATCH, STEPS = 5, 8, 3, 11
LENGTHS = torch.tensor([11, 4, 7])


def random(*shape, seed=3):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def lively(module):
    """Weights that no initialisation would give: zeros hide mistakes."""
    torch.manual_seed(5)
    module = module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.5)
    return module


def encoder(**settings):
    given = {"hidden_size": HIDDEN, "num_layers": 2, "dropout": 0.0, "heads": 2, **settings}
    if given.get("encoder", "recurrent") == "recurrent":
        del given["heads"]
    return lively(Encoder(EncoderSettings(**given), INPUT))


KINDS = [
    *({"encoder": "recurrent", "cell": cell} for cell in ("lstm", "gru", "rnn")),
    {"encoder": "transformer"},
    {"encoder": "transformer", "num_layers": 1, "heads": 4},
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda of: "-".join(map(str, of.values())))
both_ways = pytest.mark.parametrize("bidirectional", [True, False])


def test_attention_is_torchs():
    ours, torchs = lively(Attention(8, 8, 2, 0.0)), torch.nn.MultiheadAttention(8, 2, batch_first=True).double()
    with torch.no_grad():
        torchs.in_proj_weight.copy_(torch.cat([layer.weight for layer in (ours.query, ours.key, ours.value)]))
        torchs.in_proj_bias.copy_(torch.cat([layer.bias for layer in (ours.query, ours.key, ours.value)]))
        torchs.out_proj.load_state_dict(ours.output.state_dict())
    x, memory, valid = random(3, 4, 8), random(3, 6, 8, seed=4), torch.arange(6) < torch.tensor([[6], [2], [5]])
    expected, looked = torchs(x, memory, memory, key_padding_mask=~valid)
    queries, keys, values = (ours.split(f(of)) for f, of in ((ours.query, x), (ours.key, memory), (ours.value, memory)))
    assert_close(ours(queries, keys, values, valid[:, None, None]), expected)
    assert_close(ours.weights(queries, keys, valid[:, None, None]), looked)


def test_a_block_without_positions_is_torchs():
    """All steps in one place: what is left of the block is the usual pre-norm one."""
    ours = lively(TransformerEncoder(8, 8, num_layers=1, heads=2))
    block = ours.blocks[0]
    torchs = torch.nn.TransformerEncoderLayer(8, 2, 16, 0.0, "gelu", batch_first=True, norm_first=True).double()
    with torch.no_grad():
        parts = [block.attention.query, block.attention.key, block.attention.value]
        torchs.self_attn.in_proj_weight.copy_(torch.cat([layer.weight for layer in parts]))
        torchs.self_attn.in_proj_bias.copy_(torch.cat([layer.bias for layer in parts]))
        torchs.self_attn.out_proj.load_state_dict(block.attention.output.state_dict())
        for theirs, own in (
            (torchs.norm1, block.norm),
            (torchs.norm2, block.inner_norm),
            (torchs.linear1, block.inner[0]),
            (torchs.linear2, block.inner[3]),
        ):
            theirs.load_state_dict(own.state_dict())
    x, nowhere = random(3, 6, 8), torch.zeros(6)
    turn = turn_of(nowhere, 4, x)
    found = block.finish(block.attend(x, *block.project(x, turn), torch.ones(6, 6, dtype=torch.bool)))
    assert_close(found, torchs(x))


def test_turned_products_know_only_how_far_apart_two_steps_are():
    query, key = random(1, 6), random(1, 6, seed=9)
    products = [
        (
            turned(query, turn_of(torch.tensor([at]), 6, query)) * turned(key, turn_of(torch.tensor([at - 3]), 6, key))
        ).sum()
        for at in (3, 50, 1_000_000)
    ]
    angles = [3 * 10_000.0 ** (-i / 3) for i in range(3)]
    expected = sum(
        (query[0, i] * key[0, i] + query[0, i + 3] * key[0, i + 3]) * math.cos(angle)
        + (query[0, i] * key[0, i + 3] - query[0, i + 3] * key[0, i]) * math.sin(angle)
        for i, angle in enumerate(angles)
    )
    for product in products:
        torch.testing.assert_close(product, expected, rtol=1e-8, atol=1e-8)  # sines of a million have 10 digits


@every_kind
@both_ways
def test_padding_never_changes_anything(kind, bidirectional):
    model, x = encoder(bidirectional=bidirectional, **kind), random(BATCH, STEPS, INPUT)
    upstream, of_last = random(BATCH, STEPS, model.size, seed=8), random(BATCH, model.size, seed=9)

    def gradients(inputs, lengths, rows):
        model.zero_grad()
        outputs, last = model(inputs, lengths)
        ((outputs * upstream[rows, : inputs.shape[1]]).sum() + (last * of_last[rows]).sum()).backward()
        return outputs, last, [parameter.grad.clone() for parameter in model.parameters()]

    poisoned = x.clone()
    for row, length in enumerate(LENGTHS):
        poisoned[row, length:] = torch.nan
    outputs, last, together = gradients(poisoned, LENGTHS, slice(None))
    alone = [gradients(x[i : i + 1, :length], LENGTHS[i : i + 1], slice(i, i + 1)) for i, length in enumerate(LENGTHS)]
    for i, length in enumerate(LENGTHS):
        assert_close(outputs[i, :length], alone[i][0][0])
        assert (outputs[i, length:] == 0).all()
        assert_close(last[i], alone[i][1][0])
    for part, parts in zip(together, zip(*(of[2] for of in alone), strict=True), strict=True):
        assert_close(part, sum(parts))


@every_kind
@both_ways
def test_a_sequence_of_no_steps_has_no_effect(kind, bidirectional):
    model = encoder(bidirectional=bidirectional, **kind)
    outputs, last = model(random(2, 4, INPUT).requires_grad_(), torch.tensor([4, 0]))
    (outputs.sum() + last[:1].sum()).backward()
    assert (outputs[1] == 0).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


@pytest.mark.parametrize("kind", [*KINDS, *({"encoder": "transformer", "context": of} for of in (1, 4))], ids=str)
def test_steps_and_windows_are_the_whole_sequence(kind):
    steps = 150 if kind == {"encoder": "transformer"} else 2 * STEPS  # more than a cache has room for at first
    model, x = encoder(bidirectional=False, **kind), random(2, steps, INPUT)
    whole, last = model(x, torch.tensor([steps, steps]))
    assert_close(last, whole[:, -1])
    state, parts = model.start(2), []
    for cut in (slice(0, 5), slice(5, 6), slice(6, steps)):
        part, state = model.read(x[:, cut], state)
        parts.append(part)
    assert_close(torch.cat(parts, 1), whole)
    state = model.start(2)
    for step in range(steps):
        output, state = model.step(x[:, step], state)
        assert_close(output, whole[:, step])
    after, read = model.read(x[:, :3], state)
    again, _ = model.read(x[:, :3], model.read(x, model.start(2))[1])
    assert_close(after, again)
    swapped = model.reorder(read, torch.tensor([1, 0, 1]))
    assert_close(model.step(x[[1, 0, 1], 3], swapped)[0], model.step(x[:, 3], read)[0][[1, 0, 1]])


def test_a_step_sees_so_many_as_the_context_says():
    model, x = encoder(context=4, encoder="transformer", num_layers=1, bidirectional=False), random(1, 9, INPUT)
    outputs, _ = model(x, torch.tensor([9]))
    nearby = x.clone()
    nearby[:, :5] = random(1, 5, INPUT, seed=77)
    changed, _ = model(nearby, torch.tensor([9]))
    assert_close(changed[:, 8], outputs[:, 8])
    assert not torch.allclose(changed[:, 7], outputs[:, 7])


@every_kind
def test_no_step_of_a_causal_encoder_sees_what_comes_after_it(kind):
    model, x = encoder(bidirectional=False, **kind), random(BATCH, STEPS, INPUT).requires_grad_()
    outputs, _ = model(x, torch.full((BATCH,), STEPS))
    (outputs[:, 4] * random(BATCH, model.size)).sum().backward()
    assert (x.grad[:, 5:] == 0).all()
    assert (x.grad[:, :5] != 0).all()


def test_both_have_the_same_width_and_about_the_same_weights():
    def sizes(**settings):
        made = Encoder(EncoderSettings(num_layers=3, **settings), 128)
        return made.size, sum(parameter.numel() for parameter in made.parameters())

    for bidirectional, hidden, ratio in ((False, 128, 1.0), (True, 64, 4 / 3)):
        ours = {"hidden_size": hidden, "bidirectional": bidirectional}
        (width, recurrent), (same, transformer) = sizes(**ours), sizes(encoder="transformer", **ours)
        assert width == same == 128
        assert transformer / recurrent == pytest.approx(ratio, abs=0.06)


def test_the_guide_counts_the_weights_as_they_are():
    page = (Path(__file__).parents[2] / "docs" / "guides" / "comparing.md").read_text(encoding="utf-8")
    kinds = [
        {"cell": cell, "bidirectional": both, "hidden_size": 128 if both else 256}
        for both in (True, False)
        for cell in ("lstm", "gru")
    ]
    for layers in (1, 2, 4):
        made = [Encoder(EncoderSettings(num_layers=layers, **kind), 128) for kind in kinds]
        made.append(Encoder(EncoderSettings(num_layers=layers, encoder="transformer"), 128))
        counts = [f"{sum(parameter.numel() for parameter in of.parameters()):,}" for of in made]
        assert " | ".join(counts) in page


def test_recurrent_layers_begin_with_given_states():
    model, x = encoder(bidirectional=False), random(2, 6, INPUT)
    _, state = model.read(random(2, 3, INPUT, seed=6), model.start(2))
    outputs, last = model(x, torch.tensor([6, 2]), state)
    assert_close(outputs[:1], model.read(x, state)[0][:1])
    assert_close(last[1], outputs[1, 1])
    with pytest.raises(ConfigurationError, match="no states to begin with"):
        encoder(encoder="transformer")(x, torch.tensor([6, 2]), state)


def test_dropout_acts_in_training_only():
    for kind in ({"encoder": "recurrent"}, {"encoder": "transformer"}):
        model, x = encoder(dropout=0.5, **kind), random(2, 6, INPUT)
        lengths = torch.tensor([6, 6])
        assert_close(model(x, lengths)[0], model(x, lengths)[0])
        model.train()
        assert not torch.allclose(model(x, lengths)[0], model(x, lengths)[0])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"encoder": "transformer", "cell": "gru"}, "cell is of recurrent layers"),
        ({"encoder": "transformer", "zoneout": 0.1}, "zoneout is of recurrent layers"),
        ({"encoder": "transformer", "hidden_size": 5, "bidirectional": False}, "a multiple of 8 is needed"),
        ({"heads": 2}, "heads is of a Transformer"),
        ({"context": 9, "bidirectional": False}, "context is of a Transformer"),
        ({"encoder": "transformer", "context": 9}, "that is not bidirectional"),
        ({"cell": "lstn"}, "did you mean lstm"),
    ],
)
def test_what_does_not_go_together_is_refused(settings, said):
    with pytest.raises(ValidationError, match=said):
        EncoderSettings(**settings)


def test_what_needs_the_whole_sequence_takes_no_steps():
    for kind in ("recurrent", "transformer"):
        model = encoder(encoder=kind)
        for call in (
            lambda m: m.start(2),
            lambda m: m.step(random(2, INPUT), ()),
            lambda m: m.read(random(2, 1, INPUT), ()),
        ):
            with pytest.raises(ConfigurationError, match="needs the whole sequence"):
                call(model)


def test_every_cell_of_the_library_can_encode():
    for cell in LIBRARY:
        outputs, last = encoder(cell=cell, backend="reference")(random(BATCH, STEPS, INPUT), LENGTHS)
        assert torch.isfinite(outputs).all(), cell
        assert last.shape == (BATCH, 2 * HIDDEN)


def decoder():
    return lively(TransformerDecoder(INPUT, HIDDEN, 6, num_layers=2, heads=2))


def test_a_decoder_says_step_by_step_what_it_reads_as_a_whole():
    model, x, source = decoder(), random(3, 70, INPUT), random(3, 7, 6, seed=4)
    lengths = torch.tensor([7, 2, 5])
    outputs, looked = model(x, source, lengths)
    state = model.begin(source, lengths)
    for step in range(70):
        output, where, state = model.step(x[:, step], state)
        assert_close(output, outputs[:, step])
        assert_close(where, looked[:, step])
    rows = torch.tensor([2, 2, 0, 1])
    other = model.reorder(state, rows)
    expected, seen, _ = model.step(x[:, 0], state)
    output, where, _ = model.step(x[rows, 0], other)
    assert_close(output, expected[rows])
    assert_close(where, seen[rows])


def test_a_decoder_looks_at_steps_that_exist_only():
    model, x, source = decoder(), random(2, 4, INPUT), random(2, 7, 6, seed=4)
    lengths = torch.tensor([7, 3])
    outputs, looked = model(x, source, lengths)
    assert_close(looked.sum(-1), torch.ones(2, 4, dtype=torch.float64))
    assert (looked[1, :, 3:] == 0).all()
    poisoned = source.clone()
    poisoned[1, 3:] = torch.nan
    assert_close(model(x, poisoned, lengths)[0], outputs)
    assert_close(model(x[1:], source[1:, :3], lengths[1:])[0], outputs[1:])
    with pytest.raises(InputError, match="one step at least"):
        model(x, source, torch.tensor([7, 0]))


def test_a_decoders_step_sees_nothing_that_comes_after_it():
    model, x = decoder(), random(2, 6, INPUT).requires_grad_()
    outputs, _ = model(x, random(2, 3, 6), torch.tensor([3, 3]))
    (outputs[:, 2] * random(2, HIDDEN)).sum().backward()
    assert (x.grad[:, 3:] == 0).all()
    assert (x.grad[:, :3] != 0).all()
