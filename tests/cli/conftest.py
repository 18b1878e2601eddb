"""Small data and a trained model that the tests of the commands share."""

import shutil
from pathlib import Path

import pytest
from program import QUICK, call, reviews, write_csv


@pytest.fixture
def data(tmp_path):
    """A file with the columns id, review, sentiment, weight."""
    rows = [(number, text, label, 1 + number % 3) for number, (text, label) in enumerate(reviews(160))]
    return write_csv(tmp_path / "reviews.csv", ("id", "review", "sentiment", "weight"), rows)


@pytest.fixture
def held_out(tmp_path):
    return write_csv(tmp_path / "held-out.csv", ("review", "sentiment"), reviews(60, seed=1))


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A model folder; do not change it."""
    folder = tmp_path_factory.mktemp("trained")
    file = write_csv(folder / "reviews.csv", ("review", "sentiment"), reviews(160))
    answer = call(
        "train", file, "--text", "review", "--label", "sentiment", "--out", folder / "model", *QUICK, "--json"
    )
    assert answer.code == 0, answer.err
    return folder / "model"


@pytest.fixture
def model(trained, tmp_path):
    """A copy of the trained model that a test may change."""
    return Path(shutil.copytree(trained, tmp_path / "model"))
