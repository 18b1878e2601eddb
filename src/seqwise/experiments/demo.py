"""The demonstration: names from Faker are written as a data folder, and the ordinary run does the rest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqwise.data import write_table
from seqwise.experiments.configuration import build_configuration
from seqwise.experiments.folders import check_destination
from seqwise.experiments.names import PARTS, NameList, first_names, surnames
from seqwise.experiments.prediction import PredictionRun
from seqwise.experiments.training import TrainingOutcome, TrainingRequest, run_training

FOLDER, NAMES, MODEL = Path("seqwise-demo"), "names", "model"
LABELS = {"gender": "sex", "language": "language"}
SOURCE = "names that ship inside the package Faker"
SHOWN = 8
# A demonstration has about a minute: one layer, few epochs, no second fit. Left out, training takes longer
# and gets a little further.
BRIEF = {
    "model": {"num_layers": 1, "dropout": 0.1, "word_dropout": 0.0, "embedding_dropout": 0.0},
    "training": {"epochs": 6, "learning_rate": 0.004, "refit": False},
}


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration shows.

    Attributes:
        data: "gender" or "language".
        folder: with the folders `names` and `model`.
        outcome: of the run.
        predictions: (name, predicted label, its probability, true label) of a few names of the test part.
        ambiguous: names left out because they belong to two classes.
    """

    data: str
    folder: Path
    outcome: TrainingOutcome
    predictions: list[tuple[str, str, float, str]]
    ambiguous: int

    @property
    def names(self) -> Path:
        """The data."""
        return self.folder / NAMES

    @property
    def model(self) -> Path:
        """The model."""
        return self.folder / MODEL

    def rows(self) -> list[list[str]]:
        """The predictions as a table."""
        return [[name, label, f"{share:.3f}", true] for name, label, share, true in self.predictions]

    def next_commands(self) -> list[str]:
        """What a person may type next."""
        names = " ".join(["Maria", "Nguyen"] if self.data == "language" else ["Robin", "Zendaya"])
        column = LABELS[self.data]
        return [
            f"seqwise predict {self.model} {names}",
            f"seqwise evaluate {self.model} {self.names}",
            f"seqwise serve {self.model}",
            f"seqwise train {self.names} --text name --label {column} --out my-model --set model.cell=gru",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `seqwise demo --json`."""
        keys = ("name", "label", "probability", "true")
        return {
            **self.outcome.to_dict(),
            "ambiguous": self.ambiguous,
            "predictions": [dict(zip(keys, row, strict=True)) for row in self.predictions],
        }


def run_demo(
    data: str = "gender",
    folder: Path | None = None,
    *,
    seed: int = 0,
    device: str = "auto",
    say: Callable[[str], None] = lambda message: None,
    overrides: tuple[str, ...] = (),
) -> DemoResult:
    """Train on names.

    Args:
        data: "gender" (first names by sex) or "language" (surnames by language).
        folder: for names and model; None is `seqwise-demo`. An earlier demonstration there is replaced.
        seed: of everything random.
        device: where to compute.
        say: told what is going on.
        overrides: "section.key=value" over the defaults.

    Raises:
        MissingExtraError: Faker is not installed.
        FileError: the folder holds something else.
    """
    folder = folder or FOLDER
    if not is_demo(folder):
        check_destination(folder)
    names = first_names() if data == "gender" else surnames()
    label = LABELS[data]
    classes = Counter(names.rows.values())
    say(
        f"{len(names.rows):,} {'first names' if data == 'gender' else 'surnames'} from Faker, {len(classes)} classes; "
        f"{names.ambiguous:,} more stand in the lists of two classes and are left out"
    )
    write_names(folder / NAMES, names, label)
    outcome = run_training(
        TrainingRequest(
            data=str(folder / NAMES),
            configuration=build_configuration(
                base=BRIEF,
                overrides=overrides,
                flags={"data.text": "name", "data.label": label, "training.seed": seed, "training.device": device},
            ),
            folder=folder / MODEL,
            test=str(folder / NAMES),
            overwrite=True,
        ),
        say=say,
    )
    return DemoResult(data, folder, outcome, _examples(folder / MODEL, names), names.ambiguous)


def write_names(folder: Path, names: NameList, label: str) -> None:
    """Write {train,validation,test}.parquet and dataset.json, a folder that `seqwise train` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        rows = names.part(part)
        write_table(folder / f"{part}.parquet", [{"name": list(rows), label: list(rows.values())}])
    description = {
        "name": folder.parent.name,
        "task": "classification",
        "text": "name",
        "label": label,
        "source": SOURCE,
    }
    (folder / "dataset.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


def is_demo(folder: Path) -> bool:
    """Whether the folder holds an earlier demonstration, which may be replaced because it can be had again."""
    try:
        return bool(json.loads((folder / NAMES / "dataset.json").read_text(encoding="utf-8"))["source"] == SOURCE)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _examples(model: Path, names: NameList) -> list[tuple[str, str, float, str]]:
    """A few names of the test part at equal distances in the alphabet: nobody picked them."""
    test = list(names.part("test").items())
    chosen = test[:: max(1, len(test) // SHOWN)][:SHOWN]
    run = PredictionRun(model)
    predictions = run.answers(run.from_texts([name for name, _ in chosen]))
    return [(p.text, str(p.label), p.probability, true) for p, (_, true) in zip(predictions, chosen, strict=True)]
