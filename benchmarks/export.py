"""How large and how quick is an exported model's runtime, beside the folder that it was made from?

Exports a model folder, makes a virtual environment with what the exported folder's requirements.txt names and seqwise
without its other dependencies, and asks both models the same texts: installed size, seconds until the first answer,
milliseconds of one text, texts a second, and how far the probabilities are apart.

    python benchmarks/export.py MODEL [--text TEXT ...] [--repeats 5] [--csv FILE]

The package index must be reachable. Everything is made in a temporary folder and removed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from seqwise.experiments.benchmarks.records import find_commit, find_device
from seqwise.export.onnx_export import export_onnx

ROOT = Path(__file__).resolve().parent.parent
TEXT = "what a film"
HEAVY = ("torch", "llvmlite", "sklearn", "scipy", "pyarrow", "pandas")
PROBE = """
import json, statistics, sys, time
begin = time.perf_counter()
from seqwise.prediction import Predictor
imported = time.perf_counter()
predictor = Predictor.load(sys.argv[1])
loaded = time.perf_counter()
texts = json.loads(sys.argv[2])
probabilities = predictor.predict_proba(texts).tolist()
first = time.perf_counter()
def seconds(given, times):
    found = []
    for _ in range(times):
        start = time.perf_counter()
        predictor.predict_proba(given)
        found.append(time.perf_counter() - start)
    return statistics.median(found)
single = seconds(texts[:1], 200)
many = texts * (256 // len(texts) + 1)
batch = seconds(many[:256], 10)
print(json.dumps({
    "import_s": imported - begin, "load_s": loaded - imported, "first_answer_s": first - begin,
    "single_ms": 1000 * single, "texts_per_s": 256 / batch, "probabilities": probabilities,
    "heavy": [name for name in HEAVY if name in sys.modules],
}))
""".replace("HEAVY", repr(HEAVY))
SIZES = """
import json
from importlib.metadata import distributions
sizes = {}
for of in distributions():
    files = [of.locate_file(file) for file in of.files or ()]
    sizes[of.metadata["Name"]] = sum(file.stat().st_size for file in files if file.is_file())
print(json.dumps({name: size for name, size in sizes.items() if name not in ("pip", "setuptools")}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--text", action="append", help="may be repeated")
    parser.add_argument("--repeats", type=int, default=5, help="processes of which the median is printed")
    parser.add_argument("--csv", type=Path, help="write the figures there too")
    given = parser.parse_args()
    texts = json.dumps(given.text or [TEXT])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        outcomes = {"exported": export_onnx(given.model, folder / "exported")}
        outcomes["exported, int8"] = export_onnx(given.model, folder / "int8", int8=True)
        for outcome in outcomes.values():
            print("\n".join(outcome.lines()[:2]))
        python = make_environment(folder / "environment", folder / "exported" / "requirements.txt")
        small = json.loads(run(python, SIZES))
        print_sizes(small, full_sizes())
        sides = {
            "model folder": (Path(sys.executable), given.model),
            "exported": (python, folder / "exported"),
            "exported, int8": (python, folder / "int8"),
        }
        rows = [measure(name, *side, texts, given.repeats) for name, side in sides.items()]
    print_rows(rows)
    if given.csv:
        write(given.csv, given.model.name, rows, sum(small.values()))


def make_environment(path: Path, requirements: Path) -> Path:
    """Make a virtual environment with the exported model's runtime and return its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", path], check=True)
    python = path / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", requirements], check=True)
    sources = path.with_name("sources")  # building leaves files behind
    shutil.copytree(ROOT / "src" / "seqwise", sources / "src" / "seqwise", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    subprocess.run([*pip, "--no-deps", sources], check=True)
    return python


def run(python: Path, code: str, *arguments: str) -> str:
    """What a program prints; it runs outside this folder, so that the installed package is the one that is found."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-c", code, *arguments], capture_output=True, text=True, cwd=tempfile.gettempdir(), env=environment
    )
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def full_sizes() -> dict[str, int]:
    """Bytes of seqwise's dependencies here, and of theirs."""
    import re

    sizes: dict[str, int] = {}
    waiting = ["seqwise"]
    while waiting:
        name = waiting.pop()
        try:
            of = distribution(name)
        except PackageNotFoundError:
            continue
        if of.metadata["Name"] in sizes:
            continue
        files = [Path(str(of.locate_file(file))) for file in of.files or ()]
        sizes[of.metadata["Name"]] = sum(file.stat().st_size for file in files if file.is_file())
        needed = [line for line in of.requires or () if "extra ==" not in line]
        waiting += [re.split(r"[\s<>=!~;\[(]", line, maxsplit=1)[0] for line in needed]
    return sizes


def print_sizes(small: dict[str, int], full: dict[str, int]) -> None:
    print(f"\nInstalled for an exported model: {sum(small.values()) / 1e6:,.0f} MB in {len(small)} packages")
    for name, size in sorted(small.items(), key=lambda item: -item[1])[:8]:
        print(f"  {name:20} {size / 1e6:8,.1f} MB")
    print(f"Installed for training: {sum(full.values()) / 1e6:,.0f} MB in {len(full)} packages")


def measure(name: str, python: Path, folder: Path, texts: str, repeats: int) -> dict[str, object]:
    """The medians of some processes."""
    found, commands = [], []
    command = [str(python.with_name("seqwise")), "predict", str(folder), json.loads(texts)[0]]
    run(python, PROBE, str(folder), texts)  # byte code is written, files are in memory
    for _ in range(repeats):
        found.append(json.loads(run(python, PROBE, str(folder), texts)))
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=tempfile.gettempdir())
        commands.append(time.perf_counter() - begin)
    names = ("import_s", "load_s", "first_answer_s", "single_ms", "texts_per_s")
    medians = {key: statistics.median(of[key] for of in found) for key in names}
    return {"model": name, **found[0], **medians, "command_s": statistics.median(commands)}


def print_rows(rows: list[dict[str, object]]) -> None:
    import numpy as np

    print(f"\n{'':16} import s  load s  first answer s  command s  one text ms  texts/s  apart     loaded")
    expected = np.array(rows[0]["probabilities"])
    for row in rows:
        row["apart"] = float(np.abs(np.array(row["probabilities"]) - expected).max())
        print(
            f"{row['model']:16} {row['import_s']:8.2f} {row['load_s']:7.2f} {row['first_answer_s']:15.2f} "
            f"{row['command_s']:10.2f} {row['single_ms']:12.2f} {row['texts_per_s']:8,.0f}  {row['apart']:.1e}  "
            f"{', '.join(row['heavy']) or 'nothing heavy'}"
        )


def write(path: Path, model: str, rows: list[dict[str, object]], installed: int) -> None:
    columns = ["import_s", "load_s", "first_answer_s", "command_s", "single_ms", "texts_per_s", "apart"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["of", "side", *columns, "runtime_bytes", "device", "commit"])
        for row in rows:
            figures = [f"{row[name]:.4g}" for name in columns]
            writer.writerow([model, row["model"], *figures, installed, find_device(), find_commit()])


if __name__ == "__main__":
    main()
