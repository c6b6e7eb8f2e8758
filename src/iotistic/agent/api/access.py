"""Who is let in over TCP. The Unix socket's guard is its file mode."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from iotistic.agent.api.replies import ApiRefusal
from iotistic.agent.endpoint import is_loopback
from iotistic.model.secret import Secret

OPEN_PATHS = frozenset({"/ping", "/v1/healthy"})
REQUESTS_MAX = 64
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?")


def check_tcp(method: str, path: str, headers: Mapping[str, str], token: Secret) -> None:
    """Raise ApiRefusal for a request that may not come in over TCP. Pure."""
    # A page of the web can make a browser on this machine call 127.0.0.1: by name, after it let
    # its name point here (then Host is that name), or across origins (then Origin is there).
    if not names_this_machine(headers.get("Host", "")):
        raise ApiRefusal(
            HTTPStatus.FORBIDDEN,
            "the Host header must name this machine by a loopback address or localhost",
            code="host-not-allowed",
            remedy="call http://127.0.0.1 with the agent's port",
        )
    if "Origin" in headers:
        raise ApiRefusal(
            HTTPStatus.FORBIDDEN,
            "requests of web pages are not answered",
            code="origin-not-allowed",
        )
    if method == "GET" and path in OPEN_PATHS:
        return
    given = token_in(headers)
    # What is no UTF-8 comes as lone surrogates, which cannot be encoded as they are.
    sent = None if given is None else given.encode("utf-8", "surrogateescape")
    if sent is None or not hmac.compare_digest(sent, token.reveal().encode()):
        raise ApiRefusal(
            HTTPStatus.UNAUTHORIZED,
            "a token is needed" if sent is None else "this is not the token",
            code="unauthorized",
            remedy="send the content of api-token in the agent's state folder as "
            "'Authorization: Bearer TOKEN'",
        )


def names_this_machine(host: str) -> bool:
    """Whether a `Host` header is a loopback address or `localhost`, with or without a port."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    return is_loopback(match["name"].strip("[]").lower())


def token_in(headers: Mapping[str, str]) -> str | None:
    """The token that a request brings, in a header; never looked for anywhere else."""
    scheme, _, bearer = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer.strip():
        return bearer.strip()
    return headers.get("X-API-Key") or None


def tcp_guard(token: Secret) -> Middleware:
    """Lets in who may come in over TCP."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        check_tcp(request.method, request.path, request.headers, token)
        return await handler(request)

    return guard


class RequestLimit:
    """Turns requests away while too many are being answered."""

    def __init__(self) -> None:
        self._requests = 0

    def middleware(self) -> Middleware:
        """Counts requests of whatever way in."""

        @web.middleware
        async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self._requests >= REQUESTS_MAX and request.path not in OPEN_PATHS:
                raise busy("too many requests at once")
            self._requests += 1
            try:
                return await handler(request)
            finally:
                self._requests -= 1

        return limit


def busy(message: str) -> ApiRefusal:
    """429: the same again in a moment may well work."""
    return ApiRefusal(
        HTTPStatus.TOO_MANY_REQUESTS, message, code="busy", remedy="try again in a moment"
    )
