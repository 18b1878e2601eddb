"""A server on loopback that answers the client of the Hugging Face hub as the hub does, for models."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_" + "t" * 34


class StandIn:
    """Repositories in memory.

    Attributes:
        repositories: name -> revision -> path -> content.
        private: names that only the token sees.
        listed: path -> size that the listing gives in place of the true one.
        extra: entries that are listed besides, as the server of a stranger might.
        sent: path -> bytes that come in place of the content that was listed.
        refuse: part of a path -> status, and the hub's code of the error.
        commits: every commit: its header and the paths that it adds and removes.
        requests: "METHOD path" of everything that was asked.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, dict[str, bytes]]] = {}
        self.private: set[str] = set()
        self.listed: dict[str, int] = {}
        self.extra: list[dict] = []
        self.sent: dict[str, bytes] = {}
        self.refuse: dict[str, tuple[int, str]] = {}
        self.commits: list[dict] = []
        self.requests: list[str] = []
        self.stored: dict[str, bytes] = {}
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                stand_in.handle(self)

            do_HEAD = do_POST = do_PUT = do_GET

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(request.path).path)
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        self.requests.append(f"{request.command} {path}")
        status, content, headers = self.answer(request, path, body)
        request.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content)

    def answer(self, request, path: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        for part, (status, code) in self.refuse.items():
            if part in path:
                return error(status, code)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in ("", TOKEN):
            return error(401, "")
        if path == "/api/whoami-v2":
            return reply({"name": "me", "type": "user"}) if token else error(401, "")
        if path == "/api/repos/create":
            return self.create(json.loads(body))
        if path == "/api/validate-yaml":
            return reply({"errors": [], "warnings": []})
        if path.startswith("/stored/"):
            self.stored[path.removeprefix("/stored/")] = body
            return reply({})
        if match := re.fullmatch(r"/([\w.-]+/[\w.-]+)\.git/info/lfs/objects/batch", path):
            return self.batch(json.loads(body))
        match = re.fullmatch(r"(?:/api/models)?/([\w.-]+/[\w.-]+?)(?:/(\w+)(?:/([\w.-]+)(?:/(.+))?)?)?", path)
        if match is None or match[1] not in self.repositories or (match[1] in self.private and not token):
            return error(401 if not token else 404, "RepoNotFound")
        name, verb, revision, rest = match.groups()
        revisions = self.repositories[name]
        if verb == "branch":
            revisions.setdefault(revision, dict(revisions["main"]))
            return reply({})
        where = {"0" * 39 + str(number): branch for number, branch in enumerate(revisions)}.get(revision, revision)
        if where is not None and where not in revisions:
            return error(404, "RevisionNotFound")
        files = revisions[where or "main"]
        commit = "0" * 39 + str(list(revisions).index(where or "main"))
        match verb:
            case None | "revision":
                return reply({"id": name, "sha": commit, "siblings": [], "tags": [], "private": name in self.private})
            case "tree":
                return reply([*(self.entry(path, content) for path, content in files.items()), *self.extra])
            case "preupload":
                asked = json.loads(body)["files"]
                return reply({"files": [self.mode(file["path"]) for file in asked]})
            case "commit":
                return self.commit(name, files, body)
            case "resolve":
                return self.resolve(files, commit, rest)
        return error(404, "")

    def create(self, asked: dict) -> tuple[int, bytes, dict[str, str]]:
        name = f"{asked.get('organization') or 'me'}/{asked['name']}"
        if name.split("/")[0] != "me":
            return error(403, "")
        if asked.get("private") or asked.get("visibility") == "private":
            self.private.add(name)
        known = name in self.repositories
        self.repositories.setdefault(name, {"main": {".gitattributes": b"* text"}})
        return (409 if known else 200, json.dumps({"url": f"{self.address}/{name}", "error": "exists"}).encode(), {})

    def entry(self, path: str, content: bytes) -> dict:
        size = self.listed.get(path, len(content))
        entry = {"type": "file", "path": path, "size": size, "oid": "0" * 40}
        if path.endswith(".safetensors"):
            entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": size, "pointerSize": 130}
        return entry

    def mode(self, path: str) -> dict:
        mode = "lfs" if path.endswith(".safetensors") else "regular"
        return {"path": path, "uploadMode": mode, "shouldIgnore": False}

    def batch(self, asked: dict) -> tuple[int, bytes, dict[str, str]]:
        objects = [
            {**of, "actions": {"upload": {"href": f"{self.address}/stored/{of['oid']}"}}} for of in asked["objects"]
        ]
        return reply({"transfer": "basic", "objects": objects})

    def commit(self, name: str, files: dict[str, bytes], body: bytes) -> tuple[int, bytes, dict[str, str]]:
        done: dict = {"header": {}, "added": [], "removed": []}
        for line in body.splitlines():
            item = json.loads(line)
            value = item["value"]
            match item["key"]:
                case "header":
                    done["header"] = value
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    content = self.stored[value["oid"]]
                    assert hashlib.sha256(content).hexdigest() == value["oid"]
                    files[value["path"]] = content
                case "deletedFile":
                    del files[value["path"]]
            if item["key"] in ("file", "lfsFile"):
                done["added"].append(value["path"])
            if item["key"] == "deletedFile":
                done["removed"].append(value["path"])
        self.commits.append(done)
        number = f"{len(self.commits):040d}"
        return reply({"commitUrl": f"{self.address}/{name}/commit/{number}", "commitOid": number})

    def resolve(self, files: dict[str, bytes], commit: str, path: str) -> tuple[int, bytes, dict[str, str]]:
        if path not in files:
            return error(404, "EntryNotFound")
        content = self.sent.get(path, files[path])
        return 200, content, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": commit}


def reply(document: object) -> tuple[int, bytes, dict[str, str]]:
    return 200, json.dumps(document).encode(), {"Content-Type": "application/json"}


def error(status: int, code: str) -> tuple[int, bytes, dict[str, str]]:
    headers = {"X-Error-Code": code} if code else {}
    return status, json.dumps({"error": f"refused with {status}"}).encode(), headers
