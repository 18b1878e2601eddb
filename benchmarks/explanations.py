"""Which explanation finds the tokens that an answer hangs on, and what does it cost?

    python benchmarks/explanations.py MODEL DATA [--column text] [--texts 200]

Of every text the strongest tenth of the tokens (at least one) is covered: the more of the log-odds of the answer is lost
("comprehensiveness", DeYoung et al. 2020), the better they were found. Beside the methods stand integrated gradients from
zero vectors, and tokens drawn at random. The texts are those of the test part.
"""

import argparse
import time

import numpy as np
import torch

from seqwise.data import resolve
from seqwise.explanation import METHODS, explain
from seqwise.explanation.explaining import ask
from seqwise.explanation.gradients import integrated_gradients
from seqwise.prediction import Predictor

SHARE = 10  # one token in so many is covered
FROM_ZERO, AT_RANDOM = "integrated_gradients from zero", "at random"


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--column", default="text")
    parser.add_argument("--texts", type=int, default=200)
    options = parser.parse_args()
    predictor = Predictor.load(options.model)
    table = resolve(options.data).table("test")
    texts = [text for chunk in table.iter_chunks(columns=[options.column]) for text in chunk[options.column]]
    random = np.random.default_rng(0)
    lost, seconds, steps, gaps = {}, {}, [], []
    for row in random.permutation(len(texts))[: options.texts]:
        question = ask(predictor, texts[row])
        if len(question.tokens) < 2:
            continue
        whole = question.covered([()])[0]
        for name in (*METHODS, FROM_ZERO, AT_RANDOM):
            began = time.perf_counter()
            values, explanation = values_of(name, predictor, texts[row], question, random)
            seconds[name] = seconds.get(name, 0) + time.perf_counter() - began
            strongest = np.argsort(-values)[: max(1, len(values) // SHARE)].tolist()
            lost.setdefault(name, []).append(whole - question.covered([strongest])[0])
            if name == METHODS[0]:
                steps.append(explanation.steps)
                gaps.append(abs(explanation.delta))
    print(f"{len(steps)} texts; steps: median {np.median(steps):g}, most {max(steps)}; largest gap {max(gaps):.4f}")
    for name, of in lost.items():
        error = np.std(of) / np.sqrt(len(of))
        print(f"{name:32s} {np.mean(of):6.2f} +- {error:.2f} log-odds {1000 * seconds[name] / len(of):7.1f} ms")


def values_of(name, predictor, text, question, random):
    """The values of the tokens, and the explanation that they come from, if there is one."""
    if name == AT_RANDOM:
        return random.normal(size=len(question.tokens)), None
    if name == FROM_ZERO:
        asked = question.differentiable()
        zeros = tuple(map(torch.zeros_like, asked.inputs))
        return asked.spread(integrated_gradients(asked.output, asked.inputs, zeros).values), None
    explanation = explain(predictor, text, method=name, target=question.target)
    return explanation.values, explanation


if __name__ == "__main__":
    main()
