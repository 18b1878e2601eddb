"""What does one step of a stateful stream cost, beside reading the last 200 steps again?

    python benchmarks/stepping.py [--steps 200] [--hidden 128] [--repeats 51] [--out FILE.csv]

Model time, batch of one, one thread: from a symbol's number to the scores of the classes, or of the next symbol. Against it
the same model's forward pass over the last steps, in inference mode: the quickest way to the same numbers without a state.
The sides take turns, each warmed by a run before the timed one; medians, and their ratio. What is timed was compared before.
"""

import argparse
import csv
import os
import platform
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from seqwise import __version__
from seqwise.cells import LIBRARY
from seqwise.experiments.benchmarks.loops import own_cell
from seqwise.models import Batch, LanguageNetwork, LanguageSettings, ModelSettings, SequenceModel
from seqwise.models.one_sequence import prepare_steps

MODELS = ("lstm", "gru", "own_cell", "lstm, two layers", "lstm, characters")
VOCABULARY, CHARACTERS, CLASSES, EMBEDDING = 20_000, 90, 2, 100


def main():
    """Measure, print, write; exit with 1 if a step and the whole sequence do not agree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=51)
    parser.add_argument("--only", nargs="+", default=MODELS, choices=MODELS, metavar="MODEL")
    parser.add_argument("--out", type=Path, help="CSV file for the rows")
    options = parser.parse_args()
    torch.set_num_threads(1)
    LIBRARY["own_cell"] = own_cell
    rows = [measure(name, options) for name in options.only]
    print(f"| model | one step, us | by the module, us | last {options.steps} steps again, us | ratio |")
    print("|---|---|---|---|---|")
    for row in rows:
        figures = (f"{row[key]:.1f}" for key in ("step_us", "module_us", "whole_us"))
        print(f"| {row['model']} | {' | '.join(figures)} | {row['ratio']:.0f} |")
    if options.out:
        with options.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)


def measure(name, options):
    """One model: the step, the step of its torch module, and the whole again."""
    torch.manual_seed(0)
    module, vocabulary = make(name, options.hidden)
    symbols = np.random.default_rng(0).integers(2, vocabulary, options.steps).tolist()
    steps, tensors = prepare_steps(module), torch.tensor([symbols])
    sequence = steps.start()

    def stream():
        for symbol in symbols:
            steps.step(symbol, sequence)

    def by_module():
        state = module.start(1)
        for symbol in tensors[0].split(1):
            _, state = module.step(symbol, state)

    def whole():
        with torch.inference_mode():
            return scores(module, tensors)

    stream()
    expected, found = whole().numpy(), sequence.outputs
    difference = float(np.abs(found - expected).max() / np.abs(expected).max())
    if not difference < 1e-4:
        sys.exit(f"{name}: a step and the whole sequence differ by {difference:.1e}")
    samples = {stream: [], by_module: [], whole: []}
    for _ in range(options.repeats):
        for side, times in samples.items():
            side()
            begin = time.perf_counter()
            side()
            times.append(time.perf_counter() - begin)
    step, module_step, again = (median(times) * 1e6 for times in samples.values())
    return {
        "model": name, "hidden": options.hidden, "steps": options.steps, "step_us": step / options.steps,
        "module_us": module_step / options.steps, "whole_us": again, "ratio": again / (step / options.steps),
        "difference": difference, "repeats": options.repeats, "version": __version__, "torch": torch.__version__,
        "cpu": platform.processor() or platform.machine(), "cores": os.cpu_count(),
    }  # fmt: skip


def make(name, hidden):
    """The module in evaluation mode, and how many symbols it knows."""
    if name == "lstm, characters":
        settings = LanguageSettings(embedding_size=32, hidden_size=hidden, num_layers=1, tie_weights=False)
        return LanguageNetwork(settings, CHARACTERS).eval(), CHARACTERS
    cell, _, layers = name.partition(", ")
    sizes = {"embedding_size": EMBEDDING, "hidden_size": hidden, "num_layers": 2 if layers else 1}
    settings = ModelSettings(architecture="recurrent", bidirectional=False, cell=cell, **sizes)
    module = SequenceModel(settings, vocabulary_size=VOCABULARY, ngrams=0, classes=CLASSES)
    return module.eval(), VOCABULARY


def scores(module, tokens):
    """What the last of the steps gives, before it becomes probabilities."""
    if isinstance(module, LanguageNetwork):
        outputs = module.read(tokens, module.start(1)).outputs[:, -1]
        return torch.nn.functional.linear(outputs, module.weight, module.bias)[0]
    lengths = torch.tensor([tokens.shape[1]])
    return module(Batch(tokens=tokens, lengths=lengths, frames=None, ngrams=None))[0]


if __name__ == "__main__":
    main()
