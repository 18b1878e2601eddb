"""Names of 18 languages, drawn letter by letter, and judged by the classifier of the recipe names-language."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqwise.data import load_examples, resolve
from seqwise.evaluation.generation_baseline import ClassBigrams
from seqwise.experiments import tasks
from seqwise.experiments.generation import TASK
from seqwise.experiments.judging import Judgement, asked_classes, judge_texts, known_texts
from seqwise.experiments.recipes import Reproduction, ReproductionRequest, reproduce
from seqwise.metrics.generation import sample_metrics, share_figure
from seqwise.prediction import Predictor
from seqwise.prediction.generator import GeneratorPredictor
from seqwise.prediction.sampling import Sampling

DATA, JUDGE = "names_language", "names-language"
SAMPLES = 1000
SHARPENED = {"temperature": 1.0, "guidance": 1.5}
"""How names are drawn for the recipe's figures; chosen with another seed than that of the figures."""
CONFIGURATION: dict[str, dict[str, Any]] = {
    "data": {"target": "name", "label": "label"},
    "text": {"unit": "characters"},
    "model": {"hidden_size": 256, "condition_dropout": 0.2},
    "training": {"epochs": 15},
}


def reproduce_names_generated(request: ReproductionRequest) -> Reproduction:
    """Learn to write names, draw a thousand, and have them judged; beside them bigrams of letters, and real names.

    The classifier is that in the folder `names-language` beside the recipe's own; it is trained if it is not there.

    Raises:
        ConfigurationError: an override is wrong.
    """
    started = time.perf_counter()
    configuration = tasks.configure("generate", None, request.overrides, request.flags, CONFIGURATION)
    folder, judge = request.destination, request.destination.parent / JUDGE
    outcome = tasks.run(
        "generate",
        tasks.TaskRequest(
            data=DATA,
            configuration=configuration,
            folder=folder,
            test=DATA,
            overwrite=request.replaces,
            resume=request.resume,
        ),
        say=request.say,
    )
    if not (judge / "config.json").exists():
        request.say(f"training the judge: recipe {JUDGE}")
        reproduce(ReproductionRequest(JUDGE, judge, seed=request.seed, device=request.device, say=request.say))
    device = request.device or "auto"
    figures = judged(folder, judge, seed=configuration.training.seed, device=device)
    return Reproduction(
        recipe=request.name,
        reference={"source": "what was asked for", "agreement": 0.9, "copied": 0.2},
        test={**outcome.metrics["test"], "samples": figures},
        seconds=time.perf_counter() - started,
        folder=folder,
        interrupted=outcome.interrupted,
        table=table_of(figures),
    )


def judged(folder: Path, judge: Path, *, seed: int = 0, device: str = "auto") -> dict[str, dict[str, Any]]:
    """Return what the judge says of drawn names, of those of bigrams, and of the test names.

    Args:
        folder: of the generator.
        judge: of the classifier.
        seed: of the draws.
        device: where both run.

    Returns:
        Kind of names -> "even" and "prior" -> figures of `sample_metrics`.
    """
    predictor, classifier = GeneratorPredictor.load(folder, device), Predictor.load(judge, device)
    known = known_texts(predictor, DATA)
    baseline = tasks.stored_baseline(TASK, folder)
    result: dict[str, dict[str, Any]] = {"drawn": {}, "drawn, sharpened": {}, "class bigrams": {}}
    for by in ("even", "prior"):
        for name, temperature, guidance in (
            ("drawn", 1.0, 0.0),
            ("drawn, sharpened", SHARPENED["temperature"], SHARPENED["guidance"]),
        ):
            request = Judgement(SAMPLES, by, guidance, Sampling(temperature, max_tokens=30, seed=seed))
            asked = asked_classes(predictor, request)
            texts = predictor.sample(asked, request.sampling, guidance=guidance)
            result[name][by] = sample_metrics(asked, judge_texts(classifier, texts), texts, known, seed=seed)
        assert isinstance(baseline, ClassBigrams)
        texts = _by_bigrams(baseline, predictor, asked, seed)
        result["class bigrams"][by] = sample_metrics(asked, judge_texts(classifier, texts), texts, known, seed=seed)
    result["test names"] = _real(classifier, seed)
    return result


def table_of(figures: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> tuple[list[str], list[list[str]]]:
    """Header and rows."""
    header = ["names", "for all languages alike", "copied", "by their shares", "copied"]
    rows = []
    for name, of in figures.items():
        row = [name]
        for by in ("even", "prior"):
            copied = of[by].get("copied")
            row += [f"{of[by]['agreement']['value']:.3f}", "-" if copied is None else f"{copied['value']:.3f}"]
        rows.append(row)
    return header, rows


def _by_bigrams(baseline: ClassBigrams, predictor: GeneratorPredictor, asked: Sequence[str], seed: int) -> list[str]:
    random = np.random.default_rng(seed)
    numbers = {str(name): number for number, name in enumerate(predictor.classes, 1)}
    return [predictor.written(baseline.sample(numbers[name], random)) for name in asked]


def _real(classifier: Predictor, seed: int) -> dict[str, dict[str, Any]]:
    """How often the judge is right on names that exist: the mean of the languages, and of all names."""
    source = resolve(DATA)
    examples = load_examples(source.splits["test"], text=source.metadata["text"], label=source.metadata["label"])
    assert examples.labels is not None
    asked = list(map(str, examples.labels))
    right = np.array([a == b for a, b in zip(asked, judge_texts(classifier, examples.texts), strict=True)], np.float64)
    names, codes = np.unique(asked, return_inverse=True)
    recalls = np.bincount(codes, right) / np.bincount(codes, minlength=len(names))
    return {
        "even": {"agreement": share_figure(recalls, seed=seed)},
        "prior": {"agreement": share_figure(right, seed=seed)},
    }
