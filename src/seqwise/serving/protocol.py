"""The Open Inference Protocol over REST (github.com/kserve/open-inference-protocol): what other servers' clients speak.

Tensors become the inputs of /batch_predict (of language models: of /score), their answers become tensors: everything else
is the same. Models have no versions here, and the extension for binary tensors is not spoken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from itertools import chain
from math import prod
from typing import Any, Literal

import numpy as np
from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import to_json
from starlette.responses import Response

from seqwise._version import __version__
from seqwise.errors import InputError
from seqwise.serving.asking import LARGE, deadline, read_items, read_json, valid
from seqwise.serving.gate import INPUTS, MODEL
from seqwise.serving.problems import Refused
from seqwise.serving.registry import Models, Running
from seqwise.serving.served import Item
from seqwise.serving.tensors import INPUT_TENSORS, OUTPUT_TENSORS, Shape

NUMBERS = ("FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"
]
VERBS = {"lm": "score"}  # of tasks that are not asked to predict
TAG = "open inference protocol"


class Part(BaseModel):
    """Part of a request: what is unknown is another server's extension, and is passed over."""

    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)


class RequestInput(Part):
    """A tensor."""

    name: str
    shape: list[int] = Field(min_length=1, max_length=4, description="of all inputs together: the first is how many")
    datatype: Datatype
    data: list[Any] = Field(description="row by row; nested as the shape says, or flat")
    parameters: dict[str, Any] = Field(default={}, description="none is known")


class RequestOutput(Part):
    """A tensor that is wanted."""

    name: str
    parameters: dict[str, Any] = Field(default={}, description="none is known")


class InferRequest(Part):
    """Inputs of one model."""

    id: str | None = Field(default=None, description="comes back with the answer")
    parameters: dict[str, Any] = Field(default={}, description="options of the model's task, as for /predict")
    inputs: list[RequestInput] = Field(min_length=1)
    outputs: list[RequestOutput] = Field(default=[], description="those that are wanted; none: all")


class Tensor(BaseModel):
    """A tensor of the answer."""

    name: str
    shape: list[int]
    datatype: Datatype
    data: list[Any] = Field(description="flat, row by row")


class InferResponse(BaseModel):
    """Answers of one model."""

    model_name: str
    id: str = Field(default="", description="that of the request, if it has one")
    outputs: list[Tensor]


class TensorMetadata(BaseModel):
    """What a tensor is."""

    name: str
    datatype: Datatype
    shape: list[int] = Field(description="-1 is any number")


class ServerMetadata(BaseModel):
    """What the server is."""

    name: str
    version: str
    extensions: list[str]


class ModelMetadata(BaseModel):
    """What a model reads and answers."""

    name: str
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class Live(BaseModel):
    """Whether the server lives."""

    live: bool


class Ready(BaseModel):
    """Whether the server can be asked."""

    live: bool
    ready: bool


class ModelReady(BaseModel):
    """Whether a model can be asked."""

    name: str
    ready: bool


class ProtocolError(Refused):
    """A problem with the member that this protocol's clients look at."""

    def to_dict(self) -> dict[str, Any]:
        """The problem's members."""
        told = super().to_dict()
        return {**told, "error": told["detail"]}


def add_protocol(app: FastAPI, models: Models) -> None:
    """Add /v2 and what is below it."""

    async def show_server() -> dict[str, Any]:
        return {"name": "seqwise", "version": __version__, "extensions": []}

    async def is_live() -> dict[str, bool]:
        return {"live": True}

    async def is_ready() -> dict[str, bool]:
        return {"live": True, "ready": True}

    async def show_model(name: str) -> Response:
        return _json(describe(models.find(name)))

    async def is_model_ready(name: str) -> Response:
        return _json({"name": models.find(name).served.name, "ready": True})

    async def infer(name: str, request: Request) -> Response:
        running = models.find(name)
        request.scope[MODEL] = running.served.name
        return _json(await _infer(models, running, request))

    table: list[tuple[str, str, Callable[..., Awaitable[Any]], type[BaseModel], str]] = [
        ("GET", "", show_server, ServerMetadata, "What the server is"),
        ("GET", "/health/live", is_live, Live, "Whether the server lives"),
        ("GET", "/health/ready", is_ready, Ready, "Whether the server can be asked"),
        ("GET", "/models/{name}", show_model, ModelMetadata, "What a model reads and answers"),
        ("GET", "/models/{name}/ready", is_model_ready, ModelReady, "Whether a model can be asked"),
        ("POST", "/models/{name}/infer", infer, InferResponse, "Ask a model"),
    ]
    body = {"required": True, "content": {"application/json": {"schema": InferRequest.model_json_schema()}}}
    for method, path, handler, answer, summary in table:
        app.add_api_route(
            f"/v2{path}",
            _with_error(handler) if "{name}" in path else handler,
            methods=[method],
            response_model=answer,
            summary=summary,
            tags=[TAG],
            openapi_extra={"requestBody": body} if method == "POST" else None,
        )


def describe(running: Running) -> dict[str, Any]:
    """What GET /v2/models/NAME tells."""
    served = running.served
    inputs: list[dict[str, Any]] = []
    outputs: list[dict[str, Any]] = []
    if (verb := VERBS.get(served.task, "predict")) in served.verbs:
        shape = Shape.of(served)
        suiting = [tensor for tensor in INPUT_TENSORS if tensor.suits(served.verbs[verb].input, shape)]
        inputs = [
            {**tensor.metadata(shape), "name": name}
            for tensor in suiting
            for name in (shape.columns if tensor.name == "fields" else [tensor.name])
        ]
        outputs = [tensor.metadata(shape) for tensor in OUTPUT_TENSORS.get(shape.kind, ())]
    return {"name": served.name, "platform": f"seqwise_{served.task}", "inputs": inputs, "outputs": outputs}


def example_tensors(running: Running) -> dict[str, Any] | None:
    """A request that a model answers; None of one that is not asked by tensors."""
    inputs = []
    for tensor in describe(running)["inputs"]:
        name, example = tensor["name"], running.served.example
        value = example.get("fields", example).get(name)
        if value is None:
            continue
        if isinstance(value, str):
            inputs.append({"name": name, "shape": [1], "datatype": "BYTES", "data": [value]})
        else:
            inputs.append({"name": name, "shape": [1, *np.shape(value)], "datatype": "FP32", "data": [value]})
    return {"inputs": inputs} if inputs else None


async def _infer(models: Models, running: Running, request: Request) -> dict[str, Any]:
    served = running.served
    name = VERBS.get(served.task, "predict")
    verb = running.verb(name)
    asked: InferRequest = valid(InferRequest, await read_json(request), served)
    shape = Shape.of(served)
    tensors = OUTPUT_TENSORS.get(shape.kind, ())
    wanted = [one.name for one in asked.outputs] or [tensor.name for tensor in tensors]
    for one in wanted:
        if one not in {tensor.name for tensor in tensors}:
            known = ", ".join(tensor.name for tensor in tensors)
            raise Refused(422, f"outputs: this model answers {known}, not {one[:60]!r}", "outputs")
    options = {key: value for key, value in asked.parameters.items() if key in verb.options.model_fields}

    def read() -> list[Item]:
        rows = read_rows(asked, verb.input, shape, models.settings.max_inputs)
        return read_items(verb, valid(running.requests[name][1], {"inputs": rows, **options}, served))

    items = read() if len(await request.body()) < LARGE else await asyncio.to_thread(read)
    request.scope[INPUTS] = len(items)
    answers = await running.answers(name, items, deadline(models))
    told = {tensor.name: tensor for tensor in tensors}
    outputs = [told[one].of(answers, shape) for one in wanted]
    identity = {} if asked.id is None else {"id": asked.id}
    return {"model_name": served.name, **identity, "outputs": outputs}


def read_rows(asked: InferRequest, kind: type[BaseModel], shape: Shape, most: int) -> list[dict[str, Any]]:
    """The inputs of /batch_predict that tensors stand for.

    Args:
        asked: the request.
        kind: what an input has.
        shape: of the model.
        most: inputs of a request.

    Raises:
        Refused: a tensor is none that the model reads, or its data do not fit its shape.
    """
    suiting = {tensor.name: tensor for tensor in INPUT_TENSORS if tensor.suits(kind, shape)}
    columns = dict.fromkeys(shape.columns, suiting["fields"]) if "fields" in suiting else {}
    suiting = {name: of for name, of in suiting.items() if name != "fields"} | columns
    arrays: dict[str, Any] = {}
    count = asked.inputs[0].shape[0]
    for number, given in enumerate(asked.inputs):
        where = f"inputs.{number}"
        if given.name not in suiting and given.name != "lengths":
            known = ", ".join([*suiting, "lengths"])
            raise Refused(422, f"{where}.name: this model reads {known}, not {given.name[:60]!r}", f"{where}.name")
        if given.name in arrays:
            raise Refused(422, f"{where}.name: {given.name!r} is there twice", f"{where}.name")
        if given.shape[0] != count or not 1 <= count <= most:
            raise Refused(
                422, f"{where}.shape: there are 1 to {most:,} inputs, as many of each tensor", f"{where}.shape"
            )
        arrays[given.name] = read_tensor(given, where)
    lengths = arrays.pop("lengths", None)
    rows: list[dict[str, Any]] = [{} for _ in range(count)]
    for name, values in arrays.items():
        tensor = suiting[name]
        for row, value in zip(rows, tensor.rows(values, lengths, shape), strict=True):
            if tensor.name == "fields":
                row.setdefault("fields", {})[name] = value
            else:
                row[name] = value
    rate = asked.parameters.get("rate")
    if rate is not None and "rate" in kind.model_fields:
        for row in rows:
            row["rate"] = rate
    return rows


def read_tensor(given: RequestInput, where: str) -> Any:
    """The data of a tensor in its shape: an array of numbers, or a list of texts.

    Raises:
        Refused: they are of another type or number; names the field, which is `where`.
    """
    if min(given.shape) < 0 or prod(given.shape) > 2**40:
        raise Refused(422, f"{where}.shape: sizes are not negative, and tensors fit into a request", f"{where}.shape")
    texts = given.datatype == "BYTES"
    if not texts and given.datatype not in NUMBERS:
        raise Refused(422, f"{where}.datatype: {given.datatype} is not read here", f"{where}.datatype")
    depth, inner = 1, given.data
    while inner and isinstance(inner[0], list) and depth < len(given.shape):
        depth, inner = depth + 1, inner[0]
    try:
        data = _ADAPTERS[texts, depth].validate_python(given.data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, (where, "data", *first["loc"])))
        raise Refused(422, f"{place}: {first['msg']}", place) from None
    field = f"{where}.data"
    if texts:
        for _ in range(depth - 1):
            data = list(chain.from_iterable(data))
        found = len(data)
    else:
        try:
            data = np.array(data, dtype=np.float64)
        except ValueError:
            raise Refused(422, f"{field}: rows of one tensor have one length", field) from None
        found = data.size
    if found != prod(given.shape):
        raise Refused(422, f"{field}: has {found:,} elements, and the shape says {prod(given.shape):,}", field)
    return data if texts else data.reshape(given.shape)


def _nested(kind: Any, depth: int) -> Any:
    return list[kind if depth == 1 else _nested(kind, depth - 1)]  # type: ignore[misc]


_ADAPTERS: dict[tuple[bool, int], TypeAdapter[Any]] = {
    (texts, depth): TypeAdapter(_nested(str if texts else float, depth))
    for texts in (True, False)
    for depth in (1, 2, 3, 4)
}


def _with_error(handler: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
    """The handler, with problems that have the member `error`, which this protocol knows."""

    @wraps(handler)
    async def answer(*arguments: Any, **named: Any) -> Response:
        try:
            return await handler(*arguments, **named)
        except (Refused, InputError) as error:
            refused = error if isinstance(error, Refused) else Refused(422, str(error))
            return ProtocolError(refused.status, refused.detail, refused.field, refused.retry_after).response()

    return answer


def _json(content: dict[str, Any]) -> Response:
    return Response(to_json(content), media_type="application/json")
