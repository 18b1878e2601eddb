"""The lecture's own network for names, to the letter, in about a screen of PyTorch and one seqwise cell.

26 one-hot letters; one linear layer from (input, hidden) to the next hidden state and one to the output; no nonlinearity
in the recurrence; log-softmax and negative log-likelihood; names one at a time, unpadded; plain gradient descent.
"""

from __future__ import annotations

import string
import time
import unicodedata
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqwise.cells import cell
from seqwise.data import load_examples, resolve
from seqwise.errors import ConfigurationError
from seqwise.evaluation import fit_baseline
from seqwise.experiments.recipes import Reproduction, ReproductionRequest
from seqwise.layers import Recurrent
from seqwise.metrics import classification_metrics

LETTERS = string.ascii_lowercase
DATA = "names_gender"


@cell
def slide(x, h):  # type: ignore[no-untyped-def]
    """The slide's hidden layer: i2h on the input and the previous hidden state, and nothing else."""
    return x.h + h.h


class SlideNetwork(nn.Module):
    """i2h and i2o of the slide.

    Args:
        hidden_size: H.
        classes: C.
    """

    def __init__(self, hidden_size: int, classes: int) -> None:
        super().__init__()
        self.i2h = Recurrent(slide, len(LETTERS), hidden_size)
        self.i2o = nn.Linear(len(LETTERS) + hidden_size, classes)

    def forward(self, letters: Tensor) -> Tensor:
        """Return log-probabilities (1, C) of one name, (T, 1, 26) one-hot.

        The output at the last letter reads that letter and the hidden state BEFORE it, as i2h does.
        """
        hidden = letters.new_zeros(1, self.i2h.hidden_size)
        if len(letters) > 1:
            hidden = self.i2h(letters[:-1])[0][-1]
        return F.log_softmax(self.i2o(torch.cat([letters[-1], hidden], dim=-1)), dim=-1)


def one_hot(name: str) -> Tensor:
    """Return (T, 1, 26): accents are taken off, everything that is no letter is left out; an empty rest is one zero row."""
    plain = unicodedata.normalize("NFD", name.lower())
    ids = [LETTERS.index(c) for c in plain if c in LETTERS]
    return F.one_hot(torch.tensor(ids), len(LETTERS)).float().unsqueeze(1) if ids else torch.zeros(1, 1, len(LETTERS))


def train_slide_network(
    names: Sequence[str],
    targets: np.ndarray,
    classes: int,
    *,
    hidden_size: int = 128,
    learning_rate: float = 0.005,
    epochs: int = 1,
    seed: int = 0,
    progress: Callable[[int, int, float], None] | None = None,
) -> SlideNetwork:
    """Train on one name at a time, in an order shuffled each epoch.

    Args:
        names: n first names.
        targets: class indices, (n,).
        classes: C.
        hidden_size: H.
        learning_rate: of plain gradient descent.
        epochs: passes over the names.
        seed: of weights and order.
        progress: called every 500 names with the names seen, all names, and the running loss.
    """
    torch.manual_seed(seed)
    order = np.random.default_rng(seed)
    network = SlideNetwork(hidden_size, classes)
    optimizer = torch.optim.SGD(network.parameters(), learning_rate)
    seen, running = 0, 0.0
    for _ in range(epochs):
        for i in order.permutation(len(names)):
            loss = F.nll_loss(network(one_hot(names[i])), torch.tensor([int(targets[i])]))
            optimizer.zero_grad()
            loss.backward()
            # A linear recurrence explodes on a long name; the lecture's remedy is to rescale above a threshold.
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            seen += 1
            running += (loss.item() - running) / min(seen, 500)
            if progress is not None and seen % 500 == 0:
                progress(seen, epochs * len(names), running)
    return network


@torch.no_grad()
def predict_slide_network(network: SlideNetwork, names: Sequence[str]) -> np.ndarray:
    """Return class probabilities, (n, C)."""
    return np.concatenate([network(one_hot(name)).exp().numpy() for name in names])


def reproduce_names_slide(request: ReproductionRequest) -> Reproduction:
    """Train the slide's network on first names and score it on the test names.

    Raises:
        ConfigurationError: an override was given; the slide leaves nothing to set but the seed.
    """
    if request.overrides:
        raise ConfigurationError("names-slide is the lecture's network to the letter: --set changes nothing in it")
    started = time.perf_counter()
    source = resolve(DATA)
    text, label = source.metadata["text"], source.metadata["label"]
    training, test = (load_examples(source.splits[part], text=text, label=label) for part in ("train", "test"))
    assert training.labels is not None
    assert test.labels is not None
    classes, targets = np.unique(training.labels.astype(str), return_inverse=True)
    names, test_names = list(map(str, training.texts)), list(map(str, test.texts))

    def progress(seen: int, total: int, loss: float) -> None:
        if seen % 10_000 == 0:
            request.say(f"{seen:,} of {total:,} names, loss {loss:.3f}")

    network = train_slide_network(names, targets, len(classes), seed=request.seed or 0, progress=progress)
    expected = np.searchsorted(classes, test.labels.astype(str))
    figures = classification_metrics(expected, predict_slide_network(network, test_names), classes.tolist())
    request.say("fitting the baseline")
    baseline = fit_baseline(names, training.labels, classes=classes.tolist(), unit="characters")
    figures["baseline"] = classification_metrics(expected, baseline.predict_proba(test_names), classes.tolist())
    return Reproduction(
        recipe=request.name,
        reference={"source": "seqwise reproduce names-gender: the same names, the default classifier"},
        test=figures,
        seconds=time.perf_counter() - started,
        folder=request.destination,
    )
