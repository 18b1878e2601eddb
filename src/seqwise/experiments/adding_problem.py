"""The adding problem: can a network carry two numbers over 200 steps, and does its gradient survive the way back?

Every sequence has two channels, numbers from [0, 1] and a mark that is 1 at two steps; the target is the sum of the two
marked numbers. Always answering 1 has a mean squared error of 1/6 = 0.167 (the trivial baseline). The gradient of the
loss with respect to the hidden state at each step shows vanishing and exploding gradients directly.

Source: Hochreiter and Schmidhuber 1997; Le, Jaitly and Hinton 2015 (IRNN, T = 200).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from seqwise.errors import ConfigurationError
from seqwise.experiments.recipes import Reproduction, ReproductionRequest
from seqwise.layers import IRNN, LSTM, RNN, Recurrent

BASELINE = 1 / 6
SOLVED = 0.01
HELD_OUT_SEED = 1_000_003


@dataclass(frozen=True)
class Contestant:
    """One recurrence and how it is trained.

    Attributes:
        layer: (input_size, hidden_size) -> batch-first recurrent layer.
        hidden_size: H.
        learning_rate: of Adam at the start; it falls to zero along half a cosine.
        steps: training batches at the most; a solved task ends earlier.
    """

    layer: Callable[[int, int], Recurrent]
    hidden_size: int
    learning_rate: float
    steps: int


def _irnn(inputs: int, hidden: int) -> Recurrent:
    layer = IRNN(inputs, hidden, batch_first=True)
    nn.init.normal_(
        layer.get_parameter("weight_ih_l0"), std=0.03
    )  # with the paper's 0.001 Adam sits on the plateau for thousands of steps
    return layer


def _lstm(inputs: int, hidden: int) -> Recurrent:
    layer = LSTM(inputs, hidden, batch_first=True)
    with torch.no_grad():  # a forget gate that is open for about T steps at the start, gate order i, f, g, o
        layer.get_parameter("bias_hh_l0")[hidden : 2 * hidden] = 5.0
    return layer


CONTESTANTS = {
    "tanh RNN": Contestant(lambda d, h: RNN(d, h, batch_first=True), 100, 1e-3, 2000),
    "IRNN": Contestant(_irnn, 100, 1e-4, 6000),
    "LSTM": Contestant(_lstm, 64, 1e-2, 6000),
}


@dataclass
class Outcome:
    """What one network reached.

    Attributes:
        error: mean squared error on held-out sequences after the last step.
        steps: training batches seen.
        curve: (step, held-out error) pairs.
        gradients: mean norm of dL/dh_t by step before and after training, each (T,).
    """

    error: float = float("nan")
    steps: int = 0
    seconds: float = 0.0
    curve: list[tuple[int, float]] = field(default_factory=list)
    gradients: dict[str, list[float]] = field(default_factory=dict)

    @property
    def solved(self) -> bool:
        """The error is a small part of the baseline's."""
        return self.error < SOLVED


class Adder(nn.Module):
    """A recurrent layer and a linear read-out of its last state."""

    def __init__(self, layer: Recurrent) -> None:
        super().__init__()
        self.layer, self.out = layer, nn.Linear(layer.hidden_size, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the predicted sums (B,) and all hidden states (B, T, H) from x (B, T, 2)."""
        hidden = self.layer(x)[0]
        return self.out(hidden[:, -1]).squeeze(-1), hidden


def make_examples(count: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return sequences (count, length, 2) with one mark in each half, and their sums (count,)."""
    numbers = torch.rand(count, length, generator=generator)
    marks = torch.zeros(count, length)
    rows, half = torch.arange(count), length // 2
    marks[rows, torch.randint(0, half, (count,), generator=generator)] = 1
    marks[rows, torch.randint(half, length, (count,), generator=generator)] = 1
    return torch.stack([numbers, marks], dim=-1), (numbers * marks).sum(1)


def gradient_by_step(model: Adder, x: Tensor, y: Tensor) -> list[float]:
    """Return the mean over examples of |d L_i / d h_t| for every step t, (T,)."""
    inputs, length = x, x.shape[1]
    layer = model.layer
    states: list[Tensor] = []
    state = None
    for t in range(length):  # step by step, so that the gradient THROUGH each state is seen, not only the direct one
        _, state = layer(inputs[:, t : t + 1], state)
        hidden = state[0] if isinstance(state, tuple) else state
        hidden.retain_grad()
        states.append(hidden)
    loss = (model.out(states[-1][-1]).squeeze(-1) - y).square().sum()
    loss.backward()
    norms = [s.grad.norm(dim=-1).mean().item() for s in states if s.grad is not None]
    model.zero_grad()
    return norms


def train_contestant(
    contestant: Contestant,
    *,
    length: int = 200,
    batch_size: int = 32,
    seed: int = 0,
    check_every: int = 200,
    progress: Callable[[int, float], None] | None = None,
) -> Outcome:
    """Train one network on fresh batches until it solves the task or its steps are used up.

    Args:
        contestant: the recurrence and its training.
        length: T.
        batch_size: B.
        seed: of weights and training batches; the held-out sequences are always the same.
        check_every: steps between two looks at the held-out error.
        progress: called with the step and the held-out error.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed + 1)
    held_out = make_examples(1000, length, torch.Generator().manual_seed(HELD_OUT_SEED))
    probe = held_out[0][:100], held_out[1][:100]
    model = Adder(contestant.layer(2, contestant.hidden_size))
    optimizer = torch.optim.Adam(model.parameters(), contestant.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, contestant.steps)
    outcome, started = Outcome(), time.perf_counter()
    outcome.gradients["before training"] = gradient_by_step(model, *probe)

    def batches() -> Iterator[tuple[int, Tensor, Tensor]]:
        for step in range(1, contestant.steps + 1):
            yield step, *make_examples(batch_size, length, generator)

    for step, x, y in batches():
        loss = (model(x)[0] - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % check_every == 0 or step == contestant.steps:
            with torch.no_grad():
                outcome.error = (model(held_out[0])[0] - held_out[1]).square().mean().item()
            outcome.steps = step
            outcome.curve.append((step, outcome.error))
            if progress is not None:
                progress(step, outcome.error)
            if outcome.error < SOLVED / 4:
                break
    outcome.gradients["after training"] = gradient_by_step(model, *probe)
    outcome.seconds = time.perf_counter() - started
    return outcome


def explode(factor: float = 1.05, *, hidden_size: int = 100, length: int = 200, seed: int = 0) -> Outcome:
    """Return the gradients of an untrained ReLU network whose recurrent weights are `factor` times the identity.

    Above 1 each step back multiplies the gradient once more: this is the exploding that clipping is for.
    """
    torch.manual_seed(seed)
    layer = _irnn(2, hidden_size)
    with torch.no_grad():
        layer.get_parameter("weight_hh_l0").mul_(factor)
    probe = make_examples(100, length, torch.Generator().manual_seed(HELD_OUT_SEED))
    return Outcome(gradients={"before training": gradient_by_step(Adder(layer), *probe)})


def draw(outcomes: dict[str, Outcome], path: Path) -> None:
    """Draw error by training step and gradient norm by time step, before and after training, as one SVG picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    errors, *gradients = figure.subplots(1, 3)
    for name, outcome in outcomes.items():
        colour = f"C{list(outcomes).index(name)}"
        if outcome.curve:
            errors.plot(*zip(*outcome.curve, strict=True), label=name, color=colour)
        for axes, moment in zip(gradients, ("before training", "after training"), strict=True):
            norms = outcome.gradients.get(moment, [])
            axes.semilogy(range(1, len(norms) + 1), norms, label=name, color=colour)
            axes.set(title=f"Gradient of the loss, {moment}", xlabel="time step t", ylabel="mean |dL/dh_t|")
    errors.axhline(BASELINE, color="grey", linestyle=":", label="always 1")
    errors.set(title="Held-out mean squared error", xlabel="training step", yscale="log")
    gradients[0].legend(fontsize="small")
    errors.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def reproduce_adding_problem(request: ReproductionRequest) -> Reproduction:
    """Train the three networks, draw their gradients, say which of them solve the task.

    Raises:
        ConfigurationError: an override was given; the experiment is fixed but for the seed.
    """
    if request.overrides:
        raise ConfigurationError("adding-problem is a fixed experiment: --set changes nothing in it")
    started, outcomes = time.perf_counter(), {}
    for name, contestant in CONTESTANTS.items():

        def progress(step: int, error: float, name: str = name) -> None:
            if step % 1000 == 0:
                request.say(f"{name}: step {step:,}, mean squared error {error:.4f} (always 1: {BASELINE:.4f})")

        outcomes[name] = train_contestant(contestant, seed=request.seed or 0, progress=progress)
        request.say(f"{name}: {'solved' if outcomes[name].solved else 'not solved'}, {outcomes[name].error:.4f}")
    picture = request.destination / "adding-problem.svg"
    exploding = explode(seed=request.seed or 0)
    draw({**outcomes, "ReLU RNN, 1.05 identity": exploding}, picture)
    request.say(f"Gradient norms by time step: {picture}")
    figures = {
        name: {
            "mean_squared_error": outcome.error,
            "solved": outcome.solved,
            "steps": outcome.steps,
            "seconds": round(outcome.seconds, 1),
            "gradient_norm_first_step": outcome.gradients["before training"][0],
            "gradient_norm_last_step": outcome.gradients["before training"][-1],
        }
        for name, outcome in outcomes.items()
    }
    return Reproduction(
        recipe=request.name,
        reference={"source": "Le, Jaitly and Hinton 2015: IRNN and LSTM solve T = 200, a tanh RNN does not"},
        test={
            "baseline": {"mean_squared_error": BASELINE},
            **figures,
            "ReLU RNN, 1.05 identity, untrained": {
                "gradient_norm_first_step": exploding.gradients["before training"][0],
                "gradient_norm_last_step": exploding.gradients["before training"][-1],
            },
        },
        seconds=time.perf_counter() - started,
        folder=request.destination,
    )
