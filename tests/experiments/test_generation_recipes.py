"""The recipes of generators that are programs of their own."""

import numpy as np
import pytest

from seqwise.data import resolve
from seqwise.data.frames import read_frames
from seqwise.estimators import SequenceGenerator
from seqwise.experiments.digits_spelled import NAMES, write_digits
from seqwise.experiments.generation import TASK, GeneratorConfiguration, read_sequences
from seqwise.experiments.judging import Judgement, asked_classes
from seqwise.experiments.names_generated import table_of
from seqwise.experiments.recipes import ReproductionRequest, load_recipe, reproduce


def test_the_pictures_of_digits_are_split_alike_everywhere(tmp_path):
    write_digits(tmp_path)
    source = resolve(tmp_path)
    tables = {part: source.table(part) for part in ("train", "test")}
    assert {part: table.rows for part, table in tables.items()} == {"train": 1439, "test": 358}
    assert read_sequences(tables["test"], "name")[:4] == [NAMES[i] for i in (8, 9, 8, 9)]
    pixels = read_frames(source, tables["test"], ("pixels",), vectors=True)
    assert pixels.values.shape == (358, 64)
    assert (pixels.values.min(), pixels.values.max()) == (0.0, 1.0)


def test_digits_are_spelled_and_the_nearest_picture_stands_beside(tmp_path):
    quick = ("training.epochs=2", "model.condition_size=16", "model.hidden_size=16", "training.device=cpu")
    result = reproduce(ReproductionRequest("digits-spelled", tmp_path / "run", quick))
    assert result.reference["exact"] == result.test["baseline"]["exact"]["value"] > 0.95
    assert result.test["baseline"]["majority_exact"]["value"] == pytest.approx(0.1, abs=0.05)
    assert "What it got wrong" in (result.folder / "report.html").read_text(encoding="utf-8")
    names = [row[0] for row in result.rows()]
    assert names == ["exact"]


def test_chorales_are_a_recipe_of_the_task():
    recipe = load_recipe("chorales")
    assert isinstance(TASK.configure(base=recipe.configuration), GeneratorConfiguration)


def test_texts_to_be_judged_are_drawn_for_all_alike_or_by_their_shares():
    classes, words = ["a"] * 9 + ["b"], ["x"] * 9 + ["y"]
    model = SequenceGenerator(model={"hidden_size": 4}, training={"epochs": 1, "device": "cpu"}, validation=0.0)
    predictor = model.fit(classes, words).predictor_
    even = asked_classes(predictor, Judgement(samples=5))
    assert (even.count("a"), even.count("b")) == (3, 2)
    prior = asked_classes(predictor, Judgement(samples=1000, by="prior"))
    assert prior.count("b") == pytest.approx(100, abs=30)
    assert asked_classes(predictor, Judgement(samples=3, condition="b")) == ["b"] * 3


def test_the_table_of_names_has_a_row_for_each_kind():
    def of(*values):
        return {"agreement": {"value": values[0]}, **({"copied": {"value": values[1]}} if values[1:] else {})}

    header, rows = table_of(
        {"drawn": {"even": of(0.5, 0.1), "prior": of(0.9, 0.2)}, "real": {"even": of(0.4), "prior": of(0.7)}}
    )
    assert len(header) == 5
    assert rows == [["drawn", "0.500", "0.100", "0.900", "0.200"], ["real", "0.400", "-", "0.700", "-"]]
    assert np.shape(rows) == (2, len(header))
