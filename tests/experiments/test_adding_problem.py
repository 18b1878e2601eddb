import pytest
import torch
from torch import nn

from seqwise.errors import ConfigurationError
from seqwise.experiments.adding_problem import (
    BASELINE,
    CONTESTANTS,
    Adder,
    Contestant,
    Outcome,
    draw,
    explode,
    gradient_by_step,
    make_examples,
    reproduce_adding_problem,
    train_contestant,
)
from seqwise.experiments.recipes import ReproductionRequest
from seqwise.layers import LSTM


def test_a_sequence_has_one_mark_in_each_half_and_the_target_is_their_sum():
    x, y = make_examples(500, 20, torch.Generator().manual_seed(0))
    numbers, marks = x.unbind(-1)
    assert marks[:, :10].sum(1).tolist() == marks[:, 10:].sum(1).tolist() == [1.0] * 500
    torch.testing.assert_close(y, (numbers * marks).sum(1))
    assert ((y - 1) ** 2).mean().item() == pytest.approx(BASELINE, abs=0.03)


def test_the_gradient_at_each_step_is_that_of_a_state_pushed_there():
    torch.manual_seed(1)
    model = Adder(LSTM(2, 3, batch_first=True)).double()
    x, y = (part.double() for part in make_examples(1, 6, torch.Generator().manual_seed(2)))
    norms = gradient_by_step(model, x, y)

    def loss_when_pushed(step, push):
        _, (h, c) = model.layer(x[:, :step])
        out, _ = model.layer(x[:, step:], (h + push, c))
        return (model.out(out[:, -1]).squeeze(-1) - y).square().sum()

    for step in (1, 3, 5):
        push = torch.zeros(1, 1, 3, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(loss_when_pushed(step, push), push)
        assert norms[step - 1] == pytest.approx(gradient.norm().item(), rel=1e-9)


@pytest.mark.slow
def test_a_short_task_is_solved_and_drawn(tmp_path):
    contestant = Contestant(lambda d, h: LSTM(d, h, batch_first=True), 32, 1e-2, 1500)
    steps = []
    outcome = train_contestant(contestant, length=10, check_every=100, progress=lambda step, error: steps.append(step))
    assert outcome.solved
    assert steps == [step for step, _ in outcome.curve]
    assert [len(norms) for norms in outcome.gradients.values()] == [10, 10]
    draw({"LSTM": outcome}, tmp_path / "new" / "picture.svg")
    assert "<svg" in (tmp_path / "new" / "picture.svg").read_text()


def test_an_error_that_is_not_a_number_is_no_solution():
    assert not Outcome().solved


def test_the_irnn_starts_from_the_identity():
    layer = CONTESTANTS["IRNN"].layer(2, 5)
    torch.testing.assert_close(layer.weight_hh_l0, nn.Parameter(torch.eye(5)))


def test_weights_above_the_identity_explode_and_the_picture_takes_untrained_networks(tmp_path):
    exploding = explode(1.1, hidden_size=5, length=100)
    first, *_, last = exploding.gradients["before training"]
    bound = last * 1.1**99  # reached where every unit is active at every step
    assert 0.1 * bound < first <= bound * (1 + 1e-4)
    draw({"untrained": exploding}, tmp_path / "picture.svg")


def test_overrides_are_refused_not_ignored():
    with pytest.raises(ConfigurationError, match="fixed experiment"):
        reproduce_adding_problem(ReproductionRequest("adding-problem", overrides=("training.epochs=3",)))
