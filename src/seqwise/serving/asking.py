"""The verbs over HTTP: a body becomes an item, its answer a body."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json
from starlette.responses import Response

from seqwise.errors import InputError
from seqwise.serving.event_stream import EventStream
from seqwise.serving.gate import INPUTS, MODEL
from seqwise.serving.problems import Refused, of_validation, printable
from seqwise.serving.registry import Models, Running
from seqwise.serving.served import Item, Served, Verb

SAID = {"missing": "this is needed", "model_type": "an object is expected", "extra_forbidden": "there is no such field"}
SHOWN = 200  # characters of an example, or of a client's key
LARGE = 2**17  # bytes of a body from which it is read in a thread: the event loop has others to serve
ONE = ("predict", "score", "explain", "trace", "neighbours", "analogy")


def add_verbs(app: FastAPI, models: Models) -> None:
    """Add POST /predict, /batch_predict, and what else models can be asked.

    Every path is there, whatever models are: one may be replaced by one that can be asked something else.
    """
    for name in ONE:
        app.add_api_route(f"/{name}", _one(models, name), methods=["POST"], name=name, include_in_schema=False)
    app.add_api_route("/batch_predict", _several(models), methods=["POST"], include_in_schema=False)
    app.add_api_route("/generate", _drawn(models), methods=["POST"], include_in_schema=False)


def direct_routes(routes: Iterable[Any]) -> dict[str, Any]:
    """Those of the verbs, by path: their endpoints take a request and nothing else."""
    paths = {f"/{name}" for name in (*ONE, "batch_predict", "generate")}
    return {route.path: route for route in routes if getattr(route, "path", None) in paths}


def _one(models: Models, name: str) -> Callable[[Request], Awaitable[Response]]:
    async def ask(request: Request) -> Response:
        running, body = await read_body(models, request)
        size = len(await request.body())
        return Response(await answer_one(models, running, name, body, size), media_type="application/json")

    return ask


async def answer_one(models: Models, running: Running, name: str, body: dict[str, Any], size: int = 0) -> bytes:
    """The answer to a request with one input, as JSON.

    Args:
        models: of the server.
        running: the model that is asked.
        name: of the verb.
        body: of the request.
        size: of the body in bytes.

    Raises:
        Refused: the body is not what the model reads, too much waits, or time is over.
    """
    verb = running.verb(name)

    def read() -> Item:
        asked = valid(running.requests[name][0], body, running.served)
        return verb.read(asked, asked)

    item = read() if size < LARGE else await asyncio.to_thread(read)
    answer = await running.answer(name, item, deadline(models))
    return to_json({"model": running.served.name, **answer})


def _several(models: Models) -> Callable[[Request], Awaitable[Response]]:
    async def ask(request: Request) -> Response:
        running, body = await read_body(models, request)
        given = body.get("inputs")
        request.scope[INPUTS] = len(given) if isinstance(given, list) else 0
        size = len(await request.body())
        return Response(await answer_several(models, running, body, size), media_type="application/json")

    return ask


async def answer_several(models: Models, running: Running, body: dict[str, Any], size: int = 0) -> bytes:
    """The answer to a request with several inputs, as JSON.

    Raises:
        Refused: as `answer_one`; names the input.
    """
    verb = running.verb("predict")

    def read() -> list[Item]:
        return read_items(verb, valid(running.requests["predict"][1], body, running.served))

    items = read() if size < LARGE else await asyncio.to_thread(read)
    answers = await running.answers("predict", items, deadline(models))
    return to_json({"model": running.served.name, "predictions": answers})


def read_items(verb: Verb, asked: Any) -> list[Item]:
    """The inputs of a request that has several.

    Raises:
        Refused: one is not what the model reads; names it.
    """
    items = []
    for place, given in enumerate(asked.inputs):
        try:
            items.append(verb.read(given, asked))
        except Refused as refused:
            raise within(refused, f"inputs.{place}", verb.input) from None
        except InputError as error:
            raise Refused(422, f"inputs.{place}: {error}", f"inputs.{place}") from None
    return items


def _drawn(models: Models) -> Callable[[Request], Awaitable[Response]]:
    async def ask(request: Request) -> Response:
        running, body = await read_body(models, request)
        verb = running.verb("generate")
        asked: Any = valid(running.requests["generate"][0], body, running.served)
        item, name = verb.read(asked, asked), running.served.name
        pieces = models.beside.draw(partial(verb.answer, item), deadline(models))
        try:
            first = piece = await pieces.next()  # what is wrong with the request comes before any event
            if asked.stream:
                return EventStream(pieces, first, name)
            while piece is not None:
                piece = await pieces.next()
        except BaseException:  # above all that the client has gone
            pieces.leave()
            raise
        return Response(to_json({"model": name, **pieces.whole}), media_type="application/json")

    return ask


def within(refused: Refused, place: str, kind: type[BaseModel]) -> Refused:
    """The same for one of several inputs; what is wrong with the options stays what it is.

    Args:
        refused: what is wrong.
        place: of the input.
        kind: what an input has.
    """
    field = refused.field
    if field is not None and field.split(".")[0] not in kind.model_fields:
        return refused
    inside = place if field is None else f"{place}.{field}"
    return Refused(refused.status, f"{place}: {refused.detail}", inside, refused.retry_after)


async def read_body(models: Models, request: Request) -> tuple[Running, dict[str, Any]]:
    """The model that a request names, and the JSON object of its body.

    Raises:
        Refused: it is no JSON object, or names no model that is served.
    """
    body = await read_json(request)
    name = body.get("model")
    if name is not None and not isinstance(name, str):
        raise Refused(422, "model is the name of a model", "model")
    running = models.find(name)
    request.scope[MODEL] = running.served.name
    return running, body


async def read_json(request: Request) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        Refused: it is none.
    """
    content = await request.body()
    parse = partial(from_json, content, allow_inf_nan=False)
    try:
        body = parse() if len(content) < LARGE else await asyncio.to_thread(parse)
    except ValueError as error:
        raise Refused(422, f"the body is no sound JSON: {error}") from None
    if not isinstance(body, dict):
        raise Refused(422, "the body is a JSON object, such as that of the example in /docs")
    return body


def valid(kind: Any, body: dict[str, Any], served: Served) -> Any:
    """The body as such a request.

    Args:
        kind: of request.
        body: of the request.
        served: the model that is asked, of which an example is shown where the client does not know what it reads.

    Raises:
        Refused: it is none; names the field as the client wrote it.
    """
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
    for one in errors:
        one["loc"] = written(one["loc"], body)
        one["msg"] = SAID.get(one["type"], one["msg"])
    # What is missing says more than what is there instead of it.
    errors.sort(key=lambda one: one["type"] != "missing")
    refused = of_validation(list(errors))
    if errors[0]["type"] not in ("missing", "extra_forbidden", "model_type"):
        raise refused
    extra = next((one["loc"] for one in errors if one["type"] == "extra_forbidden"), None)
    if extra is not None and errors[0]["type"] == "missing":
        unknown = printable(".".join(map(str, extra)), SHOWN)
        refused = Refused(422, f"{refused.detail}, and there is no field {unknown!r}", refused.field)
    example = to_json(served.example).decode()
    shown = example if len(example) <= SHOWN else example[:SHOWN] + "…"
    raise Refused(422, f"{refused.detail}; an input of this model is, for example, {shown}", refused.field)


def written(place: tuple[Any, ...], body: Any) -> tuple[Any, ...]:
    """The place of an error in the body as the client wrote it: without the names of types that were tried.

    Args:
        place: keys and numbers, among them those names; the last one may be a key that is missing.
        body: where it is.
    """
    found: list[Any] = []
    for number, part in enumerate(place):
        known = part in body if isinstance(body, dict) else isinstance(body, list) and isinstance(part, int)
        if known and not (isinstance(body, list) and part >= len(body)):
            found.append(part if isinstance(part, int) else part[:SHOWN])
            body = body[part]
        elif number == len(place) - 1 and isinstance(body, dict):
            found.append(part)
    return tuple(found)


def deadline(models: Models) -> float:
    """Until when an answer is needed, on the event loop's clock."""
    return asyncio.get_running_loop().time() + models.settings.timeout_s
