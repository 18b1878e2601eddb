"""The web page: its files, from memory, with headers under which it can load nothing and run nothing but itself."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from seqwise.serving.card import read_card
from seqwise.serving.registry import Models

FOLDER = Path(__file__).parent / "page"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
PLACES = {"index.html": "/", "docs.html": "/docs"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; media-src blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cache-Control": "no-cache",  # kept, but asked about each time: an ETag answers in no time
}


class PageFile(NamedTuple):
    """A file of the page: its content, its media type, and the tag by which a browser knows that it has it already."""

    content: bytes
    kind: str
    tag: str


def page_files() -> dict[str, PageFile]:
    """The files of the page by name."""
    files = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in KINDS:
            content = path.read_bytes()
            files[path.name] = PageFile(content, KINDS[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')
    return files


def add_page(app: FastAPI) -> None:
    """Add GET / and /page/FILE, and GET /docs, which shows /openapi.json.

    Every file has a route of its own, from memory: no path of a request reaches the file system.
    """
    files = page_files()
    for name, file in files.items():
        path = PLACES.get(name, f"/page/{name}")
        app.add_api_route(path, _sends(file), methods=["GET", "HEAD"], include_in_schema=False)


def add_card(app: FastAPI, models: Models) -> None:
    """Add GET /models/NAME, which tells all of one model, its card included."""

    @app.get("/models/{name}", summary="One model, and its card as HTML")
    async def show_model(name: str) -> dict[str, Any]:
        models.find(name)
        card = await run_in_threadpool(read_card, models.folders[name])
        return {**models.describe(name), "card": card}


def _sends(file: PageFile) -> Callable[[Request], Awaitable[Response]]:
    async def send(request: Request) -> Response:
        known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
        headers = {**HEADERS, "ETag": file.tag}
        if file.tag in known or "*" in known:
            return Response(status_code=304, headers=headers)
        return Response(file.content, headers=headers, media_type=file.kind)

    return send
