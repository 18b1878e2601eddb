import numpy as np
import pytest
import torch

from seqwise.cells import LIBRARY, cell, sigmoid, tanh
from seqwise.explanation.gradients import MOST_READ, TOLERANCE, gradient_x_input, integrated_gradients
from seqwise.layers import Recurrent
from tolerances import assert_close


@cell
def blended(x, h):
    """A cell that no vendor has."""
    z = sigmoid(x.z + h.z)
    return z * h + (1 - z) * tanh(x.n + (z * h).n) ** 3


CELLS = {**LIBRARY, "blended": blended}


def recurrent_output(cell_, **options):
    torch.manual_seed(2)
    layer = Recurrent(cell_, 4, 5, batch_first=True, bidirectional=True, **options).eval()
    weights = torch.randn(10)

    def output(x):
        return (layer(x)[0].amax(1) * weights.to(x.device)).sum(-1)

    return output, layer


def sequence(steps=6, seed=1):
    return torch.randn(1, steps, 4, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", CELLS)
def test_integrated_gradients_are_those_of_captum(name):
    attr = pytest.importorskip("captum.attr")
    output, _ = recurrent_output(CELLS[name])
    x, baseline = sequence(), sequence(seed=9)
    theirs = attr.IntegratedGradients(output).attribute(x, baseline, n_steps=300, internal_batch_size=100)
    ours = integrated_gradients(output, (x,), (baseline,), tolerance=1e-4, most_steps=4096)
    # Two quadratures of a path with kinks: as near as the coarser one comes.
    np.testing.assert_allclose(ours.values[0], theirs.sum(-1)[0].numpy(), atol=2e-2 * abs(ours.output - ours.baseline))


@pytest.mark.parametrize("name", CELLS)
def test_gradient_x_input_is_that_of_captum_and_of_autograd(name):
    attr = pytest.importorskip("captum.attr")
    output, _ = recurrent_output(CELLS[name])
    x = sequence().requires_grad_()
    (gradient,) = torch.autograd.grad(output(x).sum(), x)
    values, found = gradient_x_input(output, (x.detach(),))
    assert_close(torch.from_numpy(values[0]), (gradient * x).sum(-1)[0].detach(), dtype=torch.float32)
    theirs = attr.InputXGradient(output).attribute(sequence().requires_grad_()).sum(-1)[0].detach()
    assert_close(torch.from_numpy(values[0]), theirs, dtype=torch.float32)
    assert found == pytest.approx(float(output(x).detach()), rel=1e-5)


@pytest.mark.parametrize("name", CELLS)
def test_the_values_add_up_to_the_change_of_the_output(name):
    output, layer = recurrent_output(CELLS[name])
    found = integrated_gradients(output, (sequence(40),), (sequence(40, seed=4),))
    change = found.output - found.baseline
    assert abs(sum(of.sum() for of in found.values) - change) <= TOLERANCE * max(abs(change), 1)
    assert all(parameter.grad is None for parameter in layer.parameters())


def test_a_linear_output_is_attributed_exactly_with_the_fewest_steps():
    weights, more = torch.tensor([[1.5, -2.0], [0.5, 3.0]]), torch.tensor([2.0, -1.0, 0.25])
    x, y = torch.tensor([[[1.0, 2.0], [-3.0, 0.5]]]), torch.tensor([[1.0, 4.0, -2.0]])
    zeros = torch.zeros_like(x), torch.zeros_like(y)
    found = integrated_gradients(lambda a, b: (a * weights).sum((1, 2)) + b @ more, (x, y), zeros)
    np.testing.assert_allclose(found.values[0], [-2.5, 0.0], atol=1e-6)
    np.testing.assert_allclose(found.values[1], [2.0, -4.0, -0.5], atol=1e-6)
    assert found.steps == 16


def test_a_product_is_shared_as_the_integral_says():
    x = torch.tensor([[2.0, 3.0]], dtype=torch.float64)  # of a b^2 from 0: a third goes to a, two thirds to b
    found = integrated_gradients(lambda of: of[:, 0] * of[:, 1] ** 2, (x,), (torch.zeros_like(x),))
    np.testing.assert_allclose(found.values[0], [6.0, 12.0], rtol=1e-12)


def test_steps_go_where_the_path_bends():
    seen = []

    def output(x):
        seen.extend(x[:, 0].tolist())
        return 100 * torch.relu(x[:, 0] - 0.3)

    found = integrated_gradients(output, (torch.ones(1, 1),), (torch.zeros(1, 1),), tolerance=1e-3)
    assert abs(found.values[0].sum() - 70) <= 0.07
    assert 16 < found.steps < 300
    assert np.median(np.abs(np.array(seen) - 0.3)) < 0.1


def test_the_number_of_steps_has_a_limit():
    jumps = lambda x: torch.sign(torch.sin(300 * x[:, 0])) * x[:, 0]  # noqa: E731
    found = integrated_gradients(jumps, (torch.ones(1, 1),), (torch.zeros(1, 1),), most_steps=64)
    assert found.steps <= 64


def test_a_long_input_costs_no_more_than_so_many_steps_in_all():
    jumps = lambda x: torch.sign(torch.sin(300 * x[:, 0, 0])) * x[:, 0, 0]  # noqa: E731
    x = torch.ones(1, 2**15, 1)
    assert integrated_gradients(jumps, (x,), (torch.zeros_like(x),)).steps <= MOST_READ // 2**15


def test_an_output_that_ignores_an_input_gives_it_nothing():
    x, y = torch.ones(1, 2, 3), torch.ones(1, 4)
    found = integrated_gradients(lambda a, b: a.sum((1, 2)), (x, y), (torch.zeros_like(x), torch.zeros_like(y)))
    assert found.values[1].tolist() == [0.0] * 4


def test_a_dropout_layer_in_evaluation_and_a_call_without_gradients_change_nothing():
    output, _ = recurrent_output(LIBRARY["lstm"], num_layers=2, dropout=0.5)
    first = integrated_gradients(output, (sequence(),), (torch.zeros(1, 6, 4),))
    with torch.no_grad():
        again = integrated_gradients(output, (sequence(),), (torch.zeros(1, 6, 4),))
    np.testing.assert_array_equal(first.values[0], again.values[0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["lstm", "gru_reset_after", "rnn", "blended"])
def test_a_gpu_gives_the_same_in_evaluation(name):
    output, layer = recurrent_output(CELLS[name])
    x, zeros = sequence(), torch.zeros(1, 6, 4)
    here = integrated_gradients(output, (x,), (zeros,), tolerance=1e-3)
    layer.cuda()
    there = integrated_gradients(output, (x.cuda(),), (zeros.cuda(),), tolerance=1e-3)
    np.testing.assert_allclose(there.values[0], here.values[0], rtol=1e-2, atol=1e-3)
