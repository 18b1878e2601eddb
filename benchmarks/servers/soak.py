"""A server under mixed load for a long time: does its memory stay flat, and does nothing go wrong?

Three models are served: the two of the benchmark, and a causal LSTM with random weights for streams. All at the same time
come single predictions of both models, batch requests, explanations, traces, requests that are wrong in every known way,
clients that go away before their answer, and 200 sessions that are opened, fed over HTTP or a WebSocket, saved and closed,
again and again. Every status is counted; what is not the expected one is an error.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import websockets
from servers.processes import OURS, Server

SESSIONS = 200
SAMPLE_S = 5.0
WARM_UP = 1 / 6  # of the whole time
FLAT = 1.05
# Requests a second of each kind, beside the sessions.
PACE = {"names": 40.0, "reviews": 4.0, "batches": 1.0, "explanations": 0.5, "traces": 0.5, "wrong": 4.0, "gone": 1.0}
STEPS_PER_S = 60.0  # of all sessions together


def write_stream_model(folder: Path) -> None:
    """A causal model of characters with random weights, as a folder."""
    import torch

    from seqwise.models import ModelSettings, SequenceModel, TextFeatures
    from seqwise.prediction import write_folder
    from seqwise.text import TextSettings

    text = TextSettings(unit="characters", min_count=1)
    settings = ModelSettings(
        architecture="recurrent",
        cell="lstm",
        bidirectional=False,
        hidden_size=128,
        embedding_size=32,
        pooling="last+mean",
    )
    features = TextFeatures(text, settings)
    features.fit_encode(["abcdefghijklmnopqrstuvwxyz .,"])
    torch.manual_seed(0)
    module = SequenceModel(settings, vocabulary_size=features.vocabulary_size, ngrams=0, classes=3)
    write_folder(
        folder,
        config={
            "task": "classify",
            "estimator": "SequenceClassifier",
            "unit": "characters",
            "settings": {"text": text.model_dump(), "model": settings.model_dump(), "data": {"text": "text"}},
        },
        weights=module.state_dict(),
        vocabulary=features.to_dict(),
        labels={"classes": ["a", "b", "c"], "counts": [1, 1, 1], "priors": [1 / 3, 1 / 3, 1 / 3], "thresholds": None,
                "positive": None, "calibration": None},
    )  # fmt: skip


class Clients:
    """All that asks.

    Args:
        port: of the server.
        texts: of the two models.
    """

    def __init__(self, port: int, texts: dict[str, list[str]]) -> None:
        limits = httpx.Limits(max_connections=300, max_keepalive_connections=100)
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=60, trust_env=False)
        self.port, self.texts, self.random = port, texts, random.Random(0)
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()

    async def ask(self, kind: str, path: str, body: Any, expected: Sequence[int] = (200,)) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await self.client.post(path, content=content, headers={"Content-Type": "application/json"})
        self.note(kind, answer.status_code, expected, answer.text)
        return answer

    def note(self, kind: str, status: int, expected: Sequence[int], text: str = "") -> None:
        self.counts[f"{kind} {status}"] += 1
        if status not in expected:
            self.errors[f"{kind}: {status} {text[:200]}"] += 1

    def text(self, model: str) -> str:
        return self.random.choice(self.texts[model])

    async def names(self) -> None:
        await self.ask("names", "/predict", {"model": "names", "text": self.text("names")})

    async def reviews(self) -> None:
        await self.ask("reviews", "/predict", {"model": "reviews", "text": self.text("reviews")})

    async def batches(self) -> None:
        several = [self.text("names") for _ in range(self.random.randint(1, 300))]
        await self.ask("batches", "/batch_predict", {"model": "names", "inputs": several})

    async def explanations(self) -> None:
        method = self.random.choice(["integrated_gradients", "occlusion", "gradient_x_input"])
        await self.ask("explanations", "/explain", {"model": "names", "text": self.text("names"), "method": method})

    async def traces(self) -> None:
        await self.ask("traces", "/trace", {"model": "stream", "text": "some text or other"})

    async def wrong(self) -> None:
        path, body, expected = self.random.choice(
            [
                ("/predict", b"{", 422),
                ("/predict", {"model": "names"}, 422),
                ("/predict", {"model": "names", "text": "a", "more": 1}, 422),
                ("/predict", {"model": "nobody", "text": "a"}, 404),
                ("/predict", {"model": "names", "text": "a" * 20_000}, 413),
                ("/predict", b"[" * 10_000, 422),
                ("/predict", random.randbytes(100), 422),
                ("/nothing", {}, 404),
                ("/sessions/000000/step", {"input": "a"}, 404),
            ]
        )
        await self.ask("wrong", path, body, (expected,))

    async def gone(self) -> None:
        """A client that does not wait."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        content = json.dumps({"model": "reviews", "text": self.text("reviews")}).encode()
        writer.write(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
        await writer.drain()
        writer.close()
        self.counts["gone"] += 1

    async def session(self, until: float) -> None:
        """Sessions, one after the other."""
        pause = SESSIONS / STEPS_PER_S
        while time.monotonic() < until:
            answer = await self.ask("open", "/sessions", {"model": "stream"}, (201,))
            if answer.status_code != 201:
                await asyncio.sleep(1)
                continue
            key = answer.json()["session"]
            steps = self.random.randint(1, 20)
            if self.random.random() < 0.5:
                await self.follow(key, steps, pause, until)
            else:
                for _ in range(steps):
                    await self.ask("step", f"/sessions/{key}/step", {"input": self.random.choice("abc xyz")})
                    await asyncio.sleep(min(pause * self.random.random() * 2, max(0.0, until - time.monotonic())))
            state = await self.client.get(f"/sessions/{key}/state")
            self.note("state", state.status_code, (200,), state.text[:200])
            ended = await self.client.delete(f"/sessions/{key}")
            self.note("delete", ended.status_code, (204,), ended.text)

    async def follow(self, key: str, steps: int, pause: float, until: float) -> None:
        async with websockets.connect(f"ws://127.0.0.1:{self.port}/sessions/{key}/stream", proxy=None) as stream:
            for _ in range(steps):
                await stream.send(json.dumps({"input": self.random.choice("abc xyz")}))
                answer = json.loads(await stream.recv())
                self.note("websocket", 200 if "steps" in answer else 500, (200,), str(answer))
                await asyncio.sleep(min(pause * self.random.random() * 2, max(0.0, until - time.monotonic())))

    async def steadily(self, name: str, rate: float, until: float) -> None:
        """Ask at random times, whatever becomes of the requests before."""
        tasks: set[asyncio.Task[None]] = set()
        act: Callable[[], Awaitable[None]] = getattr(self, name)
        while time.monotonic() < until:
            await asyncio.sleep(self.random.expovariate(rate))
            task = asyncio.ensure_future(self.guarded(name, act()))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    async def guarded(self, name: str, act: Awaitable[None]) -> None:
        try:
            await act
        except Exception as error:
            self.errors[f"{name}: {type(error).__name__} {error}"[:200]] += 1


async def run(server: Server, texts: dict[str, list[str]], seconds: float) -> tuple[Clients, list[dict[str, Any]]]:
    clients = Clients(server.port, texts)
    await clients.explanations()  # whoever asks first waits for PyTorch
    await clients.traces()
    begin = time.monotonic()
    until = begin + seconds
    samples: list[dict[str, Any]] = []

    async def watch() -> None:
        while (now := time.monotonic()) < until:
            sample = {"seconds": round(now - begin, 1), "resident_mb": round(server.memory() / 1e6, 2)}
            samples.append(sample | {"answers": sum(clients.counts.values()), "errors": sum(clients.errors.values())})
            if len(samples) % 12 == 1:
                print(*(f"{name} {value}" for name, value in samples[-1].items()), file=sys.stderr, flush=True)
            await asyncio.sleep(min(SAMPLE_S, seconds / 20))

    async def start(number: int) -> None:
        await asyncio.sleep(number * min(seconds / 10, 30) / SESSIONS)
        await clients.guarded("session", clients.session(until))

    await asyncio.gather(
        watch(), *(clients.steadily(name, rate, until) for name, rate in PACE.items()), *map(start, range(SESSIONS))
    )
    await clients.client.aclose()
    return clients, samples


def soak(models: Sequence[tuple[str, Path, list[str]]], minutes: float) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run it, and say how it went.

    Args:
        models: name, folder and bodies of requests of "names" and "reviews".
        minutes: how long.

    Returns:
        The row of the table, and the samples of memory.
    """
    texts = {name: [json.loads(body)["text"] for body in bodies] for name, _, bodies in models}
    with tempfile.TemporaryDirectory() as folder:
        write_stream_model(Path(folder) / "stream")
        served = [f"{name}={path}" for name, path, _ in models] + [f"stream={Path(folder) / 'stream'}"]
        question = {"model": "names", "text": texts["names"][0]}
        server = Server("seqwise", [*OURS, *served, "--port", "PORT", "--quiet"], question)
        try:
            clients, samples = asyncio.run(run(server, texts, 60 * minutes))
            alive = server.alive
        finally:
            server.stop()
    warm = [sample["resident_mb"] for sample in samples if sample["seconds"] >= WARM_UP * 60 * minutes]
    growth = max(warm) / warm[0]
    errors = sum(clients.errors.values())
    for error, count in clients.errors.most_common(20):
        print(f"{count} x {error}", file=sys.stderr)
    row = {
        "row": "soak",
        "minutes": minutes,
        "answers": sum(clients.counts.values()),
        "errors": errors,
        "resident_mb_warm": warm[0],
        "resident_mb_most": max(warm),
        "resident_mb_last": warm[-1],
        "growth": round(growth, 4),
        "most_growth": FLAT,
        "good": alive and not errors and growth <= FLAT,
        "counts": json.dumps(dict(sorted(clients.counts.items()))),
    }
    print(row)
    return row, samples
