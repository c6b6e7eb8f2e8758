"""What a caller gets when something is refused: `{error, message, code, details?, requestId}`.

The classes say which answer it is; everything else becomes a 500 that tells the caller nothing
but the request's id, under which the log has the rest.
"""

from __future__ import annotations

import logging
import secrets
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException

from iotistic.model.errors import Conflict, InvalidField, IotisticError, NotFound, Refused
from iotistic.model.errors import Unavailable as TryAgain

_log = logging.getLogger("iotistic.cloud")


class Unauthorized(Refused):
    """Who calls is not known."""

    code = "unauthorized"


class Forbidden(Refused):
    """Who calls is known, and may not."""

    code = "forbidden"


class Gone(Refused):
    """It was here and has been removed on purpose."""

    code = "gone"


class TooLarge(Refused):
    """The body is more than is read."""

    code = "too-large"


class ChangedMeanwhile(Conflict):
    """The caller's `If-Match` is not the present version."""

    code = "changed-meanwhile"


class TooManyAttempts(TryAgain):
    """Too many failures of the same kind, or a full queue; `retry_after_s` says when to return."""

    code = "too-many-attempts"


class TooSlow(TryAgain):
    """The body did not arrive in time."""

    code = "too-slow"


# The first class that fits decides.
STATUS: tuple[tuple[type[IotisticError], HTTPStatus], ...] = (
    (InvalidField, HTTPStatus.BAD_REQUEST),
    (Unauthorized, HTTPStatus.UNAUTHORIZED),
    (Gone, HTTPStatus.GONE),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (ChangedMeanwhile, HTTPStatus.PRECONDITION_FAILED),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Refused, HTTPStatus.FORBIDDEN),
    (TooSlow, HTTPStatus.REQUEST_TIMEOUT),
    (TooManyAttempts, HTTPStatus.TOO_MANY_REQUESTS),
    (TryAgain, HTTPStatus.SERVICE_UNAVAILABLE),
)
_BAD_PAYLOAD = "bad-payload"


def status_of(error: IotisticError) -> HTTPStatus:
    """The HTTP status an error is answered with."""
    if error.code == _BAD_PAYLOAD:
        return HTTPStatus.BAD_REQUEST
    return next(
        (status for kind, status in STATUS if isinstance(error, kind)),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """The answer to any exception that comes out of a handler, a guard or the router."""
    request_id = request_id_of(request)
    headers = {"X-Request-Id": request_id}
    if isinstance(error, IotisticError):
        status = status_of(error)
        message, code, details = error.message, error.code, error.details()
        if isinstance(error, TryAgain):
            headers["Retry-After"] = str(max(1, round(error.retry_after_s or 1)))
        if status is HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, HTTPException) and error.status_code < 500:
        status = HTTPStatus(error.status_code)
        message, details = _sentence(request, status), {}
        code = status.phrase.lower().replace(" ", "-")
        if isinstance(error, MethodNotAllowedException) and error.headers:
            headers.update(error.headers)
    else:
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        message, code, details = "something went wrong here, not on your side", "internal", {}
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("request failed", exc_info=error, extra={"request_id": request_id})
    elif status is HTTPStatus.SERVICE_UNAVAILABLE:
        _log.warning("request not served", extra={"request_id": request_id, "reason": message})
    body: dict[str, Any] = {
        "error": status.phrase,
        "message": message,
        "code": code,
        "requestId": request_id,
    }
    if details:
        body["details"] = details
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def _sentence(request: Request[Any, Any, Any], status: HTTPStatus) -> str:
    if status is HTTPStatus.NOT_FOUND:
        return f"there is nothing at {request.url.path[:200]}"
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{request.method} is not possible here"
    return status.description or status.phrase


def request_id_of(request: Request[Any, Any, Any]) -> str:
    """The id under which the log knows this request; made here, never taken from the caller."""
    state = request.scope.setdefault("state", {})
    found = state.get("request_id")
    if not isinstance(found, str):
        found = state["request_id"] = secrets.token_hex(8)
    return found
