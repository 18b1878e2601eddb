"""How much does `seqwise serve` hold, beside a FastAPI handler that calls torch and LitServe, and what does overload do?

    SEQWISE_DATA=... python benchmarks/serving.py [--names DIR] [--reviews DIR] [--only ROW ...] [--quick] [--out FOLDER]
    python benchmarks/serving.py --soak-minutes 30

Everything runs on this machine's loopback interface and shares its cores: the servers (only one of which runs at a time,
the others are halted), and one client process (`servers/load.py`). All answer the same texts of the test data with the same
weights, text pipeline and decisions; that their answers agree is checked first. The opponents run with as many threads of
torch as are best for them. Rows:

rate      requests a second with a 99th percentile within the limit (10 ms for names, 100 ms for reviews), arriving at random
          (open loop): found by bisection, then confirmed in rounds in which all servers take turns
latency   median of single requests to an idle server, in turns
overload  ten times the confirmed rate for a minute: refusals must be 429, admitted requests keep their 99th percentile
start     seconds from starting the process to the first answer
soak      --soak-minutes: see servers/soak.py
The step of a stream has a benchmark of its own, stepping.py.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from servers.processes import OURS, Server, ask, load, running

from seqwise.data.catalogue import cache_folder, local_folder
from seqwise.data.tables import open_table
from seqwise.experiments.benchmarks.records import Machine
from seqwise.experiments.benchmarks.timing import Sample

HERE = Path(__file__).resolve().parent
ROWS = ("latency", "rate", "overload", "start")
TEXTS = 2000
CONNECTIONS = 128
TOLERANCE = 2e-5  # of probabilities: float32 sums in another order, written with six digits


@dataclass(frozen=True)
class Model:
    """A model that is served, and the texts that it is asked about."""

    name: str
    recipe: str
    data: str
    column: str
    limit: float  # seconds, of the 99th percentile
    folder: Path = field(default=Path())

    def bodies(self) -> list[str]:
        found = local_folder(self.data)
        if found is None:
            raise SystemExit(f"{self.data} is not on this machine: seqwise data get {self.data}, or set SEQWISE_DATA")
        texts = [text for chunk in open_table(found[1] / "test.parquet").iter_chunks() for text in chunk[self.column]]
        return [json.dumps({"text": text}) for text in texts[:: max(1, len(texts) // TEXTS)][:TEXTS]]


MODELS = (
    Model("names", "names-gender", "names_gender", "name", 0.010),
    Model("reviews", "imdb-lstm", "imdb", "text", 0.100),
)
# Of each opponent: at least, and what is aimed at.
AIMS = {
    ("rate", "names", "plain"): (1.8, 2.4),
    ("rate", "names", "litserve"): (1.5, 3.0),
    ("rate", "reviews", "plain"): (3.0, 6.0),
    ("rate", "reviews", "litserve"): (1.5, 3.0),
    ("latency", "names", "plain"): (1.4, 1.8),
    ("latency", "names", "litserve"): (1.4, 1.8),
    ("latency", "reviews", "plain"): (1.4, 1.8),
    ("latency", "reviews", "litserve"): (1.4, 1.8),
    ("overload", "names", ""): (2.0, 2.0),
    ("overload", "reviews", ""): (2.0, 2.0),
    ("start", "names", ""): (3.0, 1.5),
    ("start", "reviews", ""): (3.0, 1.5),
}


@dataclass(frozen=True)
class Effort:
    """How long and how often things are measured."""

    rounds: int = 5
    seconds: float = 5.0
    probe: float = 3.0
    requests: int = 150  # of a probe, at least
    overload: float = 60.0
    starts: int = 5
    crowd: int = 256  # connections of an overload; what is due while all of them wait for answers is not sent


@dataclass
class Row:
    """One line of the table."""

    row: str
    model: str
    unit: str
    ours: Sample
    theirs_is: str = ""
    theirs: Sample | None = None
    figure: float | None = None
    note: str = ""

    def to_dict(self, machine: dict[str, Any]) -> dict[str, Any]:
        least, aim = AIMS.get((self.row, self.model, self.theirs_is), ("", ""))
        theirs = self.theirs or Sample(float("nan"), float("nan"), float("nan"))
        return {
            "row": self.row,
            "model": self.model,
            "unit": self.unit,
            **{
                f"ours_{name}": f"{value:.4g}"
                for name, value in zip(("median", "p10", "p90"), self.ours[:3], strict=True)
            },
            "theirs_is": self.theirs_is,
            **{
                f"theirs_{name}": f"{value:.4g}"
                for name, value in zip(("median", "p10", "p90"), theirs[:3], strict=True)
            },
            "figure": "" if self.figure is None else f"{self.figure:.3g}",
            "at_least": least,
            "aim": aim,
            "note": self.note,
            **machine,
        }

    def __str__(self) -> str:
        beside = "" if self.theirs is None else f", {self.theirs_is} {self.theirs.median:.4g}"
        figure = "" if self.figure is None else f": {self.figure:.2f}"
        return f"{self.row} {self.model}: seqwise {self.ours.median:.4g}{beside} {self.unit}{figure} {self.note}"


def servers_of(model: Model) -> list[tuple[str, list[str], list[int | None]]]:
    """Name and command of each, and the numbers of threads with which it is tried: ours has its default."""
    served = [*OURS, f"{model.name}={model.folder}", "--port", "PORT", "--quiet"]
    return [
        ("seqwise", served, [None]),
        ("plain", [str(HERE / "servers/plain.py"), str(model.folder), "PORT"], [None, 1]),
        ("litserve", [str(HERE / "servers/lit.py"), str(model.folder), "PORT"], [None, 1]),
    ]


def check_answers(servers: Sequence[Server], bodies: Sequence[str]) -> None:
    """All give the same answers, or nothing is timed."""
    for body in bodies[:20]:
        answers = []
        for server in servers:
            server.resume()
            status, answer = ask(server.port, "/predict", json.loads(body))
            server.halt()
            assert status == 200, (server.name, status, answer)
            answers.append(answer)
        for server, answer in zip(servers[1:], answers[1:], strict=True):
            off = max(abs(answer["probabilities"][name] - p) for name, p in answers[0]["probabilities"].items())
            assert off < TOLERANCE, (server.name, answer, answers[0])
            assert answer["label"] == answers[0]["label"], (server.name, answer, answers[0])


def latencies(servers: Sequence[Server], bodies: Sequence[str], effort: Effort) -> dict[str, list[float]]:
    """Medians of single requests in milliseconds, one of each round."""
    found: dict[str, list[float]] = {server.name: [] for server in servers}
    for turn in range(effort.rounds):
        for k in range(len(servers)):
            server = servers[(k + turn) % len(servers)]
            result = load(server, bodies, effort.probe, connections=1, pause=0.005, seed=turn)
            found[server.name].append(1000 * result["p50"])
    return found


def holds(result: dict[str, Any], limit: float, seconds: float) -> bool:
    """Whether all requests were answered in time, and as many as were due."""
    good = set(result["statuses"]) <= {"200"} and not result["unanswered"]
    return good and result["p99"] <= limit and result["rate"] * seconds >= 0.97 * result["due"]


def probe(server: Server, bodies: Sequence[str], rate: float, seconds: float, seed: int) -> dict[str, Any]:
    return load(server, bodies, seconds, connections=CONNECTIONS, rate=rate, seed=seed, patience=3.0)


def find_rate(server: Server, bodies: Sequence[str], limit: float, effort: Effort) -> float:
    """About the highest rate that a server holds: bisection between nothing and what it answers at most."""
    most = load(server, bodies, effort.probe, connections=32)["rate"]
    low, high = 0.0, 1.15 * most
    for number in range(7):
        rate = (low + high) / 2 if number else 0.7 * high
        seconds = min(8.0, max(effort.probe, effort.requests / rate))
        if holds(probe(server, bodies, rate, seconds, number), limit, seconds):
            low = rate
        else:
            high = rate
        if high - low < 0.05 * high or high < most / 30:
            break
    return low or high / 2


def confirmed_rates(
    servers: Sequence[Server], bodies: Sequence[str], limit: float, effort: Effort
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """The rate of each server that most of its rounds hold, and the 99th percentiles in seconds of these rounds."""
    rates = {server.name: find_rate(server, bodies, limit, effort) for server in servers}
    results: dict[str, list[float]] = {}
    todo = list(servers)
    for _ in range(4):
        tried: dict[str, list[bool]] = {server.name: [] for server in todo}
        results |= {server.name: [] for server in todo}
        for turn in range(effort.rounds):
            for k in range(len(todo)):
                server = todo[(k + turn) % len(todo)]
                rate = rates[server.name]
                seconds = min(8.0, max(effort.seconds, effort.requests / rate))
                result = probe(server, bodies, rate, seconds, 100 + turn)
                results[server.name].append(result["p99"])
                tried[server.name].append(holds(result, limit, seconds))
        todo = [server for server in todo if 2 * sum(tried[server.name]) <= effort.rounds]
        if not todo:
            break
        for server in todo:
            rates[server.name] *= 0.9
    return rates, results


def overload(server: Server, bodies: Sequence[str], rate: float, held: float, effort: Effort) -> tuple[float, str]:
    """99th percentile of what is admitted under ten times the load by that of the load it holds; and what happened."""
    seconds = effort.overload
    result = load(server, bodies, seconds, connections=effort.crowd, rate=10 * rate, shed=True)
    others = {status: n for status, n in result["statuses"].items() if status not in ("200", "429")}
    answered = result["statuses"].get("200", 0)
    server.resume()
    status, _ = ask(server.port, "/predict", json.loads(bodies[0]))
    server.halt()
    note = (
        f"{result['due'] / seconds:.0f}/s due, {result['shed'] / seconds:.0f}/s of them found no connection free; "
        f"{answered / seconds:.0f}/s answered, {result['statuses'].get('429', 0) / seconds:.0f}/s got 429, "
        f"other statuses {others or 'none'}, p99 {1000 * result['p99']:.1f} ms; afterwards {status}"
    )
    good = server.alive and not others and not result["unanswered"] and status == 200
    return result["p99"] / held, note if good else f"FAILED: {note}"


def measure(model: Model, rows: Sequence[str], effort: Effort) -> Iterator[Row]:
    bodies = model.bodies()
    if "start" in rows:
        name, command, _ = servers_of(model)[0]
        seconds = []
        for _ in range(effort.starts + 1):
            server = Server(name, command, json.loads(bodies[0]))
            seconds.append(server.seconds_to_answer)
            server.stop()
        yield Row("start", model.name, "s", Sample.of(seconds[1:]), figure=median(seconds[1:]))
    if not set(rows) & {"latency", "rate", "overload"}:
        return
    with running(servers_of(model), bodies, effort.probe) as servers:
        check_answers(servers, bodies)
        kept = {server.name: f"{server.threads or 'default'} threads" for server in servers}
        if "latency" in rows:
            found = latencies(servers, bodies, effort)
            for server in servers[1:]:
                ratio = median(a / b for a, b in zip(found[server.name], found["seqwise"], strict=True))
                ours, theirs = Sample.of(found["seqwise"]), Sample.of(found[server.name])
                yield Row("latency", model.name, "ms", ours, server.name, theirs, ratio, kept[server.name])
        if not set(rows) & {"rate", "overload"}:
            return
        asked = servers if "rate" in rows else servers[:1]
        rates, p99s = confirmed_rates(asked, bodies, model.limit, effort)
        for server in asked[1:]:
            ours, theirs = Sample.of([rates["seqwise"]]), Sample.of([rates[server.name]])
            shown = ", ".join(f"{name} {1000 * median(p99s[name]):.1f}" for name in ("seqwise", server.name))
            ratio = rates["seqwise"] / rates[server.name]
            note = f"p99 of {effort.rounds} rounds, ms: {shown}; {kept[server.name]}"
            yield Row("rate", model.name, "requests/s", ours, server.name, theirs, ratio, note)
        if "overload" in rows:
            held = median(p99s["seqwise"])
            ratio, note = overload(servers[0], bodies, rates["seqwise"], held, effort)
            yield Row("overload", model.name, "p99 ratio", Sample.of([ratio]), figure=ratio, note=note)


def with_folders(given: dict[str, Path | None]) -> list[Model]:
    """The models with their folders; those that are not given are trained once, by `seqwise reproduce`."""
    found = []
    for model in MODELS:
        folder = given[model.name] or cache_folder().parent / "benchmarks" / model.recipe
        if not (folder / "config.json").exists():
            from seqwise.experiments.recipes import ReproductionRequest, reproduce

            print(f"training {model.recipe} into {folder}, once", file=sys.stderr)
            reproduce(ReproductionRequest(name=model.recipe, folder=folder))
        found.append(Model(model.name, model.recipe, model.data, model.column, model.limit, folder.resolve()))
    return found


def write(rows: Sequence[dict[str, Any]], folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(folder / f"{name}.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=Path, help="folder of names-gender; trained if it is not given")
    parser.add_argument("--reviews", type=Path, help="folder of imdb-lstm; trained if it is not given")
    parser.add_argument("--models", nargs="+", choices=[model.name for model in MODELS], default=[])
    parser.add_argument("--only", nargs="+", choices=ROWS, default=[])
    parser.add_argument("--rounds", type=int, default=Effort.rounds)
    parser.add_argument("--crowd", type=int, default=Effort.crowd, help="connections of the overload")
    parser.add_argument("--soak-minutes", type=float, default=0.0)
    parser.add_argument("--quick", action="store_true", help="does it run?")
    parser.add_argument("--out", type=Path, help="folder for the results; benchmarks/results for a whole run")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped
    models = with_folders({"names": options.names, "reviews": options.reviews})
    machine = asdict(Machine.here(os.cpu_count() or 1)) | {
        package: version(package) for package in ("fastapi", "uvicorn", "litserve")
    }
    if options.soak_minutes:
        from servers.soak import soak

        row, samples = soak([(model.name, model.folder, model.bodies()) for model in models], options.soak_minutes)
        folder = options.out or HERE / "results"
        write([row | machine], folder, "serving_soak")
        write(samples, folder, "serving_soak_memory")
        sys.exit(0 if row["good"] else 1)
    effort = Effort(rounds=options.rounds, crowd=options.crowd)
    if options.quick:
        effort = Effort(rounds=1, seconds=1.0, probe=1.0, requests=10, overload=3.0, starts=1)
    found: list[Row] = []
    for model in models:
        if options.models and model.name not in options.models:
            continue
        for row in measure(model, options.only or ROWS, effort):
            print(row, flush=True)
            found.append(row)
    partial = options.only or options.models or options.quick
    folder = options.out or (None if partial else HERE / "results")
    if folder:
        write([row.to_dict(machine) for row in found], folder, "serving")
    sys.exit(1 if any(row.note.startswith("FAILED") for row in found) else 0)


if __name__ == "__main__":
    main()
