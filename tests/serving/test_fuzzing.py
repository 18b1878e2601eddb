"""Whatever is sent, the answer is an answer or a problem of the client's, never one of the server's.

`SEQWISE_FUZZ=10000 pytest tests/serving/test_fuzzing.py` sends so many bodies, and `SEQWISE_FUZZ_MODELS=DIR:DIR` to these
models rather than to small ones of every task.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from itertools import islice
from pathlib import Path

import httpx
from fuzzed_bodies import fuzzed_bodies
from live_server import problem_of, serving

BODIES = int(os.environ.get("SEQWISE_FUZZ", "600"))
MODELS = [Path(path) for path in os.environ.get("SEQWISE_FUZZ_MODELS", "").split(os.pathsep) if path]
GOOD = (200, 201)


def not_json(constant):
    raise AssertionError(f"{constant} is no JSON")


def requests(models):
    """Paths that take a body, each with bodies that it may have."""
    found = {}
    for told in models:
        one = {"model": told["name"], **told["example"]}
        if told["task"] == "classify":
            share = 1 / len(told["classes"])
            options = {"priors": dict.fromkeys(told["classes"], share), "abstain_below": 0.5}
            found.setdefault("/predict", []).append({**one, **options})
        for verb in told["verbs"]:
            found.setdefault(f"/{verb}", []).append(one)
        if "predict" in told["verbs"]:
            found.setdefault("/batch_predict", []).append({"model": told["name"], "inputs": [told["example"]] * 2})
        if told["streams"]:
            found.setdefault("/sessions", []).append({"model": told["name"]})
        infer = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}
        found.setdefault(f"/v2/models/{told['name']}/infer", []).append(infer)
    if "/generate" in found:
        found["/generate"] = [
            {**one, "max_tokens": 3, "stream": stream} for one in found["/generate"] for stream in (True, False)
        ]
    return found


def test_bodies_of_all_kinds_get_an_answer_or_a_problem_of_the_client(folders):
    folders = {path.name: path for path in MODELS} or folders
    seen = Counter()
    with (
        serving(folders, timeout_s=60, max_sessions=40) as server,
        httpx.Client(base_url=server.url, timeout=90) as client,
    ):
        models = client.get("/models").json()["models"]
        paths = requests(models)
        for told in models:
            if told["streams"]:
                session = client.post("/sessions", json={"model": told["name"]}).json()["session"]
                paths[f"/sessions/{session}/step"] = [{"input": "a"}, {"inputs": ["a", "b"]}, {"input": [0.5] * 3}]
        share = BODIES / sum(len(examples) for examples in paths.values())
        for number, (path, examples) in enumerate(paths.items()):
            for body in islice(fuzzed_bodies(examples, seed=number), math.ceil(share * len(examples))):
                response = client.post(path, content=body)
                seen[path, response.status_code] += 1
                if response.status_code in GOOD:
                    if response.headers["content-type"].startswith("application/json"):
                        json.loads(response.content, parse_constant=not_json)
                else:
                    assert 400 <= response.status_code < 500, (path, body[:2000], response.text)
                    problem_of(response, *(["error"] if path.startswith("/v2") else []))
    print("\n".join(f"{path} {status}: {times}" for (path, status), times in sorted(seen.items())))
    assert sum(seen.values()) >= BODIES
    assert any(status in GOOD for _, status in seen)
