"""The API's description (OpenAPI 3.1): of the very models that are served, with inputs that they read and their answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, create_model
from pydantic_core import from_json, to_json
from starlette.responses import Response

from seqwise._version import __version__
from seqwise.serving.asking import ONE, answer_one, answer_several, deadline
from seqwise.serving.event_stream import MEDIA_TYPE as EVENTS
from seqwise.serving.event_stream import event
from seqwise.serving.gate import OPEN
from seqwise.serving.problems import MEDIA_TYPE as PROBLEM
from seqwise.serving.protocol import example_tensors
from seqwise.serving.registry import Models, Running

log = logging.getLogger("seqwise.serving")

TAG = "models"
SAID_OF_EVENTS = "an event for each piece, the event `end` with all of them, or the event `error` with a problem"
LARGEST = 20_000  # bytes of an example's answer that is shown
REFUSALS = {
    401: "no key, or a wrong one",
    403: "a page of another origin asks",
    404: "there is no such model",
    408: "the body did not come in time",
    413: "the request, or an input of it, is too long",
    415: "the body has a content encoding",
    422: "the request is not what the model reads; `field` names what is wrong",
    429: "too many requests wait already; ask again after so many seconds as Retry-After says",
    500: "the server failed",
    503: "the server is shutting down",
    504: "there was no answer in time",
}
"""Problems that any request may get; without a key 401, where none is needed."""
DESCRIPTION = """\
What the models of this server read and answer. A request names its `model`, which may be left out where one is served.

Errors are problem details (RFC 9457): `status`, `title`, a sentence as `detail`, and `field` where a field is to blame."""


def add_openapi(app: FastAPI, models: Models) -> None:
    """Add GET /openapi.json. The document is made when it is first asked for, and anew once a model was replaced."""
    described: dict[int, bytes] = {}
    making = asyncio.Lock()

    async def show() -> Response:
        async with making:
            if (generation := models.generation) not in described:
                described.clear()
                described[generation] = to_json(await make_document(app, models))
            return Response(described[generation], media_type="application/json")

    app.add_api_route("/openapi.json", show, methods=["GET"], include_in_schema=False)


async def make_document(app: FastAPI, models: Models) -> dict[str, Any]:
    """The whole document."""
    document = get_openapi(title="Seqwise", version=__version__, description=DESCRIPTION, routes=app.routes)
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    paths: dict[str, Any] = {}
    for name in ONE:
        if asked := _having(models, name):
            paths[f"/{name}"] = {"post": await _one(models, asked, name, schemas)}
            if name == "predict":
                paths["/batch_predict"] = {"post": await _several(models, asked, schemas)}
    if asked := _having(models, "generate"):
        paths["/generate"] = {"post": await _drawn(models, asked, schemas)}
    document["paths"] = _lifted({**paths, **document["paths"]}, schemas)
    _name_models(document["paths"], models)
    keys = models.settings.api_key_file is not None
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(path, operation, keys=keys)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    if keys:
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        document["security"] = [{"bearer": []}, {"header": []}]
    return document


class Problem(BaseModel):
    """What is wrong."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    error: str | None = None


def _having(models: Models, verb: str) -> list[Running]:
    return [running for running in models.values() if verb in running.served.verbs]


async def _one(models: Models, asked: list[Running], verb: str, schemas: dict[str, Any]) -> dict[str, Any]:
    requests, answers = {}, {}
    for running in asked:
        given = example_request(models, running, verb)
        requests[running.served.name] = given
        if verb != "trace":  # thousands of numbers
            answers[running.served.name] = await _answered(running, answer_one(models, running, verb, given))
    bodies = [_schema(schemas, of, verb, of.requests[verb][0], _naming(models)) for of in asked]
    outputs = [_schema(schemas, of, f"{verb}-answer", _answer(of, verb)) for of in asked]
    return _operation(verb, _summary(asked, verb), bodies, requests, {"application/json": (outputs, answers)})


async def _several(models: Models, asked: list[Running], schemas: dict[str, Any]) -> dict[str, Any]:
    requests, answers = {}, {}
    for running in asked:
        name, inputs = running.served.name, running.requests["predict"][0]
        given = example_request(models, running, "predict")
        options = {key: value for key, value in given.items() if key in running.verb("predict").options.model_fields}
        one = {
            key: value for key, value in given.items() if key not in {*options, "model"} and key in inputs.model_fields
        }
        requests[name] = {**_naming_of(models, name), "inputs": [one, one], **options}
        answers[name] = await _answered(running, answer_several(models, running, requests[name]))
    bodies = [_schema(schemas, of, "batch_predict", of.requests["predict"][1], _naming(models)) for of in asked]
    outputs = []
    for running in asked:
        output = running.verb("predict").output
        fields: dict[str, Any] = {"model": (str, ...), "predictions": (list[output], ...)}  # type: ignore[valid-type]
        outputs.append(_schema(schemas, running, "batch_predict-answer", create_model("Answers", **fields)))
    summary = "The same of several inputs"
    return _operation("batch_predict", summary, bodies, requests, {"application/json": (outputs, answers)})


async def _drawn(models: Models, asked: list[Running], schemas: dict[str, Any]) -> dict[str, Any]:
    requests, wholes, events = {}, {}, {}
    for running in asked:
        name = running.served.name
        given = example_request(models, running, "generate")
        requests[name] = given
        requests[f"{name}, as one answer"] = {**given, "stream": False}
        try:
            pieces = await _pieces(models, running, given)
        except Exception as error:
            log.error("the example of %s is not drawn", name, exc_info=error)
            continue
        wholes[name] = {"model": name, **pieces.pop()}
        events[name] = "".join([*(event(piece).decode() for piece in pieces), event(wholes[name], "end").decode()])
    bodies = [_schema(schemas, of, "generate", of.requests["generate"][0], _naming(models)) for of in asked]
    outputs = [_schema(schemas, of, "generate-answer", _answer(of, "generate")) for of in asked]
    answers: dict[str, Any] = {
        "application/json": (outputs, wholes),
        EVENTS: ([{"description": SAID_OF_EVENTS}], events),
    }
    return _operation("generate", _summary(asked, "generate"), bodies, requests, answers)


async def _pieces(models: Models, running: Running, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is told of every piece that is drawn, and at last of all of them."""
    verb, asked = running.verb("generate"), running.requests["generate"][0].model_validate(given)
    item = verb.read(asked, asked)
    drawing = models.beside.draw(lambda: verb.answer(item), deadline(models))
    told = []
    while (piece := await drawing.next()) is not None:
        told.append(piece)
    return [*told, drawing.whole]


def example_request(models: Models, running: Running, verb: str) -> dict[str, Any]:
    """A request that a model answers."""
    served = running.served
    own = running.verb(verb).example
    return {**_naming_of(models, served.name), **(served.example if own is None else own)}


async def _answered(running: Running, answering: Awaitable[bytes]) -> Any:
    """The model's answer to its example; None if it has none, or a very long one."""
    try:
        content = await answering
    except Exception as error:  # the document describes the other models all the same
        log.error("the example of %s is not answered", running.served.name, exc_info=error)
        return None
    return from_json(content) if len(content) <= LARGEST else None


def _naming(models: Models) -> bool:
    """Whether requests have to name the model."""
    return len(models) > 1


def _naming_of(models: Models, name: str) -> dict[str, str]:
    return {"model": name} if _naming(models) else {}


def _answer(running: Running, verb: str) -> type[BaseModel]:
    output = running.verb(verb).output
    return create_model(output.__name__, __base__=output, __doc__=output.__doc__, model=(str, ...))


def _schema(schemas: dict[str, Any], running: Running, what: str, kind: type[BaseModel], naming: bool = False) -> Any:
    """Add the schema of a kind to the components; return a reference to it.

    Args:
        schemas: of the components.
        running: the model whose request or answer it is.
        what: of its requests or answers.
        kind: with the fields.
        naming: whether it has to name the model.
    """
    name = running.served.name
    schema = kind.model_json_schema(ref_template=f"#/components/schemas/{name}.{{model}}", mode="validation")
    for inner, of in schema.pop("$defs", {}).items():
        schemas[f"{name}.{inner}"] = of
    schema["title"] = f"{what} of {name}"
    properties = schema["properties"]
    properties["model"] = {"type": "string", "const": name}
    if not naming and "model" not in schema.get("required", ()):
        properties["model"] = {"anyOf": [{"type": "string", "const": name}, {"type": "null"}]}
    first = ["model", "inputs", *(running.verb(what).input.model_fields if what in running.served.verbs else ())]
    schema["properties"] = {key: properties[key] for key in dict.fromkeys([*first, *properties]) if key in properties}
    if naming:
        schema["required"] = sorted({*schema.get("required", ()), "model"})
    schemas[f"{name}.{what}"] = schema
    return {"$ref": f"#/components/schemas/{name}.{what}"}


def _summary(asked: Iterable[Running], verb: str) -> str:
    return "; ".join(dict.fromkeys(running.verb(verb).summary for running in asked))


def _operation(
    name: str,
    summary: str,
    bodies: list[dict[str, Any]],
    requests: Mapping[str, Any],
    answers: Mapping[str, tuple[list[dict[str, Any]], Mapping[str, Any]]],
) -> dict[str, Any]:
    """A path's POST.

    Args:
        name: of the operation.
        summary: one line.
        bodies: schemas of the requests.
        requests: examples by name.
        answers: by media type their schemas and examples by name.
    """
    content = {
        kind: {"schema": _any_of(schemas), **_examples(examples)} for kind, (schemas, examples) in answers.items()
    }
    return {
        "operationId": name,
        "summary": summary,
        "tags": [TAG],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _any_of(bodies), **_examples(requests)}},
        },
        "responses": {"200": {"description": "the answer", "content": content}},
    }


def _lifted(part: Any, schemas: dict[str, Any]) -> Any:
    """A part of the document whose schemas have no definitions of their own: these go to the components."""
    if isinstance(part, list):
        return [_lifted(of, schemas) for of in part]
    if not isinstance(part, dict):
        return part.replace("#/$defs/", "#/components/schemas/") if isinstance(part, str) else part
    for name, schema in part.get("$defs", {}).items():
        schemas[name] = _lifted(schema, schemas)
    return {key: _lifted(of, schemas) for key, of in part.items() if key != "$defs"}


def _name_models(paths: dict[str, Any], models: Models) -> None:
    """Give paths with a model's name the names that there are, and the requests among them examples."""
    names = {name: {"value": name} for name in models}
    for path, operations in paths.items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "name" and "{name}" in path:
                    parameter["examples"] = names
    infer = paths["/v2/models/{name}/infer"]["post"]["requestBody"]["content"]["application/json"]
    infer |= _examples({name: example_tensors(running) for name, running in models.items()})


def _any_of(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _examples(examples: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: {"summary": name, "value": value} for name, value in examples.items() if value is not None}
    return {"examples": named} if named else {}


def _complete(path: str, operation: dict[str, Any], *, keys: bool) -> None:
    """Add the problems that any request may get, and whether a key is needed."""
    opened = path in OPEN
    responses = operation["responses"]
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, description in REFUSALS.items():
        if status == 401 and (not keys or opened):
            continue
        told = responses.setdefault(str(status), {"description": description})
        told["content"] = content
        if status == 429:
            told["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}}
    if keys and opened:
        operation["security"] = []
