"""The lecture pages draw the pictures that they show, and print the numbers that they claim."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

ROOT = Path(__file__).resolve().parent.parent
LECTURES = ROOT / "docs" / "lectures"
PICTURE = re.compile(r"!\[[^\]]+\]\(\.\./images/lectures/([^)]+)\)", re.DOTALL)


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


program = load(LECTURES / "figures.py")


def pixels(path):
    """(height, width, 3), 0 to 1."""
    return imread(path)[..., :3].astype(float)


def grey_blocks(image, size=22):
    """The mean of every square of so many pixels: letters that lie a pixel apart leave it as it is."""
    height, width = (length // size * size for length in image.shape[:2])
    return image[:height, :width].mean(-1).reshape(height // size, size, width // size, size).mean((1, 3))


@pytest.mark.parametrize("page", program.pages(), ids=lambda page: page.stem)
def test_a_page_shows_what_its_code_draws_and_says_what_it_prints(page, tmp_path, capsys):
    program.run(page, tmp_path)
    text, printed = page.read_text(encoding="utf-8"), capsys.readouterr().out
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        assert language or block in printed
    drawn = sorted(tmp_path.glob("*.png"))
    assert [picture.name for picture in drawn] == PICTURE.findall(text)
    for picture in drawn:
        ours, shown = pixels(picture), pixels(program.PICTURES / picture.name)
        assert ours.shape == shown.shape, "run `make docs`"
        assert np.abs(grey_blocks(ours) - grey_blocks(shown)).mean() < 0.01, "run `make docs`"
        assert grey_blocks(ours).std() > 0.02  # not an empty page


def test_weights_find_the_rare_cloud_and_both_ways_to_differentiate_agree(tmp_path):
    namespace = program.run(LECTURES / "weighted-logistic-regression.md", tmp_path)
    assert namespace["gap"] < 1e-10
    assert namespace["figures"]["plain"]["recall"]["value"] < 0.5
    assert namespace["figures"]["weighted"]["recall"]["value"] >= 0.85
    assert namespace["figures"]["weighted"]["balanced_accuracy"]["value"] >= 0.90


def test_every_page_and_picture_is_in_the_index():
    index = (LECTURES / "README.md").read_text(encoding="utf-8")
    assert all(f"]({page.name})" in index for page in LECTURES.glob("*.md") if page.name != "README.md")
    shown = {name for page in LECTURES.glob("*.md") for name in PICTURE.findall(page.read_text(encoding="utf-8"))}
    assert shown == {picture.name for picture in program.PICTURES.iterdir()}


def test_the_picture_of_smote_is_what_the_example_draws(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["smote_steps.py", "--out", str(tmp_path)])
    load(ROOT / "examples" / "smote_steps.py").main()
    ours, shown = pixels(tmp_path / "smote_steps.png"), pixels(program.PICTURES / "smote_steps.png")
    assert ours.shape == shown.shape
    assert np.abs(grey_blocks(ours) - grey_blocks(shown)).mean() < 0.01
