"""The Dockerfile without an engine: what it copies, installs and runs is there, and it runs as nobody in particular."""

import fnmatch
import http.server
import json
import re
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).parent.parent


def instructions():
    """(name, value) of every instruction, continued lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def last(name):
    return [value for found, value in instructions() if found == name][-1]


def after_last_from():
    names = instructions()
    start = max(place for place, (name, _) in enumerate(names) if name == "FROM")
    return names[start:]


def ignored(path):
    """Whether .dockerignore keeps a path out: the last pattern that fits decides."""
    out = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            kept = pattern.startswith("!")
            pattern = pattern.removeprefix("!").removeprefix("**/")
            parts = [*Path(path).parts, path]
            if any(fnmatch.fnmatch(part, pattern) for part in ([path.split("/")[0]] if kept else parts)):
                out = not kept
    return out


def test_what_is_copied_is_there_and_nothing_else_reaches_the_build():
    copied = [
        source
        for name, value in instructions()
        if name == "COPY" and "--from" not in value
        for source in value.split()[:-1]
    ]
    for source in copied:
        assert (ROOT / source).exists(), source
        assert not ignored(source), source
    for path in ("tests", ".git", ".venv", "docs", "src/seqwise/__pycache__", "my-model"):
        assert ignored(path), path
    assert not ignored("src/seqwise/cli/application.py")


def test_it_has_stages_and_the_last_has_no_build_tools():
    assert next(value for name, value in instructions() if name == "FROM").endswith("AS build")
    assert not [value for name, value in after_last_from() if name == "RUN"]
    assert ("COPY", "--from=build /opt/seqwise /opt/seqwise") in after_last_from()


def test_it_runs_as_a_user_without_rights():
    user = dict(after_last_from())["USER"]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)  # a number, so that Kubernetes can tell that it is not root


def test_all_that_is_written_goes_to_tmp():
    environment = dict(pair.split("=", 1) for pair in dict(after_last_from())["ENV"].split())
    assert environment["HOME"] == "/tmp"
    assert environment["SEQWISE_CACHE"].startswith("/tmp/")
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"


def test_onnxruntime_tells_nobody_that_it_runs():
    assert "ORT_DISABLE_TELEMETRY=1" in dict(after_last_from())["ENV"].split()


def test_what_it_starts_is_a_command():
    from seqwise.cli import app

    words = [*json.loads(last("ENTRYPOINT")), *json.loads(last("CMD"))]
    assert words[:2] == ["seqwise", "serve"]
    assert words[words.index("--port") + 1] == last("EXPOSE")
    command = typer.main.get_command(app).commands["serve"]
    command.make_context("serve", words[2:])


def test_packages_are_pinned_and_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    stated = {plain(line) for line in [*project["dependencies"], *extras["serve"], *extras["onnx"]]}
    pinned = {plain(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    named = {
        plain(line)
        for line in (ROOT / "docker" / "requirements.txt").read_text().splitlines()
        if not line.startswith("#")
    }
    assert named <= stated
    assert named <= pinned
    assert {plain(line) for line in extras["serve"]} <= named
    assert not {"torch", "scikit-learn", "llvmlite", "onnx"} & named


def plain(requirement):
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower().replace("_", "-")


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_tells_ready_from_not(status, code):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_): ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        check = last("HEALTHCHECK")
        _, flag, source = json.loads(check[check.index("[") :])
        assert (flag, "--timeout=5s" in check) == ("-c", True)
        source = source.replace(":8000/", f":{server.server_port}/")
        assert subprocess.run([sys.executable, "-c", source], capture_output=True).returncode == code
    finally:
        server.shutdown()
        server.server_close()
    assert asked == ["/v2/health/ready"]
