"""The program, called in this process, and small data for it."""

import csv
import json
import random
from pathlib import Path
from typing import NamedTuple

from typer.testing import CliRunner

from seqwise.cli import app

QUICK = (
    *("--set", "training.epochs=2", "--set", "model.hidden_size=8", "--set", "model.embedding_size=8"),
    *("--set", "model.num_layers=1"),
)
GOOD, BAD = ["joy", "bright", "fine", "lovely", "warm"], ["dull", "grey", "poor", "broken", "cold"]
PLAIN = ["the", "film", "story", "actor", "scene", "music", "and", "again", "today"]


class Answer(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


def call(*arguments, stdin=None):
    """Run seqwise in this process."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)


def reviews(rows, seed=0, rare=0.25):
    """(text, label): the label follows from one of the words, most of the time."""
    draw = random.Random(seed)
    made = []
    for _ in range(rows):
        label = "bad" if draw.random() < rare else "good"
        words = draw.choices(PLAIN, k=draw.randint(3, 9))
        words.insert(draw.randrange(len(words)), draw.choice(BAD if label == "bad" else GOOD))
        made.append((" ".join(words), label))
    return made


def write_csv(path, header, rows):
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path
