"""The network of a generator: whole sequences, step by step, padded or alone."""

import pytest
import torch
from torch.nn import functional as F

from seqwise.models.generator import GeneratorBatch, GeneratorNetwork
from seqwise.models.generator_settings import GeneratorSettings
from tolerances import assert_close

SYMBOLS, CLASSES, NUMBERS = 9, 3, 4
SMALL = {"embedding_size": 5, "hidden_size": 6, "condition_size": 4, "chain_size": 7, "lowest": 60, "highest": 66}
VARIANTS = [
    {"condition": "none", "output": "symbols"},
    {"condition": "class", "output": "symbols", "num_layers": 2},
    {"condition": "vector", "output": "symbols", "cell": "gru", "condition_layers": 2},
    {"condition": "none", "output": "chords", "cell": "rnn"},
    {"condition": "class", "output": "chords", "head": "independent", "num_layers": 2},
    {"condition": "vector", "output": "chords", "num_layers": 3, "cell": "gru_reset_after"},
]
every_variant = pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "-".join(map(str, v.values())))


def network(variant, **settings):
    torch.manual_seed(5)
    conditions = {"none": 0, "class": CLASSES, "vector": NUMBERS}[variant["condition"]]
    made = GeneratorNetwork(
        GeneratorSettings(**{**SMALL, "backend": "reference", **variant, **settings}),
        conditions=conditions,
        symbols=SYMBOLS if variant["output"] == "symbols" else 0,
    )
    made = made.double().eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(std=0.6)
    return made


def batch_of(variant, lengths=(5, 3, 1)):
    draw = torch.Generator().manual_seed(2)
    rows, longest = len(lengths), max(lengths)
    if variant["output"] == "symbols":
        steps = torch.randint(1, SYMBOLS, (rows, longest), generator=draw)
    else:
        sounding = torch.rand(rows, longest, 7, generator=draw) < 0.4
        steps = torch.where(sounding, torch.arange(7), 99).sort(-1).values[..., :5]
        steps = torch.where(steps < 7, steps, -1)
    for row, length in enumerate(lengths):
        steps[row, length:] = 0 if variant["output"] == "symbols" else -1
    condition = {
        "none": None,
        "class": torch.tensor([1, 3, 2][:rows]),
        "vector": torch.randn(rows, NUMBERS, generator=draw, dtype=torch.float64),
    }[variant["condition"]]
    return GeneratorBatch(steps, torch.tensor(lengths), condition)


def log_probabilities(model, outputs, steps):
    """-log P of one step of every sequence."""
    if model.output is not None:
        return F.nll_loss(model.log_probabilities(outputs), steps - 1, reduction="none")
    return model.head.losses(outputs, steps)


@every_variant
def test_step_by_step_gives_exactly_what_the_whole_sequence_gives(variant):
    model, batch = network(variant), batch_of(variant, (6, 6, 6))
    with torch.no_grad():
        whole = model.losses(batch)
        read, state = model.before(batch.steps), model.begin(batch.condition, 3)
        for step in range(6):
            outputs, state = model.step(read[:, step], state)
            assert_close(log_probabilities(model, outputs, batch.steps[:, step]), whole[:, step], f"step {step}")


@every_variant
def test_parts_one_after_the_other_are_one_long_pass(variant):
    model, batch = network(variant), batch_of(variant, (6, 6, 6))
    read = model.before(batch.steps)
    whole, _ = model.read(read, model.begin(batch.condition, 3))
    first, state = model.read(read[:, :4], model.begin(batch.condition, 3))
    second, _ = model.read(read[:, 4:], state)
    assert_close(torch.cat([first, second], 1), whole)


@every_variant
def test_padding_never_changes_anything(variant):
    model, batch = network(variant), batch_of(variant)
    together = model.losses(batch)
    for row, length in enumerate(batch.lengths.tolist()):
        given = None if batch.condition is None else batch.condition[row : row + 1]
        alone = model.losses(GeneratorBatch(batch.steps[row : row + 1, :length], batch.lengths[row : row + 1], given))
        assert_close(together[row, :length], alone[0])
        assert not together[row, length:].any()


@every_variant
def test_no_step_sees_itself_or_what_comes_after_it(variant):
    model, batch = network(variant), batch_of(variant, (6, 6, 6))
    before = model.losses(batch)
    changed = batch.steps.clone()
    changed[:, 3] = batch.steps[:, 3].flip(0)
    after = model.losses(GeneratorBatch(changed, batch.lengths, batch.condition))
    assert_close(after[:, :3], before[:, :3])
    assert not torch.allclose(after[:, 4:], before[:, 4:])


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v["condition"] != "none"], ids=str)
def test_the_condition_tells_from_the_first_step_on(variant):
    model, batch = network(variant), batch_of(variant, (2, 2, 2))
    same = GeneratorBatch(batch.steps[:1].expand_as(batch.steps), batch.lengths, batch.condition)
    losses = model.losses(same)
    assert len(set(losses[:, 0].tolist())) == len(set(losses[:, 1].tolist())) == 3


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v["condition"] != "none"], ids=str)
def test_a_hidden_condition_tells_nothing(variant):
    model, batch = network(variant, condition_dropout=0.999999, dropout=0.0), batch_of(variant, (4, 4, 4))
    hidden = model.train().losses(batch)
    unseen = torch.zeros_like(batch.condition)
    if variant["condition"] == "vector":
        unseen = unseen * torch.nan
    assert_close(hidden, model.eval().losses(batch._replace(condition=unseen)))


@pytest.mark.parametrize("variant", VARIANTS[::3], ids=str)
def test_the_fast_path_agrees_with_the_reference(variant):
    slow, fast = network(variant), network(variant, backend="auto")
    fast.load_state_dict(slow.state_dict())
    slow.float(), fast.float()
    batch = batch_of(variant)
    assert_close(fast.losses(batch), slow.losses(batch))
