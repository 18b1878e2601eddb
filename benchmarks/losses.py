"""What does a loss for rare classes cost, beside the training step that it is part of?

    python benchmarks/losses.py [--threads 1] [--repeats 300]

The step is that of the smallest recipe, dna-splice: 64 strings of 60 symbols, a bidirectional LSTM of 64 units, forward,
plain cross entropy, backward, AdamW. A loss is timed forward and backward on logits of its own, of 3 and of 18 classes; what
it costs is its median time less that of plain cross entropy, as a share of the step. All take turns.
"""

import argparse
import random
import statistics
import time

import torch

from seqwise.losses import TREATMENTS, ImbalanceSettings, make_loss
from seqwise.models import Batch, ModelSettings, RecurrentPart

EXAMPLES, SYMBOLS = 64, 60
COUNTS = {
    3: [1314, 607, 612],
    18: [7491, 2917, 1574, 776, 570, 562, 422, 235, 224, 220, 220, 181, 168, 105, 84, 81, 63, 59],
}


def training_step():
    """One step of the recurrent part of dna-splice, as a function."""
    settings = ModelSettings(embedding_size=64, hidden_size=64, pooling="last+max+mean", dropout=0.3, word_dropout=0.0)
    model = RecurrentPart(settings, vocabulary_size=8, classes=3)
    optimizer = torch.optim.AdamW(model.parameters())
    targets = torch.randint(3, (EXAMPLES,))
    batch = Batch(torch.randint(3, 8, (EXAMPLES, SYMBOLS)), torch.full((EXAMPLES,), SYMBOLS), None)

    def step():
        torch.nn.functional.cross_entropy(model(batch), targets).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def loss_step(name, classes):
    """Forward and backward of a treatment's loss, as a function."""
    values = {key: value for key, value in TREATMENTS[name].values.items() if key in ("loss", "class_weight")}
    settings = ImbalanceSettings(**values)
    counts = torch.tensor(COUNTS[classes], dtype=torch.float64)
    weights = counts.sum() / (classes * counts) if settings.class_weight == "balanced" else None
    loss = make_loss(settings, counts, weights)
    logits, targets = torch.randn(EXAMPLES, classes, requires_grad=True), torch.randint(classes, (EXAMPLES,))

    def step():
        loss(logits, targets).mean().backward()
        logits.grad = None

    return step


def main():
    """Print the table as CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=300)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    random.seed(0)
    names = [
        "ce",
        *(name for name, treatment in TREATMENTS.items() if treatment.values["loss"] != "cross_entropy"),
        "weighted",
    ]
    ways = {"step": training_step()} | {
        (name, classes): loss_step(name, classes) for classes in COUNTS for name in names
    }
    times = {way: [] for way in ways}
    for turn in range(options.repeats + 20):
        for way, run in random.sample(list(ways.items()), len(ways)):  # what follows the step finds the caches cold
            start = time.perf_counter()
            run()
            if turn >= 20:  # compiled and warm
                times[way].append(time.perf_counter() - start)
    medians = {way: 1e6 * statistics.median(taken) for way, taken in times.items()}
    print(f"# torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {options.threads} threads")
    print(f"# training step: {medians['step']:.0f} us")
    print("loss,classes,us,more_than_cross_entropy_us,share_of_step")
    for classes in COUNTS:
        for name in names:
            more = medians[name, classes] - medians["ce", classes]
            print(f"{name},{classes},{medians[name, classes]:.0f},{more:.0f},{more / medians['step']:.4f}")


if __name__ == "__main__":
    main()
