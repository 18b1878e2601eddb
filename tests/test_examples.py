"""The programs in examples/ run as their first lines say, and learn what they claim to."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

EXAMPLES = sorted((Path(__file__).resolve().parent.parent / "examples").glob("*.py"))


@pytest.fixture(scope="module")
def regressions():
    (path,) = [path for path in EXAMPLES if path.stem == "regressions"]
    spec = importlib.util.spec_from_file_location("example_regressions", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_regressions_print_what_they_learned_and_draw_it(tmp_path, regressions):
    done = subprocess.run(
        [sys.executable, "-W", "error", regressions.__file__, "--out", tmp_path / "new"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stderr == ""
    picture = (tmp_path / "new" / "regressions.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000
    squared, absolute = (float(slope) for slope in re.findall(r"error +y = (\S+) x", done.stdout))
    assert abs(absolute - regressions.SLOPE) < 0.1 < 0.5 < abs(squared - regressions.SLOPE)
    assert all(float(share) > 93 for share in re.findall(r"(\S+)% of the training points right", done.stdout))
    losses = [(float(a), float(b)) for a, b in re.findall(r"mean loss (\S+) -> ([\d.]+)", done.stdout)]
    assert len(losses) == 4
    assert all(after < before / 2 for before, after in losses)


def test_descent_by_closed_forms_is_descent_by_autograd(regressions):
    points, classes = regressions.draw_clouds([(-2.0, -1.0), (2.0, -1.0), (0.0, 2.0)], examples=20)
    fit = regressions.descend("softmax", points, classes, steps=30, rate=0.5)
    layer = torch.nn.Linear(2, 3)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), 0.5)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / 30)
    for loss_before in fit.history[:-1]:
        loss = torch.nn.functional.cross_entropy(layer(points), classes)
        assert loss.item() == pytest.approx(loss_before, rel=1e-5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    torch.testing.assert_close(fit.weight, layer.weight.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(fit.bias, layer.bias.detach(), rtol=1e-4, atol=1e-5)


def test_squared_error_reaches_the_least_squares_line(regressions):
    x, y = regressions.draw_line()
    fit = regressions.descend("linear_squared_error", x, y, rate=0.1)
    design = torch.cat([x, torch.ones(len(x), 1)], 1)
    solution = torch.linalg.lstsq(design, y.unsqueeze(1)).solution.flatten()
    torch.testing.assert_close(torch.cat([fit.weight, fit.bias.reshape(1)]), solution, rtol=1e-3, atol=1e-3)


@pytest.fixture(scope="module")
def smote_steps():
    (path,) = [path for path in EXAMPLES if path.stem == "smote_steps"]
    spec = importlib.util.spec_from_file_location("example_smote_steps", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_steps_of_smote_are_printed_and_drawn(tmp_path, smote_steps):
    done = subprocess.run(
        [sys.executable, "-W", "error", smote_steps.__file__, "--out", tmp_path / "new"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stderr == ""
    assert (tmp_path / "new" / "smote_steps.png").read_bytes().startswith(b"\x89PNG")
    assert "class sizes 200 and 14 -> 200 and 200" in done.stdout
    places = re.findall(r"\((\S+), (\S+)\)", done.stdout)
    chosen, *near, partner, new = ([float(number) for number in place] for place in places)
    share = float(re.search(r"lambda = (\S+):", done.stdout)[1])
    assert len(near) == smote_steps.NEIGHBOURS
    assert partner in near
    assert new == pytest.approx([share * a + (1 - share) * b for a, b in zip(chosen, partner, strict=True)], abs=0.02)


def test_a_synthetic_point_lies_between_an_example_and_a_near_one(smote_steps):
    points, classes = smote_steps.draw_clouds()
    rare = points[classes == 1]
    for seed in range(50):
        step = smote_steps.make_point(rare, neighbours=4, seed=seed)
        distances = ((rare - rare[step.chosen]) ** 2).sum(1)
        assert set(step.neighbours) == set(distances.argsort()[1:5])
        assert step.partner in step.neighbours
        assert step.point == pytest.approx(rare[step.partner] + step.share * (rare[step.chosen] - rare[step.partner]))
        assert 0 < step.share < 1
