"""Errors as problem details (RFC 9457): what a client may know, and nothing else."""

from __future__ import annotations

import http
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from seqwise.errors import InputError

log = logging.getLogger("seqwise.serving")


class Refused(Exception):
    """A request that gets a problem instead of an answer.

    Args:
        status: of HTTP.
        detail: one sentence for the client.
        field: of the request that is wrong, as a dotted path.
        retry_after: seconds after which it may be asked again.
    """

    def __init__(self, status: int, detail: str, field: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.field, self.retry_after = status, detail, field, retry_after

    def to_dict(self) -> dict[str, Any]:
        """The problem's members."""
        title = http.HTTPStatus(self.status).phrase
        problem = {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail}
        return problem if self.field is None else {**problem, "field": self.field}

    def response(self) -> Response:
        """The problem as an answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(max(1, round(self.retry_after)))}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return problem(self.to_dict(), headers)


def problem(content: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Return a response of the media type application/problem+json."""
    return Response(to_json(content), content["status"], headers, media_type="application/problem+json")


def of_validation(errors: list[Any]) -> Refused:
    """The first thing that is wrong with a request, by the name of its field."""
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    return Refused(422, f"{place or 'the body'}: {first['msg']}", place or None)


def add_problems(app: FastAPI) -> None:
    """Answer every error with a problem; what is not the client's doing goes to the log, without the request's texts."""

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
        return problem(Refused(error.status_code, str(error.detail)).to_dict(), error.headers)

    def unexpected(request: Request, error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return Refused(500, "the server failed at this request; its log says why").response()

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(ValidationError, invalid)
    app.add_exception_handler(InputError, wrong_input)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(Exception, unexpected)
