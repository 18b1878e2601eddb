"""The verbs over HTTP: a body becomes an item, its answer a body."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from pydantic import ValidationError
from pydantic_core import from_json, to_json
from starlette.responses import Response

from seqwise.errors import InputError
from seqwise.serving.problems import Refused, of_validation
from seqwise.serving.registry import Models, Running

ONE = ("predict", "score", "explain", "trace", "neighbours", "analogy")


def add_verbs(app: FastAPI, models: Models) -> None:
    """Add POST /predict, /batch_predict, and what else models can be asked; a path is there where a model has its verb."""
    for name in ONE:
        if any(name in running.served.verbs for running in models.values()):
            app.add_api_route(f"/{name}", _one(models, name), methods=["POST"], name=name)
    if any("predict" in running.served.verbs for running in models.values()):
        app.add_api_route("/batch_predict", _several(models), methods=["POST"], name="batch_predict")


def _one(models: Models, name: str) -> Callable[[Request], Awaitable[Response]]:
    async def ask(request: Request) -> Response:
        running, body = await read_body(models, request)
        verb = running.verb(name)
        asked = valid(running.requests[name][0], body)
        item = verb.read(asked, asked)
        answer = await running.answer(name, item, deadline(models))
        return Response(to_json({"model": running.served.name, **answer}), media_type="application/json")

    return ask


def _several(models: Models) -> Callable[[Request], Awaitable[Response]]:
    async def ask(request: Request) -> Response:
        running, body = await read_body(models, request)
        verb = running.verb("predict")
        asked: Any = valid(running.requests["predict"][1], body)
        items = []
        for place, given in enumerate(asked.inputs):
            given = valid(verb.input, {"text": given}) if isinstance(given, str) else given
            try:
                items.append(verb.read(given, asked))
            except Refused as refused:
                field = f"inputs.{place}" + (f".{refused.field}" if refused.field else "")
                raise Refused(refused.status, refused.detail, field) from None
            except InputError as error:
                raise Refused(422, f"inputs.{place}: {error}", f"inputs.{place}") from None
        until = deadline(models)
        answers = await asyncio.gather(*(running.answer("predict", item, until) for item in items))
        return Response(to_json({"model": running.served.name, "predictions": answers}), media_type="application/json")

    return ask


async def read_body(models: Models, request: Request) -> tuple[Running, dict[str, Any]]:
    """The model that a request names, and the JSON object of its body.

    Raises:
        Refused: it is no JSON object, or names no model that is served.
    """
    try:
        body = from_json(await request.body(), allow_inf_nan=False)
    except ValueError as error:
        raise Refused(422, f"the body is no sound JSON: {error}") from None
    if not isinstance(body, dict):
        raise Refused(422, "the body is a JSON object, such as that of the example in /docs")
    name = body.get("model")
    if name is not None and not isinstance(name, str):
        raise Refused(422, "model is the name of a model", "model")
    return models.find(name), body


def valid(kind: Any, body: dict[str, Any]) -> Any:
    """The body as such a request.

    Raises:
        Refused: it is none; names the field.
    """
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise of_validation(list(error.errors(include_url=False, include_context=False))) from None


def deadline(models: Models) -> float:
    """Until when an answer is needed, on the event loop's clock."""
    return asyncio.get_running_loop().time() + models.settings.timeout_s
