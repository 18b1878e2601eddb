"""One run of a comparison: what it is known by, what it left, and where that is kept."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np

from seqwise._version import __version__
from seqwise.experiments.configuration import Configuration

BASELINE, MAJORITY = "baseline", "majority class"
Place = tuple[str, int, int]
ARRAYS = ("test", "answers", "validation", "validation_answers", "validation_targets", "counts")
FORMAT = 1  # of the files of a run
WITHOUT_EFFECT = ("device", "checkpoint_seconds")  # of the section training: on what a run answers


@dataclass(frozen=True)
class PlannedRun:
    """What is to be run.

    Attributes:
        variant: name of the variant; of the baseline or the majority class theirs.
        kind: "model", "baseline" or "majority".
        configuration: every section, the seed included.
        fold: that is answered, from 0.
        derived_from: the run whose model answers, with tau of the prior correction changed after training.
    """

    variant: str
    kind: Literal["model", "baseline", "majority"]
    configuration: Configuration
    fold: int
    derived_from: str | None = None

    @property
    def seed(self) -> int:
        """Of split, initialisation and everything random."""
        return self.configuration.training.seed

    @property
    def place(self) -> Place:
        """Variant, seed and fold: what a result belongs to within one comparison."""
        return self.variant, self.seed, self.fold

    def key(self, fingerprint: str) -> str:
        """Return what the run is known by: two runs with the same key give the same answers.

        Args:
            fingerprint: of the data and their division.
        """
        tree = self.configuration.model_dump(mode="json", exclude_unset=True)
        tree.pop("data", None)  # columns, weights and shares are in the fingerprint
        for name in WITHOUT_EFFECT:
            tree.get("training", {}).pop(name, None)
        if self.kind != "model":
            tree = {"unit": self.configuration.text.unit}
        known = {
            "format": FORMAT,
            "seqwise": __version__,
            "data": fingerprint,
            "kind": self.kind,
            "settings": tree,
            "seed": self.seed,
            "fold": self.fold,
        }
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class RunResult:
    """What a run left.

    Attributes:
        test: probabilities of the test examples of its fold, (n, C).
        answers: what the model decides for, as class numbers, (n,); or which labels each example gets, (n, C).
        validation: probabilities of its validation examples, (m, C).
        validation_answers: the same of these, (m,) or (m, C).
        validation_targets: what is true of them, (m,) or (m, C).
        counts: training examples of each class, (C,).
        seconds: that fitting and answering took.
        parameters: of the model.
        settings: sections with every value decided.
    """

    test: np.ndarray
    answers: np.ndarray
    validation: np.ndarray
    validation_answers: np.ndarray
    validation_targets: np.ndarray
    counts: np.ndarray
    seconds: float
    parameters: int
    settings: dict[str, Any]

    def corrected(self, tau: float) -> RunResult:
        """Return the result with tau log(class share) subtracted from the logits, as a model fitted with it would answer.

        Such a model may calibrate its probabilities afterwards, which does not change its answers; these are not.
        """
        shift = -tau * np.log((self.counts + 1) / (self.counts.sum() + np.count_nonzero(self.counts)))

        def moved(probabilities: np.ndarray) -> np.ndarray:
            with np.errstate(divide="ignore"):  # a class that training did not have keeps probability 0
                logits = np.log(probabilities) + shift
            each = np.exp(logits - logits.max(axis=1, keepdims=True))
            return each / each.sum(axis=1, keepdims=True)

        imbalance = {**self.settings.get("imbalance", {}), "prior_correction": tau}
        test, validation = moved(self.test), moved(self.validation)
        return replace(
            self,
            test=test,
            answers=test.argmax(axis=1),
            validation=validation,
            validation_answers=validation.argmax(axis=1),
            settings={**self.settings, "imbalance": imbalance},
        )


class RunStore:
    """The folder of finished runs: a JSON file and the arrays beside it for each.

    Args:
        folder: made when the first run is stored.
        fingerprint: of the data and their division.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder, self._fingerprint = folder, fingerprint

    def load(self, run: PlannedRun) -> RunResult | None:
        """Return what a finished run left; None if there is none, or its files are damaged."""
        path = self._path(run)
        try:
            saved = json.loads(path.read_text(encoding="utf-8"))
            # Opened here: numpy would leave a damaged file open.
            with path.with_suffix(".npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return RunResult(
                    **{name: arrays[name] for name in ARRAYS},
                    seconds=float(saved["seconds"]),
                    parameters=int(saved["parameters"]),
                    settings=saved["settings"],
                )
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None

    def save(self, run: PlannedRun, result: RunResult) -> None:
        """Keep a result; the JSON file comes last, so that what has one is whole."""
        path = self._path(run)
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays, document = path.with_suffix(".npz"), path
        partial = path.with_name(f".{path.stem}.{os.getpid()}.npz")
        values = {name: getattr(result, name) for name in ARRAYS}
        np.savez_compressed(
            partial, **{name: v.astype(np.float32) if v.dtype == np.float64 else v for name, v in values.items()}
        )
        partial.replace(arrays)
        content = {
            "variant": run.variant,
            "kind": run.kind,
            "seed": run.seed,
            "fold": run.fold,
            "derived_from": run.derived_from,
            "data": self._fingerprint,
            "seconds": round(result.seconds, 3),
            "parameters": result.parameters,
            "settings": result.settings,
        }
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        partial.replace(document)

    def _path(self, run: PlannedRun) -> Path:
        name = re.sub(r"[^\w.-]+", "-", run.variant).strip("-.")[:40] or "run"
        return self.folder / f"{name}-seed{run.seed}-fold{run.fold}-{run.key(self._fingerprint)}.json"
