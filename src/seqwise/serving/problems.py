"""Errors as problem details (RFC 9457): what a client may know, and nothing else."""

from __future__ import annotations

import http
import math
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from seqwise.errors import InputError

MEDIA_TYPE = "application/problem+json"
LONGEST_DETAIL, LONGEST_FIELD = 1000, 200


class Refused(Exception):
    """A request that gets a problem instead of an answer.

    Args:
        status: of HTTP.
        detail: one sentence for the client.
        field: of the request that is wrong, as a dotted path.
        retry_after: seconds after which it may be asked again.
        close: whether the connection ends with it.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        field: str | None = None,
        retry_after: float | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.field = status, detail, field
        self.retry_after, self.close = retry_after, close

    @property
    def title(self) -> str:
        """The status in words."""
        return http.HTTPStatus(self.status).phrase

    def to_dict(self) -> dict[str, Any]:
        """The problem's members."""
        problem = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": printable(self.detail, LONGEST_DETAIL),
        }
        return problem if self.field is None else {**problem, "field": printable(self.field, LONGEST_FIELD)}

    def content(self) -> bytes:
        """The problem as JSON."""
        return to_json(self.to_dict())

    def headers(self) -> dict[str, str]:
        """What the answer has besides."""
        headers = {} if self.retry_after is None else {"Retry-After": str(max(1, math.ceil(self.retry_after)))}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.close:
            headers["Connection"] = "close"
        return headers

    def http(self) -> bytes:
        """The problem as the bytes of a whole answer, where there is no request to answer by ASGI."""
        content = self.content()
        head = [
            f"HTTP/1.1 {self.status} {self.title}",
            f"content-type: {MEDIA_TYPE}",
            f"content-length: {len(content)}",
            *(f"{name.lower()}: {value}" for name, value in self.headers().items()),
        ]
        return "\r\n".join([*head, "", ""]).encode() + content

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """The problem as an answer."""
        return Response(self.content(), self.status, {**self.headers(), **(headers or {})}, media_type=MEDIA_TYPE)


def printable(text: str, longest: int) -> str:
    """A text that any JSON can hold, cut if it is long: names of fields and some messages come from the client."""
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return text.encode(errors="replace").decode()


def of_validation(errors: list[Any]) -> Refused:
    """The first thing that is wrong with a request, by the name of its field; never the value that stands there."""
    first = errors[0]
    place = ".".join(printable(str(part), LONGEST_FIELD) for part in first["loc"] if part != "body")
    return Refused(422, f"{place or 'the body'}: {first['msg']}", place or None)


def add_problems(app: FastAPI) -> None:
    """Answer every error with a problem. What nobody expected is the gate's."""

    def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return error.response()

    def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError | ValidationError)
        return of_validation(list(error.errors())).response()

    def wrong_input(_: Request, error: Exception) -> Response:
        return Refused(422, str(error)).response()

    def of_http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        detail = {
            404: "there is no such path; /docs shows those that there are",
            405: "this path has other methods",
        }.get(error.status_code, str(error.detail))
        return Refused(error.status_code, detail).response(error.headers)

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(ValidationError, invalid)
    app.add_exception_handler(InputError, wrong_input)
    app.add_exception_handler(HTTPException, of_http)
