"""What does one step of a stateful stream cost, beside reading the last 200 steps again?

    python benchmarks/stepping.py [--steps 200] [--hidden 128] [--repeats 51] [--out FILE.csv]

Model time, batch of one, one thread: from a symbol's number to the scores of the classes, or of the next symbol. Against it
the quickest way to the same numbers without a state that there is: the classifier's packed weights, or the module in
inference mode, over the last steps. Words follow Zipf's law, and no piece of the text is read twice. The sides take turns;
medians, and their ratio. Before that a step and the whole sequence are compared.
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
from seqwise.models import EncodedExamples, LanguageNetwork, LanguageSettings, ModelSettings, SequenceModel
from seqwise.models.module_steps import prepare_steps
from seqwise.models.packed import PackedClassifier
from seqwise.text import Ragged

MODELS = ("lstm", "gru", "own_cell", "lstm, two layers", "lstm, characters")
VOCABULARY, CHARACTERS, CLASSES, EMBEDDING = 20_000, 90, 2, 100
WARM = 20  # pieces that are read before anything is timed


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
    """One model: a step, a step of its torch module, and the last steps again."""
    torch.manual_seed(0)
    module, vocabulary, again = make(name, options.hidden)
    shares = 1 / np.arange(1, vocabulary - 1)
    count = options.steps * (options.repeats + WARM)
    text = np.random.default_rng(0).choice(np.arange(2, vocabulary), count, p=shares / shares.sum())
    pieces = text.reshape(-1, options.steps)
    steps = prepare_steps(module)
    difference = compare(steps, again, pieces[0])
    if not difference < 1e-4:
        sys.exit(f"{name}: a step and the whole sequence differ by {difference:.1e}")
    sequence, state = steps.start(), module.start(1)

    def stream(symbols):
        for symbol in symbols:
            steps.step(symbol, sequence)

    def by_module(symbols):
        nonlocal state
        for symbol in symbols:
            _, state = module.step(symbol, state)

    samples = {"step": [], "module": [], "whole": []}
    for number, piece in enumerate(pieces):
        sides = {"step": (stream, piece.tolist()), "module": (by_module, torch.from_numpy(piece).split(1))}
        for side, (function, given) in {**sides, "whole": (again, piece[None])}.items():
            begin = time.perf_counter()
            function(given)
            taken = time.perf_counter() - begin
            if side == "whole":  # warmed: it may run again and again, where a stream reads on
                begin = time.perf_counter()
                function(given)
                taken = min(taken, time.perf_counter() - begin)
            if number >= WARM:
                samples[side].append(taken * 1e6)
    step, by_torch, whole = (median(samples[side]) for side in ("step", "module", "whole"))
    return {
        "model": name, "hidden": options.hidden, "steps": options.steps, "step_us": step / options.steps,
        "module_us": by_torch / options.steps, "whole_us": whole, "ratio": whole / (step / options.steps),
        "difference": difference, "repeats": options.repeats, "version": __version__, "torch": torch.__version__,
        "cpu": platform.processor() or platform.machine(), "cores": os.cpu_count(),
    }  # fmt: skip


def compare(steps, again, symbols):
    """How far a stream's scores after some symbols are from those of the whole."""
    sequence = steps.start()
    for symbol in symbols.tolist():
        found = steps.step(symbol, sequence)
    expected = again(symbols[None])
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def make(name, hidden):
    """The module in evaluation mode, how many symbols it knows, and what reads whole sequences most quickly."""
    if name == "lstm, characters":
        settings = LanguageSettings(embedding_size=32, hidden_size=hidden, num_layers=1, tie_weights=False)
        network = LanguageNetwork(settings, CHARACTERS).eval()

        def score(tokens):
            with torch.inference_mode():
                outputs = network.read(torch.from_numpy(tokens), network.start(1)).outputs[:, -1]
                return torch.nn.functional.linear(outputs, network.weight, network.bias)[0].numpy()

        return network, CHARACTERS, score
    cell, _, layers = name.partition(", ")
    sizes = {"embedding_size": EMBEDDING, "hidden_size": hidden, "num_layers": 2 if layers else 1}
    settings = ModelSettings(architecture="recurrent", bidirectional=False, cell=cell, **sizes)
    module = SequenceModel(settings, vocabulary_size=VOCABULARY, ngrams=0, classes=CLASSES).eval()
    weights = {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}
    packed = PackedClassifier(None, settings, weights, lambda: module)

    def classify(tokens):
        return packed.logits(EncodedExamples(tokens=Ragged.from_rows(list(tokens))))[0]

    return module, VOCABULARY, classify


if __name__ == "__main__":
    main()
