"""Replies: JSON, text, and every error in one shape with one status."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from iotistic.agent.logs import AgentLogger
from iotistic.model.errors import (
    Conflict,
    InvalidField,
    IotisticError,
    NotFound,
    Refused,
    Unavailable,
)
from iotistic.planner.policy import Denied

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_REQUEST_ID = "X-Request-Id"
_ID_KEY = web.RequestKey("request_id", str)


class ApiRefusal(IotisticError):
    """A request that the API itself turns away, with its HTTP status."""

    def __init__(
        self, status: HTTPStatus, message: str, *, code: str, remedy: str | None = None
    ) -> None:
        super().__init__(message, code=code, remedy=remedy)
        self.status = status


def json_reply(body: Mapping[str, Any], *, status: int = 200) -> web.Response:
    """A JSON object."""
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        content_type="application/json",
        charset="utf-8",
    )


def text_reply(text: str, *, status: int = 200) -> web.Response:
    """A short text."""
    return web.Response(text=text, status=status)


def error_body(error: IotisticError, request_id: str) -> dict[str, Any]:
    """An error as the API tells it."""
    return {
        "error": HTTPStatus(status_of(error)).phrase,
        "message": error.message,
        "details": error.details(),
        "code": error.code,
        "requestId": request_id,
    }


def status_of(error: IotisticError) -> int:
    """The HTTP status of an error."""
    match error:
        case ApiRefusal():
            return error.status
        case InvalidField():
            return 400
        case Denied():
            return 403
        case NotFound():
            return 404
        case Conflict() | Refused():
            return 409
        case Unavailable():
            return 503
        case _:
            return 500


def request_id_of(request: web.Request) -> str:
    """The id that this request was given."""
    return request[_ID_KEY]


def telling_errors(log: AgentLogger) -> Middleware:
    """The outermost middleware: gives the request its id, and turns every error into a reply."""

    @web.middleware
    async def tell(request: web.Request, handler: Handler) -> web.StreamResponse:
        request_id = request[_ID_KEY] = secrets.token_hex(8)
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = _reply(_from_aiohttp(error), request_id)
            if allowed := error.headers.get("Allow"):
                response.headers["Allow"] = allowed
        except IotisticError as error:
            response = _reply(error, request_id)
            if response.status == 500:
                _log_unexpected(log, request, error)
        except Exception as error:  # noqa: BLE001 - the edge: a bug is told as one, without its text
            _log_unexpected(log, request, error)
            response = _reply(IotisticError("the agent failed at this request"), request_id)
        if not response.prepared:
            response.headers.update(_HEADERS)
            response.headers[_REQUEST_ID] = request_id
        return response

    return tell


def stream_headers(request: web.Request) -> dict[str, str]:
    """The headers of a reply that is begun before its handler ends."""
    return {**_HEADERS, _REQUEST_ID: request_id_of(request)}


def _reply(error: IotisticError, request_id: str) -> web.Response:
    return json_reply(error_body(error, request_id), status=status_of(error))


def _log_unexpected(log: AgentLogger, request: web.Request, error: Exception) -> None:
    log.error(
        "request failed",
        method=request.method,
        path=request.path[:200],
        request_id=request_id_of(request),
        error=error,
    )


_AIOHTTP_CODES = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}


def _from_aiohttp(error: web.HTTPException) -> ApiRefusal:
    status = HTTPStatus(error.status)
    messages = {
        404: "there is nothing at this path",
        405: "this path does not take this method",
    }
    return ApiRefusal(
        status,
        messages.get(status, status.phrase.lower()),
        code=_AIOHTTP_CODES.get(status, "bad-request"),
    )
