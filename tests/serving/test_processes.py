"""The program: how it starts, survives the death of a worker, and stops."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from live_server import PROGRAM, program, wait_until

from saved_toy import save_toy

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks up processes in /proc")


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "toy"
    save_toy(path)
    return path


def said_at_start(*arguments):
    """Exit code and words of a server that cannot start."""
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, "serve", *map(str, arguments)], capture_output=True, text=True, timeout=300
    )
    assert "Serving" not in found.stderr
    assert "Traceback" not in found.stderr
    return found.returncode, found.stderr.strip()


def taken_port():
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return taken


def test_a_taken_port_is_one_sentence(toy):
    with taken_port() as taken:
        port = taken.getsockname()[1]
        code, said = said_at_start(toy, "--port", port)
    assert (code, said) == (
        2,
        f"Error: port {port} of 127.0.0.1 is in use: stop what listens there, or give another --port",
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_damaged_folder_is_one_sentence(toy, tmp_path, workers):
    save_toy(tmp_path / "damaged")
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"no")
    code, said = said_at_start(toy, tmp_path / "damaged", "--port", 0, "--workers", workers)
    assert code == 2
    assert said.splitlines()[-1].startswith("Error: ")
    assert "model.safetensors is damaged" in said


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nowhere"], "there is no model folder nowhere"),
        (["nowhere", "--workers", "2"], "there is no model folder nowhere"),
        (["TOY", "--device", "cuda:99"], "device"),
        (["TOY", "--host", "no.such.host.invalid"], "--host no.such.host.invalid: there is no such address"),
        (["TOY", "--port", "70000"], "--port"),
        (["TOY", "--timeout-s", "0"], "--timeout-s"),
        (["TOY", "--max-wait-ms", "nan"], "--max-wait-ms"),
        (["TOY", "--on-long", "cut"], "--on-long"),
        (["TOY", "--max-queue", "0"], "--max-queue"),
        (["TOY", "TOY"], "two models have the name"),
        (["TOY", "--api-key-file", "nowhere"], "the file of keys nowhere cannot be read"),
    ],
)
def test_what_cannot_start_says_why_in_a_sentence(toy, tmp_path, monkeypatch, arguments, word):
    monkeypatch.chdir(tmp_path)
    code, said = said_at_start(*(str(toy) if one == "TOY" else one for one in arguments))
    assert code == 2
    assert word in said


def test_without_the_extra_it_says_how_to_install_it(toy):
    hidden = "import sys; sys.modules['uvicorn'] = None; " + PROGRAM
    found = subprocess.run(
        [sys.executable, "-c", hidden, "serve", str(toy)], capture_output=True, text=True, timeout=300
    )
    assert found.returncode == 2
    assert found.stderr.strip() == "Error: serving needs uvicorn: pip install 'seqwise[serve]'"


@contextlib.contextmanager
def asking(url, clients=3):
    """Clients that ask with a new connection each time; yields (began, status or kind of error)."""
    found, ended = [], threading.Event()

    def ask():
        while not ended.is_set():
            began = time.monotonic()
            try:
                got = httpx.post(url + "/predict", json={"text": "the cat sat"}, timeout=20).status_code
            except httpx.HTTPError as error:
                got = type(error).__name__
            found.append((began, got))

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        ended.set()
        for thread in threads:
            thread.join(60)


def answers(url):
    return httpx.post(url + "/predict", json={"text": "no"}, timeout=60).status_code == 200


def total(url):
    lines = httpx.get(url + "/metrics", timeout=60).text.splitlines()
    name = 'seqwise_answers_total{model="toy",verb="predict"}'
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_a_killed_worker_comes_back_and_the_server_goes_on_answering(toy):
    with program(f"toy={toy}", "--workers", "2", "--quiet") as server:
        first = set(server.children)
        assert len(first) == 2
        for _ in range(10):
            assert answers(server.url)
        assert total(server.url) == 10
        killed = min(first)
        with asking(server.url, clients=2) as found:
            wait_until(lambda: len(found) >= 10)
            os.kill(killed, signal.SIGKILL)
            at = time.monotonic()
            wait_until(lambda: len(set(server.children) - {killed}) == 2)
            wait_until(lambda: len([one for one in found if one[0] > at + 1]) >= 10)
        # Of those under way in the process that was killed nobody can know any more; whoever came later is answered.
        assert {got for began, got in found if began > at + 1} == {200}
        assert sum(got != 200 for _, got in found) <= 2
        assert total(server.url) >= 10 + sum(got == 200 for _, got in found) - 2
        assert any("a worker has died" in line["message"] for line in server.lines)
        workers = server.children
        assert server.stop() == 0
        assert not any(alive(number) for number in workers)


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_it_answers_what_it_has_begun(toy, workers, sig):
    with program(f"toy={toy}", "--workers", workers, "--quiet", "--max-inputs", "100000") as server:
        body = json.dumps({"inputs": ["a dog ran far away"] * 30_000}).encode()
        with ThreadPoolExecutor(1) as pool:
            begun = pool.submit(httpx.post, server.url + "/batch_predict", content=body, timeout=60)
            wait_until(lambda: total(server.url))
            # A terminal sends Ctrl-C to all processes of the group.
            (os.killpg if sig == signal.SIGINT else os.kill)(server.process.pid, sig)
            answered = begun.result()
        assert answered.status_code == 200
        assert len(answered.json()["predictions"]) == 30_000
        assert server.process.wait(120) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(server.url + "/models")


def test_what_comes_while_it_stops_is_refused_with_503(toy):
    with program(f"toy={toy}", "--quiet", "--max-inputs", "100000") as server:
        body = json.dumps({"inputs": ["a dog ran far away"] * 40_000}).encode()
        with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=server.url, timeout=60) as client:
            assert client.get("/models").status_code == 200
            begun = pool.submit(httpx.post, server.url + "/batch_predict", content=body, timeout=60)
            wait_until(lambda: total(server.url))
            os.kill(server.process.pid, signal.SIGTERM)
            wait_until(lambda: client.get("/models").status_code == 503)
            late = [client.post("/predict", json={"text": "no"}) for _ in range(2)]
            assert begun.result().status_code == 200
        assert [one.status_code for one in late] == [503, 503]
        assert late[0].headers["connection"] == "close"
        assert server.process.wait(120) == 0


def test_no_request_is_lost_when_it_is_stopped_under_load(toy):
    with program(f"toy={toy}", "--quiet") as server:
        with asking(server.url) as found:
            wait_until(lambda: len(found) >= 20)
            time.sleep(1)
            at = time.monotonic()
            assert server.stop() == 0
        assert {got for began, got in found if began < at - 0.5} == {200}
        assert {got for _, got in found} <= {200, 503, "ConnectError", "ReadError", "RemoteProtocolError"}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_told_twice_it_ends_at_once(toy, workers):
    with program(
        f"toy={toy}", "--workers", workers, "--quiet", "--max-inputs", "1000000", "--max-body", "100000000"
    ) as server:
        body = json.dumps({"inputs": ["a dog ran far away"] * 100_000}).encode()
        with ThreadPoolExecutor(1) as pool:
            begun = pool.submit(httpx.post, server.url + "/batch_predict", content=body, timeout=60)
            wait_until(lambda: total(server.url))
            os.kill(server.process.pid, signal.SIGINT)
            wait_until(lambda: httpx.get(server.url + "/models", timeout=60).status_code == 503)
            began = time.monotonic()
            os.kill(server.process.pid, signal.SIGINT)
            assert server.process.wait(60) == 130
            assert time.monotonic() - began < 20  # the rest of it would take longer
            assert begun.exception() is not None


def alive(number):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{number}/stat").read_text().split()[2] != "Z"
    return False


def test_workers_end_when_their_supervisor_is_killed(toy):
    with program(f"toy={toy}", "--workers", "2", "--quiet") as server:
        workers = server.children
        server.process.kill()
        server.process.wait(10)
        wait_until(lambda: not any(alive(number) for number in workers))


def test_the_real_port_is_said_and_nothing_is_left_behind(toy):
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        program(f"toy={toy}", "--workers", "2", TMPDIR=folder) as server,
    ):
        assert not server.url.endswith(":0")
        assert answers(server.url)
        assert list(Path(folder).glob("seqwise-serve-*/worker-*.sock"))
        assert server.stop() == 0
        assert not list(Path(folder).iterdir())
    requests = [line for line in server.lines if line["message"] == "request"]
    assert [(line["path"], line["status"]) for line in requests] == [("/predict", 200)]


def test_a_temporary_folder_with_a_long_path_is_no_obstacle(toy, tmp_path):
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    with program(f"toy={toy}", "--workers", "2", "--quiet", TMPDIR=str(deep)) as server:
        assert answers(server.url)
        assert server.stop() == 0
    assert not list(deep.iterdir())


def test_every_address_of_a_name_is_listened_on(toy):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("there is no IPv6")
    with program(f"toy={toy}", "--host", "localhost", "--quiet") as server:
        said = next(line for line in server.said if "Serving" in line)
        for url in [word for word in said.split() if word.startswith("http://")]:
            assert answers(url)
