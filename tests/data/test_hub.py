"""Fetching from the public home, against a server that answers as the hub does."""

import hashlib
import io
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pyarrow
import pyarrow.parquet
import pytest

from seqwise.data import get_data, load_examples, resolve
from seqwise.data.catalogue import cache_folder, catalogue
from seqwise.errors import FileError

COMMIT = "c" * 40
REPO = "stanfordnlp/imdb"


def parquet_bytes(texts: list[str], labels: list[int]) -> bytes:
    features = {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
    }
    table = pyarrow.table({"text": texts, "label": labels, "unused": labels})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer)
    return buffer.getvalue()


class StandIn:
    """The few routes of the hub that a download uses."""

    def __init__(self) -> None:
        self.files = {
            "plain_text/train/0000.parquet": parquet_bytes(["good film", "bad film"], [1, 0]),
            "plain_text/train/0001.parquet": parquet_bytes(["no label"], [-1]),
            "plain_text/test/0000.parquet": parquet_bytes(["fine"], [1]),
        }
        self.stated = {path: hashlib.sha256(content).hexdigest() for path, content in self.files.items()}
        self.requests: list[str] = []
        self.broken = ""
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = unquote(urlsplit(self.path).path)
                stand_in.requests.append(f"{self.command} {path}")
                if stand_in.broken and stand_in.broken in path:
                    return self.answer(b"{}", status=404)
                if path == f"/api/datasets/{REPO}":
                    return self.answer(b"{}")
                if path.startswith(f"/api/datasets/{REPO}/tree/refs/convert/parquet/"):
                    return self.answer(json.dumps(stand_in.listing(path.split("/parquet/", 1)[1])).encode())
                content = stand_in.files.get(path.partition("/resolve/refs/convert/parquet/")[2])
                if content is None:
                    return self.answer(b"{}", status=404)
                return self.answer(content, etag=hashlib.sha256(content).hexdigest())

            do_HEAD = do_GET

            def answer(self, content: bytes, status: int = 200, etag: str = "x") -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("ETag", f'"{etag}"')
                self.send_header("X-Repo-Commit", COMMIT)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def listing(self, folder: str) -> list[dict]:
        return [
            {
                "type": "file",
                "path": path,
                "size": len(content),
                "oid": "0" * 40,
                "lfs": {"oid": self.stated[path], "size": len(content), "pointerSize": 130},
            }
            for path, content in self.files.items()
            if path.startswith(folder + "/")
        ]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    stand_in = StandIn()
    monkeypatch.setenv("HF_ENDPOINT", stand_in.address)
    monkeypatch.setenv("SEQWISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SEQWISE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    yield stand_in
    stand_in.server.shutdown()
    stand_in.server.server_close()


def cached() -> list[str]:
    return sorted(path.name for path in cache_folder().iterdir())


def test_a_named_data_set_is_fetched_into_the_cache_once(hub):
    got = get_data("imdb")
    assert got == {"name": "imdb", "path": str(cache_folder() / "imdb"), "fetched": True}
    asked = len(hub.requests)
    assert get_data("imdb")["fetched"] is False
    source = resolve("imdb")
    assert len(hub.requests) == asked

    assert source.table("train").columns == ["text", "label"]
    rows = next(source.table("train").iter_chunks())
    assert rows == {"text": ["good film", "bad film", "no label"], "label": ["pos", "neg", None]}
    examples = load_examples(source.table("test"), source.metadata["text"], source.metadata["label"])
    assert (examples.texts, examples.labels.tolist()) == (["fine"], ["pos"])
    assert source.metadata["sha256"]["train"] == {p: s for p, s in hub.stated.items() if "/train/" in p}
    assert source.metadata["hub"] == REPO
    assert cached() == ["imdb"]
    assert sorted(p.name for p in (cache_folder() / "imdb").iterdir()) == [
        "dataset.json",
        "test.parquet",
        "train.parquet",
    ]


def test_a_file_without_the_stated_checksum_is_refused(hub):
    hub.stated["plain_text/test/0000.parquet"] = "f" * 64
    with pytest.raises(
        FileError, match=r"plain_text/test/0000\.parquet of stanfordnlp/imdb has the sha256 .* was expected"
    ):
        resolve("imdb")
    assert cached() == []  # nothing half done stays


def test_the_checksum_of_the_catalogue_comes_first(hub, monkeypatch):
    entry = {
        **catalogue()["imdb"],
        "hub": {**catalogue()["imdb"]["hub"], "sha256": {"plain_text/train/0000.parquet": "0"}},
    }
    monkeypatch.setitem(catalogue(), "imdb", entry)
    with pytest.raises(FileError, match="0 was expected"):
        resolve("imdb")


def test_a_part_that_is_gone_is_said(hub):
    del hub.files["plain_text/test/0000.parquet"]
    with pytest.raises(FileError, match=r"has no files plain_text/test/\*\.parquet"):
        resolve("imdb")
    assert cached() == []


@pytest.mark.parametrize("broken", ["/api/datasets/stanfordnlp/imdb", "/tree/", "0001.parquet"])
def test_a_home_that_does_not_answer_is_named(hub, broken):
    hub.broken = broken
    with pytest.raises(FileError, match=r"imdb cannot be fetched from http://127\.0\.0\.1") as raised:
        resolve("imdb")
    assert "\n" not in str(raised.value)
    assert cached() == []


def test_without_a_network_the_error_comes_soon_and_says_so(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    start = time.perf_counter()
    with pytest.raises(FileError, match=r"imdb cannot be fetched from http://127\.0\.0\.1:9/datasets/stanfordnlp/imdb"):
        resolve("imdb")
    assert time.perf_counter() - start < 12


def test_a_cache_that_cannot_be_written_is_named(hub, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEQWISE_CACHE", str(tmp_path / "file"))
    with pytest.raises(FileError, match=r"the cache .*file/data cannot be written"):
        resolve("imdb")


def test_every_set_of_the_catalogue_has_a_home_or_says_where_to_get_it():
    for name, entry in catalogue().items():
        assert ("hub" in entry) != ("where" in entry), name
        assert {"task", "source", "license"} <= entry.keys(), name
        if "hub" in entry:
            assert {"repo", "config", "splits", "columns"} <= entry["hub"].keys(), name
            assert {entry["text"], entry["label"]} <= entry["hub"]["columns"].keys(), name
            assert "train" in entry["hub"]["splits"], name
